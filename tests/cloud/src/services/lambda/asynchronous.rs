//! Asynchronous invocation: two retries after one and two minutes, throttled events kept
//! for up to six hours, then the failure destination and the dead-letter queue.

use serde_json::{Value, json};

use super::{Event, Function, Origin, Timer, arn, invoke, local, missing, policy};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::{events, sns, sqs};
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
    let name = local(cloud, function)?;
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
    let queued = cloud.now;
    let event =
        Event { id, function: name.to_owned(), payload, queued, attempts: 0, throttled: 0, error: None };
    attempt(cloud, event);
}

fn setting(function: &Function, member: &str) -> Option<u64> {
    function.invoke_config.as_ref().and_then(|(config, _)| config[member].as_u64())
}

pub fn attempt(cloud: &mut Cloud, event: Event) {
    let Some(function) = cloud.state.lambda.functions.get(&event.function) else {
        let text = format!("{} is gone, and event {} with it", event.function, event.id);
        cloud.note(Kind::Function, text, json!({ "function": event.function, "invocation": event.id }));
        return;
    };
    let age = setting(function, "MaximumEventAgeInSeconds").map_or(6 * HOUR, |seconds| seconds * SECOND);
    if cloud.now >= event.queued + age {
        given_up(cloud, &event, "EventAgeExceeded");
        return;
    }
    if function.reserved_concurrency == Some(0) {
        // These are not retried, "Asynchronous invocation" in the developer guide says.
        given_up(cloud, &event, "ZeroReservedConcurrency");
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
            let record = record(cloud, &event, "Success", &answer);
            destination(cloud, &event, "OnSuccess", &record);
        }
        Err(error) => {
            let event = Event { error: Some(error), ..event };
            if event.attempts > retries {
                return given_up(cloud, &event, "RetriesExhausted");
            }
            let wait: Ms = event.attempts * MINUTE;
            cloud.after(wait, Timer::Try(event));
        }
    }
}

fn given_up(cloud: &mut Cloud, event: &Event, condition: &str) {
    let name = &event.function;
    let text = format!("{name} gives up on {}: {condition} after {} attempts", event.id, event.attempts);
    let data = json!({ "function": name, "invocation": event.id, "condition": condition, "attempts": event.attempts });
    cloud.note(Kind::Function, text, data);
    let record = record(cloud, event, condition, event.error.as_ref().unwrap_or(&Value::Null));
    destination(cloud, event, "OnFailure", &record);
    let queue = cloud.state.lambda.functions.get(name).and_then(|f| f.dead_letter.clone());
    let Some(queue) = queue else { return };
    let sent = to_dead_letters(cloud, event, condition, &queue);
    if let Err(fault) = sent {
        let text = format!("{name}: dead-letter queue {queue} does not take the event: {fault}");
        cloud.note(Kind::Function, text, Value::Null);
    }
}

/// The bare event, with what went wrong as attributes.
fn to_dead_letters(cloud: &mut Cloud, event: &Event, condition: &str, to: &str) -> Result<String, Fault> {
    let text = |kind: &str, value: &str| json!({ "DataType": kind, "StringValue": value });
    let message = event.error.as_ref().and_then(|error| error["errorMessage"].as_str());
    let message: String = message.unwrap_or(condition).chars().take(1_000).collect();
    let status = if event.error.is_some() { "200" } else { "429" };
    let attributes = json!({
        "RequestID": text("String", &event.id),
        "ErrorCode": text("Number", status),
        "ErrorMessage": text("String", if message.is_empty() { condition } else { &message }),
    });
    let body = event.payload.to_string();
    if to.contains(":sns:") {
        sns::publish_with(cloud, to, &body, attributes)
    } else {
        sqs::send_with(cloud, to, &body, attributes)
    }
}

/// The record that destinations get. An event that never ran has no response.
fn record(cloud: &Cloud, event: &Event, condition: &str, answer: &Value) -> Value {
    let mut response = json!({ "statusCode": 200, "executedVersion": "$LATEST" });
    if condition != "Success" {
        response["functionError"] = json!("Unhandled");
    }
    json!({
        "version": "1.0",
        "timestamp": iso(cloud.now),
        "requestContext": {
            "requestId": event.id,
            "functionArn": format!("{}:$LATEST", arn(cloud, &event.function)),
            "condition": condition,
            "approximateInvokeCount": event.attempts,
        },
        "requestPayload": event.payload,
        "responseContext": if event.attempts == 0 { Value::Null } else { response },
        "responsePayload": answer,
    })
}

fn destination(cloud: &mut Cloud, event: &Event, outcome: &str, record: &Value) {
    let config = cloud.state.lambda.functions.get(&event.function).and_then(|f| f.invoke_config.clone());
    let to =
        config.and_then(|(c, _)| c["DestinationConfig"][outcome]["Destination"].as_str().map(str::to_owned));
    let Some(to) = to else { return };
    let sent = match to.split(':').nth(2) {
        Some("sqs") => sqs::send(cloud, &to, &record.to_string()).map(drop),
        Some("sns") => sns::publish(cloud, &to, None, &record.to_string()).map(drop),
        Some("events") => {
            let word = if outcome == "OnSuccess" { "Success" } else { "Failure" };
            let function = format!("{}:$LATEST", arn(cloud, &event.function));
            let kind = format!("Lambda Function Invocation Result - {word}");
            events::publish(cloud, "lambda", &kind, &[to.clone(), function], record.clone());
            Ok(())
        }
        _ => invoke_async(cloud, &to, "lambda.amazonaws.com", None, record.clone()),
    };
    if let Err(fault) = sent {
        let text = format!("{}: destination {to} does not take the record: {fault}", event.function);
        cloud.note(Kind::Function, text, Value::Null);
    }
}
