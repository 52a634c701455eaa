//! CloudWatch Logs: groups, streams and events, of tasks, functions and clients.

mod filter;
mod groups;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;
use crate::time::{DAY, Ms};

pub(crate) use write::append;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    groups: BTreeMap<String, Group>,
    /// Events ever taken; orders those of the same time.
    count: u64,
}

/// Nothing here happens by itself: what has outlived its retention goes when it is
/// looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Timer {}

#[derive(Debug, Clone, Serialize)]
struct Group {
    name: String,
    created: Ms,
    retention_days: Option<u64>,
    kms_key: Option<String>,
    tags: Value,
    deletion_protection: bool,
    streams: BTreeMap<String, Stream>,
}

#[derive(Debug, Clone, Default, Serialize)]
struct Stream {
    created: Ms,
    last_ingestion: Option<Ms>,
    sequence_token: Option<String>,
    /// In order of their position.
    events: Vec<Event>,
}

#[derive(Debug, Clone, Serialize)]
struct Event {
    /// By timestamp, then as they came; never two the same.
    #[serde(skip)]
    position: Position,
    timestamp: Ms,
    ingested: Ms,
    message: String,
}

/// An event's place in its group: also its id, and what tokens are made of.
type Position = u128;

fn position(timestamp: Ms, count: u64) -> Position {
    Position::from(timestamp) * 1_000_000_000_000_000_000 + Position::from(count)
}

pub(crate) fn call(cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    let input = call.input;
    let answer = match call.operation {
        "CreateLogGroup" => groups::create(cloud, input),
        "CreateLogStream" => groups::create_stream(cloud, input),
        "DeleteLogGroup" => groups::delete(cloud, input),
        "DescribeLogGroups" => groups::describe(cloud, input),
        "DescribeLogStreams" => groups::describe_streams(cloud, input),
        "FilterLogEvents" => read::filter(cloud, input),
        "GetLogEvents" => read::get(cloud, input),
        "PutLogEvents" => write::put(cloud, input),
        "PutRetentionPolicy" => groups::put_retention(cloud, input),
        other => return Err(Fault::not_modelled(format!("logs:{other}"))),
    };
    answer.map(Reply::Now)
}

pub(crate) fn fire(_cloud: &mut Cloud, timer: Timer) {
    match timer {}
}

impl Group {
    fn new(name: &str, created: Ms) -> Self {
        Self {
            name: name.to_owned(),
            created,
            retention_days: None,
            kms_key: None,
            tags: json!({}),
            deletion_protection: false,
            streams: BTreeMap::new(),
        }
    }

    /// The oldest timestamp that is kept.
    fn kept_since(&self, now: Ms) -> Ms {
        self.retention_days.map_or(0, |days| now.saturating_sub(days.saturating_mul(DAY)))
    }

    fn drop_expired(&mut self, now: Ms) {
        let since = self.kept_since(now);
        for stream in self.streams.values_mut() {
            let expired = stream.events.partition_point(|event| event.timestamp < since);
            stream.events.drain(..expired);
        }
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterException", message)
}

/// The group that `logGroupName` or `logGroupIdentifier` names, without what has expired.
fn group<'a>(cloud: &'a mut Cloud, input: &Value) -> Result<&'a mut Group, Fault> {
    let name = match (input["logGroupName"].as_str(), input["logGroupIdentifier"].as_str()) {
        (Some(name), None) => name,
        (None, Some(name)) if !name.starts_with("arn:") => name,
        (None, Some(arn)) => {
            let prefix = cloud.arn("logs", "log-group:");
            let name = arn.strip_prefix(&prefix).map(|name| name.trim_end_matches(":*"));
            name.ok_or_else(|| Fault::not_modelled("logs: a log group of another account"))?
        }
        _ => return Err(invalid("Exactly one of logGroupName and logGroupIdentifier must be specified")),
    };
    let now = cloud.now;
    let group = cloud.state.logs.groups.get_mut(name).ok_or_else(|| {
        Fault::new("ResourceNotFoundException", format!("The specified log group does not exist: {name}"))
    })?;
    group.drop_expired(now);
    Ok(group)
}

fn no_stream(name: &str) -> Fault {
    Fault::new("ResourceNotFoundException", format!("The specified log stream does not exist: {name}"))
}

/// The part of `items` that `nextToken` and `limit` ask for, and the next token.
fn page(items: Vec<Value>, input: &Value) -> Result<(Vec<Value>, Option<String>), Fault> {
    let start = match input["nextToken"].as_str() {
        None => 0,
        Some(token) => token
            .strip_prefix("from:")
            .and_then(|start| start.parse().ok())
            .filter(|start| *start <= items.len())
            .ok_or_else(|| invalid("The specified nextToken is invalid."))?,
    };
    let limit = input["limit"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(50);
    let end = items.len().min(start + limit);
    let next = (end < items.len()).then(|| format!("from:{end}"));
    Ok((items.into_iter().skip(start).take(end - start).collect(), next))
}
