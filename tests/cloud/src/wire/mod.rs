//! AWS's wire protocols: which operation a request means, its input checked against
//! the published model, its answer written as the client's protocol wants it.

mod cbor;
mod json;
mod legacy;
mod query;
mod rest;
mod validate;

use serde_json::{Map, Value, json};

use crate::calls;
use crate::cloud::{Answer, Call, Cloud, Reply};
use crate::fault::Fault;
use crate::http::{Request, Response};
use crate::model::{Model, Operation, model, models};
use crate::services;
use crate::timeline::Kind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Json,
    Query,
    Rest,
    Cbor,
}

/// A recognised call: all that is needed to answer it, now or later.
#[derive(Debug, Clone)]
pub struct Envelope {
    model: &'static Model,
    name: String,
    operation: &'static Operation,
    protocol: Protocol,
    request_id: String,
    /// Where the call stands in the timeline.
    entry: usize,
}

struct Route {
    model: &'static Model,
    protocol: Protocol,
    name: String,
}

pub(crate) fn handle(cloud: &mut Cloud, request: &Request) -> Answer {
    let request_id = cloud.ids.uuid();
    let scope = Scope::of(request);
    let signed_for = scope.as_ref().map(|scope| scope.service.as_str()).unwrap_or_default();
    let route = match route(request, signed_for) {
        Ok(route) => route,
        Err(fault) => return Answer::Ready(plain_error(&fault, &request_id)),
    };
    let Some(operation) = route.model.operations.get(&route.name) else {
        let fault = Fault::not_modelled(format!("{}:{}", route.model.service, route.name));
        cloud.note(Kind::Call, format!("{}:{} not modelled", route.model.service, route.name), Value::Null);
        return Answer::Ready(error(route.model, route.protocol, &fault, &request_id));
    };
    let scope = match scope {
        Ok(scope) => scope,
        Err(fault) => return Answer::Ready(error(route.model, route.protocol, &fault, &request_id)),
    };
    let region = cloud.settings.region.get_or_insert_with(|| scope.region.clone()).clone();
    let mut envelope = Envelope {
        model: route.model,
        name: route.name,
        operation,
        protocol: route.protocol,
        request_id,
        entry: cloud.timeline().len(),
    };
    let parsed = if scope.region == region {
        envelope.input(request)
    } else {
        Err(Fault::new(
            "InvalidSignatureException",
            format!(
                "credential should be scoped to region '{region}', where this cloud is, not '{}'",
                scope.region
            ),
        ))
    };
    envelope.log(cloud, &scope.access_key, parsed.as_ref().ok());
    let result = parsed.and_then(|input| {
        calls::note(envelope.model.service, &envelope.name, &scope.access_key, &input);
        let call = Call { operation: &envelope.name, input: &input, caller: &scope.access_key };
        services::call(cloud, envelope.model.service, &call)
    });
    match result {
        Ok(Reply::Later(ticket)) => {
            cloud.wait(ticket, envelope);
            Answer::Pending(ticket)
        }
        Ok(Reply::Now(value)) => Answer::Ready(envelope.answer(cloud, Ok(value))),
        Err(fault) => Answer::Ready(envelope.answer(cloud, Err(fault))),
    }
}

/// A call without a wire, for scenarios: the same checks and the same timeline as one
/// over HTTP. `service` is botocore's name. Calls that answer later are refused.
pub(crate) fn direct(
    cloud: &mut Cloud,
    service: &str,
    operation: &str,
    input: Value,
) -> Result<Value, Fault> {
    let model = model(service);
    let region = cloud.region().to_owned();
    cloud.settings.region = Some(region);
    let unknown = || Fault::not_modelled(format!("{service}:{operation}"));
    let (name, definition) = model.operations.get_key_value(operation).ok_or_else(unknown)?;
    let mut envelope = Envelope {
        model,
        name: name.clone(),
        operation: definition,
        protocol: Protocol::Json,
        request_id: cloud.ids.uuid(),
        entry: 0,
    };
    let input = match &definition.input {
        Some(shape) => validate::input(model, name, definition, shape, input),
        None => Ok(json!({})),
    };
    envelope.log(cloud, "scenario", input.as_ref().ok());
    let result = input.and_then(|input| {
        match services::call(cloud, service, &Call { operation, input: &input, caller: "scenario" })? {
            Reply::Now(value) => Ok(value),
            Reply::Later(_) => {
                Err(Fault::not_modelled(format!("{service}:{operation} waiting, without a wire")))
            }
        }
    });
    envelope.outcome(cloud, result)
}

/// What a request asks for, for reading only: `(service, operation)`.
pub(crate) fn named(request: &Request) -> Option<(&'static str, String)> {
    let scope = Scope::of(request).ok()?;
    route(request, &scope.service).ok().map(|route| (route.model.service, route.name))
}

/// The answer of a service that refuses before it looks: throttled, or out of order.
pub(crate) fn refusal(request: &Request, fault: &Fault) -> Response {
    let route = Scope::of(request).and_then(|scope| route(request, &scope.service));
    match route {
        Ok(route) => error(route.model, route.protocol, fault, "injected"),
        Err(_) => plain_error(fault, "injected"),
    }
}

/// The credential scope of a signed request. The signature itself is not checked:
/// this cloud knows no secret keys.
struct Scope {
    access_key: String,
    region: String,
    service: String,
}

impl Scope {
    fn of(request: &Request) -> Result<Self, Fault> {
        let missing = || Fault {
            status: 403,
            ..Fault::new(
                "MissingAuthenticationTokenException",
                "request is missing an Authorization header with a SigV4 credential scope",
            )
        };
        let authorization = request.header("authorization").ok_or_else(missing)?;
        let (_, credential) = authorization.split_once("Credential=").ok_or_else(missing)?;
        let mut parts = credential.split([',', ' ']).next().unwrap_or_default().split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(key), Some(_), Some(region), Some(service)) => Ok(Self {
                access_key: key.to_owned(),
                region: region.to_owned(),
                service: service.to_owned(),
            }),
            _ => Err(missing()),
        }
    }
}

/// `signed_for` is the service of the credential scope, empty where there is none.
fn route(request: &Request, signed_for: &str) -> Result<Route, Fault> {
    let unknown = |what: &str| Fault::not_modelled(format!("{what} (signed for service '{signed_for}')"));
    if let Some(target) = request.header("x-amz-target") {
        let (prefix, name) = target.rsplit_once('.').unwrap_or((target, ""));
        let model = models()
            .iter()
            .find(|m| m.metadata.target_prefix.as_deref() == Some(prefix))
            .ok_or_else(|| unknown(target))?;
        return known(model, Protocol::Json, name);
    }
    if let Some((prefix, name)) =
        request.path().strip_prefix("/service/").and_then(|p| p.split_once("/operation/"))
    {
        let model = models()
            .iter()
            .find(|m| m.speaks("smithy-rpc-v2-cbor") && m.metadata.target_prefix.as_deref() == Some(prefix))
            .ok_or_else(|| unknown(request.path()))?;
        return known(model, Protocol::Cbor, name);
    }
    if request.path() == "/" {
        let form = request
            .header("content-type")
            .is_some_and(|c| c.starts_with("application/x-www-form-urlencoded"));
        let pairs = query::pairs(request);
        let name = pairs
            .get("Action")
            .filter(|_| form || request.method == "GET")
            .ok_or_else(|| unknown("a request without an action"))?;
        let model = models()
            .iter()
            .filter(|m| m.speaks("query"))
            .find(|m| {
                m.signing_name() == signed_for
                    || (signed_for.is_empty() && pairs.get("Version") == Some(&m.metadata.api_version))
            })
            .ok_or_else(|| unknown(name))?;
        return known(model, Protocol::Query, name);
    }
    let model = models()
        .iter()
        .find(|m| m.metadata.protocol == "rest-json" && m.signing_name() == signed_for)
        .ok_or_else(|| unknown(&format!("{} {}", request.method, request.path())))?;
    rest::operation(model, request)
        .map(|name| Route { model, protocol: Protocol::Rest, name: name.to_owned() })
        .ok_or_else(|| unknown(&format!("{} {}", request.method, request.path())))
}

fn known(model: &'static Model, protocol: Protocol, name: &str) -> Result<Route, Fault> {
    if model.operations.contains_key(name) || model.not_modelled.contains_key(name) {
        return Ok(Route { model, protocol, name: name.to_owned() });
    }
    let code = if protocol == Protocol::Query { "InvalidAction" } else { "UnknownOperationException" };
    Err(Fault::new(code, format!("{} has no operation '{name}'", model.service)))
}

impl Envelope {
    /// The request's input, read and held against the model.
    fn input(&self, request: &Request) -> Result<Value, Fault> {
        let Some(shape) = &self.operation.input else { return Ok(json!({})) };
        let body = json::decompressed(request)?;
        let value = match self.protocol {
            Protocol::Json => json::parse(&body)?,
            Protocol::Cbor => cbor::parse(&body)?,
            Protocol::Query => query::parse(self.model, shape, request)?,
            Protocol::Rest => rest::parse(self.model, self.operation, shape, request, &body)?,
        };
        validate::input(self.model, &self.name, self.operation, shape, value)
    }

    fn log(&mut self, cloud: &mut Cloud, caller: &str, input: Option<&Value>) {
        self.entry = cloud.timeline().len();
        let data = json!({
            "service": self.model.service,
            "operation": self.name,
            "caller": caller,
            "input": input.map(shortened),
        });
        cloud.note(Kind::Call, format!("{}:{}", self.model.service, self.name), data);
    }

    pub(crate) fn answer(&self, cloud: &mut Cloud, result: Result<Value, Fault>) -> Response {
        match self.outcome(cloud, result) {
            Ok(value) => self.success(&value),
            Err(fault) => error(self.model, self.protocol, &fault, &self.request_id),
        }
    }

    /// The result held against the model, and noted in the timeline.
    fn outcome(&self, cloud: &mut Cloud, result: Result<Value, Fault>) -> Result<Value, Fault> {
        let result = result.map(without_nulls).and_then(|value| {
            let Some(shape) = &self.operation.output else { return Ok(json!({})) };
            validate::output(self.model, &self.name, shape, &value)?;
            Ok(value)
        });
        match &result {
            Ok(_) => cloud.outcome(self.entry, "ok", Value::Null),
            Err(fault) => cloud.outcome(self.entry, &fault.to_string(), json!(fault.shape)),
        }
        result
    }

    fn success(&self, value: &Value) -> Response {
        let mut response = match self.protocol {
            Protocol::Json => Response {
                status: 200,
                headers: vec![("content-type".into(), json_type(self.model))],
                body: value.to_string().into_bytes(),
            },
            Protocol::Cbor => cbor::response(self.model, self.operation.output.as_deref(), value),
            Protocol::Query => {
                query::response(self.model, &self.name, self.operation, value, &self.request_id)
            }
            Protocol::Rest => rest::response(self.model, self.operation, value),
        };
        response.headers.push(("x-amzn-requestid".into(), self.request_id.clone()));
        response
    }
}

fn json_type(model: &Model) -> String {
    format!("application/x-amz-json-{}", model.metadata.json_version.as_deref().unwrap_or("1.1"))
}

/// A copy with its long strings (packages, layers) replaced by their length.
fn shortened(value: &Value) -> Value {
    match value {
        Value::String(text) if text.len() > 4_000 => json!(format!("<{} characters>", text.len())),
        Value::Array(items) => items.iter().map(shortened).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(k, v)| (k.clone(), shortened(v))).collect())
        }
        other => other.clone(),
    }
}

/// A member that is `null` is a member that is not there.
pub(crate) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_nulls(v))).collect(),
        ),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

fn error(model: &Model, protocol: Protocol, fault: &Fault, request_id: &str) -> Response {
    let shape = model.shapes.get(&fault.shape);
    let declared = shape.and_then(|s| s.error.as_ref());
    let code = declared.and_then(|e| e.code.as_deref()).unwrap_or(&fault.shape);
    let status = declared.and_then(|e| e.http_status_code).unwrap_or(if shape.is_some_and(|s| s.fault) {
        500
    } else {
        fault.status
    });
    let sender = if status < 500 { "Sender" } else { "Receiver" };
    if protocol == Protocol::Query {
        return query::error(model, code, &fault.message, sender, status, request_id);
    }
    let mut body = Map::new();
    body.insert("__type".into(), json!(fault.shape));
    let message = shape
        .and_then(|s| s.members.keys().find(|m| m.eq_ignore_ascii_case("message")))
        .map_or("message", String::as_str);
    body.insert(message.into(), json!(fault.message));
    body.extend(fault.members.clone());
    let mut headers = vec![
        ("x-amzn-requestid".to_owned(), request_id.to_owned()),
        ("x-amzn-errortype".to_owned(), fault.shape.clone()),
    ];
    if model.metadata.aws_query_compatible.is_some() {
        let code = legacy::code(model.service, code);
        headers.push(("x-amzn-query-error".into(), format!("{code};{sender}")));
    }
    let body = if protocol == Protocol::Cbor {
        headers.push(("content-type".into(), "application/cbor".into()));
        headers.push(("smithy-protocol".into(), "rpc-v2-cbor".into()));
        cbor::bytes(&Value::Object(body))
    } else {
        let kind = if protocol == Protocol::Rest { "application/json".into() } else { json_type(model) };
        headers.push(("content-type".into(), kind));
        Value::Object(body).to_string().into_bytes()
    };
    Response { status, headers, body }
}

/// The code that clients see for a fault within an answer that succeeds, such as an entry
/// of a batch.
pub(crate) fn entry_code<'a>(service: &str, fault: &'a Fault) -> &'a str {
    let declared = model(service).shapes.get(&fault.shape).and_then(|shape| shape.error.as_ref());
    let code = declared.and_then(|error| error.code.as_deref()).unwrap_or(&fault.shape);
    legacy::code(service, code)
}

/// An error before the service, and so its protocol, is known: JSON, which every
/// client's error parser reads at least the status of.
fn plain_error(fault: &Fault, request_id: &str) -> Response {
    Response {
        status: fault.status,
        headers: vec![
            ("content-type".into(), "application/x-amz-json-1.1".into()),
            ("x-amzn-requestid".into(), request_id.into()),
            ("x-amzn-errortype".into(), fault.shape.clone()),
        ],
        body: json!({ "__type": fault.shape, "message": fault.message }).to_string().into_bytes(),
    }
}
