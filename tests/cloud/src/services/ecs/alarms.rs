//! Deployment alarms of the ECS controller.

use serde_json::{Value, json};

use super::Timer;
use super::deployments::{self, Cause, Rollout};
use super::names::items;
use crate::cloud::{Call, Cloud, Reply};
use crate::services::cloudwatch;
use crate::time::{MINUTE, Ms, SECOND};

const POLLING: Ms = 10 * SECOND;
/// For alarms whose periods cannot be read.
const BAKING: Ms = 5 * MINUTE;

/// Notes which alarms are red before a deployment starts, and begins polling.
pub(super) fn watch(cloud: &mut Cloud, key: &str, deployment: &str) {
    let Some(service) = cloud.state.ecs.services.get(key) else { return };
    let Some(alarms) = service.rules().alarms else { return };
    let red = red(cloud, &alarms.names);
    if let Some(service) = cloud.state.ecs.services.get_mut(key)
        && let Some(primary) = service.deployments.first_mut()
    {
        primary.ignored_alarms = red;
    }
    cloud.after(POLLING, Timer::Alarms { service: key.to_owned(), deployment: deployment.to_owned() });
}

fn red(cloud: &Cloud, names: &[String]) -> Vec<String> {
    names.iter().filter(|n| cloudwatch::alarm_state(cloud, n) == Some("ALARM")).cloned().collect()
}

pub(super) fn poll(cloud: &mut Cloud, key: &str, deployment: &str) {
    let Some(service) = cloud.state.ecs.services.get(key) else { return };
    let Some(primary) = service.deployments.first() else { return };
    let Some(alarms) = service.rules().alarms else { return };
    if primary.fleet.id != deployment || primary.rollout != Rollout::InProgress {
        return;
    }
    let mut new = red(cloud, &alarms.names);
    new.retain(|name| !primary.ignored_alarms.contains(name));
    if new.is_empty() {
        cloud.after(POLLING, Timer::Alarms { service: key.to_owned(), deployment: deployment.to_owned() });
    } else {
        deployments::fail(cloud, key, &Cause::Alarms(new));
    }
}

/// How long a deployment stays under watch when all its tasks are healthy: ECS computes
/// it from the alarms; here it is the longest time that one of them evaluates.
pub(super) fn bake_time(cloud: &mut Cloud, key: &str) -> Ms {
    let alarms = cloud.state.ecs.services.get(key).and_then(|s| s.rules().alarms);
    let Some(alarms) = alarms else { return 0 };
    let input = json!({ "AlarmNames": alarms.names, "AlarmTypes": ["MetricAlarm", "CompositeAlarm"] });
    let call = Call { operation: "DescribeAlarms", input: &input, caller: "ecs.amazonaws.com" };
    let Ok(Reply::Now(answer)) = cloudwatch::call(cloud, &call) else { return BAKING };
    let number = |alarm: &Value, member: &str| alarm.get(member).and_then(Value::as_u64);
    let longest = items(&answer, "MetricAlarms")
        .iter()
        .filter_map(|a| Some(number(a, "Period").unwrap_or(60) * number(a, "EvaluationPeriods")? * SECOND))
        .max();
    let has_composite = !items(&answer, "CompositeAlarms").is_empty();
    longest.unwrap_or(0).max(if has_composite { BAKING } else { 0 })
}
