//! Tells EventBridge and the deployment group's SNS topics of a deployment's state.

use serde_json::{Value, json};

use super::deployment::{Creator, Deployment};
use crate::cloud::Cloud;
use crate::services::{events, sns};
use crate::time::Ms;

/// `state`: START, READY, SUCCESS, FAILURE or STOP.
pub(super) fn state_change(cloud: &mut Cloud, d: &Deployment, state: &str) {
    let resources = [
        cloud.arn("codedeploy", &format!("deploymentgroup:{}/{}", d.application, d.group)),
        cloud.arn("codedeploy", &format!("application:{}", d.application)),
    ];
    let detail = json!({
        "region": cloud.region(),
        "deploymentId": d.id,
        "instanceGroupId": d.group_id,
        "deploymentGroup": d.group,
        "state": state,
        "application": d.application,
    });
    events::publish(
        cloud,
        "aws.codedeploy",
        "CodeDeploy Deployment State-change Notification",
        &resources,
        detail,
    );
    let (event, status) = match state {
        "START" => ("DeploymentStart", "CREATED"),
        "READY" => ("DeploymentReady", "READY"),
        "SUCCESS" => ("DeploymentSuccess", "SUCCEEDED"),
        "STOP" => ("DeploymentStop", "STOPPED"),
        _ => ("DeploymentFailure", "FAILED"),
    };
    triggers(cloud, d, event, status);
}

/// Publishes to the topics of the triggers on `event`, one of the model's `TriggerEventType`.
pub(super) fn triggers(cloud: &mut Cloud, d: &Deployment, event: &str, status: &str) {
    for trigger in d.settings.triggers.iter().filter(|t| t.events.iter().any(|e| e == event)) {
        let region = cloud.region().to_owned();
        let subject = format!("{status}: AWS CodeDeploy {} in {region} to {}", d.id, d.application);
        let error = d.error.as_ref();
        let error = error.map(|e| json!({ "ErrorCode": e.code, "ErrorMessage": e.message }).to_string());
        let message = crate::wire::without_nulls(json!({
            "region": region,
            "accountId": cloud.settings.account,
            "eventTriggerName": trigger.name,
            "applicationName": d.application,
            "deploymentId": d.id,
            "deploymentGroupName": d.group,
            "createTime": written(d.created),
            "completeTime": d.completed.map(written),
            "errorInformation": error,
            "rollbackInformation": rollback_information(d),
            "status": status,
        }));
        if let Err(fault) = sns::publish(cloud, &trigger.topic, Some(&subject), &message.to_string()) {
            let text = format!("could not notify {}: {}", trigger.topic, fault.message);
            d.note(cloud, &text, json!({ "trigger": trigger.name }));
        }
    }
}

fn rollback_information(d: &Deployment) -> Option<String> {
    (d.creator == Creator::Rollback).then(|| {
        let triggering: Option<Value> = d.rollback.triggering.as_ref().map(|id| json!(id));
        json!({ "RollbackTriggeringDeploymentId": triggering, "RollbackMessage": d.rollback.message })
            .to_string()
    })
}

/// `Tue Nov 01 12:00:00 UTC 2016`
fn written(at: Ms) -> String {
    let at = i64::try_from(at).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).strftime("%a %b %d %H:%M:%S UTC %Y").to_string()
}
