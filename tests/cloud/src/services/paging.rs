//! Pages whose token is the number of the next row.

use serde_json::{Value, json};

use crate::fault::Fault;

/// `most` rows from the one that `token` names, and the token of the next page. `refused`
/// makes the service's own error of a token that it never gave out.
pub fn page(
    rows: Vec<Value>,
    token: Option<&str>,
    most: usize,
    refused: impl FnOnce(&str) -> Fault,
) -> Result<(Vec<Value>, Value), Fault> {
    let from = match token.filter(|token| !token.is_empty()) {
        Some(token) => token.parse::<usize>().map_err(|_| refused(token))?,
        None => 0,
    };
    let next = from.saturating_add(most);
    let token = if next < rows.len() { json!(next.to_string()) } else { Value::Null };
    Ok((rows.into_iter().skip(from).take(most).collect(), token))
}

/// A page's size as an input has it, else `default`.
pub fn size(given: &Value, default: usize) -> usize {
    given.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
}
