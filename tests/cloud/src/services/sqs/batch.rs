//! Batches: each entry is a call of its own, with an outcome of its own.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{check, named};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::wire::entry_code;

/// What all messages of one batch may have together.
const MOST_BYTES: u64 = 1_048_576;

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
    let id_fits = |id: &str| {
        (1..=80).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if !entries.iter().all(|entry| entry["Id"].as_str().is_some_and(id_fits)) {
        let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.";
        return Err(Fault::new("InvalidBatchEntryId", message));
    }
    if entries.iter().map(check::size).sum::<u64>() > MOST_BYTES {
        let message = format!("Batch requests cannot be longer than {MOST_BYTES} bytes.");
        return Err(Fault::new("BatchRequestTooLong", message));
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
                "Id": id, "SenderFault": true, "Code": entry_code("sqs", &fault), "Message": fault.message,
            })),
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}
