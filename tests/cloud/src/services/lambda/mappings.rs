//! Event source mappings: a queue's messages in batches to a function.

use serde_json::{Value, json};

use super::{Batch, Mapping, Origin, Timer, arn, invalid, invoke, local, named, page, text};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::{sqs, tags};
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
    "StartingPositionTimestamp",
    "MetricsConfig",
    "LoggingConfig",
    "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
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
        tags: tags::from_map(&input["Tags"]),
        gathers_until: None,
    };
    configure(&mut mapping, input)?;
    check_timeout(cloud, &mapping)?;
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

/// A message must not come back while the function still works on it.
fn check_timeout(cloud: &Cloud, mapping: &Mapping) -> Result<(), Fault> {
    let timeout = cloud.state.lambda.functions.get(&mapping.function).map_or(0, |f| f.timeout_seconds);
    match sqs::visibility_timeout(cloud, &mapping.queue) {
        None => Err(invalid(
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.",
        )),
        Some(seconds) if seconds < timeout => Err(invalid(format!(
            "Queue visibility timeout: {seconds} seconds is less than Function timeout: {timeout} seconds"
        ))),
        Some(_) => Ok(()),
    }
}

pub fn missing() -> Fault {
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
    let (queue, function) = (text(input, "EventSourceArn"), local(cloud, text(input, "FunctionName"))?);
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
    check_timeout(cloud, &mapping)?;
    (mapping.modified, mapping.gathers_until) = (now, None);
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
    poll_those(cloud, |mapping| mapping.queue == queue_arn);
}

/// Called whenever a function may run once more: its mappings stop reading while it may not.
pub fn function_has_room(cloud: &mut Cloud, function: &str) {
    poll_those(cloud, |mapping| mapping.function == function);
}

fn poll_those(cloud: &mut Cloud, wanted: impl Fn(&Mapping) -> bool) {
    let all = cloud.state.lambda.mappings.iter();
    let those: Vec<_> = all.filter(|(_, m)| wanted(m)).map(|(uuid, _)| uuid.clone()).collect();
    those.iter().for_each(|uuid| poll(cloud, uuid));
}

/// Starts a batch after the other, while there are messages and room.
pub fn poll(cloud: &mut Cloud, uuid: &str) {
    loop {
        let Some(mapping) = cloud.state.lambda.mappings.get(uuid).filter(|m| m.enabled).cloned() else {
            return;
        };
        let runs = cloud.state.lambda.functions.contains_key(&mapping.function);
        if !runs || !invoke::has_room(cloud, &mapping.function) || !has_batch(cloud, uuid, &mapping) {
            return;
        }
        let records = sqs::receive(cloud, &mapping.queue, mapping.batch_size);
        if records.is_empty() {
            return;
        }
        let handle =
            |record: &Value| (text(record, "receiptHandle").to_owned(), text(record, "messageId").to_owned());
        let messages = records.iter().map(handle).collect();
        let batch = Batch { queue: mapping.queue, reports_failures: mapping.reports_failures, messages };
        invoke::start(cloud, &mapping.function, json!({ "Records": records }), Origin::Queue(batch));
    }
}

/// Whether there is enough for a batch: one message, or with a batching window as many as a
/// batch takes, or whatever has come when the window is over.
fn has_batch(cloud: &mut Cloud, uuid: &str, mapping: &Mapping) -> bool {
    let (visible, window, now) =
        (sqs::visible(cloud, &mapping.queue), mapping.window_seconds * SECOND, cloud.now);
    let full = window == 0 || visible >= mapping.batch_size;
    let over = mapping.gathers_until.is_some_and(|until| now >= until);
    let starts = visible > 0 && (full || over);
    let gathers = visible > 0 && !starts;
    if gathers && mapping.gathers_until.is_none() {
        cloud.after(window, Timer::Poll { mapping: uuid.to_owned() });
    }
    if let Some(mapping) = cloud.state.lambda.mappings.get_mut(uuid) {
        mapping.gathers_until = gathers.then(|| mapping.gathers_until.unwrap_or(now + window));
    }
    starts
}

/// Deletes what was dealt with. A failed batch comes back after its visibility timeout, and
/// so do the messages that the function names as failed.
pub fn ended(cloud: &mut Cloud, batch: &Batch, answer: Option<Value>) {
    let Some(failed) = answer.and_then(|answer| failures(batch, &answer)) else { return };
    for (handle, message) in &batch.messages {
        if !failed.contains(message) {
            sqs::delete(cloud, &batch.queue, handle);
        }
    }
}

/// The messages that an answer names as failed; `None` if it is malformed, or names something
/// else, which fails the whole batch as on AWS.
fn failures(batch: &Batch, answer: &Value) -> Option<Vec<String>> {
    let named = answer.get("batchItemFailures").filter(|named| batch.reports_failures && !named.is_null());
    let Some(named) = named else { return Some(Vec::new()) };
    let id = |item: &Value| {
        let id = item["itemIdentifier"].as_str()?;
        batch.messages.iter().any(|(_, message)| message == id).then(|| id.to_owned())
    };
    named.as_array()?.iter().map(id).collect()
}
