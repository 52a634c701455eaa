//! What ECS tells: the service's own event list, and EventBridge.

use serde_json::{Value, json};

use super::service::{Controller, Event};
use super::{names, task_view};
use crate::cloud::Cloud;
use crate::services::events::publish;
use crate::time::{from_timestamp, iso};
use crate::wire::without_nulls;

const KEPT: usize = 100;

/// Who made what is made here: this cloud knows no principals, so the account.
pub(super) fn principal(cloud: &Cloud) -> String {
    format!("arn:{}:iam::{}:root", cloud.settings.partition, cloud.settings.account)
}

/// How the service's events call the service, or one of its task sets.
pub(super) fn subject(cloud: &Cloud, key: &str, fleet: &str) -> String {
    let name = key.rsplit('/').next().unwrap_or(key);
    match cloud.state.ecs.services.get(key).map(|s| s.controller) {
        Some(Controller::CodeDeploy | Controller::External) => format!("(service {name}, taskSet {fleet})"),
        _ => format!("(service {name})"),
    }
}

pub(super) fn service(cloud: &mut Cloud, key: &str, message: &str) {
    let event = Event { id: cloud.ids.uuid(), at: cloud.now, message: message.to_owned() };
    if let Some(service) = cloud.state.ecs.services.get_mut(key) {
        service.events.push_front(event);
        service.events.truncate(KEPT);
    }
}

/// The whole service has become what it should be.
pub(super) fn steady(cloud: &mut Cloud, key: &str) {
    let name = key.rsplit('/').next().unwrap_or(key);
    service(cloud, key, &format!("(service {name}) has reached a steady state."));
    action(cloud, key, "INFO", "SERVICE_STEADY_STATE", json!({}));
}

/// `ECS Service Action`
pub(super) fn action(cloud: &mut Cloud, key: &str, level: &str, name: &str, mut more: Value) {
    let cluster = key.split('/').next().unwrap_or_default();
    more["eventType"] = json!(level);
    more["eventName"] = json!(name);
    more["clusterArn"] = json!(names::cluster_arn(cloud, cluster));
    more["createdAt"] = json!(iso(cloud.now));
    let arn = names::service_arn(cloud, key);
    publish(cloud, "aws.ecs", "ECS Service Action", &[arn], more);
}

pub(super) fn start_impaired(cloud: &mut Cloud, key: &str, fleet: &str) {
    let text = "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";
    let who = subject(cloud, key, fleet);
    service(cloud, key, &format!("{who} {text}"));
    action(cloud, key, "WARN", "SERVICE_TASK_START_IMPAIRED", json!({}));
}

/// `ECS Deployment State Change`
pub(super) fn deployment(cloud: &mut Cloud, key: &str, id: &str, level: &str, name: &str, reason: &str) {
    let detail = json!({
        "eventType": level,
        "eventName": name,
        "deploymentId": id,
        "updatedAt": iso(cloud.now),
        "reason": reason,
    });
    let arn = names::service_arn(cloud, key);
    publish(cloud, "aws.ecs", "ECS Deployment State Change", &[arn], detail);
}

/// `ECS Task State Change`
pub(super) fn task(cloud: &mut Cloud, id: &str) {
    let Some(task) = cloud.state.ecs.tasks.get(id) else { return };
    let arn = task.arn.clone();
    let mut detail = without_nulls(task_view::json(cloud, task));
    if let Some(members) = detail.as_object_mut() {
        members.retain(|name, _| {
            !matches!(name.as_str(), "tags" | "healthStatus" | "platformFamily" | "fargateEphemeralStorage")
        });
        for (_, value) in members.iter_mut().filter(|(name, _)| name.ends_with("At")) {
            if let Some(at) = from_timestamp(value) {
                *value = json!(iso(at));
            }
        }
    }
    // What DescribeTasks calls an ElasticNetworkInterface is an eni here.
    for attachment in detail["attachments"].as_array_mut().into_iter().flatten() {
        attachment["type"] = json!("eni");
    }
    if let Some(overrides) = detail["overrides"].as_object_mut() {
        overrides.shift_remove("inferenceAcceleratorOverrides");
    }
    for container in detail["containers"].as_array_mut().into_iter().flatten() {
        if let Some(members) = container.as_object_mut() {
            members.shift_remove("healthStatus");
            members.shift_remove("networkBindings");
        }
    }
    detail["updatedAt"] = json!(iso(cloud.now));
    publish(cloud, "aws.ecs", "ECS Task State Change", &[arn], detail);
}
