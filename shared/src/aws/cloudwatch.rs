//! CloudWatch: the state of alarms.

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use jiff::Timestamp;

use super::{Aws, failed, timestamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    pub name: String,
    pub state: AlarmState,
    /// Why its actions are not to be taken now, if somebody said so.
    pub muted: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlarmState {
    Ok,
    /// Since when, as far as CloudWatch says.
    Alarm(Option<Timestamp>),
    /// Nothing to judge by, as before the first request to a target group.
    InsufficientData,
    /// There is no alarm of this name.
    Missing,
}

const DISABLED: &str = "its actions are disabled";

/// DescribeAlarms takes so many names.
const NAMES: usize = 100;

impl Aws {
    /// The state of each of these alarms, metric and composite, in the order of `names`.
    pub async fn alarms(&self, names: &[String]) -> anyhow::Result<Vec<Alarm>> {
        let mut found = BTreeMap::new();
        for chunk in names.chunks(NAMES) {
            self.describe_alarms(chunk, &mut found).await?;
        }
        let alarm = |name: &String| {
            let missing = || Alarm { name: name.clone(), state: AlarmState::Missing, muted: None };
            found.get(name).cloned().unwrap_or_else(missing)
        };
        Ok(names.iter().map(alarm).collect())
    }

    async fn describe_alarms(
        &self,
        names: &[String],
        found: &mut BTreeMap<String, Alarm>,
    ) -> anyhow::Result<()> {
        // Without the types only metric alarms are given.
        let call = self.cloudwatch.describe_alarms().set_alarm_names(Some(names.to_vec()));
        let call = call.alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm);
        let what = || format!("describing the alarms {}", names.join(", "));
        let answer = call.max_records(100).send().await.map_err(|e| failed(what())(e))?;
        let metric = answer.metric_alarms().iter().map(|a| {
            let muted = a.actions_enabled().filter(|enabled| !enabled).map(|_| DISABLED.to_owned());
            (a.alarm_name(), a.state_value(), a.state_transitioned_timestamp(), muted)
        });
        let composite = answer.composite_alarms().iter().map(|a| {
            let disabled = a.actions_enabled().filter(|enabled| !enabled).map(|_| DISABLED.to_owned());
            let suppressed = a.actions_suppressed_by().map(|by| format!("suppressed by {}", by.as_str()));
            (a.alarm_name(), a.state_value(), a.state_transitioned_timestamp(), disabled.or(suppressed))
        });
        for (name, state, since, muted) in metric.chain(composite) {
            let state = match state {
                Some(StateValue::Ok) => AlarmState::Ok,
                Some(StateValue::Alarm) => AlarmState::Alarm(since.and_then(timestamp)),
                Some(StateValue::InsufficientData) => AlarmState::InsufficientData,
                other => return Err(anyhow::anyhow!("state {other:?} is unknown")).with_context(what),
            };
            let name = name.unwrap_or_default();
            found.insert(name.to_owned(), Alarm { name: name.to_owned(), state, muted });
        }
        Ok(())
    }
}
