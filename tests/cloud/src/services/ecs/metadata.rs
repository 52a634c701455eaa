//! The task metadata endpoint, version 4, as containers read it.

use serde_json::{Value, json};

use super::names;
use super::tags;
use super::task::{Container, Task};
use crate::cloud::Cloud;
use crate::time::{Ms, iso};
use crate::wire::without_nulls;

/// The container itself, its task, or its task with tags. Statistics are not modelled.
pub(super) fn answer(cloud: &Cloud, task: &str, name: &str, rest: &[&str]) -> Option<Value> {
    let task = cloud.state.ecs.tasks.get(task)?;
    let of_path = task.containers.iter().find(|c| c.name == name)?;
    let answer = match rest {
        [] => container(task, of_path),
        ["task"] => whole(cloud, task),
        ["taskWithTags"] => {
            let mut answer = whole(cloud, task);
            answer["TaskTags"] = json!(tags::of(cloud, &task.arn));
            answer
        }
        _ => return None,
    };
    Some(without_nulls(answer))
}

fn time(at: Option<Ms>) -> Option<String> {
    at.map(iso)
}

fn whole(cloud: &Cloud, task: &Task) -> Value {
    let name = task.definition.rsplit('/').next().unwrap_or_default();
    let (family, revision) = name.rsplit_once(':').unwrap_or((name, ""));
    let service = task.service.as_ref().and_then(|key| key.rsplit('/').next());
    let vcpus = task.cpu.parse::<f64>().map_or(0.0, |units| units / 1024.0);
    json!({
        "Cluster": names::cluster_arn(cloud, &task.cluster),
        "TaskARN": task.arn,
        "Family": family,
        "Revision": revision,
        "ServiceName": service,
        "DesiredStatus": if task.wanted { "RUNNING" } else { "STOPPED" },
        "KnownStatus": task.status.text(),
        "Limits": { "CPU": vcpus, "Memory": task.memory.parse::<u64>().unwrap_or(0) },
        "PullStartedAt": time(task.times.pull_started),
        "PullStoppedAt": time(task.times.pull_stopped),
        "AvailabilityZone": format!("{}a", cloud.region()),
        "LaunchType": task.launch_type,
        "Containers": task.containers.iter().map(|c| container(task, c)).collect::<Value>(),
    })
}

fn container(task: &Task, container: &Container) -> Value {
    let status = if container.running { "RUNNING" } else { "STOPPED" };
    let address = task.address.map(|a| a.to_string());
    json!({
        "DockerId": container.runtime_id,
        "Name": container.name,
        "DockerName": container.name,
        "Image": container.image,
        "ImageID": container.digest,
        "DesiredStatus": if task.wanted { "RUNNING" } else { "STOPPED" },
        "KnownStatus": status,
        "ExitCode": container.exit_code,
        "Limits": { "CPU": container.cpu.parse::<u64>().unwrap_or(0) },
        "CreatedAt": time(task.times.pull_stopped),
        "StartedAt": time(task.times.pull_stopped),
        "Type": "NORMAL",
        "ContainerARN": container.arn,
        "Networks": [{ "NetworkMode": "awsvpc", "IPv4Addresses": address.into_iter().collect::<Vec<_>>() }],
    })
}
