//! Pages: `maxResults`, `nextToken`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::names::{invalid, text};
use crate::cloud::Cloud;
use crate::fault::Fault;

/// One page of a list under `member`, and the token for the next one.
pub(super) fn page(
    cloud: &Cloud,
    input: &Value,
    member: &str,
    default: usize,
    items: impl IntoIterator<Item = Value>,
) -> Result<Value, Fault> {
    let size = match input.get("maxResults").and_then(Value::as_i64) {
        None => default,
        Some(n @ 1..=100) => usize::try_from(n).unwrap_or(default),
        Some(n) => return Err(invalid(format!("maxResults must be between 1 and 100, not {n}"))),
    };
    let size = size.min(cloud.settings.longest_page);
    let start = text(input, "nextToken").map_or(Ok(0), position)?;
    let mut rest = items.into_iter().skip(start);
    let page: Vec<Value> = rest.by_ref().take(size).collect();
    let next = rest.next().map(|_| STANDARD.encode(format!("ecs:{}", start + size)));
    Ok(json!({ member: page, "nextToken": next }))
}

fn position(token: &str) -> Result<usize, Fault> {
    STANDARD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix("ecs:")?.parse().ok())
        .ok_or_else(|| invalid("Invalid nextToken"))
}
