//! Alarms as they are asked for, switched, set and deleted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::metrics::Metric;
use super::{
    Alarm, Condition, alarm_arn, change, composite, items, page, size, text, texts, trigger, validation,
};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::timestamp;

fn not_found(name: &str) -> Fault {
    Fault::new("ResourceNotFound", format!("Unknown alarm: {name}"))
}

fn answer(cloud: &Cloud, name: &str, alarm: &Alarm) -> Value {
    let mut answer = alarm.config.clone();
    answer["AlarmArn"] = json!(alarm_arn(cloud, name));
    answer["ActionsEnabled"] = json!(alarm.actions_enabled);
    for list in ["OKActions", "AlarmActions", "InsufficientDataActions"] {
        answer[list] = json!(texts(&alarm.config, list));
    }
    if alarm.config.get("MetricName").is_some() {
        answer["Dimensions"] = json!(items(&alarm.config, "Dimensions"));
    }
    answer["AlarmConfigurationUpdatedTimestamp"] = timestamp(alarm.configured);
    answer["StateValue"] = json!(alarm.state.value);
    answer["StateReason"] = json!(alarm.state.reason);
    if let Some(data) = &alarm.state.reason_data {
        answer["StateReasonData"] = json!(data);
    }
    answer["StateUpdatedTimestamp"] = timestamp(alarm.state.since);
    answer["StateTransitionedTimestamp"] = timestamp(alarm.transitioned);
    answer
}

pub fn describe(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let related = related(cloud, input)?;
    let names = texts(input, "AlarmNames");
    if !names.is_empty() && input.get("AlarmNamePrefix").is_some() {
        return Err(validation("AlarmNamePrefix and AlarmNames cannot be given together"));
    }
    let types = match texts(input, "AlarmTypes") {
        none if none.is_empty() && related.is_some() => vec!["MetricAlarm".into(), "CompositeAlarm".into()],
        none if none.is_empty() => vec!["MetricAlarm".into()],
        types => types,
    };
    let wanted = |(name, alarm): &(&String, &Alarm)| {
        let kind = if alarm.composite { "CompositeAlarm" } else { "MetricAlarm" };
        let acts = |prefix: &str| {
            let lists = ["OKActions", "AlarmActions", "InsufficientDataActions"];
            lists.iter().flat_map(|list| texts(&alarm.config, list)).any(|action| action.starts_with(prefix))
        };
        types.iter().any(|wanted| wanted == kind)
            && related.as_ref().is_none_or(|related| related.contains(*name))
            && (names.is_empty() || names.contains(name))
            && name.starts_with(text(input, "AlarmNamePrefix"))
            && input["StateValue"].as_str().is_none_or(|value| value == alarm.state.value)
            && input["ActionPrefix"].as_str().is_none_or(acts)
    };
    let rows: Vec<_> = cloud.state.cloudwatch.alarms.iter().filter(wanted).collect();
    let (rows, token) = page(cloud, rows, input, size(input, "MaxRecords", 100))?;
    let (composite, metric): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, alarm)| alarm.composite);
    let answers = |rows: Vec<(&String, &Alarm)>| -> Vec<Value> {
        rows.into_iter().map(|(name, alarm)| answer(cloud, name, alarm)).collect()
    };
    Ok(json!({ "MetricAlarms": answers(metric), "CompositeAlarms": answers(composite), "NextToken": token }))
}

/// The children or parents that are asked for; `None` if neither are.
fn related(cloud: &Cloud, input: &Value) -> Result<Option<BTreeSet<String>>, Fault> {
    let known = |name: &str| match cloud.state.cloudwatch.alarms.get(name) {
        Some(_) => Ok(()),
        None => Err(not_found(name)),
    };
    if let Some(name) = input["ChildrenOfAlarmName"].as_str() {
        known(name)?;
        return Ok(Some(composite::rule_of(cloud, name).map(|rule| rule.alarms()).unwrap_or_default()));
    }
    let Some(name) = input["ParentsOfAlarmName"].as_str() else { return Ok(None) };
    known(name)?;
    Ok(Some(composite::parents(cloud, name).into_iter().collect()))
}

pub fn for_metric(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let metric = Metric::read(input, None);
    let wanted = |alarm: &Alarm| {
        let same =
            |member: &str| input.get(member).is_none_or(|wanted| alarm.config.get(member) == Some(wanted));
        alarm.config.get("MetricName").is_some()
            && Metric::read(&alarm.config, None) == metric
            && ["Statistic", "ExtendedStatistic", "Period", "Unit"].into_iter().all(same)
    };
    let alarms = cloud.state.cloudwatch.alarms.iter().filter(|(_, alarm)| wanted(alarm));
    let rows: Vec<Value> = alarms.map(|(name, alarm)| answer(cloud, name, alarm)).collect();
    Ok(json!({ "MetricAlarms": rows }))
}

pub fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let names = texts(input, "AlarmNames");
    let alarms = &cloud.state.cloudwatch.alarms;
    if let Some(unknown) = names.iter().find(|name| !alarms.contains_key(*name)) {
        return Err(not_found(unknown));
    }
    for name in names {
        change::configured(cloud, &name, "delete", None);
        cloud.state.cloudwatch.alarms.remove(&name);
    }
    Ok(json!({}))
}

/// Switches alarms' actions on or off; names that are none are passed over.
pub fn enable(cloud: &mut Cloud, input: &Value, enabled: bool) -> Result<Value, Fault> {
    for name in texts(input, "AlarmNames") {
        let now = cloud.now;
        let Some(alarm) = cloud.state.cloudwatch.alarms.get_mut(&name) else { continue };
        if alarm.actions_enabled != enabled {
            let previous = trigger::full_configuration(alarm, &name);
            (alarm.actions_enabled, alarm.configured) = (enabled, now);
            change::configured(cloud, &name, "update", Some(previous));
        }
    }
    Ok(json!({}))
}

pub fn set_state(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = text(input, "AlarmName");
    if !cloud.state.cloudwatch.alarms.contains_key(name) {
        return Err(not_found(name));
    }
    let reason_data = input["StateReasonData"].as_str().map(str::to_owned);
    if reason_data.as_ref().is_some_and(|data| serde_json::from_str::<Value>(data).is_err()) {
        return Err(Fault::new("InvalidFormatFault", "StateReasonData must be JSON"));
    }
    let (value, reason) = (text(input, "StateValue").to_owned(), text(input, "StateReason").to_owned());
    let condition = Condition { value, reason, reason_data, since: cloud.now };
    change::change(cloud, name, condition);
    Ok(json!({}))
}
