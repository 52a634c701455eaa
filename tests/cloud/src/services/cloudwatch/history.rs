//! What happened to alarms: DescribeAlarmHistory.

use serde::Serialize;
use serde_json::{Value, json};

use super::{page, size, texts};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{Ms, from_timestamp, timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Kind {
    ConfigurationUpdate,
    StateUpdate,
    Action,
}

#[derive(Debug, Clone, Serialize)]
pub struct Item {
    alarm: String,
    composite: bool,
    at: Ms,
    kind: Kind,
    summary: String,
    /// JSON in a text.
    data: String,
}

/// AWS's limits of the members.
const SUMMARY: usize = 255;
const DATA: usize = 4_095;

pub fn add(cloud: &mut Cloud, alarm: &str, kind: Kind, summary: String, data: &Value) {
    let state = &mut cloud.state.cloudwatch;
    let composite = state.alarms.get(alarm).is_some_and(|alarm| alarm.composite);
    let summary = summary.chars().take(SUMMARY).collect();
    let data = data.to_string().chars().take(DATA).collect();
    state.history.push(Item { alarm: alarm.to_owned(), composite, at: cloud.now, kind, summary, data });
}

impl Item {
    fn alarm_type(&self) -> &'static str {
        if self.composite { "CompositeAlarm" } else { "MetricAlarm" }
    }

    fn answer(&self) -> Value {
        json!({
            "AlarmName": self.alarm,
            "AlarmType": self.alarm_type(),
            "Timestamp": timestamp(self.at),
            "HistoryItemType": self.kind,
            "HistorySummary": self.summary,
            "HistoryData": self.data,
        })
    }
}

pub fn describe(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    if input.get("AlarmContributorId").is_some() {
        return Err(Fault::not_modelled("cloudwatch:DescribeAlarmHistory with AlarmContributorId"));
    }
    let types = match texts(input, "AlarmTypes") {
        none if none.is_empty() => vec!["MetricAlarm".to_owned()],
        types => types,
    };
    let start = from_timestamp(&input["StartDate"]).unwrap_or(0);
    let end = from_timestamp(&input["EndDate"]).unwrap_or(Ms::MAX);
    let wanted = |item: &&Item| {
        input["AlarmName"].as_str().is_none_or(|name| name == item.alarm)
            && types.iter().any(|wanted| wanted == item.alarm_type())
            && input.get("HistoryItemType").is_none_or(|kind| *kind == json!(item.kind))
            && (start..=end).contains(&item.at)
    };
    let mut rows: Vec<Value> =
        cloud.state.cloudwatch.history.iter().filter(wanted).map(Item::answer).collect();
    if input["ScanBy"] != "TimestampAscending" {
        rows.reverse();
    }
    let (rows, token) = page(cloud, rows, input, size(input, "MaxRecords", 100))?;
    Ok(json!({ "AlarmHistoryItems": rows, "NextToken": token }))
}
