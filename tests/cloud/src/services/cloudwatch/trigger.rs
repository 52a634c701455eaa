//! What an alarm watches, as events and notifications tell it.

use serde_json::{Map, Value, json};

use super::evaluate::queries;
use super::{Alarm, items, text, texts};
use crate::time::iso_offset;

/// `configuration` of a state change event.
pub fn configuration(alarm: &Alarm) -> Value {
    if alarm.composite {
        return json!({ "alarmRule": alarm.config["AlarmRule"] });
    }
    let mut configuration = json!({ "metrics": metrics(alarm) });
    if let Some(description) = alarm.config.get("AlarmDescription") {
        configuration["description"] = description.clone();
    }
    configuration
}

/// `configuration` of a configuration change event.
pub fn full_configuration(alarm: &Alarm, name: &str) -> Value {
    let config = &alarm.config;
    let mut full = configuration(alarm);
    full["alarmName"] = json!(name);
    full["actionsEnabled"] = json!(alarm.actions_enabled);
    full["timestamp"] = json!(iso_offset(alarm.configured));
    let copied = [
        ("AlarmDescription", "description"),
        ("EvaluationPeriods", "evaluationPeriods"),
        ("DatapointsToAlarm", "datapointsToAlarm"),
        ("Threshold", "threshold"),
        ("ComparisonOperator", "comparisonOperator"),
        ("TreatMissingData", "treatMissingData"),
    ];
    for (from, to) in copied {
        if let Some(value) = config.get(from) {
            full[to] = value.clone();
        }
    }
    let actions = [
        ("OKActions", "okActions"),
        ("AlarmActions", "alarmActions"),
        ("InsufficientDataActions", "insufficientDataActions"),
    ];
    for (from, to) in actions {
        full[to] = json!(texts(config, from));
    }
    full
}

fn metrics(alarm: &Alarm) -> Vec<Value> {
    let single = items(&alarm.config, "Metrics").is_empty();
    let metric = |query: &Value| {
        let id = if single { alarm.metric_id.as_str() } else { text(query, "Id") };
        let mut entry = json!({ "id": id, "returnData": query["ReturnData"] != false });
        for (from, to) in [("Expression", "expression"), ("Label", "label")] {
            if let Some(value) = query.get(from) {
                entry[to] = value.clone();
            }
        }
        if let Some(stat) = query.get("MetricStat") {
            entry["metricStat"] = metric_stat(stat);
        }
        entry
    };
    queries(&alarm.config).0.iter().map(metric).collect()
}

fn metric_stat(stat: &Value) -> Value {
    let metric = &stat["Metric"];
    let dimensions: Map<String, Value> = items(metric, "Dimensions")
        .iter()
        .map(|item| (text(item, "Name").to_owned(), item["Value"].clone()))
        .collect();
    let mut answer = json!({
        "metric": {
            "namespace": metric["Namespace"],
            "name": metric["MetricName"],
            "dimensions": dimensions,
        },
        "period": stat["Period"],
        "stat": stat["Stat"],
    });
    if let Some(unit) = stat.get("Unit") {
        answer["unit"] = unit.clone();
    }
    answer
}

/// Dimensions as notifications write them.
fn small(dimensions: &[Value]) -> Vec<Value> {
    dimensions.iter().map(|item| json!({ "value": item["Value"], "name": item["Name"] })).collect()
}

/// `Trigger` of a notification.
pub fn trigger(alarm: &Alarm) -> Value {
    let config = &alarm.config;
    let mut trigger = json!({
        "Period": super::evaluate::period(config) / 1000,
        "EvaluationPeriods": config["EvaluationPeriods"],
        "ComparisonOperator": config["ComparisonOperator"],
        "Threshold": config["Threshold"].as_f64(),
        "TreatMissingData": config["TreatMissingData"].as_str().unwrap_or("missing"),
        "EvaluateLowSampleCountPercentile": "",
    });
    if let Some(count) = config.get("DatapointsToAlarm") {
        trigger["DatapointsToAlarm"] = count.clone();
    }
    let metrics = items(config, "Metrics");
    if !metrics.is_empty() {
        trigger["Metrics"] = metrics.iter().map(notified).collect();
        return trigger;
    }
    let plain = config["Statistic"].as_str();
    trigger["MetricName"] = config["MetricName"].clone();
    trigger["Namespace"] = config["Namespace"].clone();
    trigger["StatisticType"] = json!(if plain.is_some() { "Statistic" } else { "ExtendedStatistic" });
    match plain {
        Some("SampleCount") => trigger["Statistic"] = json!("SAMPLE_COUNT"),
        Some(name) => trigger["Statistic"] = json!(name.to_uppercase()),
        None => trigger["ExtendedStatistic"] = config["ExtendedStatistic"].clone(),
    }
    trigger["Unit"] = config["Unit"].clone();
    trigger["Dimensions"] = json!(small(items(config, "Dimensions")));
    trigger
}

fn notified(query: &Value) -> Value {
    let mut query = query.clone();
    query["ReturnData"] = json!(query["ReturnData"] != false);
    if let Some(stat) = query.get_mut("MetricStat") {
        stat["Metric"]["Dimensions"] = json!(small(items(&stat["Metric"], "Dimensions")));
    }
    query
}
