//! EventBridge: the default bus, its rules and targets.

mod deliver;
pub mod pattern;
pub mod pattern_check;
mod rules;
mod targets;
#[cfg(test)]
mod tests;
mod transform;
mod wildcard;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;
use crate::services::paging;
use crate::time::{Ms, iso_seconds, parse_iso};
use crate::timeline::Kind;

/// What the entries of one PutEvents may have together.
const MOST_BYTES: usize = 1_048_576;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    /// By name.
    rules: BTreeMap<String, Rule>,
}

#[derive(Debug, Clone, Serialize)]
struct Rule {
    pattern: Option<Value>,
    /// The pattern as it was given.
    pattern_text: Option<String>,
    schedule: Option<String>,
    period: Option<Ms>,
    enabled: bool,
    description: Option<String>,
    role: Option<String>,
    tags: BTreeMap<String, String>,
    /// As PutTargets takes them, in order.
    targets: Vec<Value>,
    /// Tells this definition's schedule from an earlier one's.
    version: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {
    /// An event has reached the bus.
    Arrived { event: Value },
    /// A rule's schedule is due.
    Due { rule: String, version: u64 },
}

pub(crate) fn call(cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    let input = call.input;
    default_bus(input)?;
    let answer = match call.operation {
        "PutRule" => rules::put(cloud, input),
        "DescribeRule" => rules::describe(cloud, input),
        "ListRules" => rules::list(cloud, input),
        "DeleteRule" => rules::delete(cloud, input),
        "EnableRule" => rules::enable(cloud, input, true),
        "DisableRule" => rules::enable(cloud, input, false),
        "TagResource" => rules::tag(cloud, input),
        "UntagResource" => rules::untag(cloud, input),
        "ListTagsForResource" => rules::list_tags(cloud, input),
        "PutTargets" => targets::put(cloud, input),
        "RemoveTargets" => targets::remove(cloud, input),
        "ListTargetsByRule" => targets::list(cloud, input),
        "ListRuleNamesByTarget" => targets::rules_of(cloud, input),
        "PutEvents" => put_events(cloud, input),
        "TestEventPattern" => test_pattern(input),
        other => Err(Fault::not_modelled(format!("events:{other}"))),
    };
    Ok(answer?.into())
}

pub(crate) fn fire(cloud: &mut Cloud, timer: Timer) {
    match timer {
        Timer::Arrived { event } => deliver::arrived(cloud, &event),
        Timer::Due { rule, version } => deliver::due(cloud, &rule, version),
    }
}

fn default_bus(input: &Value) -> Result<(), Fault> {
    match input["EventBusName"].as_str() {
        None | Some("default") => Ok(()),
        Some(name) if name.ends_with(":event-bus/default") => Ok(()),
        Some(name) => Err(Fault::not_modelled(format!("events on bus '{name}'; there is the default bus"))),
    }
}

/// Puts an event on the default bus, from a service. It reaches the targets of matching
/// rules after `settings.event_delay`.
pub(crate) fn publish(
    cloud: &mut Cloud,
    source: &str,
    detail_type: &str,
    resources: &[String],
    detail: Value,
) {
    let now = cloud.now;
    put(cloud, source, detail_type, json!(resources), detail, now);
}

fn put(
    cloud: &mut Cloud,
    source: &str,
    detail_type: &str,
    resources: Value,
    detail: Value,
    at: Ms,
) -> String {
    let id = cloud.ids.uuid();
    let mut event = json!({
        "version": "0",
        "id": id,
        "detail-type": detail_type,
        "source": source,
        "account": cloud.settings.account,
        "time": iso_seconds(at),
        "region": cloud.region(),
        "resources": resources,
    });
    // json! would copy it.
    event["detail"] = detail;
    cloud.note(Kind::Event, format!("{detail_type}{}", gist(&event["detail"])), event.clone());
    cloud.after(cloud.settings.event_delay, Timer::Arrived { event });
    id
}

/// What one wants to see of an event in a line.
fn gist(detail: &Value) -> String {
    let names = [
        "repository-name",
        "image-tag",
        "action-type",
        "application",
        "deploymentGroup",
        "deploymentId",
        "state",
        "alarmName",
        "eventName",
        "taskArn",
        "lastStatus",
        "scan-status",
        "SourceIdentifier",
        "Message",
    ];
    let part = |name: &&str| {
        let value = &detail[*name];
        value.as_str().or_else(|| value["value"].as_str()).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    names.iter().filter_map(part).map(|text| format!(" {text}")).collect()
}

fn put_events(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    if !input["EndpointId"].is_null() {
        return Err(Fault::not_modelled("events:PutEvents with EndpointId"));
    }
    let entries = input["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().try_for_each(default_bus)?;
    if entries.iter().map(size).sum::<usize>() > MOST_BYTES {
        return Err(Fault::new(
            "ValidationException",
            format!("Total size of the entries in the request is over the limit of {MOST_BYTES} bytes."),
        ));
    }
    let (mut rows, mut failed) = (Vec::new(), 0);
    for entry in entries {
        match put_event(cloud, entry) {
            Ok(id) => rows.push(json!({ "EventId": id })),
            Err((code, message)) => {
                failed += 1;
                rows.push(json!({ "ErrorCode": code, "ErrorMessage": message }));
            }
        }
    }
    Ok(json!({ "FailedEntryCount": failed, "Entries": rows }))
}

/// What an entry counts: 14 bytes for its time, and the UTF-8 of its texts.
fn size(entry: &Value) -> usize {
    let texts = ["Source", "DetailType", "Detail"].map(|member| entry[member].as_str().map_or(0, str::len));
    let resources =
        entry["Resources"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::len);
    let time = if entry["Time"].is_null() { 0 } else { 14 };
    time + texts.iter().sum::<usize>() + resources.sum::<usize>()
}

fn put_event(cloud: &mut Cloud, entry: &Value) -> Result<String, (&'static str, String)> {
    let text = |member: &str| entry[member].as_str().unwrap_or_default();
    for member in ["Source", "DetailType", "Detail"] {
        if text(member).is_empty() {
            return Err((
                "InvalidArgument",
                format!("Parameter {member} is not valid. Reason: {member} is a required argument."),
            ));
        }
    }
    if text("Source").starts_with("aws.") {
        return Err((
            "NotAuthorizedForSourceException",
            format!("Not authorized for the source '{}'.", text("Source")),
        ));
    }
    let detail: Option<Value> = serde_json::from_str(text("Detail")).ok().filter(Value::is_object);
    let detail = detail.ok_or(("MalformedDetail", "Detail is malformed.".to_owned()))?;
    let at = crate::time::from_timestamp(&entry["Time"]).unwrap_or(cloud.now);
    let resources = entry.get("Resources").cloned().unwrap_or_else(|| json!([]));
    Ok(put(cloud, text("Source"), text("DetailType"), resources, detail, at))
}

fn test_pattern(input: &Value) -> Result<Value, Fault> {
    let pattern = parsed(input["EventPattern"].as_str().unwrap_or_default())?;
    let event: Value = serde_json::from_str(input["Event"].as_str().unwrap_or_default()).map_err(|e| {
        Fault::new("ValidationException", format!("Parameter Event is not valid. Reason: {e}"))
    })?;
    for member in ["id", "account", "source", "time", "region", "resources", "detail-type"] {
        if event.get(member).is_none() {
            let message = format!("Parameter Event is not valid. Reason: it has no '{member}'");
            return Err(Fault::new("ValidationException", message));
        }
    }
    if event["time"].as_str().is_none_or(|time| parse_iso(time).is_none()) {
        return Err(Fault::new(
            "ValidationException",
            "Parameter Event is not valid. Reason: 'time' is no timestamp",
        ));
    }
    Ok(json!({ "Result": pattern::matches(&pattern, &event) }))
}

/// A pattern's text, if it is one.
fn parsed(text: &str) -> Result<Value, Fault> {
    let invalid = |reason: String| {
        Fault::new("InvalidEventPatternException", format!("Event pattern is not valid. Reason: {reason}"))
    };
    let pattern: Value = serde_json::from_str(text).map_err(|e| invalid(e.to_string()))?;
    pattern_check::check(&pattern).map_err(invalid)?;
    Ok(pattern)
}

fn arn(cloud: &Cloud, rule: &str) -> String {
    cloud.arn("events", &format!("rule/{rule}"))
}

fn rule<'a>(cloud: &'a mut Cloud, name: &str) -> Result<&'a mut Rule, Fault> {
    let message = format!("Rule {name} does not exist on EventBus default.");
    cloud.state.events.rules.get_mut(name).ok_or_else(|| Fault::new("ResourceNotFoundException", message))
}

/// One page by `NextToken` and `Limit`.
fn page(rows: Vec<Value>, member: &str, input: &Value) -> Result<Value, Fault> {
    let refused = |_: &str| Fault::new("ValidationException", "NextToken is not valid.");
    let (rows, next) =
        paging::page(rows, input["NextToken"].as_str(), paging::size(&input["Limit"], 100), refused)?;
    Ok(json!({ member: rows, "NextToken": next }))
}
