//! A smoke check: requests to the new tasks, and what their answers must be.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::{JsonPath, Pattern, SecretRef, Text};

#[derive(Debug, Clone, PartialEq)]
pub struct Smoke {
    pub reach: Reach,
    /// How long the service may take to be ready; 10 minutes at most, perhaps zero.
    pub within: Duration,
    /// How many requests run side by side: 1 to 32.
    pub concurrency: usize,
    /// In the order of the file; at least one.
    pub requests: Vec<SmokeRequest>,
}

/// Where the requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// `http://` or `https://`, a host, perhaps a port; no path.
    BaseUrl(String),
    /// Each new task's own address, by plain HTTP; without a port, the one behind the load balancer.
    Tasks { port: Option<u16> },
}

/// A request and what its answer must be.
#[derive(Debug, Clone, PartialEq)]
pub struct SmokeRequest {
    pub method: Method,
    /// From `/` on, perhaps with a query.
    pub path: String,
    /// Names as written; no two differ by case alone.
    pub headers: Vec<(String, Text)>,
    pub body: Option<Body>,
    /// The answer's status is in one of these; at least one, from 100 to 599.
    pub status: Vec<RangeInclusive<u16>>,
    /// Headers of the answer, whose whole values must match.
    pub response_headers: Vec<(String, Pattern)>,
    pub json: Vec<JsonTest>,
    /// Must be found anywhere in the answer's body.
    pub response_body: Option<Pattern>,
    /// An answer later than this fails; above zero, 10 minutes at most.
    pub max_time: Duration,
    pub repeat: Option<Repeat>,
    /// Within the same origin only.
    pub follow_redirects: bool,
    pub version: Option<Version>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    Text(Text),
    /// Sent as JSON; each string in it that is a whole reference stands for the secret's value.
    Json(Value),
}

/// What must hold for what a path finds in the answer's JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonTest {
    pub path: JsonPath,
    pub test: Test,
}

/// All of these must hold; at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    pub tests: Vec<Comparison>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    Equals(Value),
    /// A string, the whole of which matches.
    Matches(Pattern),
    AtLeast(f64),
    AtMost(f64),
    Above(f64),
    Below(f64),
}

/// The request is sent more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// 2 to 1,000.
    pub times: u32,
    /// How many may fail; fewer than `times`.
    pub failures: u32,
    /// Of all answers, 95 in a hundred came within this; `max_time` at most.
    pub p95: Option<Duration>,
}

/// Where the answer shows which version gave it: it must be what is being deployed.
#[derive(Debug, Clone, PartialEq)]
pub enum Version {
    Header(String),
    Json(JsonPath),
    /// The first group, or the whole match.
    Body(Pattern),
}

impl Smoke {
    /// All secrets that its requests need.
    pub fn secrets(&self) -> BTreeSet<SecretRef> {
        self.requests.iter().flat_map(SmokeRequest::secrets).collect()
    }
}

impl SmokeRequest {
    /// The secrets of its headers and body, as often as they stand there.
    pub fn secrets(&self) -> Vec<SecretRef> {
        let headers = self.headers.iter().filter_map(|(_, value)| value.secret.clone());
        headers.chain(self.body.iter().flat_map(Body::secrets)).collect()
    }
}

impl Body {
    /// The secrets within, as often as they stand there.
    pub fn secrets(&self) -> Vec<SecretRef> {
        let mut found = Vec::new();
        match self {
            Self::Text(text) => found.extend(text.secret.clone()),
            Self::Json(value) => collect(value, &mut found),
        }
        found
    }
}

fn collect(value: &Value, found: &mut Vec<SecretRef>) {
    match value {
        Value::String(text) => found.extend(SecretRef::parse(text)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => members.values().for_each(|member| collect(member, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Method {
    pub const ALL: [Self; 7] =
        [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options];

    /// As HTTP writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
