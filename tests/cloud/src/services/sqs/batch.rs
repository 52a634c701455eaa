//! Batches: each entry is a call of its own, with an outcome of its own.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::named;
use crate::cloud::Cloud;
use crate::fault::Fault;

pub fn each(
    cloud: &mut Cloud,
    input: &Value,
    one: impl Fn(&mut Cloud, &Value) -> Result<Value, Fault>,
) -> Result<Value, Fault> {
    named(cloud, input)?;
    let entries = input["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.is_empty() {
        return Err(Fault::new("EmptyBatchRequest", "There should be at least one entry in the request."));
    }
    if entries.len() > 10 {
        let message =
            format!("Maximum number of entries per request are 10. You have sent {}.", entries.len());
        return Err(Fault::new("TooManyEntriesInBatchRequest", message));
    }
    let ids: BTreeSet<_> = entries.iter().map(|entry| entry["Id"].as_str()).collect();
    if ids.len() < entries.len() {
        return Err(Fault::new("BatchEntryIdsNotDistinct", "Two or more batch entries have the same Id."));
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let mut call: Map<String, Value> = entry.as_object().cloned().unwrap_or_default();
        let id = call.remove("Id").unwrap_or_default();
        call.insert("QueueUrl".into(), input["QueueUrl"].clone());
        match one(cloud, &Value::Object(call)) {
            Ok(mut answer) => {
                answer["Id"] = id;
                successful.push(answer);
            }
            Err(fault) => failed.push(json!({
                "Id": id, "SenderFault": true, "Code": fault.shape, "Message": fault.message,
            })),
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}
