//! Lambda: functions, their invocation with retries and destinations, and queues that feed them.

mod asynchronous;
#[cfg(test)]
pub(crate) mod bench;
mod functions;
mod invoke;
mod mappings;
mod policy;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use crate::cloud::{Call, Cloud, Reply, Ticket};
use crate::fault::Fault;
use crate::services::paging;
use crate::time::Ms;

pub(crate) use asynchronous::invoke_async;
pub(crate) use invoke::invoked;
pub(crate) use mappings::queue_has_messages;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    /// By name.
    functions: BTreeMap<String, Function>,
    /// Event source mappings by UUID.
    mappings: BTreeMap<String, Mapping>,
    /// Invocations under way, by id.
    running: BTreeMap<String, Running>,
    /// Deployment packages by base64 sha256.
    #[serde(skip)]
    packages: BTreeMap<String, Arc<[u8]>>,
}

#[derive(Debug, Clone, Serialize)]
struct Function {
    runtime: String,
    role: String,
    handler: String,
    description: String,
    timeout_seconds: u64,
    memory_mb: u64,
    architectures: Vec<String>,
    environment: BTreeMap<String, String>,
    dead_letter: Option<String>,
    tracing: String,
    code_sha256: String,
    code_size: usize,
    modified: Ms,
    revision: String,
    tags: BTreeMap<String, String>,
    /// Statements of the resource policy, in order.
    policy: Vec<Value>,
    reserved_concurrency: Option<u64>,
    /// As PutFunctionEventInvokeConfig took it, with the time.
    invoke_config: Option<(Value, Ms)>,
    /// Kept and given back.
    ephemeral_storage_mb: u64,
    kms_key: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Mapping {
    queue: String,
    function: String,
    batch_size: usize,
    window_seconds: u64,
    reports_failures: bool,
    enabled: bool,
    modified: Ms,
    tags: BTreeMap<String, String>,
    /// Until when a batching window gathers messages.
    gathers_until: Option<Ms>,
}

/// Why an invocation runs, and so what follows its end.
#[derive(Debug, Clone, PartialEq, Serialize)]
enum Origin {
    /// A caller waits for the answer.
    Caller(#[serde(skip)] Ticket),
    Asynchronous(Event),
    Queue(Batch),
}

/// A batch of a queue's messages, by receipt handle and message id.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Batch {
    queue: String,
    /// Whether the function may name the messages that failed.
    reports_failures: bool,
    messages: Vec<(String, String)>,
}

/// An event in a function's asynchronous queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    id: String,
    function: String,
    payload: Value,
    queued: Ms,
    attempts: u64,
    /// How often it found no free concurrency.
    throttled: u32,
    /// What the function answered the last time it failed.
    error: Option<Value>,
}

#[derive(Debug, Clone, Serialize)]
struct Running {
    function: String,
    began: Ms,
    origin: Origin,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {
    /// An asynchronous event is to be tried.
    Try(Event),
    /// A mapping looks at its queue: it is new, or its batching window is over.
    Poll { mapping: String },
}

pub(crate) fn call(cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    let input = call.input;
    let answer = match call.operation {
        "CreateFunction" => functions::create(cloud, input),
        "GetFunction" => functions::get(cloud, input),
        "GetFunctionConfiguration" => functions::configuration(cloud, input),
        "ListFunctions" => functions::list(cloud, input),
        "UpdateFunctionCode" => functions::update_code(cloud, input),
        "UpdateFunctionConfiguration" => functions::update_configuration(cloud, input),
        "DeleteFunction" => functions::delete(cloud, input),
        "Invoke" => return invoke::call(cloud, input),
        "AddPermission" => policy::add(cloud, input),
        "RemovePermission" => policy::remove(cloud, input),
        "GetPolicy" => policy::get(cloud, input),
        "PutFunctionConcurrency" => settings::put_concurrency(cloud, input),
        "GetFunctionConcurrency" => settings::concurrency(cloud, input),
        "DeleteFunctionConcurrency" => settings::delete_concurrency(cloud, input),
        "PutFunctionEventInvokeConfig" => settings::put_invoke_config(cloud, input),
        "GetFunctionEventInvokeConfig" => settings::invoke_config(cloud, input),
        "DeleteFunctionEventInvokeConfig" => settings::delete_invoke_config(cloud, input),
        "TagResource" => settings::tag(cloud, input),
        "UntagResource" => settings::untag(cloud, input),
        "ListTags" => settings::list_tags(cloud, input),
        "CreateEventSourceMapping" => mappings::create(cloud, input),
        "GetEventSourceMapping" => mappings::get(cloud, input),
        "ListEventSourceMappings" => mappings::list(cloud, input),
        "UpdateEventSourceMapping" => mappings::update(cloud, input),
        "DeleteEventSourceMapping" => mappings::delete(cloud, input),
        other => Err(Fault::not_modelled(format!("lambda:{other}"))),
    };
    Ok(answer?.into())
}

pub(crate) fn fire(cloud: &mut Cloud, timer: Timer) {
    match timer {
        Timer::Try(event) => asynchronous::attempt(cloud, event),
        Timer::Poll { mapping } => mappings::poll(cloud, &mapping),
    }
}

/// The deployment package (zip) whose base64 sha256 an `Effect::Invoke` names.
pub fn package<'a>(cloud: &'a Cloud, code_sha256: &str) -> Option<&'a [u8]> {
    cloud.state.lambda.packages.get(code_sha256).map(|bytes| &bytes[..])
}

fn text<'a>(input: &'a Value, member: &str) -> &'a str {
    input[member].as_str().unwrap_or_default()
}

fn arn(cloud: &Cloud, name: &str) -> String {
    cloud.arn("lambda", &format!("function:{name}"))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValueException", message)
}

/// The name within a reference to a function of this account and region.
fn local(cloud: &Cloud, reference: &str) -> Result<String, Fault> {
    let name = name_of(reference)?;
    let foreign = || {
        let message =
            format!("Function not found: {reference}; there are functions of this account and region");
        Fault::new("ResourceNotFoundException", message).with("Type", "User")
    };
    match reference.split_once("function:") {
        Some((before, _)) if !arn(cloud, "").starts_with(before) && !partial(cloud, before) => Err(foreign()),
        _ => Ok(name),
    }
}

/// Whether this is what stands before `function:` in a partial ARN.
fn partial(cloud: &Cloud, before: &str) -> bool {
    let (region, account) = (cloud.region(), &cloud.settings.account);
    before == format!("{account}:") || before == format!("{region}:{account}:")
}

/// The name within a name, a partial or a full ARN. Other qualifiers than `$LATEST` are
/// not modelled.
pub(crate) fn name_of(reference: &str) -> Result<String, Fault> {
    let rest = reference.rsplit_once("function:").map_or(reference, |(_, rest)| rest);
    match rest.split_once(':') {
        None => Ok(rest.to_owned()),
        Some((name, "$LATEST")) => Ok(name.to_owned()),
        Some((_, qualifier)) => {
            Err(Fault::not_modelled(format!("lambda versions and aliases ({qualifier}); there is $LATEST")))
        }
    }
}

/// The name of the existing function that an input means.
fn named(cloud: &Cloud, input: &Value) -> Result<String, Fault> {
    let name = local(cloud, text(input, "FunctionName"))?;
    if !matches!(text(input, "Qualifier"), "" | "$LATEST") {
        return Err(Fault::not_modelled("lambda versions and aliases; there is $LATEST"));
    }
    if cloud.state.lambda.functions.contains_key(&name) { Ok(name) } else { Err(missing(cloud, &name)) }
}

fn missing(cloud: &Cloud, name: &str) -> Fault {
    Fault::new("ResourceNotFoundException", format!("Function not found: {}", arn(cloud, name)))
        .with("Type", "User")
}

fn function<'a>(cloud: &'a mut Cloud, name: &str) -> Result<&'a mut Function, Fault> {
    let fault = missing(cloud, name);
    cloud.state.lambda.functions.get_mut(name).ok_or(fault)
}

/// One page by `Marker` and `MaxItems`.
fn page(rows: Vec<Value>, member: &str, input: &Value) -> Result<Value, Fault> {
    let most = paging::size(&input["MaxItems"], 50);
    let (rows, next) = paging::page(rows, input["Marker"].as_str(), most, |_| invalid("Invalid Marker"))?;
    Ok(json!({ member: rows, "NextMarker": next }))
}
