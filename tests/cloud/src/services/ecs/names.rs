//! How clusters, services and tasks are named, and what a name or ARN means.

use serde_json::Value;

use super::service::{Service, Status};
use crate::cloud::Cloud;
use crate::fault::Fault;

pub(super) fn text<'a>(input: &'a Value, member: &str) -> Option<&'a str> {
    input.get(member).and_then(Value::as_str)
}

/// A list of strings; empty if it is not there.
pub(super) fn texts(input: &Value, member: &str) -> Vec<String> {
    items(input, member).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

pub(super) fn items<'a>(input: &'a Value, member: &str) -> &'a [Value] {
    input.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn flag(input: &Value, member: &str) -> bool {
    input.get(member).and_then(Value::as_bool).unwrap_or(false)
}

pub(super) fn includes_tags(input: &Value) -> bool {
    items(input, "include").iter().any(|i| i == "TAGS")
}

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterException", message)
}

pub(super) fn client_error(message: impl Into<String>) -> Fault {
    Fault::new("ClientException", message)
}

/// What follows the resource type in an ARN of this account's ECS, else the text itself.
pub(super) fn resource<'a>(cloud: &Cloud, kind: &str, reference: &'a str) -> Option<&'a str> {
    if !reference.starts_with("arn:") {
        return Some(reference);
    }
    reference.strip_prefix(&cloud.arn("ecs", kind))?.strip_prefix('/')
}

pub(super) fn cluster_arn(cloud: &Cloud, name: &str) -> String {
    cloud.arn("ecs", &format!("cluster/{name}"))
}

pub(super) fn service_arn(cloud: &Cloud, key: &str) -> String {
    cloud.arn("ecs", &format!("service/{key}"))
}

/// The name of the cluster that a request means; `default` if it names none.
pub(super) fn cluster(cloud: &Cloud, input: &Value) -> Result<String, Fault> {
    let reference = text(input, "cluster").unwrap_or("default");
    let cluster = resource(cloud, "cluster", reference)
        .and_then(|name| cloud.state.ecs.clusters.get(name))
        .ok_or_else(|| Fault::new("ClusterNotFoundException", "Cluster not found."))?;
    if !cluster.active {
        return Err(client_error("The referenced cluster was inactive."));
    }
    Ok(cluster.name.clone())
}

/// The key of a service in a cluster, whatever its status.
pub(super) fn service_key(cloud: &Cloud, cluster: &str, reference: &str) -> Option<String> {
    let name = resource(cloud, "service", reference)?;
    let key = if name.contains('/') { name.to_owned() } else { format!("{cluster}/{name}") };
    let known = key.starts_with(&format!("{cluster}/")) && cloud.state.ecs.services.contains_key(&key);
    known.then_some(key)
}

/// The key of the service that a request names, which must be ACTIVE.
pub(super) fn service(cloud: &Cloud, input: &Value) -> Result<String, Fault> {
    let cluster = cluster(cloud, input)?;
    let reference = text(input, "service").unwrap_or_default();
    let key = service_key(cloud, &cluster, reference)
        .ok_or_else(|| Fault::new("ServiceNotFoundException", "Service not found."))?;
    match cloud.state.ecs.services[&key].status {
        Status::Active => Ok(key),
        Status::Draining | Status::Inactive => {
            Err(Fault::new("ServiceNotActiveException", "Service was not ACTIVE."))
        }
    }
}

pub(super) fn active_service<'a>(cloud: &'a Cloud, cluster: &str, service: &str) -> Option<&'a Service> {
    let cluster = resource(cloud, "cluster", cluster)?;
    let key = service_key(cloud, cluster, service)?;
    cloud.state.ecs.services.get(&key).filter(|s| s.status == Status::Active)
}

/// The id of a task in a cluster, by id or ARN.
pub(super) fn task_id(cloud: &Cloud, cluster: &str, reference: &str) -> Option<String> {
    let name = resource(cloud, "task", reference)?;
    let id = name.rsplit('/').next()?;
    let task = cloud.state.ecs.tasks.get(id)?;
    let fits = task.cluster == cluster && (name == id || name == format!("{cluster}/{id}"));
    fits.then(|| id.to_owned())
}
