//! PutMetricAlarm and PutCompositeAlarm.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Alarm, Condition, actions, change, composite, evaluate, items, query, tags, text, trigger};
use super::{alarm_state, validation as wrong};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{DAY, HOUR, MINUTE, Ms};

/// Members that change what an alarm means and are not modelled.
const REFUSED: [&str; 9] = [
    "ThresholdMetricId",
    "EvaluationWindow",
    "WarmUpConfiguration",
    "EvaluationCriteria",
    "EvaluationInterval",
    "ActionConfiguration",
    "ActionsSuppressor",
    "ActionsSuppressorWaitPeriod",
    "ActionsSuppressorExtensionPeriod",
];

pub fn metric(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    check_members(input, "PutMetricAlarm")?;
    check_evaluation(input)?;
    if items(input, "Metrics").is_empty() {
        check_single(input)?;
    } else {
        check_metrics(cloud, input)?;
    }
    let period = evaluate::period(input);
    check_period(period, input["EvaluationPeriods"].as_u64().unwrap_or(1))?;
    evaluate::watched(&cloud.state.cloudwatch, input, 0, 0, cloud.now)?;
    put(cloud, input, false)
}

pub fn composite(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    check_members(input, "PutCompositeAlarm")?;
    let name = text(input, "AlarmName");
    let rule = composite::Rule::parse(text(input, "AlarmRule"))?;
    let children = rule.alarms();
    if let Some(unknown) = children.iter().find(|child| alarm_state(cloud, child).is_none()) {
        return Err(wrong(format!(
            "Could not save the composite alarm as alarm [{unknown}] in the alarm rule does not exist"
        )));
    }
    if below(cloud, children).contains(name) {
        return Err(wrong(format!(
            "Could not save the composite alarm '{name}' as its rule would be circular"
        )));
    }
    put(cloud, input, true)
}

/// These alarms and all that they are made of.
fn below(cloud: &Cloud, mut alarms: BTreeSet<String>) -> BTreeSet<String> {
    let mut open: Vec<String> = alarms.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let children = composite::rule_of(cloud, &name).map(|rule| rule.alarms()).unwrap_or_default();
        open.extend(children.into_iter().filter(|child| alarms.insert(child.clone())));
    }
    alarms
}

fn check_members(input: &Value, operation: &str) -> Result<(), Fault> {
    if let Some(member) = REFUSED.iter().find(|member| input.get(**member).is_some()) {
        return Err(Fault::not_modelled(format!("cloudwatch:{operation} with {member}")));
    }
    if text(input, "EvaluateLowSampleCountPercentile") == "ignore" {
        let what = format!("cloudwatch:{operation} with EvaluateLowSampleCountPercentile ignore");
        return Err(Fault::not_modelled(what));
    }
    actions::check(input, operation)
}

fn check_evaluation(input: &Value) -> Result<(), Fault> {
    let comparison = text(input, "ComparisonOperator");
    if comparison.contains("Upper") || comparison.contains("Lower") {
        return Err(Fault::not_modelled(format!("cloudwatch:PutMetricAlarm with {comparison}")));
    }
    for member in ["ComparisonOperator", "EvaluationPeriods", "Threshold"] {
        if input.get(member).is_none() {
            return Err(wrong(format!("{member} must be given")));
        }
    }
    if input["DatapointsToAlarm"].as_u64() > input["EvaluationPeriods"].as_u64() {
        return Err(wrong("DatapointsToAlarm must be less than or equal to EvaluationPeriods"));
    }
    match input["TreatMissingData"].as_str() {
        None | Some("missing" | "ignore" | "breaching" | "notBreaching") => Ok(()),
        Some(other) => Err(wrong(format!("TreatMissingData '{other}' is invalid"))),
    }
}

fn check_single(input: &Value) -> Result<(), Fault> {
    for member in ["MetricName", "Namespace", "Period"] {
        if input.get(member).is_none() {
            return Err(wrong(format!("{member} must be given, or Metrics")));
        }
    }
    if input.get("Statistic").is_some() == input.get("ExtendedStatistic").is_some() {
        return Err(wrong("Exactly one of Statistic and ExtendedStatistic must be given"));
    }
    Ok(())
}

fn check_metrics(cloud: &Cloud, input: &Value) -> Result<(), Fault> {
    let single =
        ["MetricName", "Namespace", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic"];
    if let Some(member) = single.iter().find(|member| input.get(**member).is_some()) {
        return Err(wrong(format!("{member} must not be given together with Metrics")));
    }
    let metrics = items(input, "Metrics");
    query::check(metrics, &cloud.settings.account, "PutMetricAlarm")?;
    if metrics.iter().filter(|metric| metric["ReturnData"] != false).count() != 1 {
        return Err(wrong("Exactly one element of the metrics list should return data."));
    }
    let periods: BTreeSet<u64> =
        metrics.iter().filter_map(|metric| metric["MetricStat"]["Period"].as_u64()).collect();
    if periods.len() > 1 { Err(wrong("Metrics list must all have the same period")) } else { Ok(()) }
}

fn check_period(period: Ms, count: u64) -> Result<(), Fault> {
    if period < MINUTE {
        return Err(Fault::not_modelled("cloudwatch:PutMetricAlarm with a Period of less than a minute"));
    }
    let most = if period >= HOUR { 7 * DAY } else { DAY };
    if period.saturating_mul(count) > most {
        return Err(wrong(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period), or seven with periods of an hour and more",
        ));
    }
    Ok(())
}

/// Keeps an alarm: a new one with no data yet, one that is there in its state.
fn put(cloud: &mut Cloud, input: &Value, composite: bool) -> Result<Value, Fault> {
    let name = text(input, "AlarmName").to_owned();
    let mut config = input.clone();
    if let Some(members) = config.as_object_mut() {
        members.remove("Tags");
    }
    let actions_enabled = input["ActionsEnabled"] != false;
    let now = cloud.now;
    let known = cloud.state.cloudwatch.alarms.get_mut(&name);
    let done = if known.is_some() { "updated" } else { "created" };
    if let Some(alarm) = known {
        if alarm.composite != composite {
            return Err(wrong(format!("An alarm of another type with the name '{name}' exists")));
        }
        let previous = trigger::full_configuration(alarm, &name);
        (alarm.config, alarm.configured, alarm.actions_enabled) = (config, now, actions_enabled);
        change::configured(cloud, &name, "update", Some(previous));
    } else {
        let reason = "Unchecked: Initial alarm creation".to_owned();
        let alarm = Alarm {
            config,
            composite,
            metric_id: cloud.ids.uuid(),
            actions_enabled,
            configured: now,
            state: Condition { value: "INSUFFICIENT_DATA".into(), reason, reason_data: None, since: now },
            transitioned: now,
            tags: tags::read(input),
        };
        cloud.state.cloudwatch.alarms.insert(name.clone(), alarm);
        change::configured(cloud, &name, "create", None);
    }
    if composite {
        composite::put(cloud, &name, done);
    }
    Ok(json!({}))
}
