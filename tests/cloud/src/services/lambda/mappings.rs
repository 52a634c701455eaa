//! Event source mappings: a queue's messages in batches to a function.

use serde_json::{Value, json};

use super::{Mapping, Origin, Timer, arn, invalid, invoke, name_of, named, page, text};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::sqs;
use crate::time::{SECOND, timestamp};

/// What changes how a queue is read, and is not honoured here.
const NOT_HERE: &[&str] = &[
    "FilterCriteria",
    "ScalingConfig",
    "ProvisionedPollerConfig",
    "DestinationConfig",
    "ParallelizationFactor",
    "StartingPosition",
    "TumblingWindowInSeconds",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "MaximumRecordAgeInSeconds",
    "SelfManagedEventSource",
    "SourceAccessConfigurations",
    "Topics",
    "Queues",
];

pub fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    let queue = text(input, "EventSourceArn").to_owned();
    if queue.split(':').nth(2) != Some("sqs") {
        return Err(Fault::not_modelled(format!("lambda event sources other than SQS ({queue})")));
    }
    let same = |m: &Mapping| m.queue == queue && m.function == name;
    if let Some((uuid, _)) = cloud.state.lambda.mappings.iter().find(|(_, m)| same(m)) {
        let message = format!(
            "An event source mapping with SQS arn (\" {queue} \") and function (\" {name} \") already exists. Please update or delete the existing mapping with UUID {uuid}"
        );
        return Err(Fault::new("ResourceConflictException", message).with("Type", "User"));
    }
    let mut mapping = Mapping {
        queue,
        function: name,
        batch_size: 10,
        window_seconds: 0,
        reports_failures: false,
        enabled: true,
        modified: cloud.now,
    };
    configure(&mut mapping, input)?;
    let uuid = cloud.ids.uuid();
    cloud.state.lambda.mappings.insert(uuid.clone(), mapping);
    cloud.after(0, Timer::Poll { mapping: uuid.clone() });
    Ok(shown(cloud, &uuid, None))
}

fn configure(mapping: &mut Mapping, input: &Value) -> Result<(), Fault> {
    if let Some(setting) = NOT_HERE.iter().find(|setting| !input[**setting].is_null()) {
        return Err(Fault::not_modelled(format!("lambda event source mappings with {setting}")));
    }
    mapping.batch_size =
        input["BatchSize"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(mapping.batch_size);
    mapping.window_seconds =
        input["MaximumBatchingWindowInSeconds"].as_u64().unwrap_or(mapping.window_seconds);
    if mapping.batch_size > 10 && mapping.window_seconds == 0 {
        return Err(invalid(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        ));
    }
    mapping.enabled = input["Enabled"].as_bool().unwrap_or(mapping.enabled);
    if let Some(types) = input["FunctionResponseTypes"].as_array() {
        mapping.reports_failures = types.iter().any(|t| t == "ReportBatchItemFailures");
    }
    Ok(())
}

fn missing() -> Fault {
    Fault::new("ResourceNotFoundException", "The resource you requested does not exist.").with("Type", "User")
}

pub fn get(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let uuid = text(input, "UUID");
    if !cloud.state.lambda.mappings.contains_key(uuid) {
        return Err(missing());
    }
    Ok(shown(cloud, uuid, None))
}

pub fn list(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let (queue, function) = (text(input, "EventSourceArn"), name_of(text(input, "FunctionName"))?);
    let all = cloud.state.lambda.mappings.iter();
    let wanted = all.filter(|(_, m)| {
        (queue.is_empty() || m.queue == queue) && (function.is_empty() || m.function == function)
    });
    page(wanted.map(|(uuid, _)| shown(cloud, uuid, None)).collect(), "EventSourceMappings", input)
}

pub fn update(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let (uuid, now) = (text(input, "UUID").to_owned(), cloud.now);
    let mut mapping = cloud.state.lambda.mappings.get(&uuid).ok_or_else(missing)?.clone();
    if !input["FunctionName"].is_null() {
        mapping.function = named(cloud, input)?;
    }
    configure(&mut mapping, input)?;
    mapping.modified = now;
    cloud.state.lambda.mappings.insert(uuid.clone(), mapping);
    cloud.after(0, Timer::Poll { mapping: uuid.clone() });
    Ok(shown(cloud, &uuid, None))
}

pub fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let uuid = text(input, "UUID");
    if !cloud.state.lambda.mappings.contains_key(uuid) {
        return Err(missing());
    }
    let shown = shown(cloud, uuid, Some("Deleting"));
    cloud.state.lambda.mappings.remove(uuid);
    Ok(shown)
}

fn shown(cloud: &Cloud, uuid: &str, state: Option<&str>) -> Value {
    let Some(mapping) = cloud.state.lambda.mappings.get(uuid) else { return Value::Null };
    let types: &[&str] = if mapping.reports_failures { &["ReportBatchItemFailures"] } else { &[] };
    json!({
        "UUID": uuid,
        "EventSourceMappingArn": cloud.arn("lambda", &format!("event-source-mapping:{uuid}")),
        "BatchSize": mapping.batch_size,
        "MaximumBatchingWindowInSeconds": mapping.window_seconds,
        "EventSourceArn": mapping.queue,
        "FunctionArn": arn(cloud, &mapping.function),
        "LastModified": timestamp(mapping.modified),
        "State": state.unwrap_or(if mapping.enabled { "Enabled" } else { "Disabled" }),
        "StateTransitionReason": "USER_INITIATED",
        "FunctionResponseTypes": types,
    })
}

/// Called by the queue whenever a message becomes visible.
pub(crate) fn queue_has_messages(cloud: &mut Cloud, queue_arn: &str) {
    let mappings = cloud.state.lambda.mappings.iter();
    let reading: Vec<_> = mappings
        .filter(|(_, m)| m.enabled && m.queue == queue_arn)
        .map(|(uuid, mapping)| (uuid.clone(), mapping.window_seconds * SECOND))
        .collect();
    for (mapping, window) in reading {
        // With a batching window, whatever comes within it goes together.
        if window > 0 {
            cloud.after(window, Timer::Poll { mapping });
        } else {
            poll(cloud, &mapping);
        }
    }
}

/// Starts a batch after the other, while there are messages and room.
pub fn poll(cloud: &mut Cloud, uuid: &str) {
    loop {
        let Some(mapping) = cloud.state.lambda.mappings.get(uuid).filter(|m| m.enabled).cloned() else {
            return;
        };
        if !cloud.state.lambda.functions.contains_key(&mapping.function) {
            return;
        }
        if !invoke::has_room(cloud, &mapping.function) {
            cloud.after(SECOND, Timer::Poll { mapping: uuid.to_owned() });
            return;
        }
        let records = sqs::receive(cloud, &mapping.queue, mapping.batch_size);
        if records.is_empty() {
            return;
        }
        let handle =
            |record: &Value| (text(record, "receiptHandle").to_owned(), text(record, "messageId").to_owned());
        let messages = records.iter().map(handle).collect();
        let origin = Origin::Queue { mapping: uuid.to_owned(), messages };
        invoke::start(cloud, &mapping.function, json!({ "Records": records }), origin);
    }
}

/// Deletes what was dealt with. A failed batch comes back after its visibility timeout, and
/// so do the messages that the function names as failed.
pub fn ended(cloud: &mut Cloud, uuid: &str, messages: &[(String, String)], answer: Option<Value>) {
    let (Some(answer), Some(mapping)) = (answer, cloud.state.lambda.mappings.get(uuid).cloned()) else {
        return;
    };
    let failures = answer["batchItemFailures"].as_array().filter(|_| mapping.reports_failures);
    let failed: Vec<_> = failures.into_iter().flatten().map(|item| text(item, "itemIdentifier")).collect();
    let unknown = failed.iter().any(|id| !messages.iter().any(|(_, message)| message == id));
    if unknown {
        // As on AWS, an answer that names something else fails the whole batch.
        return;
    }
    for (handle, message) in messages {
        if !failed.contains(&message.as_str()) {
            sqs::delete(cloud, &mapping.queue, handle);
        }
    }
}
