//! CloudWatch: metrics, metric math, alarms and what they set off.

mod actions;
mod alarms;
mod alb;
mod change;
mod composite;
mod evaluate;
mod functions;
mod history;
mod math;
mod metrics;
mod put_alarm;
mod query;
mod reason;
mod receive;
mod tags;
#[cfg(test)]
mod tests;
mod trigger;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;
use crate::time::Ms;

pub(crate) use alb::served;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    metrics: BTreeMap<String, metrics::Store>,
    /// By name.
    alarms: BTreeMap<String, Alarm>,
    history: Vec<history::Item>,
    /// Whether the minute's timer is armed.
    ticking: bool,
    /// When something last happened.
    active: Ms,
}

/// A metric or composite alarm.
#[derive(Debug, Clone, Serialize)]
struct Alarm {
    /// The input that made it, without tags.
    config: Value,
    composite: bool,
    /// The id of a single metric in events.
    metric_id: String,
    actions_enabled: bool,
    configured: Ms,
    state: Condition,
    /// When the state's value last changed.
    transitioned: Ms,
    tags: BTreeMap<String, String>,
}

/// An alarm's state: `OK`, `ALARM` or `INSUFFICIENT_DATA`, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Condition {
    value: String,
    reason: String,
    /// JSON in a text.
    reason_data: Option<String>,
    since: Ms,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {
    /// A minute is full.
    Minute,
    /// The last full minute is known.
    Evaluate,
}

pub(crate) fn call(cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    let input = call.input;
    alb::awake(cloud);
    let answer: Value = match call.operation {
        "PutMetricData" => receive::put(cloud, input),
        "ListMetrics" => query::list(cloud, input),
        "GetMetricData" => query::data(cloud, input),
        "GetMetricStatistics" => query::statistics(cloud, input),
        "PutMetricAlarm" => put_alarm::metric(cloud, input),
        "PutCompositeAlarm" => put_alarm::composite(cloud, input),
        "DescribeAlarms" => alarms::describe(cloud, input),
        "DescribeAlarmsForMetric" => alarms::for_metric(cloud, input),
        "DeleteAlarms" => alarms::delete(cloud, input),
        "EnableAlarmActions" => alarms::enable(cloud, input, true),
        "DisableAlarmActions" => alarms::enable(cloud, input, false),
        "SetAlarmState" => alarms::set_state(cloud, input),
        "DescribeAlarmHistory" => history::describe(cloud, input),
        "ListTagsForResource" => tags::list(cloud, input),
        "TagResource" => tags::add(cloud, input),
        "UntagResource" => tags::remove(cloud, input),
        other => Err(Fault::not_modelled(format!("cloudwatch:{other}"))),
    }?;
    Ok(answer.into())
}

pub(crate) fn fire(cloud: &mut Cloud, timer: Timer) {
    match timer {
        Timer::Minute => alb::minute(cloud),
        Timer::Evaluate => evaluate::all(cloud),
    }
}

/// Nothing runs before the first request or alarm, which starts the minute's timer.
pub(crate) fn start(_cloud: &mut Cloud) {}

/// State of an alarm, metric or composite, by name: `OK`, `ALARM`, `INSUFFICIENT_DATA`; `None` if there is none.
pub(crate) fn alarm_state<'a>(cloud: &'a Cloud, name: &str) -> Option<&'a str> {
    cloud.state.cloudwatch.alarms.get(name).map(|alarm| alarm.state.value.as_str())
}

/// A text member, empty if it is not there.
fn text<'a>(input: &'a Value, member: &str) -> &'a str {
    input[member].as_str().unwrap_or_default()
}

/// A list member, empty if it is not there.
fn items<'a>(input: &'a Value, member: &str) -> &'a [Value] {
    input[member].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The texts of a list member.
fn texts(input: &Value, member: &str) -> Vec<String> {
    items(input, member).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn alarm_arn(cloud: &Cloud, name: &str) -> String {
    cloud.arn("cloudwatch", &format!("alarm:{name}"))
}

fn validation(message: impl Into<String>) -> Fault {
    Fault::new("ValidationError", message)
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValueException", message)
}

/// One page of rows, and the token of the next.
fn page<T>(cloud: &Cloud, rows: Vec<T>, input: &Value, size: usize) -> Result<(Vec<T>, Value), Fault> {
    let from = match input["NextToken"].as_str() {
        Some(token) => token
            .parse::<usize>()
            .ok()
            .filter(|from| *from <= rows.len())
            .ok_or_else(|| Fault::new("InvalidNextToken", format!("The token '{token}' is invalid")))?,
        None => 0,
    };
    let size = size.min(cloud.settings.longest_page);
    let next = from.saturating_add(size);
    let token = if next < rows.len() { json!(next.to_string()) } else { Value::Null };
    Ok((rows.into_iter().skip(from).take(size).collect(), token))
}

/// A size from the input.
fn size(input: &Value, member: &str, otherwise: usize) -> usize {
    input[member].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(otherwise)
}
