//! What ECS refuses in CreateService, UpdateService and CreateTaskSet, and what this
//! cloud does.

use serde_json::{Map, Value, json};

use super::fleet::Workload;
use super::names::{client_error, flag, invalid, items, text};
use super::service::Controller;
use super::task_definitions::{self, TaskDefinition};
use super::{cluster, containers};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::elbv2;

/// Members that would change what a service does, and that nothing here looks at.
const NOT_MODELLED: [&str; 5] = [
    "serviceRegistries",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "gatewayConnectors",
    "monitoring",
];

pub(super) fn check_modelled(operation: &str, input: &Value) -> Result<(), Fault> {
    let refuse = |what: &str| Err(Fault::not_modelled(format!("ecs:{operation} with {what}")));
    for member in NOT_MODELLED {
        let given = input.get(member);
        if given.is_some_and(|v| v.as_array().is_none_or(|a| !a.is_empty())) {
            return refuse(member);
        }
    }
    if input.get("serviceConnectConfiguration").is_some_and(|c| flag(c, "enabled")) {
        return refuse("serviceConnectConfiguration");
    }
    if text(input, "schedulingStrategy") == Some("DAEMON") {
        return refuse("schedulingStrategy DAEMON");
    }
    for (member, what) in [("placementConstraints", "constraints"), ("placementStrategy", "strategies")] {
        if !items(input, member).is_empty() {
            return Err(invalid(format!("Placement {what} are not supported with FARGATE launch type.")));
        }
    }
    Ok(())
}

/// Reads and checks what tasks are to be made from. `known` supplies what an update leaves out.
pub(super) fn workload(
    cloud: &Cloud,
    cluster: &str,
    input: &Value,
    known: Option<&Workload>,
) -> Result<Workload, Fault> {
    let (launch_type, strategy) = launch(cloud, cluster, input, known)?;
    let definition = match (text(input, "taskDefinition"), known) {
        (Some(reference), _) => task_definitions::active(cloud, reference)?,
        // A revision that was deregistered meanwhile goes on being used.
        (None, Some(known)) => task_definitions::find(cloud, &known.task_definition)
            .ok_or_else(|| client_error("TaskDefinition not found."))?,
        (None, None) => return Err(invalid("TaskDefinition can not be blank.")),
    };
    check_launch(definition)?;
    let network = input.get("networkConfiguration").or(known.map(|k| &k.network));
    let network = network.filter(|n| !n.is_null()).cloned();
    let network = network.ok_or_else(|| {
        invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    })?;
    let balancers = match (input.get("loadBalancers"), known) {
        (Some(_), _) => items(input, "loadBalancers").to_vec(),
        (None, Some(known)) => known.load_balancers.clone(),
        (None, None) => Vec::new(),
    };
    check_balancers(cloud, definition, &balancers)?;
    let version = text(input, "platformVersion").or(known.map(|k| k.platform_version.as_str()));
    Ok(Workload {
        task_definition: definition.arn.clone(),
        launch_type,
        strategy,
        platform_version: platform(version)?,
        network: checked_network(network)?,
        load_balancers: balancers,
    })
}

/// Whether tasks of this definition can be started here at all.
pub(super) fn check_launch(definition: &TaskDefinition) -> Result<(), Fault> {
    if !definition.runs_on_fargate() {
        return Err(invalid("Task definition does not support launch_type FARGATE."));
    }
    containers::check(definition)
}

/// Launch type, or capacity provider strategy: Fargate either way.
pub(super) fn launch(
    cloud: &Cloud,
    cluster: &str,
    input: &Value,
    known: Option<&Workload>,
) -> Result<(Option<String>, Vec<Value>), Fault> {
    let cluster = &cloud.state.ecs.clusters[cluster];
    let strategy = items(input, "capacityProviderStrategy");
    let kind = text(input, "launchType");
    if kind.is_some() && !strategy.is_empty() {
        return Err(invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
        ));
    }
    if !strategy.is_empty() {
        cluster::check_strategy(cluster, strategy)?;
        return Ok((None, strategy.to_vec()));
    }
    match (kind, known) {
        (None, Some(known)) => Ok((known.launch_type.clone(), known.strategy.clone())),
        (None, None) if !cluster.default_strategy.is_empty() => Ok((None, cluster.default_strategy.clone())),
        (Some("FARGATE"), _) => Ok((Some("FARGATE".into()), Vec::new())),
        (other, _) => Err(Fault::not_modelled(format!(
            "ecs launch type {}, only FARGATE",
            other.unwrap_or("EC2 (the default where no launch type or capacity provider strategy is given)")
        ))),
    }
}

pub(super) fn platform(version: Option<&str>) -> Result<String, Fault> {
    match version {
        None => Ok("LATEST".into()),
        Some(known @ ("LATEST" | "1.4.0" | "1.3.0")) => Ok(known.to_owned()),
        Some(_) => Err(Fault::new("PlatformUnknownException", "The specified platform does not exist.")),
    }
}

pub(super) fn checked_network(mut network: Value) -> Result<Value, Fault> {
    let Some(vpc) = network.get_mut("awsvpcConfiguration").and_then(Value::as_object_mut) else {
        return Err(invalid(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ));
    };
    let count = |vpc: &Map<String, Value>, member: &str| {
        vpc.get(member).and_then(Value::as_array).map_or(0, Vec::len)
    };
    if count(vpc, "subnets") == 0 {
        return Err(invalid("subnets can not be empty."));
    }
    if count(vpc, "subnets") > 16 {
        return Err(invalid("subnets can have at most 16 items."));
    }
    if count(vpc, "securityGroups") > 5 {
        return Err(invalid("securityGroups can have at most 5 items."));
    }
    vpc.entry("securityGroups").or_insert_with(|| json!([]));
    vpc.entry("assignPublicIp").or_insert_with(|| json!("DISABLED"));
    Ok(network)
}

fn check_balancers(cloud: &Cloud, definition: &TaskDefinition, balancers: &[Value]) -> Result<(), Fault> {
    if balancers.len() > 5 {
        return Err(invalid("load balancers can have at most 5 items."));
    }
    for balancer in balancers {
        for member in ["loadBalancerName", "advancedConfiguration"] {
            if balancer.get(member).is_some() {
                return Err(Fault::not_modelled(format!("ecs loadBalancers with {member}")));
            }
        }
        let group = text(balancer, "targetGroupArn")
            .ok_or_else(|| invalid("A target group ARN must be specified for each load balancer."))?;
        check_group(cloud, group)?;
        let container = text(balancer, "containerName").unwrap_or_default();
        if definition.container(container).is_none() {
            return Err(invalid(format!("The container {container} does not exist in the task definition.")));
        }
        let port = balancer.get("containerPort").and_then(Value::as_u64).unwrap_or(0);
        if !task_definitions::has_port(definition, container, port) {
            return Err(invalid(format!(
                "The container {container} did not have a container port {port} defined."
            )));
        }
    }
    Ok(())
}

fn check_group(cloud: &Cloud, group: &str) -> Result<(), Fault> {
    if elbv2::target_group_arn(cloud, group).is_none_or(|arn| arn != group) {
        return Err(invalid(format!("The target group {group} does not exist.")));
    }
    if elbv2::load_balancers_of(cloud, group).is_empty() {
        return Err(invalid(format!(
            "The target group with targetGroupArn {group} does not have an associated load balancer."
        )));
    }
    Ok(())
}

/// The deployment configuration with ECS's defaults, over `known`.
pub(super) fn configuration(
    input: &Value,
    controller: Controller,
    known: Option<&Value>,
) -> Result<Value, Fault> {
    let given = input.get("deploymentConfiguration").cloned().unwrap_or_else(|| json!({}));
    check_strategy(&given)?;
    if controller != Controller::Ecs {
        for member in ["deploymentCircuitBreaker", "alarms"] {
            if given.get(member).is_some_and(|m| flag(m, "enable")) {
                return Err(invalid(format!(
                    "{member} can only be used with the ECS deployment controller, not with {}.",
                    controller.text()
                )));
            }
        }
    }
    let mut whole = known.cloned().unwrap_or_else(|| match controller {
        Controller::Ecs => json!({
            "deploymentCircuitBreaker": { "enable": false, "rollback": false },
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            "strategy": "ROLLING",
            "bakeTimeInMinutes": 0,
        }),
        Controller::CodeDeploy | Controller::External => {
            json!({ "maximumPercent": 200, "minimumHealthyPercent": 100 })
        }
    });
    if let (Some(whole), Some(given)) = (whole.as_object_mut(), given.as_object()) {
        whole.extend(given.clone());
    }
    check_percents(&whole)?;
    Ok(whole)
}

fn check_strategy(given: &Value) -> Result<(), Fault> {
    let refuse = |what: &str| Err(Fault::not_modelled(format!("ecs deploymentConfiguration with {what}")));
    if let Some(other) = text(given, "strategy").filter(|s| *s != "ROLLING") {
        return refuse(&format!("strategy {other}"));
    }
    if given.get("bakeTimeInMinutes").and_then(Value::as_u64).unwrap_or(0) > 0 {
        return refuse("bakeTimeInMinutes");
    }
    if !items(given, "lifecycleHooks").is_empty() {
        return refuse("lifecycleHooks");
    }
    if given.get("earlySuccessCriteria").is_some_and(|c| flag(c, "enable")) {
        return refuse("earlySuccessCriteria");
    }
    match ["linearConfiguration", "canaryConfiguration"].iter().find(|m| given.get(m).is_some()) {
        Some(member) => refuse(member),
        None => Ok(()),
    }
}

fn check_percents(configuration: &Value) -> Result<(), Fault> {
    let percent = |member: &str| configuration.get(member).and_then(Value::as_i64).unwrap_or(0);
    let (most, least) = (percent("maximumPercent"), percent("minimumHealthyPercent"));
    if !(0..=100).contains(&least) {
        return Err(invalid("minimumHealthyPercent must be between 0 and 100."));
    }
    if !(100..=200).contains(&most) {
        return Err(invalid("maximumPercent must be between 100 and 200."));
    }
    if most == 100 && least == 100 {
        return Err(invalid(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
        ));
    }
    Ok(())
}

/// Execute command needs a role for the task.
pub(super) fn check_execute_command(cloud: &Cloud, workload: &Workload, what: &str) -> Result<(), Fault> {
    let definition = task_definitions::find(cloud, &workload.task_definition);
    if definition.is_some_and(|d| d.member("taskRoleArn").is_none()) {
        return Err(invalid(format!(
            "The {what} couldn't be started because a valid taskRoleArn is not being used. Specify a valid task role in your task definition and try again."
        )));
    }
    Ok(())
}
