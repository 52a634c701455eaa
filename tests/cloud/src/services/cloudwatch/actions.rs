//! What an alarm does when its state changes: topics and functions.

use serde_json::{Value, json};

use super::history::{self, Kind as Item};
use super::{Alarm, Condition, alarm_arn, text, texts, trigger};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::{lambda, sns};
use crate::time::iso_offset;

const LISTS: [(&str, &str); 3] =
    [("ALARM", "AlarmActions"), ("OK", "OKActions"), ("INSUFFICIENT_DATA", "InsufficientDataActions")];

fn is_topic(action: &str) -> bool {
    action.split(':').nth(2) == Some("sns")
}

fn is_function(action: &str) -> bool {
    action.split(':').nth(2) == Some("lambda")
}

/// Whether all actions of an input can be done here.
pub fn check(input: &Value, operation: &str) -> Result<(), Fault> {
    let mut actions = LISTS.iter().flat_map(|(_, list)| texts(input, list));
    match actions.find(|action| !is_topic(action) && !is_function(action)) {
        Some(action) => Err(Fault::not_modelled(format!("cloudwatch:{operation} with the action {action}"))),
        None => Ok(()),
    }
}

/// Does the actions of the state that an alarm has come to; `detail` is that of its event.
pub fn run(cloud: &mut Cloud, name: &str, old: &Condition, detail: &Value) {
    let Some(alarm) = cloud.state.cloudwatch.alarms.get(name).cloned() else { return };
    let Some((_, list)) = LISTS.iter().find(|(value, _)| *value == alarm.state.value) else { return };
    for action in texts(&alarm.config, list) {
        let done = if is_topic(&action) {
            notify(cloud, name, &alarm, old, &action)
        } else {
            invoke(cloud, name, detail, &action)
        };
        let (summary, state) = match &done {
            Ok(()) => ("Successfully executed action", "Succeeded"),
            Err(_) => ("Failed to execute action", "Failed"),
        };
        let data = json!({
            "actionState": state,
            "notificationResource": action,
            "stateUpdateTimestamp": alarm.state.since,
            "error": done.err().map(|fault| fault.to_string()),
        });
        history::add(cloud, name, Item::Action, format!("{summary} {action}"), &data);
    }
}

fn notify(cloud: &mut Cloud, name: &str, alarm: &Alarm, old: &Condition, topic: &str) -> Result<(), Fault> {
    let region = region_name(cloud.region()).to_owned();
    let subject: String =
        format!("{}: \"{name}\" in {region}", alarm.state.value).chars().take(100).collect();
    let mut message = json!({
        "AlarmName": name,
        "AlarmDescription": alarm.config["AlarmDescription"],
        "AWSAccountId": cloud.settings.account,
        "NewStateValue": alarm.state.value,
        "NewStateReason": alarm.state.reason,
        "StateChangeTime": iso_offset(alarm.state.since),
        "Region": region,
        "AlarmArn": alarm_arn(cloud, name),
        "OldStateValue": old.value,
    });
    if alarm.composite {
        message["AlarmRule"] = alarm.config["AlarmRule"].clone();
    } else {
        message["Trigger"] = trigger::trigger(alarm);
    }
    sns::publish(cloud, topic, Some(&subject), &message.to_string()).map(|_| ())
}

fn invoke(cloud: &mut Cloud, name: &str, detail: &Value, function: &str) -> Result<(), Fault> {
    let arn = alarm_arn(cloud, name);
    let payload = json!({
        "source": "aws.cloudwatch",
        "alarmArn": arn,
        "accountId": cloud.settings.account,
        "time": text(&detail["state"], "timestamp"),
        "region": cloud.region(),
        "alarmData": detail,
    });
    let principal = "lambda.alarms.cloudwatch.amazonaws.com";
    lambda::invoke_async(cloud, function, principal, Some(&arn), payload)
}

/// A region as notifications name it.
fn region_name(code: &str) -> &str {
    match code {
        "us-east-1" => "US East (N. Virginia)",
        "us-east-2" => "US East (Ohio)",
        "us-west-1" => "US West (N. California)",
        "us-west-2" => "US West (Oregon)",
        "eu-west-1" => "EU (Ireland)",
        "eu-central-1" => "EU (Frankfurt)",
        "ap-northeast-1" => "Asia Pacific (Tokyo)",
        "ap-northeast-2" => "Asia Pacific (Seoul)",
        "ap-southeast-1" => "Asia Pacific (Singapore)",
        "ap-southeast-2" => "Asia Pacific (Sydney)",
        other => other,
    }
}
