//! One invocation, from its start to what follows its end.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Origin, Running, asynchronous, mappings, named, text};
use crate::cloud::{Cloud, Reply};
use crate::effect::{Effect, FunctionError};
use crate::fault::Fault;
use crate::services::logs;
use crate::time::SECOND;
use crate::timeline::Kind;

/// Bytes that a payload may have, waited for or not.
const MOST_WAITED_FOR: usize = 6_291_456;
const MOST_QUEUED: usize = 1_048_576;

pub fn call(cloud: &mut Cloud, input: &Value) -> Result<Reply, Fault> {
    let name = named(cloud, input)?;
    for member in ["ClientContext", "DurableExecutionName", "TenantId"] {
        if !input[member].is_null() {
            return Err(Fault::not_modelled(format!("lambda:Invoke with {member}")));
        }
    }
    let kind = text(input, "InvocationType");
    let payload =
        payload(text(input, "Payload"), if kind == "Event" { MOST_QUEUED } else { MOST_WAITED_FOR })?;
    match kind {
        "Event" => {
            asynchronous::queue(cloud, &name, payload);
            Ok(json!({ "StatusCode": 202 }).into())
        }
        "DryRun" => Ok(json!({ "StatusCode": 204 }).into()),
        _ if text(input, "LogType") == "Tail" => {
            Err(Fault::not_modelled("lambda:Invoke with LogType Tail; read the function's log group"))
        }
        _ if !has_room(cloud, &name) => {
            Err(Fault { status: 429, ..Fault::new("TooManyRequestsException", "Rate Exceeded.") }
                .with("Reason", "ReservedFunctionConcurrentInvocationLimitExceeded")
                .with("Type", "User"))
        }
        _ => {
            let ticket = cloud.ticket();
            start(cloud, &name, payload, Origin::Caller(ticket));
            Ok(Reply::Later(ticket))
        }
    }
}

/// What the function gets of a request's body: `{}` where there is none.
fn payload(encoded: &str, most: usize) -> Result<Value, Fault> {
    let bytes = STANDARD.decode(encoded).unwrap_or_default();
    if bytes.is_empty() {
        return Ok(json!({}));
    }
    if bytes.len() > most {
        let message = format!("Request must be smaller than {most} bytes for the InvokeFunction operation");
        return Err(
            Fault { status: 413, ..Fault::new("RequestTooLargeException", message) }.with("Type", "User")
        );
    }
    serde_json::from_slice(&bytes).map_err(|e| {
        let message = format!("Could not parse request body into json: {e}");
        Fault::new("InvalidRequestContentException", message).with("Type", "User")
    })
}

/// Whether the function's reserved concurrency lets one more run.
pub fn has_room(cloud: &Cloud, name: &str) -> bool {
    let reserved = cloud.state.lambda.functions.get(name).and_then(|f| f.reserved_concurrency);
    let running = cloud.state.lambda.running.values().filter(|r| r.function == name).count();
    reserved.is_none_or(|most| (running as u64) < most)
}

/// Begins to run a function that exists.
pub fn start(cloud: &mut Cloud, name: &str, payload: Value, origin: Origin) {
    let Some(function) = cloud.state.lambda.functions.get(name) else { return };
    let mut environment: Vec<_> = function.environment.clone().into_iter().collect();
    environment.push(("AWS_LAMBDA_FUNCTION_MEMORY_SIZE".into(), function.memory_mb.to_string()));
    let (timeout, code_sha256) = (function.timeout_seconds * SECOND, function.code_sha256.clone());
    let id = match &origin {
        Origin::Asynchronous(event) => event.id.clone(),
        Origin::Caller(_) | Origin::Queue(_) => cloud.ids.uuid(),
    };
    let running = Running { function: name.to_owned(), began: cloud.now, origin };
    cloud.state.lambda.running.insert(id.clone(), running);
    log(cloud, name, &id, format!("START RequestId: {id} Version: $LATEST"));
    cloud.note(
        Kind::Function,
        format!("{name} starts"),
        json!({ "function": name, "invocation": id, "event": payload }),
    );
    let invocation = id;
    cloud.effect(Effect::Invoke {
        invocation,
        function: name.to_owned(),
        payload,
        timeout,
        environment,
        code_sha256,
    });
}

fn log(cloud: &mut Cloud, name: &str, id: &str, line: String) {
    let stream = format!("[$LATEST]{}", id.replace('-', ""));
    logs::append(cloud, &format!("/aws/lambda/{name}"), &stream, &[line]);
}

/// What the runtime answers for an error.
fn shown(error: &FunctionError) -> Value {
    json!({ "errorMessage": error.message, "errorType": error.kind })
}

/// The outcome of an invocation that the host has run.
pub(crate) fn invoked(cloud: &mut Cloud, invocation: &str, outcome: Result<Value, FunctionError>) {
    let Some(Running { function, began, origin }) = cloud.state.lambda.running.remove(invocation) else {
        return;
    };
    let took = cloud.now.saturating_sub(began);
    if let Err(error) = &outcome {
        log(cloud, &function, invocation, format!("[ERROR] {}: {}", error.kind, error.message));
    }
    log(cloud, &function, invocation, format!("END RequestId: {invocation}"));
    let memory = cloud.state.lambda.functions.get(&function).map_or(128, |f| f.memory_mb);
    let report = format!(
        "REPORT RequestId: {invocation}\tDuration: {took}.00 ms\tBilled Duration: {took} ms\tMemory Size: {memory} MB\t"
    );
    log(cloud, &function, invocation, report);
    let (word, error) = match &outcome {
        Ok(_) => ("ends".to_owned(), Value::Null),
        Err(error) => (format!("fails: {}: {}", error.kind, error.message), json!(error.kind)),
    };
    let data = json!({ "function": function, "invocation": invocation, "error": error, "answer": outcome.as_ref().ok() });
    cloud.note(Kind::Function, format!("{function} {word}"), data);
    match origin {
        Origin::Caller(ticket) => {
            let (payload, error) = match &outcome {
                Ok(answer) => (answer.clone(), Value::Null),
                Err(error) => (shown(error), json!("Unhandled")),
            };
            let answer = json!({
                "StatusCode": 200, "ExecutedVersion": "$LATEST", "FunctionError": error,
                "Payload": STANDARD.encode(payload.to_string()),
            });
            cloud.complete(ticket, Ok(answer));
        }
        Origin::Asynchronous(event) => {
            asynchronous::ended(cloud, event, outcome.map_err(|error| shown(&error)))
        }
        Origin::Queue(batch) => mappings::ended(cloud, &batch, outcome.ok()),
    }
    mappings::function_has_room(cloud, &function);
}
