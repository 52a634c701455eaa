//! The smoke checks of `releases.yaml`: where requests go and what is sent.

use std::time::Duration;

use super::super::cursor::{Fields, Once, Value};
use super::super::values;
use super::super::{Body, Method, Reach, SecretRef, Smoke, SmokeRequest, Text, Version};
use super::answer;

const WITHIN: Duration = Duration::from_secs(60);
const CONCURRENCY: u16 = 4;
const MAX_TIME: Duration = Duration::from_secs(10);
/// As [`Method::ALL`].
const METHODS: [&str; 7] = ["get", "head", "post", "put", "patch", "delete", "options"];
/// What else a request has.
const OTHERS: [&str; 10] = [
    "headers",
    "body",
    "status",
    "response-headers",
    "json",
    "response-body",
    "max-time",
    "repeat",
    "follow-redirects",
    "version",
];

pub(super) fn smoke(value: Value<'_>) -> Option<Smoke> {
    let fields = value.fields(&["base-url", "tasks", "within", "concurrency", "requests"])?;
    let reach = reach(&fields);
    let within = fields.or("within", WITHIN, |value| value.up_to(10, HOOK, value.duration()?));
    let concurrency = fields.or("concurrency", CONCURRENCY, |value| value.number(1, 32));
    let requests = fields.required("requests").and_then(|value| value.filled_list(request));
    Some(Smoke { reach: reach?, within: within?, concurrency: concurrency?.into(), requests: requests? })
}

/// A function of Lambda has 15 minutes.
const HOOK: &str = "the function that runs the checks has 15 minutes in all";

fn reach(fields: &Fields<'_>) -> Option<Reach> {
    let none = "says not where to send requests; write base-url: https://api.internal:8443 or tasks: {}";
    let (key, value) = fields.one_of(&["base-url", "tasks"], none)?;
    if key == "base-url" {
        return value.parsed(values::base_url).map(Reach::BaseUrl);
    }
    if value.is_null() {
        value.fault("is empty; write tasks: {} or tasks: { port: 8080 }");
        return None;
    }
    let port = value.fields(&["port"])?.or("port", None, |value| value.number(1, u16::MAX).map(Some))?;
    Some(Reach::Tasks { port })
}

fn request(value: Value<'_>) -> Option<SmokeRequest> {
    let fields = value.fields(&[&METHODS[..], &OTHERS].concat())?;
    let asked = asked(&fields);
    let headers = fields.or("headers", Vec::new(), |value| {
        named(value, values::sent_header_name, |value| text(value, values::header_value))
    });
    let body = fields.or("body", None, |value| body(value).map(Some));
    let status = fields.or("status", vec![200..=200], answer::status);
    let response_headers = fields.or("response-headers", Vec::new(), |value| {
        named(value, values::header_name, |value| value.pattern())
    });
    let json = fields.or("json", Vec::new(), answer::json);
    let response_body = fields.or("response-body", None, |value| value.pattern().map(Some));
    let max_time =
        fields.or("max-time", MAX_TIME, |value| value.up_to(10, HOOK, value.duration_above_zero()?));
    let repeat = fields.or("repeat", None, |value| answer::repeat(value, max_time).map(Some));
    let follow_redirects = fields.or("follow-redirects", false, |value| value.truth());
    let version = fields.or("version", None, |value| answer::version(value).map(Some));
    if fields.optional("head").is_some() {
        without_body(&fields, version.as_ref().and_then(Option::as_ref));
    }
    let (method, path) = asked?;
    Some(SmokeRequest {
        method,
        path,
        headers: headers?,
        body: body?,
        status: status?,
        response_headers: response_headers?,
        json: json?,
        response_body: response_body?,
        max_time: max_time?,
        repeat: repeat?,
        follow_redirects: follow_redirects?,
        version: version?,
    })
}

fn asked(fields: &Fields<'_>) -> Option<(Method, String)> {
    let none = "has no method and path; write one like get: /health";
    let (key, value) = fields.one_of(&METHODS, none)?;
    let path = value.parsed(values::path)?;
    let (_, method) = METHODS.into_iter().zip(Method::ALL).find(|(name, _)| *name == key)?;
    Some((method, path))
}

/// The answer to HEAD has no body, so that what looks into it could only fail.
fn without_body(fields: &Fields<'_>, version: Option<&Version>) {
    let version = matches!(version, Some(Version::Json(_) | Version::Body(_))).then_some("version");
    let keys: Vec<_> = ["json", "response-body"].into_iter().chain(version).collect();
    for (_, value) in fields.present(&keys) {
        value.fault("looks into the answer's body, and head gets none; write get instead of head");
    }
}

/// No two names may differ by case alone: to HTTP they are the same.
fn named<T>(
    value: Value<'_>,
    name_fits: impl Fn(&str) -> Result<(), String>,
    read: impl Fn(Value<'_>) -> Option<T>,
) -> Option<Vec<(String, T)>> {
    let mut once = Once::new();
    value.mapping()?.each(|name, value| {
        let fits = name_fits(name).map_err(|what| value.fault(what)).ok();
        once.check(name.to_lowercase(), value, |line| {
            format!("stands on line {line} already, in other letters; keep one of the two")
        });
        let read = read(value);
        fits?;
        Some((name.to_owned(), read?))
    })
}

/// Text, perhaps empty, that `parse` takes.
fn text(value: Value<'_>, parse: impl Fn(&str) -> Result<Text, String>) -> Option<Text> {
    parse(value.text()?).map_err(|what| value.fault(what)).ok()
}

fn body(value: Value<'_>) -> Option<Body> {
    if value.is_list() || value.is_mapping() {
        return value.json_of(&SecretRef::check).map(Body::Json);
    }
    text(value, Text::parse).map(Body::Text)
}
