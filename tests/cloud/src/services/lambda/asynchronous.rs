//! Asynchronous invocation: two retries after one and two minutes, throttled events kept
//! for up to six hours, then the failure destination and the dead-letter queue.

use serde_json::{Value, json};

use super::{Event, Function, Origin, Timer, arn, invoke, missing, name_of, policy};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::{sns, sqs};
use crate::time::{HOUR, MINUTE, Ms, SECOND, iso};
use crate::timeline::Kind;

/// Invokes for another service. `source_arn` is held against the function's policy unless
/// it is `None`. `Err` if there is no such function or no permission.
pub(crate) fn invoke_async(
    cloud: &mut Cloud,
    function: &str,
    principal: &str,
    source_arn: Option<&str>,
    payload: Value,
) -> Result<(), Fault> {
    let name = name_of(function)?;
    if !cloud.state.lambda.functions.contains_key(&name) {
        return Err(missing(cloud, &name));
    }
    if let Some(source) = source_arn.filter(|source| !policy::allows(cloud, &name, principal, source)) {
        let message = format!(
            "no permission: the policy of function {name} does not let {principal} invoke it for {source} (lambda:AddPermission)"
        );
        return Err(Fault::new("AccessDeniedException", message));
    }
    queue(cloud, &name, payload);
    Ok(())
}

pub fn queue(cloud: &mut Cloud, name: &str, payload: Value) {
    let id = cloud.ids.uuid();
    let event =
        Event { id, function: name.to_owned(), payload, queued: cloud.now, attempts: 0, throttled: 0 };
    attempt(cloud, event);
}

fn setting(function: &Function, member: &str) -> Option<u64> {
    function.invoke_config.as_ref().and_then(|(config, _)| config[member].as_u64())
}

pub fn attempt(cloud: &mut Cloud, event: Event) {
    let Some(function) = cloud.state.lambda.functions.get(&event.function) else { return };
    let age = setting(function, "MaximumEventAgeInSeconds").map_or(6 * HOUR, |seconds| seconds * SECOND);
    if cloud.now >= event.queued + age {
        given_up(cloud, &event, "EventAgeExceeded", None);
        return;
    }
    if function.reserved_concurrency == Some(0) {
        // Lambda sends them to the dead-letter queue at once.
        given_up(cloud, &event, "ZeroReservedConcurrency", None);
        return;
    }
    if !invoke::has_room(cloud, &event.function) {
        // One second, doubled each time, up to five minutes.
        let wait = (SECOND << event.throttled.min(9)).min(5 * MINUTE);
        let throttled = event.throttled + 1;
        cloud.after(wait, Timer::Try(Event { throttled, ..event }));
        return;
    }
    let event = Event { attempts: event.attempts + 1, ..event };
    invoke::start(cloud, &event.function.clone(), event.payload.clone(), Origin::Asynchronous(event));
}

pub fn ended(cloud: &mut Cloud, event: Event, outcome: Result<Value, Value>) {
    let Some(function) = cloud.state.lambda.functions.get(&event.function) else { return };
    let retries = setting(function, "MaximumRetryAttempts").unwrap_or(2);
    match outcome {
        Ok(answer) => {
            let record = record(cloud, &event, "Success", 200, None, &answer);
            destination(cloud, &event, "OnSuccess", &record);
        }
        Err(_) if event.attempts <= retries => {
            let wait: Ms = event.attempts * MINUTE;
            cloud.after(wait, Timer::Try(event));
        }
        Err(error) => given_up(cloud, &event, "RetriesExhausted", Some(error)),
    }
}

fn given_up(cloud: &mut Cloud, event: &Event, condition: &str, error: Option<Value>) {
    let name = &event.function;
    let text = format!("{name} gives up on {}: {condition} after {} attempts", event.id, event.attempts);
    let data = json!({ "function": name, "invocation": event.id, "condition": condition, "attempts": event.attempts });
    cloud.note(Kind::Function, text, data);
    let record =
        record(cloud, event, condition, 200, Some("Unhandled"), &error.clone().unwrap_or(Value::Null));
    destination(cloud, event, "OnFailure", &record);
    let queue = cloud.state.lambda.functions.get(name).and_then(|f| f.dead_letter.clone());
    let Some(queue) = queue else { return };
    let text = |kind: &str, value: String| json!({ "DataType": kind, "StringValue": value });
    let message = error.as_ref().and_then(|e| e["errorMessage"].as_str()).unwrap_or(condition);
    let attributes = json!({
        "RequestID": text("String", event.id.clone()),
        "ErrorCode": text("Number", "200".into()),
        "ErrorMessage": text("String", message.to_owned()),
    });
    let body = event.payload.to_string();
    let sent = if queue.contains(":sns:") {
        sns::publish(cloud, &queue, None, &body)
    } else {
        sqs::send_with(cloud, &queue, &body, attributes)
    };
    if let Err(fault) = sent {
        cloud.note(
            Kind::Function,
            format!("{name}: dead-letter queue {queue} does not take the event: {fault}"),
            Value::Null,
        );
    }
}

/// The record that destinations get.
fn record(
    cloud: &Cloud,
    event: &Event,
    condition: &str,
    status: u16,
    error: Option<&str>,
    answer: &Value,
) -> Value {
    let record = json!({
        "version": "1.0",
        "timestamp": iso(cloud.now),
        "requestContext": {
            "requestId": event.id,
            "functionArn": format!("{}:$LATEST", arn(cloud, &event.function)),
            "condition": condition,
            "approximateInvokeCount": event.attempts,
        },
        "requestPayload": event.payload,
        "responseContext": { "statusCode": status, "executedVersion": "$LATEST", "functionError": error },
        "responsePayload": answer,
    });
    let mut record = record;
    if error.is_none()
        && let Some(context) = record["responseContext"].as_object_mut()
    {
        context.remove("functionError");
    }
    record
}

fn destination(cloud: &mut Cloud, event: &Event, outcome: &str, record: &Value) {
    let config = cloud.state.lambda.functions.get(&event.function).and_then(|f| f.invoke_config.clone());
    let to =
        config.and_then(|(c, _)| c["DestinationConfig"][outcome]["Destination"].as_str().map(str::to_owned));
    let Some(to) = to else { return };
    let sent = match to.split(':').nth(2) {
        Some("sqs") => sqs::send(cloud, &to, &record.to_string()).map(drop),
        Some("sns") => sns::publish(cloud, &to, None, &record.to_string()).map(drop),
        _ => invoke_async(cloud, &to, "lambda.amazonaws.com", None, record.clone()),
    };
    if let Err(fault) = sent {
        let text = format!("{}: destination {to} does not take the record: {fault}", event.function);
        cloud.note(Kind::Function, text, Value::Null);
    }
}
