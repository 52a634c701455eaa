//! The target of a deployment: its ECS service, with lifecycle events and task sets.

use serde_json::{Value, json};

use super::deployment::{Deployment, LifecycleEvent, Status, TaskSet};
use super::page::page;
use super::{deployment_id, items, required, text, texts, with_deployment};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::{ecs, elbv2};
use crate::time::timestamp;

impl TaskSet {
    /// `described` as DescribeTaskSets gives it; `target_group` is ARN and name.
    pub(super) fn new(described: &Value, target_group: (String, String)) -> Self {
        let mut task_set = Self {
            id: required(described, "id").to_owned(),
            target_group,
            desired: 0,
            pending: 0,
            running: 0,
            status: String::new(),
            weight: 0.0,
        };
        task_set.see(described);
        task_set
    }

    fn see(&mut self, described: &Value) {
        let count = |member: &str| described[member].as_u64().unwrap_or(0);
        self.desired = count("computedDesiredCount");
        self.pending = count("pendingCount");
        self.running = count("runningCount");
        self.status = required(described, "status").to_owned();
    }

    fn gone(&mut self) {
        (self.desired, self.pending, self.running) = (0, 0, 0);
        self.status = "DRAINING".into();
    }

    fn info(&self, label: &str) -> Value {
        json!({
            "identifer": self.id,
            "desiredCount": self.desired,
            "pendingCount": self.pending,
            "runningCount": self.running,
            "status": self.status,
            "trafficWeight": self.weight,
            "targetGroup": { "name": self.target_group.1 },
            "taskSetLabel": label,
        })
    }
}

/// Looks at the task sets and their weights anew. What has ended keeps what was seen last.
pub(super) fn observe(cloud: &mut Cloud, d: &mut Deployment) {
    if d.status.ended() {
        return;
    }
    let weights = elbv2::forward(cloud, &d.settings.routes.production);
    let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
    let service = &d.settings.service;
    for task_set in [&mut d.blue, &mut d.green].into_iter().flatten() {
        match ecs::task_set(cloud, &service.cluster, &service.name, &task_set.id) {
            Some(described) => task_set.see(&described),
            None => task_set.gone(),
        }
        let weight: u32 =
            weights.iter().filter(|(arn, _)| *arn == task_set.target_group.0).map(|(_, weight)| weight).sum();
        task_set.weight = if total == 0 { 0.0 } else { f64::from(weight) * 100.0 / f64::from(total) };
    }
}

fn target(cloud: &mut Cloud, d: &mut Deployment) -> Value {
    observe(cloud, d);
    let service = &d.settings.service;
    let arn = ecs::service(cloud, &service.cluster, &service.name)
        .and_then(|service| text(&service, "serviceArn").map(str::to_owned))
        .unwrap_or_else(|| cloud.arn("ecs", &format!("service/{}/{}", service.cluster, service.name)));
    let task_sets = [(&d.blue, "Blue"), (&d.green, "Green")];
    let task_sets = task_sets.iter().filter_map(|(t, label)| Some(t.as_ref()?.info(label)));
    json!({
        "deploymentTargetType": "ECSTarget",
        "ecsTarget": {
            "deploymentId": d.id,
            "targetId": d.target_id(),
            "targetArn": arn,
            "lastUpdatedAt": timestamp(d.target_updated),
            "lifecycleEvents": d.events.iter().map(event).collect::<Vec<_>>(),
            "status": format!("{:?}", d.target_status),
            "taskSetsInfo": task_sets.collect::<Vec<_>>(),
        },
    })
}

fn event(event: &LifecycleEvent) -> Value {
    let diagnostics = event.diagnostics.as_ref().map(|why| {
        json!({
            "errorCode": why.code,
            "scriptName": event.function.as_deref().unwrap_or_default(),
            "message": why.message,
            "logTail": "",
        })
    });
    json!({
        "lifecycleEventName": event.event.name(),
        "diagnostics": diagnostics,
        "startTime": event.started.map(timestamp),
        "endTime": event.ended.map(timestamp),
        "status": format!("{:?}", event.status),
    })
}

/// The deployment whose targets are asked for, once it has any.
fn started<'a>(cloud: &'a Cloud, input: &Value) -> Result<&'a Deployment, Fault> {
    let deployment = cloud.state.codedeploy.deployment(input)?;
    if deployment.status == Status::Created {
        return Err(Fault::new(
            "DeploymentNotStartedException",
            format!("The deployment {} has not started yet", deployment.id),
        ));
    }
    Ok(deployment)
}

fn check_target(d: &Deployment, id: &str) -> Result<(), Fault> {
    if !id.contains(':') {
        return Err(Fault::new(
            "InvalidDeploymentTargetIdException",
            format!("{id} is not in the form <clustername>:<servicename>"),
        ));
    }
    if id != d.target_id() {
        return Err(Fault::new(
            "DeploymentTargetDoesNotExistException",
            format!("The target {id} does not belong to the deployment {}", d.id),
        ));
    }
    Ok(())
}

fn read(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let id = deployment_id(input)?.to_owned();
    Ok(with_deployment(cloud, &id, target).unwrap_or_default())
}

pub(super) fn get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    check_target(started(cloud, input)?, required(input, "targetId"))?;
    Ok(json!({ "deploymentTarget": read(cloud, input)? }))
}

pub(super) fn batch_get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let deployment = started(cloud, input)?;
    let ids = texts(input, "targetIds");
    if ids.is_empty() {
        return Err(Fault::new(
            "DeploymentTargetIdRequiredException",
            "At least one target ID must be specified",
        ));
    }
    if ids.len() > 25 {
        return Err(Fault::new(
            "DeploymentTargetListSizeExceededException",
            "The maximum number of 25 targets was exceeded",
        ));
    }
    for id in &ids {
        check_target(deployment, id)?;
    }
    Ok(json!({ "deploymentTargets": [read(cloud, input)?] }))
}

pub(super) fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let deployment = started(cloud, input)?;
    let filters = &input["targetFilters"];
    if filters.get("ServerInstanceLabel").is_some() {
        return Err(Fault::new(
            "InvalidTargetFilterNameException",
            "ServerInstanceLabel is not for the ECS compute platform",
        ));
    }
    let status = format!("{:?}", deployment.target_status);
    let wanted = items(filters, "TargetStatus");
    let fits = wanted.is_empty() || wanted.iter().any(|w| w.as_str() == Some(&status));
    let rows = fits.then(|| (String::new(), deployment.target_id())).into_iter().collect();
    let (ids, next) = page(cloud, rows, input)?;
    Ok(json!({ "targetIds": ids, "nextToken": next }))
}
