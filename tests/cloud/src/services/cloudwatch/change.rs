//! The one way an alarm's state or configuration changes, with all that follows from it.

use serde_json::{Value, json};

use super::history::{self, Kind as Item};
use super::{Condition, actions, alarm_arn, composite, trigger};
use crate::cloud::Cloud;
use crate::services::events;
use crate::time::{Ms, iso_offset};
use crate::timeline::Kind;

/// Gives an alarm a state. Unless its value is the same, that is noted, published, acted on, and
/// seen by composite alarms.
pub fn change(cloud: &mut Cloud, name: &str, new: Condition) {
    let now = cloud.now;
    let Some(alarm) = cloud.state.cloudwatch.alarms.get_mut(name) else { return };
    let old = std::mem::replace(&mut alarm.state, new.clone());
    if old.value == new.value {
        return;
    }
    alarm.transitioned = now;
    let (enabled, configuration) = (alarm.actions_enabled, trigger::configuration(alarm));
    cloud.state.cloudwatch.active = now;
    record(cloud, name, &old, &new);
    let detail = json!({
        "alarmName": name,
        "state": state(&new),
        "previousState": state(&old),
        "configuration": configuration,
    });
    let data = json!({ "alarm": name, "from": old.value, "to": new.value, "reason": new.reason });
    cloud.note(Kind::Alarm, format!("{name}: {} -> {}", old.value, new.value), data);
    publish(cloud, name, "CloudWatch Alarm State Change", detail.clone());
    if enabled {
        actions::run(cloud, name, &old, &detail);
    }
    composite::child_changed(cloud, name);
}

fn record(cloud: &mut Cloud, name: &str, old: &Condition, new: &Condition) {
    let side = |condition: &Condition| {
        let mut side = json!({ "stateValue": condition.value, "stateReason": condition.reason });
        if let Some(Ok(data)) = condition.reason_data.as_deref().map(serde_json::from_str::<Value>) {
            side["stateReasonData"] = data;
        }
        side
    };
    let data = json!({ "version": "1.0", "oldState": side(old), "newState": side(new) });
    let summary = format!("Alarm updated from {} to {}", old.value, new.value);
    history::add(cloud, name, Item::StateUpdate, summary, &data);
}

/// A state as events and actions carry it.
fn state(condition: &Condition) -> Value {
    let mut state = json!({
        "value": condition.value,
        "reason": condition.reason,
        "timestamp": iso_offset(condition.since),
    });
    if let Some(data) = &condition.reason_data {
        state["reasonData"] = json!(data);
    }
    state
}

fn publish(cloud: &mut Cloud, name: &str, detail_type: &str, detail: Value) {
    let arn = alarm_arn(cloud, name);
    events::publish(cloud, "aws.cloudwatch", detail_type, &[arn], detail);
}

/// Tells that an alarm was created, updated or deleted; `previous` is its configuration before
/// an update.
pub fn configured(cloud: &mut Cloud, name: &str, operation: &str, previous: Option<Value>) {
    let Some(alarm) = cloud.state.cloudwatch.alarms.get(name) else { return };
    let since: Ms = alarm.state.since;
    let mut detail = json!({
        "alarmName": name,
        "operation": operation,
        "state": { "value": alarm.state.value, "timestamp": iso_offset(since) },
        "configuration": trigger::full_configuration(alarm, name),
    });
    if let Some(previous) = previous {
        detail["previousConfiguration"] = previous;
    }
    let data = json!({ "version": "1.0", "type": operation, "configuration": detail["configuration"] });
    let done = match operation {
        "create" => "created",
        "delete" => "deleted",
        _ => "updated",
    };
    history::add(cloud, name, Item::ConfigurationUpdate, format!("Alarm \"{name}\" {done}"), &data);
    publish(cloud, name, "CloudWatch Alarm Configuration Change", detail);
}
