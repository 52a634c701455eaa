//! CreateService, UpdateService, DeleteService.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::names::{self, flag, invalid, text};
use super::service::{Controller, Options, Service, Status};
use super::service_rules as rules;
use super::{deployments, events, fleet, scheduler, service_view, tags, task_sets};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::timeline::Kind;

pub(super) fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let cluster = names::cluster(cloud, input)?;
    let name = text(input, "serviceName").unwrap_or_default().to_owned();
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 255 || !name.chars().all(good) {
        return Err(invalid("Invalid service name"));
    }
    let key = format!("{cluster}/{name}");
    if let Some(same) = existing(cloud, &key, input)? {
        return Ok(json!({ "service": with_tags(cloud, &same) }));
    }
    rules::check_modelled("CreateService", input)?;
    if input.get("role").is_some() {
        return Err(invalid(
            "You cannot specify an IAM role for services that require a service linked role.",
        ));
    }
    let service = read(cloud, input, cluster, name)?;
    let new_tags = tags::read(input)?;
    let (controller, workload, desired) = (service.controller, service.workload.clone(), service.desired);
    let arn = service.arn.clone();
    cloud.state.ecs.tags.remove(&arn);
    tags::put(cloud, &arn, new_tags);
    cloud.state.ecs.services.insert(key.clone(), service);
    let data = json!({ "service": key, "controller": controller.text(), "desiredCount": desired });
    cloud.note(Kind::Deployment, format!("service {key} created"), data);
    match (controller, workload) {
        (Controller::Ecs, Some(workload)) => deployments::create(cloud, &key, workload)?,
        (Controller::CodeDeploy, Some(workload)) => task_sets::first(cloud, &key, workload),
        _ => {}
    }
    Ok(json!({ "service": with_tags(cloud, &key) }))
}

fn with_tags(cloud: &Cloud, key: &str) -> Value {
    let service = &cloud.state.ecs.services[key];
    let mut json = service_view::json(cloud, service);
    json["tags"] = tags::json(cloud, &service.arn);
    json
}

/// A service of this name that is still there: the same one, if the request repeats the
/// one that made it.
fn existing(cloud: &Cloud, key: &str, input: &Value) -> Result<Option<String>, Fault> {
    let Some(service) = cloud.state.ecs.services.get(key) else { return Ok(None) };
    match service.status {
        Status::Inactive => Ok(None),
        Status::Draining => Err(invalid("Unable to Start a service that is still Draining.")),
        Status::Active if input.get("clientToken").is_some() && service.request == *input => {
            Ok(Some(key.to_owned()))
        }
        Status::Active => Err(invalid("Creation of service was not idempotent.")),
    }
}

fn read(cloud: &Cloud, input: &Value, cluster: String, name: String) -> Result<Service, Fault> {
    let controller = controller(input);
    let workload = match controller {
        Controller::External => {
            check_external(input)?;
            None
        }
        Controller::Ecs | Controller::CodeDeploy => Some(rules::workload(cloud, &cluster, input, None)?),
    };
    let balancers = workload.as_ref().map_or(0, |w| w.load_balancers.len());
    if controller == Controller::CodeDeploy && balancers != 1 {
        return Err(invalid(
            "Services with a CODE_DEPLOY deployment controller must specify exactly one load balancer.",
        ));
    }
    let options = Options {
        grace_seconds: grace(input, balancers > 0 || controller == Controller::External)?,
        execute_command: flag(input, "enableExecuteCommand"),
        managed_tags: flag(input, "enableECSManagedTags"),
        propagate_tags: text(input, "propagateTags").map(str::to_owned),
        zone_rebalancing: text(input, "availabilityZoneRebalancing").unwrap_or("ENABLED").to_owned(),
    };
    if let (true, Some(workload)) = (options.execute_command, &workload) {
        rules::check_execute_command(cloud, workload, "service")?;
    }
    Ok(Service {
        arn: names::service_arn(cloud, &format!("{cluster}/{name}")),
        cluster,
        name,
        status: Status::Active,
        controller,
        desired: desired(input, controller)?,
        workload,
        configuration: rules::configuration(input, controller, None)?,
        options,
        created_at: cloud.now,
        created_by: events::principal(cloud),
        request: input.clone(),
        deployments: Vec::new(),
        task_sets: Vec::new(),
        service_deployments: Vec::new(),
        revisions: BTreeMap::new(),
        completed: None,
        events: VecDeque::new(),
        wake_at: None,
        steady: false,
    })
}

fn controller(input: &Value) -> Controller {
    match input.get("deploymentController").and_then(|c| text(c, "type")) {
        Some("CODE_DEPLOY") => Controller::CodeDeploy,
        Some("EXTERNAL") => Controller::External,
        _ => Controller::Ecs,
    }
}

fn check_external(input: &Value) -> Result<(), Fault> {
    let ours = [
        "taskDefinition",
        "launchType",
        "platformVersion",
        "networkConfiguration",
        "loadBalancers",
        "capacityProviderStrategy",
    ];
    match ours.iter().find(|m| input.get(m).is_some_and(|v| v.as_array().is_none_or(|a| !a.is_empty()))) {
        Some(member) => Err(invalid(format!(
            "{member} cannot be specified with an EXTERNAL deployment controller: give it to CreateTaskSet."
        ))),
        None => Ok(()),
    }
}

fn desired(input: &Value, controller: Controller) -> Result<u64, Fault> {
    match input.get("desiredCount").and_then(Value::as_i64) {
        Some(count) => u64::try_from(count).map_err(|_| invalid("desiredCount cannot be negative.")),
        None if controller == Controller::External => Ok(0),
        None => Err(invalid("The desiredCount parameter must be specified for a REPLICA service.")),
    }
}

fn grace(input: &Value, has_balancer: bool) -> Result<Option<u64>, Fault> {
    let Some(seconds) = input.get("healthCheckGracePeriodSeconds").and_then(Value::as_i64) else {
        return Ok(None);
    };
    if !has_balancer {
        return Err(invalid(
            "Health check grace period is only valid for services configured to use load balancers",
        ));
    }
    let seconds = u64::try_from(seconds).ok().filter(|s| *s <= 2_147_483_647);
    seconds
        .map(Some)
        .ok_or_else(|| invalid("healthCheckGracePeriodSeconds must be between 0 and 2147483647."))
}

/// Members of UpdateService that change what tasks are made from.
const WORKLOAD: [&str; 5] = [
    "taskDefinition",
    "loadBalancers",
    "networkConfiguration",
    "platformVersion",
    "capacityProviderStrategy",
];

pub(super) fn update(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let key = names::service(cloud, input)?;
    rules::check_modelled("UpdateService", input)?;
    let service = cloud.state.ecs.services[&key].clone();
    if input.get("deploymentController").is_some() && controller(input) != service.controller {
        return Err(Fault::not_modelled("ecs:UpdateService with another deploymentController"));
    }
    if service.controller != Controller::Ecs {
        check_controlled(input, service.controller)?;
    }
    let mut new = service.clone();
    if input.get("desiredCount").is_some() {
        new.desired = desired(input, service.controller)?;
    }
    new.configuration = rules::configuration(input, service.controller, Some(&service.configuration))?;
    let changes_workload = WORKLOAD.iter().any(|member| input.get(member).is_some());
    if service.controller == Controller::Ecs && changes_workload {
        new.workload = Some(rules::workload(cloud, &service.cluster, input, service.workload.as_ref())?);
    }
    new.options = options(input, &service, new.workload.as_ref())?;
    if let (true, Some(workload)) = (flag(input, "enableExecuteCommand"), &new.workload) {
        rules::check_execute_command(cloud, workload, "service")?;
    }
    let deploys = new.workload != service.workload || flag(input, "forceNewDeployment");
    let (workload, desired) = (new.workload.clone(), new.desired);
    let before = service.clone();
    cloud.state.ecs.services.insert(key.clone(), new);
    if let (Controller::Ecs, true, Some(workload)) = (service.controller, deploys, workload)
        && let Err(fault) = deployments::create(cloud, &key, workload)
    {
        cloud.state.ecs.services.insert(key, before);
        return Err(fault);
    }
    if desired != service.desired {
        let data = json!({ "service": key, "desiredCount": desired });
        cloud.note(
            Kind::Deployment,
            format!("service {key}: desired count {} → {desired}", service.desired),
            data,
        );
    }
    scheduler::wake_soon(cloud, &key);
    Ok(json!({ "service": with_tags(cloud, &key) }))
}

/// What only CodeDeploy, or a task set, may change.
fn check_controlled(input: &Value, controller: Controller) -> Result<(), Fault> {
    let by = match controller {
        Controller::CodeDeploy => "Use AWS CodeDeploy to trigger a new deployment.",
        Controller::External | Controller::Ecs => "Use CreateTaskSet to create a new task set.",
    };
    let name = controller.text();
    if flag(input, "forceNewDeployment") {
        return Err(invalid(format!(
            "Cannot force a new deployment on services with a {name} deployment controller. {by}"
        )));
    }
    let what = [
        ("taskDefinition", "task definition"),
        ("loadBalancers", "load balancers"),
        ("networkConfiguration", "network parameters"),
        ("platformVersion", "platform version"),
        ("capacityProviderStrategy", "capacity provider strategy"),
    ];
    match what.iter().find(|(member, _)| input.get(member).is_some()) {
        Some((_, what)) => Err(invalid(format!(
            "Unable to update {what} on services with a {name} deployment controller. {by}"
        ))),
        None => Ok(()),
    }
}

fn options(input: &Value, service: &Service, workload: Option<&fleet::Workload>) -> Result<Options, Fault> {
    let mut options = service.options.clone();
    let has_balancer =
        service.controller != Controller::Ecs || workload.is_some_and(|w| !w.load_balancers.is_empty());
    options.grace_seconds = grace(input, has_balancer)?.or(options.grace_seconds);
    for (member, option) in [
        ("enableExecuteCommand", &mut options.execute_command),
        ("enableECSManagedTags", &mut options.managed_tags),
    ] {
        *option = input.get(member).and_then(Value::as_bool).unwrap_or(*option);
    }
    if let Some(given) = text(input, "propagateTags") {
        options.propagate_tags = Some(given.to_owned());
    }
    if let Some(given) = text(input, "availabilityZoneRebalancing") {
        given.clone_into(&mut options.zone_rebalancing);
    }
    Ok(options)
}

pub(super) fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let key = match names::service(cloud, input) {
        // DeleteService declares no ServiceNotActiveException: for it the service is gone.
        Err(fault) if fault.shape == "ServiceNotActiveException" => {
            return Err(Fault::new("ServiceNotFoundException", "Service not found."));
        }
        other => other?,
    };
    let service = &cloud.state.ecs.services[&key];
    let has_sets = service.controller == Controller::External && !service.task_sets.is_empty();
    if !flag(input, "force") {
        if service.desired > 0 {
            return Err(invalid("The service cannot be stopped while it is scaled above 0."));
        }
        if has_sets {
            return Err(invalid("The service cannot be stopped while it has task sets."));
        }
    }
    let fleets: Vec<String> = service.fleets().map(|f| f.id.clone()).collect();
    let now = cloud.now;
    if let Some(service) = cloud.state.ecs.services.get_mut(&key) {
        service.status = Status::Draining;
        service.desired = 0;
        service.wake_at = None;
        if let Some(entry) = service.service_deployments.last_mut().filter(|d| d.state.is_ongoing()) {
            entry.finish(now, super::service_deployments::State::Stopped, "The service was deleted.");
        }
    }
    for id in fleets {
        let tasks: Vec<String> = fleet::live(cloud, &id).iter().map(|t| t.id.clone()).collect();
        fleet::scale_in(cloud, &key, &id, &tasks);
    }
    cloud.note(Kind::Deployment, format!("service {key} deleted"), json!({ "service": key }));
    scheduler::wake_soon(cloud, &key);
    Ok(json!({ "service": with_tags(cloud, &key) }))
}
