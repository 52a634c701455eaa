//! Pages of a sorted listing.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;

use super::text;
use crate::cloud::Cloud;
use crate::fault::Fault;

/// How many items a page of CodeDeploy has.
pub(super) const SIZE: usize = 100;

/// The page that `nextToken` asks for and the token of the one after it. `rows` are
/// sorted by their key; a token names the last key seen, so that rows coming and
/// going in between are neither repeated nor skipped.
pub(super) fn page<T>(
    cloud: &Cloud,
    rows: Vec<(String, T)>,
    input: &Value,
) -> Result<(Vec<T>, Option<String>), Fault> {
    let after = match text(input, "nextToken").or_else(|| text(input, "NextToken")) {
        Some(token) => Some(last_key(token)?),
        None => None,
    };
    let mut rest = rows.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|after| key > after));
    let page: Vec<_> = rest.by_ref().take(SIZE.min(cloud.settings.longest_page)).collect();
    let token = match (rest.next(), page.last()) {
        (Some(_), Some((last, _))) => Some(BASE64_STANDARD.encode(format!("after:{last}"))),
        _ => None,
    };
    Ok((page.into_iter().map(|(_, row)| row).collect(), token))
}

fn last_key(token: &str) -> Result<String, Fault> {
    BASE64_STANDARD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix("after:").map(str::to_owned))
        .ok_or_else(|| {
            Fault::new("InvalidNextTokenException", "The next token was specified in an invalid format")
        })
}
