//! Pages by `Marker` and `PageSize`.

use serde_json::{Value, json};

use crate::fault::Fault;

/// One page of rows as `{<member>: [...], NextMarker}`.
pub fn page(rows: Vec<Value>, member: &str, input: &Value) -> Result<Value, Fault> {
    let from = match input["Marker"].as_str() {
        Some(marker) => {
            marker.parse().map_err(|_| super::validation(format!("'{marker}' is no valid marker")))?
        }
        None => 0,
    };
    let size = input["PageSize"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(400);
    let total = rows.len();
    let rows: Vec<_> = rows.into_iter().skip(from).take(size).collect();
    let next = (from + rows.len() < total).then(|| (from + rows.len()).to_string());
    Ok(json!({ member: rows, "NextMarker": next }))
}
