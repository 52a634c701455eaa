//! Install: clears what an earlier deployment left, creates the replacement task set, and waits
//! until it is steady.

use serde_json::{Value, json};

use super::deployment::{Deployment, Diagnostics, Error, Phase, TaskSet};
use super::lifecycle::Event;
use super::run::{ecs_error, fail_event, succeed_event};
use super::{items, text, traffic};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::{ecs, elbv2};
use crate::time::{MINUTE, Ms, SECOND};

/// The replacement task set's time to become healthy. CodeDeploy does not give up earlier, however
/// many of its tasks fail.
const PATIENCE: Ms = 60 * MINUTE;
const POLL: Ms = 5 * SECOND;

pub(super) fn start(cloud: &mut Cloud, d: &mut Deployment) {
    match replace(cloud, d) {
        Ok(()) => d.enter(cloud, Phase::AwaitTaskSet { deadline: cloud.now + PATIENCE }, POLL),
        Err(error) => fail(cloud, d, error),
    }
}

fn fail(cloud: &mut Cloud, d: &mut Deployment, error: Error) {
    let why = Diagnostics { code: "UnknownError", message: error.message.clone() };
    fail_event(cloud, d, Event::Install, why, error);
}

fn replace(cloud: &mut Cloud, d: &mut Deployment) -> Result<(), Error> {
    let names = d.settings.service.clone();
    let service = ecs::service(cloud, &names.cluster, &names.name).ok_or_else(|| {
        let text = format!("The ECS service {} does not exist in cluster {}", names.name, names.cluster);
        Error::new("INVALID_ECS_SERVICE", text)
    })?;
    let task_sets = items(&service, "taskSets");
    let primary = task_sets
        .iter()
        .find(|t| text(t, "status") == Some("PRIMARY"))
        .ok_or_else(|| ecs_error("The service has no primary task set"))?;
    let (blue, green) = pair(cloud, d, primary)?;
    d.blue = Some(TaskSet::new(primary, blue.clone()));
    for left in task_sets.iter().filter(|t| text(t, "status") == Some("ACTIVE")) {
        let id = text(left, "id").unwrap_or_default();
        d.note(
            cloud,
            &format!("deletes the task set {id} that an earlier deployment left"),
            json!({ "taskSet": id }),
        );
        ecs::delete_task_set(cloud, &names.cluster, &names.name, id).map_err(|f| ecs_error(&f.message))?;
    }
    traffic::reset(cloud, &d.settings.routes.production, &blue.0, &green.0)?;
    let created = create(cloud, d, &service, primary, &green.0).map_err(|f| ecs_error(&f.message))?;
    d.green = Some(TaskSet::new(&created, green));
    Ok(())
}

/// ARN and name of the target group behind which the primary task set runs, and of the other one.
type TargetGroup = (String, String);

fn pair(cloud: &Cloud, d: &Deployment, primary: &Value) -> Result<(TargetGroup, TargetGroup), Error> {
    let routes = &d.settings.routes;
    let invalid = |text: String| {
        let text = format!("The ELB could not be updated due to the following error: {text}");
        Error::new("ELASTIC_LOAD_BALANCING_INVALID", text)
    };
    let mut groups = Vec::new();
    for name in &routes.target_groups {
        let arn = elbv2::target_group_arn(cloud, name)
            .ok_or_else(|| invalid(format!("Target group {name} does not exist")))?;
        groups.push((arn, name.clone()));
    }
    let behind = items(primary, "loadBalancers").iter().find_map(|b| text(b, "targetGroupArn"));
    let at = groups.iter().position(|(arn, _)| Some(arn.as_str()) == behind);
    let at = at.ok_or_else(|| {
        invalid("The primary task set's target group is not one of the deployment group's pair".into())
    })?;
    let blue = groups.remove(at);
    let green = groups.remove(0);
    let serves = |(arn, weight): &(String, u32)| *arn == blue.0 && *weight > 0;
    if !elbv2::forward(cloud, &routes.production).iter().any(serves) {
        let listener = &routes.production;
        return Err(invalid(format!("Primary taskset target group must be behind listener {listener}")));
    }
    Ok((blue, green))
}

/// What the AppSpec does not say is taken from the primary task set, then from the service.
fn create(
    cloud: &mut Cloud,
    d: &Deployment,
    service: &Value,
    primary: &Value,
    target_group: &str,
) -> Result<Value, Fault> {
    let Some(appspec) = &d.appspec else {
        return Err(Fault::new("InvalidRevisionException", "the deployment has no AppSpec"));
    };
    let names = &d.settings.service;
    let now = |member: &str| {
        let own = |value: &Value| value.get(member).filter(|v| !is_empty(v)).cloned();
        own(primary).or_else(|| own(service))
    };
    let providers = appspec.capacity_providers.clone().or_else(|| now("capacityProviderStrategy"));
    let launch_type = if providers.is_some() { None } else { now("launchType") };
    let platform = appspec.platform_version.clone().map(Value::from).or_else(|| now("platformVersion"));
    let input = json!({
        "cluster": names.cluster,
        "service": names.name,
        "externalId": d.id,
        "taskDefinition": appspec.task_definition,
        "networkConfiguration": appspec.network.clone().or_else(|| now("networkConfiguration")),
        "loadBalancers": [{
            "targetGroupArn": target_group,
            "containerName": appspec.container,
            "containerPort": appspec.port,
        }],
        "serviceRegistries": now("serviceRegistries"),
        "launchType": launch_type,
        "capacityProviderStrategy": providers,
        "platformVersion": platform,
        "scale": { "value": 100.0, "unit": "PERCENT" },
    });
    ecs::create_task_set(cloud, &crate::wire::without_nulls(input))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

pub(super) fn poll(cloud: &mut Cloud, d: &mut Deployment, deadline: Ms) {
    let service = &d.settings.service;
    let green = d.green.as_ref().map(|g| g.id.clone()).unwrap_or_default();
    let Some(task_set) = ecs::task_set(cloud, &service.cluster, &service.name, &green) else {
        return fail(cloud, d, ecs_error(&format!("The task set {green} does not exist any more")));
    };
    if is_steady(&task_set) {
        return succeed_event(cloud, d, Event::Install);
    }
    if cloud.now >= deadline {
        let text = "The deployment timed out while waiting for the replacement task set to become healthy. \
                    This time out period is 60 minutes.";
        return fail(cloud, d, Error::new("TIMEOUT", text));
    }
    d.enter(cloud, Phase::AwaitTaskSet { deadline }, POLL);
}

/// ECS counts a task set as steady when all of its tasks run and are healthy.
fn is_steady(task_set: &Value) -> bool {
    let count = |member: &str| task_set[member].as_u64().unwrap_or(0);
    text(task_set, "stabilityStatus") == Some("STEADY_STATE")
        && count("pendingCount") == 0
        && count("runningCount") >= count("computedDesiredCount")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_set_is_steady_only_with_all_its_tasks() {
        let task_set = |status: &str, pending: u64, running: u64| {
            json!({
                "stabilityStatus": status,
                "computedDesiredCount": 2,
                "pendingCount": pending,
                "runningCount": running,
            })
        };
        assert!(is_steady(&task_set("STEADY_STATE", 0, 2)));
        assert!(!is_steady(&task_set("STABILIZING", 0, 2)));
        assert!(!is_steady(&task_set("STEADY_STATE", 1, 2)));
        assert!(!is_steady(&task_set("STEADY_STATE", 0, 1)));
    }
}
