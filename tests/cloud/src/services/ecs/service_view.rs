//! DescribeServices, ListServices.

use serde_json::{Value, json};

use super::names::{self, includes_tags, invalid, text, texts};
use super::paging::page;
use super::service::{Controller, Service, Status};
use super::service_deployments as record;
use super::{deployments, tags, task, task_sets};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::timestamp;

pub(super) fn json(cloud: &Cloud, service: &Service) -> Value {
    let key = service.key();
    let tasks = || cloud.state.ecs.tasks.values().filter(|t| t.service.as_ref() == Some(&key));
    let events: Vec<Value> = service
        .events
        .iter()
        .map(|e| json!({ "id": e.id, "createdAt": timestamp(e.at), "message": e.message }))
        .collect();
    let sets: Option<Vec<Value>> = (service.controller != Controller::Ecs)
        .then(|| service.task_sets.iter().map(|s| task_sets::json(cloud, service, s)).collect());
    let deployments: Vec<Value> = match &sets {
        Some(sets) if cloud.settings.task_sets_as_deployments => sets.iter().map(as_deployment).collect(),
        _ => service
            .deployments
            .iter()
            .enumerate()
            .map(|(n, d)| deployments::json(cloud, service, n, d))
            .collect(),
    };
    let role = "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS";
    let iam = format!("arn:{}:iam::{}", cloud.settings.partition, cloud.settings.account);
    let mut json = json!({
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": names::cluster_arn(cloud, &service.cluster),
        "loadBalancers": service.current().map_or(&[][..], |w| &w.load_balancers),
        "serviceRegistries": [],
        "status": service.status.text(),
        "desiredCount": service.desired,
        "runningCount": tasks().filter(|t| t.wanted && t.status == task::Status::Running).count(),
        "pendingCount": tasks().filter(|t| t.is_pending()).count(),
        "deploymentConfiguration": service.configuration,
        "taskSets": sets,
        "deployments": deployments,
        "roleArn": format!("{iam}:{role}"),
        "events": events,
        "createdAt": timestamp(service.created_at),
        "currentServiceDeployment": service.service_deployments.last().map(|d| &d.arn),
        "currentServiceRevisions": revisions(cloud, service),
        "placementConstraints": [],
        "placementStrategy": [],
        "healthCheckGracePeriodSeconds": service.options.grace_seconds,
        "schedulingStrategy": "REPLICA",
        "deploymentController": { "type": service.controller.text() },
        "createdBy": service.created_by,
        "enableECSManagedTags": service.options.managed_tags,
        "propagateTags": service.options.propagate_tags.as_deref().unwrap_or("NONE"),
        "enableExecuteCommand": service.options.execute_command,
        "availabilityZoneRebalancing": service.options.zone_rebalancing,
        "resourceManagementType": "CUSTOMER",
    });
    if let (Some(members), Some(workload)) = (json.as_object_mut(), service.current()) {
        members.extend(workload.members());
        members.insert("platformVersion".into(), json!(workload.platform_version));
    }
    json
}

/// A task set as an entry of `deployments` (see `Settings::task_sets_as_deployments`).
fn as_deployment(set: &Value) -> Value {
    json!({
        "id": set["id"], "status": set["status"], "taskDefinition": set["taskDefinition"],
        "desiredCount": set["computedDesiredCount"], "pendingCount": set["pendingCount"],
        "runningCount": set["runningCount"], "createdAt": set["createdAt"], "updatedAt": set["updatedAt"],
        "launchType": set["launchType"], "platformVersion": set["platformVersion"],
    })
}

fn revisions(cloud: &Cloud, service: &Service) -> Value {
    if service.controller != Controller::Ecs {
        return Value::Null;
    }
    let all = service.deployments.iter().enumerate();
    all.map(|(n, d)| record::summary(cloud, service, &d.revision, if n == 0 { service.desired } else { 0 }))
        .collect()
}

pub(super) fn describe(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let cluster = names::cluster(cloud, input)?;
    let wanted = texts(input, "services");
    if wanted.is_empty() {
        return Err(invalid("Services cannot be empty."));
    }
    if wanted.len() > 10 {
        return Err(invalid("Services cannot have more than 10 elements."));
    }
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for reference in wanted {
        match names::service_key(cloud, &cluster, &reference) {
            Some(key) => {
                let service = &cloud.state.ecs.services[&key];
                let mut json = json(cloud, service);
                if includes_tags(input) {
                    json["tags"] = tags::json(cloud, &service.arn);
                }
                services.push(json);
            }
            None if reference.starts_with("arn:") => {
                failures.push(json!({ "arn": reference, "reason": "MISSING" }));
            }
            None => {
                let arn = names::service_arn(cloud, &format!("{cluster}/{reference}"));
                failures.push(json!({ "arn": arn, "reason": "MISSING" }));
            }
        }
    }
    Ok(json!({ "services": services, "failures": failures }))
}

pub(super) fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let cluster = names::cluster(cloud, input)?;
    let launch = text(input, "launchType");
    let has_others = text(input, "schedulingStrategy") == Some("DAEMON")
        || text(input, "resourceManagementType") == Some("ECS");
    let found = cloud
        .state
        .ecs
        .services
        .values()
        .filter(|s| s.cluster == cluster && s.status == Status::Active && !has_others)
        .filter(|s| launch.is_none_or(|l| s.current().and_then(|w| w.launch_type.as_deref()) == Some(l)))
        .map(|s| json!(s.arn));
    page(cloud, input, "serviceArns", 10, found)
}
