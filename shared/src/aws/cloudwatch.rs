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

/// DescribeAlarms takes so many names.
const NAMES: usize = 100;

impl Aws {
    /// The state of each of these alarms, metric and composite, in the order of `names`.
    pub async fn alarms(&self, names: &[String]) -> anyhow::Result<Vec<Alarm>> {
        let mut found = BTreeMap::new();
        for chunk in names.chunks(NAMES) {
            self.describe_alarms(chunk, &mut found).await?;
        }
        let state = |name: &String| found.get(name).cloned().unwrap_or(AlarmState::Missing);
        Ok(names.iter().map(|name| Alarm { name: name.clone(), state: state(name) }).collect())
    }

    async fn describe_alarms(
        &self,
        names: &[String],
        found: &mut BTreeMap<String, AlarmState>,
    ) -> anyhow::Result<()> {
        // Without the types only metric alarms are given.
        let call = self.cloudwatch.describe_alarms().set_alarm_names(Some(names.to_vec()));
        let call = call.alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm);
        let what = || format!("describing the alarms {}", names.join(", "));
        let answer = call.max_records(100).send().await.map_err(|e| failed(what())(e))?;
        let metric = answer.metric_alarms().iter();
        let metric = metric.map(|a| (a.alarm_name(), a.state_value(), a.state_updated_timestamp()));
        let composite = answer.composite_alarms().iter();
        let composite = composite.map(|a| (a.alarm_name(), a.state_value(), a.state_updated_timestamp()));
        for (name, state, since) in metric.chain(composite) {
            let state = match state {
                Some(StateValue::Ok) => AlarmState::Ok,
                Some(StateValue::Alarm) => AlarmState::Alarm(since.and_then(timestamp)),
                Some(StateValue::InsufficientData) => AlarmState::InsufficientData,
                other => return Err(anyhow::anyhow!("state {other:?} is unknown")).with_context(what),
            };
            found.insert(name.unwrap_or_default().to_owned(), state);
        }
        Ok(())
    }
}
