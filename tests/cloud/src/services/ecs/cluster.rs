//! Clusters. There is none until it is created, not even `default`.

use serde::Serialize;
use serde_json::{Value, json};

use super::names::{self, invalid, items, text, texts};
use super::paging::page;
use super::service;
use super::tags;
use super::task;
use crate::cloud::Cloud;
use crate::fault::Fault;

#[derive(Debug, Clone, Serialize)]
pub(super) struct Cluster {
    pub name: String,
    pub active: bool,
    pub capacity_providers: Vec<String>,
    pub default_strategy: Vec<Value>,
    settings: Vec<Value>,
    configuration: Value,
}

pub(super) const PROVIDERS: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

pub(super) fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = text(input, "clusterName").unwrap_or("default").to_owned();
    if name.is_empty() || name.len() > 255 || !names_well(&name) {
        return Err(invalid("Invalid cluster name"));
    }
    if input.get("serviceConnectDefaults").is_some() {
        return Err(Fault::not_modelled("ecs:CreateCluster with serviceConnectDefaults"));
    }
    let arn = names::cluster_arn(cloud, &name);
    if !cloud.state.ecs.clusters.get(&name).is_some_and(|c| c.active) {
        let cluster = read(input, &name)?;
        let tags = tags::read(input)?;
        cloud.state.ecs.tags.remove(&arn);
        tags::put(cloud, &arn, tags);
        cloud.state.ecs.clusters.insert(name.clone(), cluster);
    }
    let include = ["TAGS", "SETTINGS", "CONFIGURATIONS"];
    Ok(json!({ "cluster": view(cloud, &cloud.state.ecs.clusters[&name], &include) }))
}

fn names_well(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn read(input: &Value, name: &str) -> Result<Cluster, Fault> {
    let providers = texts(input, "capacityProviders");
    if let Some(other) = providers.iter().find(|p| !PROVIDERS.contains(&p.as_str())) {
        return Err(Fault::not_modelled(format!(
            "ecs capacity provider {other}, only FARGATE and FARGATE_SPOT"
        )));
    }
    let default_strategy = items(input, "defaultCapacityProviderStrategy").to_vec();
    let unknown = default_strategy
        .iter()
        .filter_map(|i| text(i, "capacityProvider"))
        .find(|name| !providers.iter().any(|p| p == name));
    if let Some(unknown) = unknown {
        return Err(invalid(format!(
            "The specified capacity strategy cannot contain a capacity provider that is not associated with the cluster: {unknown}"
        )));
    }
    let settings = match items(input, "settings") {
        [] => vec![json!({ "name": "containerInsights", "value": "disabled" })],
        given => given.to_vec(),
    };
    Ok(Cluster {
        name: name.to_owned(),
        active: true,
        capacity_providers: providers,
        default_strategy,
        settings,
        configuration: input.get("configuration").cloned().unwrap_or_default(),
    })
}

pub(super) fn describe(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let mut wanted = texts(input, "clusters");
    if wanted.is_empty() {
        wanted.push("default".into());
    }
    if wanted.len() > 100 {
        return Err(invalid("Clusters cannot have more than 100 elements"));
    }
    let include = texts(input, "include");
    let include: Vec<&str> = include.iter().map(String::as_str).collect();
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for reference in wanted {
        let found = names::resource(cloud, "cluster", &reference)
            .and_then(|name| cloud.state.ecs.clusters.get(name))
            .map(|cluster| view(cloud, cluster, &include));
        match found {
            Some(cluster) => clusters.push(cluster),
            None if reference.starts_with("arn:") => {
                failures.push(json!({ "arn": reference, "reason": "MISSING" }));
            }
            None => {
                failures.push(json!({ "arn": names::cluster_arn(cloud, &reference), "reason": "MISSING" }))
            }
        }
    }
    Ok(json!({ "clusters": clusters, "failures": failures }))
}

pub(super) fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let active = cloud.state.ecs.clusters.values().filter(|c| c.active);
    page(cloud, input, "clusterArns", 100, active.map(|c| names::cluster_arn(cloud, &c.name).into()))
}

pub(super) fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = names::cluster(cloud, input)?;
    let ecs = &cloud.state.ecs;
    if ecs.services.values().any(|s| s.cluster == name && s.status != service::Status::Inactive) {
        let text = "The Cluster cannot be deleted while Services are active.";
        return Err(Fault::new("ClusterContainsServicesException", text));
    }
    if ecs.tasks.values().any(|t| t.cluster == name && t.status != task::Status::Stopped) {
        let text = "The Cluster cannot be deleted while Tasks are active.";
        return Err(Fault::new("ClusterContainsTasksException", text));
    }
    if let Some(cluster) = cloud.state.ecs.clusters.get_mut(&name) {
        cluster.active = false;
    }
    Ok(json!({ "cluster": view(cloud, &cloud.state.ecs.clusters[&name], &[]) }))
}

fn view(cloud: &Cloud, cluster: &Cluster, include: &[&str]) -> Value {
    let ecs = &cloud.state.ecs;
    let arn = names::cluster_arn(cloud, &cluster.name);
    let tasks = || ecs.tasks.values().filter(|t| t.cluster == cluster.name);
    let services: Vec<_> = ecs
        .services
        .values()
        .filter(|s| s.cluster == cluster.name && s.status == service::Status::Active)
        .collect();
    let running = tasks().filter(|t| t.status == task::Status::Running).count();
    let pending = tasks().filter(|t| t.is_pending()).count();
    let with = |field: &str, value: Value| if include.contains(&field) { value } else { Value::Null };
    let mut json = json!({
        "clusterArn": arn,
        "clusterName": cluster.name,
        "status": if cluster.active { "ACTIVE" } else { "INACTIVE" },
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": running,
        "pendingTasksCount": pending,
        "activeServicesCount": services.len(),
        "statistics": [],
        "tags": with("TAGS", tags::json(cloud, &arn)),
        "settings": with("SETTINGS", json!(cluster.settings)),
        "configuration": with("CONFIGURATIONS", cluster.configuration.clone()),
        "capacityProviders": cluster.capacity_providers,
        "defaultCapacityProviderStrategy": cluster.default_strategy,
    });
    if include.contains(&"STATISTICS") {
        json["statistics"] = json!([
            { "name": "runningFargateTasksCount", "value": running.to_string() },
            { "name": "pendingFargateTasksCount", "value": pending.to_string() },
            { "name": "activeFargateServiceCount", "value": services.len().to_string() },
        ]);
    }
    json
}

/// Whether the caller asked for a strategy that this cluster can serve.
pub(super) fn check_strategy(cluster: &Cluster, strategy: &[Value]) -> Result<(), Fault> {
    for item in strategy {
        let name = text(item, "capacityProvider").unwrap_or_default();
        if !PROVIDERS.contains(&name) {
            return Err(Fault::not_modelled(format!(
                "ecs capacity provider {name}, only FARGATE and FARGATE_SPOT"
            )));
        }
        if !cluster.capacity_providers.iter().any(|p| p == name) {
            return Err(invalid(format!(
                "The specified capacity provider '{name}' was not found in the cluster {}. Associate it with the cluster and try again.",
                cluster.name
            )));
        }
    }
    let weightless = strategy.iter().all(|i| i.get("weight").and_then(Value::as_u64).unwrap_or(0) == 0);
    if !strategy.is_empty() && weightless {
        return Err(invalid(
            "The specified capacity strategy cannot contain only capacity providers with a weight value of 0.",
        ));
    }
    Ok(())
}
