//! REST with JSON bodies: Lambda's protocol.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::json as body_json;
use crate::fault::Fault;
use crate::http::{Request, Response};
use crate::model::{Http, Model, Operation, Shape, Type};

/// The operation whose method and URI template fit, modelled or not.
pub fn operation<'a>(model: &'a Model, request: &Request) -> Option<&'a str> {
    let modelled = model.operations.iter().map(|(name, o)| (name, &o.http));
    modelled
        .chain(model.not_modelled.iter())
        .filter(|(_, http)| http.method == request.method && labels(http, request.path()).is_some())
        .filter(|(_, http)| fixed_query(http).all(|pair| request.query().split('&').any(|have| have == pair)))
        // `/functions/x/concurrency` before `/functions/{name}/{other}`, `/layers?find=X` before `/layers`
        .min_by_key(|(_, http)| (http.request_uri.matches('{').count(), !http.request_uri.contains('?')))
        .map(|(name, _)| name.as_str())
}

/// Query parameters that are part of the template.
fn fixed_query(http: &Http) -> impl Iterator<Item = &str> {
    http.request_uri.split_once('?').into_iter().flat_map(|(_, query)| query.split('&'))
}

/// Values of the template's labels, by name; `None` if the path does not fit.
fn labels(http: &Http, path: &str) -> Option<Vec<(String, String)>> {
    let template = http.request_uri.split('?').next().unwrap_or_default().trim_end_matches('/');
    let want: Vec<_> = template.split('/').collect();
    let have: Vec<_> = path.trim_end_matches('/').split('/').collect();
    if want.len() != have.len() {
        return None;
    }
    let mut out = Vec::new();
    for (want, have) in want.iter().zip(have) {
        match want.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
            Some(label) => {
                let value = percent_decode_str(have).decode_utf8_lossy().into_owned();
                out.push((label.trim_end_matches('+').to_owned(), value));
            }
            None if *want != have => return None,
            None => {}
        }
    }
    Some(out)
}

pub fn parse(
    model: &Model,
    operation: &Operation,
    shape: &str,
    request: &Request,
    body: &[u8],
) -> Result<Value, Fault> {
    let shape = model.shape(shape);
    let mut out = match shape.payload.as_deref() {
        Some(payload) => payload_value(model, shape, payload, body)?,
        None => match body_json::parse(body)? {
            Value::Object(members) => members,
            _ => return Err(Fault::new("SerializationException", "body is not a JSON object")),
        },
    };
    let labels = labels(&operation.http, request.path()).unwrap_or_default();
    let query: Vec<(String, String)> =
        form_urlencoded::parse(request.query().as_bytes()).into_owned().collect();
    for (name, member) in &shape.members {
        let wire = member.location_name.as_deref().unwrap_or(name);
        let kind = model.shape(&member.shape).kind;
        match member.location.as_deref() {
            Some("uri") => {
                if let Some((_, text)) = labels.iter().find(|(label, _)| label == wire) {
                    out.insert(name.clone(), json!(text));
                }
            }
            Some("querystring") => {
                let mut values = query.iter().filter(|(k, _)| k == wire).map(|(_, v)| v.as_str());
                if kind == Type::List {
                    let items: Vec<_> = values.collect();
                    if !items.is_empty() {
                        out.insert(name.clone(), json!(items));
                    }
                } else if let Some(text) = values.next() {
                    out.insert(name.clone(), scalar(kind, text));
                }
            }
            Some("header") => {
                if let Some(text) = request.header(&wire.to_lowercase()) {
                    out.insert(name.clone(), scalar(kind, text));
                }
            }
            _ => {}
        }
    }
    Ok(Value::Object(out))
}

fn payload_value(
    model: &Model,
    shape: &Shape,
    payload: &str,
    body: &[u8],
) -> Result<Map<String, Value>, Fault> {
    let mut out = Map::new();
    if body.is_empty() {
        return Ok(out);
    }
    let kind = shape.members.get(payload).map(|m| model.shape(&m.shape).kind);
    let value = if kind == Some(Type::Blob) { json!(STANDARD.encode(body)) } else { body_json::parse(body)? };
    out.insert(payload.to_owned(), value);
    Ok(out)
}

/// Text of a header or query parameter as its type; left as text, for the
/// validation to refuse, where it isn't of it.
fn scalar(kind: Type, text: &str) -> Value {
    match kind {
        Type::Integer | Type::Long => text.parse::<i64>().map_or_else(|_| json!(text), |n| json!(n)),
        Type::Boolean => text.parse::<bool>().map_or_else(|_| json!(text), |b| json!(b)),
        _ => json!(text),
    }
}

pub fn response(model: &Model, operation: &Operation, value: &Value) -> Response {
    let mut status = operation.http.response_code.unwrap_or(200);
    let mut headers = Vec::new();
    let mut members = value.as_object().cloned().unwrap_or_default();
    let shape = operation.output.as_deref().map(|s| model.shape(s));
    for (name, member) in shape.iter().flat_map(|s| &s.members) {
        let wire = member.location_name.as_deref().unwrap_or(name);
        match member.location.as_deref() {
            Some("header") => {
                if let Some(value) = members.remove(name) {
                    headers.push((
                        wire.to_lowercase(),
                        value.as_str().map_or_else(|| value.to_string(), str::to_owned),
                    ));
                }
            }
            Some("statusCode") => {
                let code = members.remove(name).and_then(|v| v.as_u64());
                status = code.and_then(|c| u16::try_from(c).ok()).unwrap_or(status);
            }
            _ => {}
        }
    }
    let body = match shape.and_then(|s| s.payload.as_deref()) {
        Some(payload) => members
            .get(payload)
            .and_then(Value::as_str)
            .and_then(|text| STANDARD.decode(text).ok())
            .unwrap_or_default(),
        None if shape.is_none() || status == 204 => Vec::new(),
        None => Value::Object(members).to_string().into_bytes(),
    };
    headers.push(("content-type".into(), "application/json".into()));
    Response { status, headers, body }
}
