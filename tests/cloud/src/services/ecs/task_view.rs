//! DescribeTasks, ListTasks.

use serde_json::{Value, json};

use super::names::{self, client_error, includes_tags, invalid, text, texts};
use super::paging::page;
use super::tags;
use super::task::{Container, Status, Task};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{Ms, timestamp};

fn time(at: Option<Ms>) -> Value {
    at.map_or(Value::Null, timestamp)
}

pub(super) fn json(cloud: &Cloud, task: &Task) -> Value {
    let overrides = match &task.overrides {
        Value::Null => json!({
            "containerOverrides": task.containers.iter().map(|c| json!({ "name": c.name })).collect::<Value>(),
            "inferenceAcceleratorOverrides": [],
        }),
        given => given.clone(),
    };
    let architecture = super::task_definitions::find(cloud, &task.definition)
        .and_then(|d| text(d.json.get("runtimePlatform")?, "cpuArchitecture"))
        .map_or("x86_64", |a| if a == "ARM64" { "arm64" } else { "x86_64" });
    let mut json = json!({
        "attachments": null,
        "attributes": [{ "name": "ecs.cpu-architecture", "value": architecture }],
        "availabilityZone": format!("{}a", cloud.region()),
        "capacityProviderName": task.provider,
        "clusterArn": names::cluster_arn(cloud, &task.cluster),
        "connectivity": task.times.pull_started.map(|_| "CONNECTED"),
        "connectivityAt": time(task.times.pull_started),
        "containers": null,
        "cpu": task.cpu,
        "createdAt": timestamp(task.times.created),
        "desiredStatus": if task.wanted { "RUNNING" } else { "STOPPED" },
        "enableExecuteCommand": task.execute_command,
        "ephemeralStorage": { "sizeInGiB": task.storage_gib },
        "executionStoppedAt": time(task.times.execution_stopped),
        "fargateEphemeralStorage": { "sizeInGiB": task.storage_gib },
        "group": task.group,
        "healthStatus": "UNKNOWN",
        "lastStatus": task.status.text(),
        "launchType": task.launch_type,
        "memory": task.memory,
        "overrides": null,
        "platformFamily": "Linux",
        "platformVersion": task.platform_version,
        "pullStartedAt": time(task.times.pull_started),
        "pullStoppedAt": time(task.times.pull_stopped),
        "startedAt": time(task.times.started),
        "startedBy": task.started_by,
        "stopCode": task.stop_code,
        "stoppedAt": time(task.times.stopped),
        "stoppedReason": task.stopped_reason,
        "stoppingAt": time(task.times.stopping),
        "taskArn": task.arn,
        "taskDefinitionArn": task.definition,
        "version": task.version,
    });
    // json! would copy them.
    json["attachments"] = Value::Array(vec![attachment(task)]);
    json["containers"] = task.containers.iter().map(|c| container(task, c)).collect();
    json["overrides"] = overrides;
    json
}

fn attachment(task: &Task) -> Value {
    let interface = &task.interface;
    let status = match (task.status, task.address) {
        (Status::Stopped, _) => "DELETED",
        (_, Some(_)) => "ATTACHED",
        (_, None) => "PRECREATED",
    };
    let mut details = vec![json!({ "name": "subnetId", "value": interface.subnet })];
    if let Some(address) = task.address {
        let name = format!("ip-{}.ec2.internal", address.to_string().replace('.', "-"));
        details.extend([
            json!({ "name": "networkInterfaceId", "value": interface.id }),
            json!({ "name": "macAddress", "value": interface.mac }),
            json!({ "name": "privateDnsName", "value": name }),
            json!({ "name": "privateIPv4Address", "value": address.to_string() }),
        ]);
    }
    json!({
        "id": interface.attachment,
        "type": "ElasticNetworkInterface",
        "status": status,
        "details": details,
    })
}

fn container(task: &Task, container: &Container) -> Value {
    let exited = container.exit_code.is_some() || (task.launched && !container.running);
    let status = match task.status {
        Status::Stopped | Status::Deprovisioning => "STOPPED",
        _ if exited => "STOPPED",
        Status::Running | Status::Activating | Status::Deactivating | Status::Stopping => "RUNNING",
        Status::Provisioning | Status::Pending => "PENDING",
    };
    let interfaces: Vec<Value> = task
        .address
        .map(|a| json!({ "attachmentId": task.interface.attachment, "privateIpv4Address": a.to_string() }))
        .into_iter()
        .collect();
    json!({
        "containerArn": container.arn,
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "imageDigest": container.digest,
        "runtimeId": container.runtime_id,
        "lastStatus": status,
        "exitCode": container.exit_code,
        "reason": container.reason,
        "networkBindings": [],
        "networkInterfaces": interfaces,
        "healthStatus": "UNKNOWN",
        "cpu": container.cpu,
        "memory": container.memory,
    })
}

pub(super) fn describe(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let cluster = names::cluster(cloud, input)?;
    let wanted = texts(input, "tasks");
    if wanted.is_empty() {
        return Err(invalid("Tasks cannot be empty."));
    }
    if wanted.len() > 100 {
        return Err(invalid("Tasks cannot have more than 100 elements."));
    }
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for reference in wanted {
        let found = names::task_id(cloud, &cluster, &reference).map(|id| &cloud.state.ecs.tasks[&id]);
        match found {
            Some(task) => {
                let mut json = json(cloud, task);
                if includes_tags(input) {
                    json["tags"] = tags::json(cloud, &task.arn);
                }
                tasks.push(json);
            }
            None if reference.starts_with("arn:") => {
                failures.push(json!({ "arn": reference, "reason": "MISSING" }));
            }
            None => {
                let arn = cloud.arn("ecs", &format!("task/{cluster}/{reference}"));
                failures.push(json!({ "arn": arn, "reason": "MISSING" }));
            }
        }
    }
    Ok(json!({ "tasks": tasks, "failures": failures }))
}

pub(super) fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let cluster = names::cluster(cloud, input)?;
    for member in ["containerInstance", "daemonName"] {
        if input.get(member).is_some() {
            return Err(Fault::not_modelled(format!("ecs:ListTasks with {member}")));
        }
    }
    let (family, started_by) = (text(input, "family"), text(input, "startedBy"));
    let service = match text(input, "serviceName") {
        None => None,
        Some(name) => Some(
            names::service_key(cloud, &cluster, name)
                .ok_or_else(|| Fault::new("ServiceNotFoundException", "Service not found."))?,
        ),
    };
    if started_by.is_some() && (family.is_some() || service.is_some()) {
        return Err(invalid("Only one of startedBy, family or serviceName can be specified"));
    }
    if family.is_some() && service.is_some() {
        return Err(client_error("cannot specify family and serviceName in the same request"));
    }
    // ECS never sets a desired status of PENDING: that filter finds nothing.
    let desired = text(input, "desiredStatus").unwrap_or("RUNNING");
    let launch = text(input, "launchType");
    let of_family = |t: &Task| {
        let name = t.definition.rsplit('/').next().and_then(|n| n.rsplit_once(':'));
        family.is_none_or(|f| name.is_some_and(|(n, _)| n == f))
    };
    let mut found: Vec<&Task> = cloud
        .state
        .ecs
        .tasks
        .values()
        .filter(|t| t.cluster == cluster && desired == if t.wanted { "RUNNING" } else { "STOPPED" })
        .filter(|t| of_family(t) && started_by.is_none_or(|s| t.started_by.as_deref() == Some(s)))
        .filter(|t| service.is_none() || t.service == service)
        .filter(|t| launch.is_none_or(|l| t.launch_type == l))
        .collect();
    found.sort_by_key(|t| t.number);
    page(cloud, input, "taskArns", 100, found.iter().map(|t| json!(t.arn)))
}
