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

pub fn call(cloud: &mut Cloud, input: &Value) -> Result<Reply, Fault> {
    let name = named(cloud, input)?;
    let payload = match input["Payload"].as_str() {
        None | Some("") => Value::Null,
        Some(text) => {
            let bytes = STANDARD.decode(text).unwrap_or_default();
            serde_json::from_slice(&bytes).map_err(|e| {
                let message = format!("Could not parse request body into json: {e}");
                Fault::new("InvalidRequestContentException", message).with("Type", "User")
            })?
        }
    };
    match text(input, "InvocationType") {
        "Event" => {
            asynchronous::queue(cloud, &name, payload);
            Ok(json!({ "StatusCode": 202 }).into())
        }
        "DryRun" => Ok(json!({ "StatusCode": 204 }).into()),
        _ if text(input, "LogType") == "Tail" => {
            Err(Fault::not_modelled("lambda:Invoke with LogType Tail; read the function's log group"))
        }
        _ => {
            if !has_room(cloud, &name) {
                return Err(Fault {
                    status: 429,
                    ..Fault::new("TooManyRequestsException", "Rate Exceeded.")
                }
                .with("Reason", "ReservedFunctionConcurrentInvocationLimitExceeded")
                .with("Type", "User"));
            }
            let ticket = cloud.ticket();
            start(cloud, &name, payload, Origin::Caller(ticket));
            Ok(Reply::Later(ticket))
        }
    }
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
        Origin::Caller(_) | Origin::Queue { .. } => cloud.ids.uuid(),
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
    log(cloud, &function, invocation, format!("REPORT RequestId: {invocation}\tDuration: {took}.00 ms"));
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
        Origin::Queue { mapping, messages } => mappings::ended(cloud, &mapping, &messages, outcome.ok()),
    }
}
