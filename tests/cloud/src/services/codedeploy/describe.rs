//! GetDeployment and BatchGetDeployments.

use serde_json::{Value, json};

use super::deployment::Deployment;
use super::revisions::Revision;
use super::{deployment_id, texts};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::timestamp;

pub(super) fn get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    Ok(json!({ "deploymentInfo": info(cloud.state.codedeploy.deployment(input)?) }))
}

/// Deployments that do not exist are left out.
pub(super) fn batch_get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let ids = texts(input, "deploymentIds");
    if ids.is_empty() {
        return Err(Fault::new(
            "DeploymentIdRequiredException",
            "At least one deployment ID must be specified",
        ));
    }
    if ids.len() > 25 {
        return Err(Fault::new(
            "BatchLimitExceededException",
            "The batch limit of 25 deployment IDs was exceeded",
        ));
    }
    let mut found = Vec::new();
    for id in ids {
        let id = json!({ "deploymentId": id });
        found.extend(cloud.state.codedeploy.deployments.get(deployment_id(&id)?).map(info));
    }
    Ok(json!({ "deploymentsInfo": found }))
}

/// Without `deploymentOverview`, which counts instances: a real ECS deployment has none.
fn info(d: &Deployment) -> Value {
    let revision = |r: &Option<Revision>| r.as_ref().map(Revision::location);
    let rollback = &d.rollback;
    let rolled_back = rollback.message.as_ref().map(|message| {
        json!({
            "rollbackDeploymentId": rollback.deployment,
            "rollbackTriggeringDeploymentId": rollback.triggering,
            "rollbackMessage": message,
        })
    });
    let config = &d.settings.rollback;
    json!({
        "applicationName": d.application,
        "deploymentGroupName": d.group,
        "deploymentConfigName": d.configuration,
        "deploymentId": d.id,
        "previousRevision": revision(&d.previous_revision),
        "revision": revision(&d.revision),
        "status": d.status.name(),
        "errorInformation": d.error,
        "createTime": timestamp(d.created),
        "startTime": d.started.map(timestamp),
        "completeTime": d.completed.map(timestamp),
        "description": d.description,
        "creator": d.creator,
        "ignoreApplicationStopFailures": false,
        "autoRollbackConfiguration": { "enabled": config.enabled, "events": config.events },
        "updateOutdatedInstancesOnly": false,
        "rollbackInfo": rolled_back,
        "deploymentStyle": d.given["deploymentStyle"],
        "instanceTerminationWaitTimeStarted": d.termination_wait_started,
        "blueGreenDeploymentConfiguration": d.given["blueGreenDeploymentConfiguration"],
        "loadBalancerInfo": d.given["loadBalancerInfo"],
        "fileExistsBehavior": "DISALLOW",
        "deploymentStatusMessages": [],
        "computePlatform": "ECS",
        "overrideAlarmConfiguration": d.override_alarms,
    })
}
