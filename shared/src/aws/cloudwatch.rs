//! CloudWatch: the state of alarms, and when they went red.

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_sdk_cloudwatch::types::{AlarmType, HistoryItemType, ScanBy, StateValue};
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{Aws, date_time, failed, timestamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    pub name: String,
    pub state: AlarmState,
    /// When it came into this state, as far as CloudWatch says.
    pub changed: Option<Timestamp>,
    /// Why its actions are not to be taken now, if somebody said so.
    pub muted: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlarmState {
    Ok,
    Alarm,
    /// Nothing to judge by, as before the first request to a target group.
    InsufficientData,
    /// There is no alarm of this name.
    Missing,
}

/// An alarm, and when it went red.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Red {
    pub alarm: String,
    pub since: Timestamp,
}

const DISABLED: &str = "its actions are disabled";

/// DescribeAlarms takes so many names.
const NAMES: usize = 100;

/// History and state may round one moment differently.
const ROUNDING: SignedDuration = SignedDuration::from_secs(1);

/// What is read of an entry's HistoryData.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Update {
    new_state: NewState,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewState {
    state_value: String,
}

impl Alarm {
    /// Of one that is red now; since `now`, where CloudWatch does not say since when.
    pub fn red(&self, now: Timestamp) -> Option<Red> {
        let since = self.changed.unwrap_or(now);
        (self.state == AlarmState::Alarm).then(|| Red { alarm: self.name.clone(), since })
    }
}

impl Aws {
    /// The state of each of these alarms, metric and composite, in the order of `names`.
    pub async fn alarms(&self, names: &[String]) -> anyhow::Result<Vec<Alarm>> {
        let mut found = BTreeMap::new();
        for chunk in names.chunks(NAMES) {
            self.describe_alarms(chunk, &mut found).await?;
        }
        let alarm = |name: &String| {
            let missing =
                || Alarm { name: name.clone(), state: AlarmState::Missing, changed: None, muted: None };
            found.get(name).cloned().unwrap_or_else(missing)
        };
        Ok(names.iter().map(alarm).collect())
    }

    /// When each of these first went red since then, whatever it is now. Asks only for those
    /// that changed since then, with a call each.
    pub async fn reds(&self, alarms: &[Alarm], since: Timestamp) -> anyhow::Result<Vec<Red>> {
        let is_open = |alarm: &&Alarm| {
            alarm.state != AlarmState::Missing && alarm.changed.is_none_or(|changed| changed >= since)
        };
        let each: Vec<_> = alarms.iter().filter(is_open).map(|alarm| self.red(alarm, since)).collect();
        Ok(try_join_all(each).await?.into_iter().flatten().collect())
    }

    async fn red(&self, alarm: &Alarm, since: Timestamp) -> anyhow::Result<Option<Red>> {
        let now = alarm.red(self.now());
        let first = self.first_red(&alarm.name, since).await?;
        let Some(first) = first else { return Ok(now) };
        let is_now = now.as_ref().is_some_and(|now| now.since.duration_since(first).abs() <= ROUNDING);
        Ok(if is_now { now } else { Some(Red { alarm: alarm.name.clone(), since: first }) })
    }

    /// By the alarm's history, which CloudWatch keeps for 30 days.
    async fn first_red(&self, alarm: &str, since: Timestamp) -> anyhow::Result<Option<Timestamp>> {
        let what = || format!("reading the history of the alarm {alarm}");
        let mut token = None;
        loop {
            let call =
                self.cloudwatch.describe_alarm_history().alarm_name(alarm).start_date(date_time(since));
            let call = call.history_item_type(HistoryItemType::StateUpdate);
            let call = call.alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm);
            let call = call.scan_by(ScanBy::TimestampAscending).max_records(100).set_next_token(token);
            let answer = call.send().await.map_err(|e| failed(what())(e))?;
            for item in answer.alarm_history_items() {
                let update = serde_json::from_str::<Update>(item.history_data().unwrap_or_default());
                if update.with_context(what)?.new_state.state_value == "ALARM" {
                    return Ok(item.timestamp().and_then(timestamp));
                }
            }
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(None);
            }
        }
    }

    async fn describe_alarms(
        &self,
        names: &[String],
        found: &mut BTreeMap<String, Alarm>,
    ) -> anyhow::Result<()> {
        let what = || format!("describing the alarms {}", names.join(", "));
        let mut token = None;
        loop {
            // Without the types only metric alarms are given.
            let call = self.cloudwatch.describe_alarms().set_alarm_names(Some(names.to_vec()));
            let call = call.alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm);
            let call = call.max_records(100).set_next_token(token);
            let answer = call.send().await.map_err(|e| failed(what())(e))?;
            let metric = answer.metric_alarms().iter().map(|a| {
                let muted = a.actions_enabled().filter(|enabled| !enabled).map(|_| DISABLED.to_owned());
                (a.alarm_name(), a.state_value(), a.state_transitioned_timestamp(), muted)
            });
            let composite = answer.composite_alarms().iter().map(|a| {
                let disabled = a.actions_enabled().filter(|enabled| !enabled).map(|_| DISABLED.to_owned());
                let suppressed = a.actions_suppressed_by().map(|by| format!("suppressed by {}", by.as_str()));
                (a.alarm_name(), a.state_value(), a.state_transitioned_timestamp(), disabled.or(suppressed))
            });
            for (name, state, changed, muted) in metric.chain(composite) {
                let state = match state {
                    Some(StateValue::Ok) => AlarmState::Ok,
                    Some(StateValue::Alarm) => AlarmState::Alarm,
                    Some(StateValue::InsufficientData) => AlarmState::InsufficientData,
                    other => return Err(anyhow::anyhow!("state {other:?} is unknown")).with_context(what),
                };
                let name = name.unwrap_or_default();
                let changed = changed.and_then(timestamp);
                found.insert(name.to_owned(), Alarm { name: name.to_owned(), state, changed, muted });
            }
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(());
            }
        }
    }
}
