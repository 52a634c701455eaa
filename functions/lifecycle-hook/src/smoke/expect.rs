//! What an answer must be, and what is told of one that is not.

use serde_json::Value;
use shared::aws::WebAnswer;
use shared::config::{Comparison, JsonTest, SmokeRequest, Version};

use super::version::Deployed;
use crate::secrets::Values;

/// How much of an answer's body is told.
const SNIPPET: usize = 200;

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It may be right in a moment: the service is starting, or the old version answered.
    NotReady(String),
    Failed(String),
}

impl Wrong {
    pub fn reason(&self) -> &str {
        match self {
            Self::NotReady(why) | Self::Failed(why) => why,
        }
    }
}

/// Whether the answer is what the request expects. What is told of it holds none of the secrets.
pub fn expect(
    request: &SmokeRequest,
    answer: &WebAnswer,
    deployed: &Deployed,
    secrets: &Values,
) -> Result<(), Wrong> {
    let body = String::from_utf8_lossy(&answer.body);
    if !request.status.iter().any(|range| range.contains(&answer.status)) {
        let wanted: Vec<_> = request.status.iter().map(range).collect();
        let why =
            format!("status {} instead of {}: {}", answer.status, wanted.join(", "), snippet(&body, secrets));
        // What stands in front of a service answers so while there is none behind it.
        let starting = matches!(answer.status, 502..=504);
        return Err(if starting { Wrong::NotReady(why) } else { Wrong::Failed(why) });
    }
    if let Some(version) = &request.version {
        shows(version, answer, &body, deployed, secrets)?;
    }
    for (name, pattern) in &request.response_headers {
        let value = answer.header(name);
        if !value.is_some_and(|value| pattern.is_whole(value)) {
            let seen =
                value.map_or("is missing".to_owned(), |value| format!("is '{}'", snippet(value, secrets)));
            return Err(Wrong::Failed(format!("header {name} {seen}, which is not {}", pattern.as_str())));
        }
    }
    if !request.json.is_empty() {
        let document = json(&body, secrets)?;
        request.json.iter().try_for_each(|test| holds(test, &document, secrets))?;
    }
    match &request.response_body {
        Some(pattern) if pattern.find(&body).is_none() => Err(Wrong::Failed(format!(
            "nothing in the body matches {}: {}",
            pattern.as_str(),
            snippet(&body, secrets)
        ))),
        _ => Ok(()),
    }
}

fn range(range: &std::ops::RangeInclusive<u16>) -> String {
    if range.start() == range.end() {
        range.start().to_string()
    } else {
        format!("{}-{}", range.start(), range.end())
    }
}

fn json(body: &str, secrets: &Values) -> Result<Value, Wrong> {
    serde_json::from_str(body)
        .map_err(|e| Wrong::Failed(format!("the body is not JSON ({e}): {}", snippet(body, secrets))))
}

fn shows(
    version: &Version,
    answer: &WebAnswer,
    body: &str,
    deployed: &Deployed,
    secrets: &Values,
) -> Result<(), Wrong> {
    let (place, shown) = match version {
        Version::Header(name) => (format!("header {name}"), answer.header(name).map(str::to_owned)),
        Version::Json(path) => {
            let document = json(body, secrets)?;
            let found = path.query(&document).into_iter().next();
            let text = found.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            (path.as_str().to_owned(), text)
        }
        Version::Body(pattern) => (format!("'{}'", pattern.as_str()), pattern.find(body).map(str::to_owned)),
    };
    match shown {
        Some(shown) if deployed.is_shown(&shown) => Ok(()),
        Some(shown) => Err(Wrong::NotReady(format!(
            "{place} shows version '{}', and {} is being deployed",
            snippet(&shown, secrets),
            deployed.name()
        ))),
        None => Err(Wrong::Failed(format!("{place} shows no version: {}", snippet(body, secrets)))),
    }
}

fn holds(test: &JsonTest, document: &Value, secrets: &Values) -> Result<(), Wrong> {
    let path = test.path.as_str();
    let found = test.path.query(document);
    if found.is_empty() {
        return Err(Wrong::Failed(format!(
            "{path} is not in the answer: {}",
            snippet(&document.to_string(), secrets)
        )));
    }
    let pairs = found.iter().flat_map(|value| test.test.tests.iter().map(move |c| (*value, c)));
    for (value, comparison) in pairs {
        if let Some(wanted) = unmet(value, comparison) {
            return Err(Wrong::Failed(format!(
                "{path} is {}, which is not {wanted}",
                snippet(&value.to_string(), secrets)
            )));
        }
    }
    Ok(())
}

/// What was wanted, where the value is not that.
fn unmet(value: &Value, comparison: &Comparison) -> Option<String> {
    let number = value.as_f64();
    let (holds, wanted) = match comparison {
        Comparison::Equals(wanted) => (same(value, wanted), wanted.to_string()),
        Comparison::Matches(pattern) => {
            (value.as_str().is_some_and(|text| pattern.is_whole(text)), pattern.as_str().to_owned())
        }
        Comparison::AtLeast(least) => (number.is_some_and(|n| n >= *least), format!("at least {least}")),
        Comparison::AtMost(most) => (number.is_some_and(|n| n <= *most), format!("at most {most}")),
        Comparison::Above(limit) => (number.is_some_and(|n| n > *limit), format!("above {limit}")),
        Comparison::Below(limit) => (number.is_some_and(|n| n < *limit), format!("below {limit}")),
    };
    (!holds).then_some(wanted)
}

/// Deep equality in which 1 and 1.0 are the same number, as they are to JSON.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(name, x)| y.get(name).is_some_and(|y| same(x, y)))
        }
        _ => a == b,
    }
}

/// Untrusted text on one line, and not too much of it. Secrets go first: cut in two, or with a
/// line's end replaced, they would not be found any more.
fn snippet(text: &str, secrets: &Values) -> String {
    let text = secrets.redacted(text);
    let mut letters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let start: String = letters.by_ref().take(SNIPPET).collect();
    let start = start.trim();
    match (start.is_empty(), letters.next()) {
        (true, _) => "(empty)".to_owned(),
        (false, None) => start.to_owned(),
        (false, Some(_)) => format!("{start}…"),
    }
}
