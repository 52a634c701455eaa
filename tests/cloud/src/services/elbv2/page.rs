//! Pages by `Marker` and `PageSize`.

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::services::paging;

/// One page of rows as `{<member>: [...], NextMarker}`.
pub fn page(rows: Vec<Value>, member: &str, input: &Value) -> Result<Value, Fault> {
    let refused = |marker: &str| super::validation(format!("'{marker}' is no valid marker"));
    let (rows, next) =
        paging::page(rows, input["Marker"].as_str(), paging::size(&input["PageSize"], 400), refused)?;
    Ok(json!({ member: rows, "NextMarker": next }))
}
