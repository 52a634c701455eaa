//! What ECS refuses in a task definition beyond its model, and what it adds to one.

use serde_json::{Map, Value, json};

use super::names::{client_error, flag, items, text};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::ecr;

type Json = Map<String, Value>;

/// May rewrite `cpu` and `memory` (`1 vCPU`, `2 GB`) to ECS's units, as ECS does.
pub(super) fn check(family: &str, json: &mut Json) -> Result<(), Fault> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if family.is_empty() || !family.chars().all(good) {
        return Err(client_error("Family contains invalid characters."));
    }
    if family.len() > 255 {
        return Err(client_error("Family must not be longer than 255 characters."));
    }
    check_containers(json)?;
    in_units(json, "cpu", "vCPU")?;
    in_units(json, "memory", "GB")?;
    if requires_fargate(json) { check_fargate(json) } else { check_memory(json) }
}

fn containers(json: &Json) -> &[Value] {
    json.get("containerDefinitions").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn check_containers(json: &Json) -> Result<(), Fault> {
    let containers = containers(json);
    if containers.is_empty() {
        return Err(client_error("Container list cannot be empty."));
    }
    if containers.len() > 10 {
        return Err(client_error("Container list cannot have more than 10 elements."));
    }
    let mut names = Vec::new();
    for container in containers {
        let name = text(container, "name").unwrap_or_default();
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() {
            return Err(client_error("Container.name should not be null or empty."));
        }
        if name.len() > 255 || !name.chars().all(good) {
            return Err(client_error(format!("Container.name contains invalid characters: {name}")));
        }
        if names.contains(&name) {
            return Err(client_error(format!("Container names must be unique: {name} is used twice.")));
        }
        if text(container, "image").unwrap_or_default().is_empty() {
            return Err(client_error("Container.image should not be null or empty."));
        }
        names.push(name);
    }
    if containers.iter().all(|c| c.get("essential") == Some(&json!(false))) {
        return Err(client_error("Task definition does not have any essential container."));
    }
    containers.iter().try_for_each(|container| check_needs(json, container, &names))
}

/// What a container needs of the others, and of the task.
fn check_needs(json: &Json, container: &Value, names: &[&str]) -> Result<(), Fault> {
    for needed in items(container, "dependsOn").iter().filter_map(|d| text(d, "containerName")) {
        if !names.contains(&needed) {
            return Err(client_error(format!(
                "Invalid 'dependsOn' setting for container '{}': there is no container '{needed}'.",
                text(container, "name").unwrap_or_default()
            )));
        }
    }
    if !items(container, "secrets").is_empty() && !json.contains_key("executionRoleArn") {
        return Err(client_error(
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
        ));
    }
    Ok(())
}

fn in_units(json: &mut Json, member: &str, suffix: &str) -> Result<(), Fault> {
    let Some(given) = json.get(member).and_then(Value::as_str).map(str::to_owned) else { return Ok(()) };
    let wrong = || {
        client_error(format!(
            "Invalid '{member}' setting for task. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
        ))
    };
    let lower = given.trim().to_ascii_lowercase();
    let Some(count) = lower.strip_suffix(&suffix.to_ascii_lowercase()) else {
        return given.trim().parse::<u64>().map(|_| ()).map_err(|_| wrong());
    };
    let count: f64 = count.trim().parse().map_err(|_| wrong())?;
    if !(0.0..=1024.0).contains(&count) {
        return Err(wrong());
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let units = (count * 1024.0).round() as u64;
    json.insert(member.to_owned(), json!(units.to_string()));
    Ok(())
}

fn requires_fargate(json: &Json) -> bool {
    json.get("requiresCompatibilities")
        .and_then(Value::as_array)
        .is_some_and(|c| c.iter().any(|c| c == "FARGATE"))
}

fn number(json: &Json, member: &str) -> Option<u64> {
    json.get(member)?.as_str()?.parse().ok()
}

fn check_fargate(json: &Json) -> Result<(), Fault> {
    if json.get("networkMode") != Some(&json!("awsvpc")) {
        return Err(client_error("Fargate only supports network mode ‘awsvpc’."));
    }
    let cpu = number(json, "cpu")
        .ok_or_else(|| client_error("Fargate requires that 'cpu' be defined at the task level."))?;
    let memory = number(json, "memory")
        .ok_or_else(|| client_error("Fargate requires that 'memory' be defined at the task level."))?;
    if !fargate_size(cpu, memory) {
        return Err(client_error(format!(
            "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the Amazon ECS documentation for the valid values."
        )));
    }
    let of_containers: u64 =
        containers(json).iter().filter_map(|c| c.get("cpu").and_then(Value::as_u64)).sum();
    if of_containers > cpu {
        return Err(client_error(
            "The total number of CPU units of the containers exceeds that of the task.",
        ));
    }
    for container in containers(json) {
        check_fargate_container(json, container)?;
    }
    Ok(())
}

fn check_fargate_container(json: &Json, container: &Value) -> Result<(), Fault> {
    let has_role = json.contains_key("executionRoleArn");
    let image = text(container, "image").unwrap_or_default();
    if !has_role && image.split('/').next().is_some_and(|r| r.contains(".dkr.ecr.")) {
        return Err(client_error(
            "Fargate requires task definition to have execution role ARN to support ECR images.",
        ));
    }
    let driver = container.get("logConfiguration").and_then(|l| text(l, "logDriver"));
    match driver {
        Some("awslogs") if !has_role => {
            return Err(client_error(
                "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
            ));
        }
        None | Some("awslogs" | "splunk" | "awsfirelens") => {}
        Some(other) => {
            return Err(client_error(format!("Fargate does not support log driver '{other}'.")));
        }
    }
    if flag(container, "privileged") {
        return Err(client_error("Fargate does not support privileged containers."));
    }
    for mapping in items(container, "portMappings") {
        let host = mapping.get("hostPort").and_then(Value::as_u64).unwrap_or(0);
        let port = mapping.get("containerPort").and_then(Value::as_u64).unwrap_or(0);
        if host != 0 && host != port {
            return Err(client_error(
                "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
            ));
        }
    }
    Ok(())
}

/// The sizes that Fargate offers: CPU units and MiB.
fn fargate_size(cpu: u64, memory: u64) -> bool {
    let (least, most, step) = match cpu {
        256 => return [512, 1024, 2048].contains(&memory),
        512 => (1, 4, 1),
        1024 => (2, 8, 1),
        2048 => (4, 16, 1),
        4096 => (8, 30, 1),
        8192 => (16, 60, 4),
        16384 => (32, 120, 8),
        32768 => return [60, 120, 244].contains(&(memory / 1024)) && memory.is_multiple_of(1024),
        _ => return false,
    };
    memory.is_multiple_of(1024)
        && (least..=most).contains(&(memory / 1024))
        && (memory / 1024 - least).is_multiple_of(step)
}

/// Outside Fargate each container needs a limit of its own if the task has none.
fn check_memory(json: &Json) -> Result<(), Fault> {
    for container in containers(json) {
        let limited = ["memory", "memoryReservation"].iter().any(|m| container.get(m).is_some());
        if !limited && !json.contains_key("memory") {
            return Err(client_error(format!(
                "Invalid setting for container '{}'. At least one of 'memory' or 'memoryReservation' must be specified.",
                text(container, "name").unwrap_or_default()
            )));
        }
    }
    Ok(())
}

/// Only what ECS itself adds to a definition that leaves it out.
pub(super) fn add_defaults(json: &mut Json) {
    let awsvpc = json.get("networkMode") == Some(&json!("awsvpc"));
    for member in ["volumes", "placementConstraints"] {
        json.entry(member).or_insert_with(|| json!([]));
    }
    let Some(containers) = json.get_mut("containerDefinitions").and_then(Value::as_array_mut) else { return };
    for container in containers.iter_mut().filter_map(Value::as_object_mut) {
        container.entry("cpu").or_insert_with(|| json!(0));
        for member in ["portMappings", "environment", "mountPoints", "volumesFrom", "systemControls"] {
            container.entry(member).or_insert_with(|| json!([]));
        }
        container.entry("essential").or_insert_with(|| json!(true));
        let mappings = container.get_mut("portMappings").and_then(Value::as_array_mut);
        for mapping in mappings.into_iter().flatten().filter_map(Value::as_object_mut) {
            mapping.entry("protocol").or_insert_with(|| json!("tcp"));
            if let Some(port) = mapping.get("containerPort").cloned() {
                mapping.entry("hostPort").or_insert_with(|| if awsvpc { port } else { json!(0) });
            }
        }
    }
}

pub(super) fn compatibilities(json: &Json) -> Value {
    let fits_fargate = check_fargate(json).is_ok();
    match (json.get("networkMode").and_then(Value::as_str), fits_fargate) {
        (Some("awsvpc"), true) => json!(["EC2", "FARGATE"]),
        (Some("awsvpc"), false) => json!(["EC2"]),
        _ => json!(["EXTERNAL", "EC2"]),
    }
}

/// What an agent must be able to do, as far as this cloud looks at it.
pub(super) fn required_attributes(cloud: &Cloud, json: &Json) -> Value {
    let containers = containers(json);
    let logs = containers
        .iter()
        .any(|c| c.get("logConfiguration").and_then(|l| text(l, "logDriver")) == Some("awslogs"));
    let ecr = containers.iter().any(|c| ecr::is_ours(cloud, text(c, "image").unwrap_or_default()));
    let secrets = containers.iter().any(|c| !items(c, "secrets").is_empty());
    let role = json.contains_key("executionRoleArn");
    [
        (logs, "com.amazonaws.ecs.capability.logging-driver.awslogs"),
        (logs && role, "ecs.capability.execution-role-awslogs"),
        (ecr, "com.amazonaws.ecs.capability.ecr-auth"),
        (ecr && role, "ecs.capability.execution-role-ecr-pull"),
        (secrets, "ecs.capability.secrets.asm.environment-variables"),
        (json.contains_key("taskRoleArn"), "com.amazonaws.ecs.capability.task-iam-role"),
        (json.get("networkMode") == Some(&json!("awsvpc")), "ecs.capability.task-eni"),
        (true, "com.amazonaws.ecs.capability.docker-remote-api.1.18"),
    ]
    .into_iter()
    .filter(|(needed, _)| *needed)
    .map(|(_, name)| json!({ "name": name }))
    .collect()
}
