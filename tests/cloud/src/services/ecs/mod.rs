//! ECS: clusters, task definitions, services with their deployments and task sets,
//! and the tasks themselves, on Fargate.
//!
//! A service's tasks belong to a [`fleet::Fleet`]: that of a deployment (controller
//! ECS) or of a task set (CODE_DEPLOY, EXTERNAL). `scheduler` brings each fleet to its
//! size, `lifecycle` moves single tasks, `deployments` judges how a rollout goes.

mod alarms;
mod cluster;
mod containers;
mod deployments;
mod events;
mod fleet;
mod lifecycle;
mod metadata;
mod names;
mod network;
mod paging;
mod placement;
mod run_task;
mod scheduler;
mod service;
mod service_changes;
mod service_deployments;
mod service_rules;
mod service_view;
mod tags;
mod task;
mod task_definition_rules;
mod task_definitions;
mod task_sets;
mod task_view;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;
use serde_json::Value;

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;
use crate::time::Ms;
use crate::wire::without_nulls;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    /// By name.
    clusters: BTreeMap<String, cluster::Cluster>,
    /// By family; revision n is at n - 1.
    families: BTreeMap<String, Vec<task_definitions::TaskDefinition>>,
    /// By `<cluster>/<name>`.
    services: BTreeMap<String, service::Service>,
    /// By id.
    tasks: BTreeMap<String, task::Task>,
    /// By ARN.
    tags: BTreeMap<String, tags::Tags>,
    addresses: network::Pool,
    tokens: BTreeMap<String, run_task::Token>,
    task_count: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {
    /// The scheduler looks at a service. `at` tells an outdated one.
    Schedule {
        service: String,
        at: Ms,
    },
    Task {
        id: String,
        step: lifecycle::Step,
    },
    /// A deployment's alarms are polled.
    Alarms {
        service: String,
        deployment: String,
    },
    /// A requested stop of a service deployment takes effect.
    StopDeployment {
        arn: String,
    },
}

pub(crate) fn call(cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    let input = call.input;
    match call.operation {
        "CreateCluster" => cluster::create(cloud, input),
        "DescribeClusters" => cluster::describe(cloud, input),
        "ListClusters" => cluster::list(cloud, input),
        "DeleteCluster" => cluster::delete(cloud, input),
        "RegisterTaskDefinition" => task_definitions::register(cloud, input),
        "DescribeTaskDefinition" => task_definitions::describe(cloud, input),
        "DeregisterTaskDefinition" => task_definitions::deregister(cloud, input),
        "ListTaskDefinitions" => task_definitions::list(cloud, input),
        "ListTaskDefinitionFamilies" => task_definitions::families(cloud, input),
        "CreateService" => service_changes::create(cloud, input),
        "UpdateService" => service_changes::update(cloud, input),
        "DeleteService" => service_changes::delete(cloud, input),
        "DescribeServices" => service_view::describe(cloud, input),
        "ListServices" => service_view::list(cloud, input),
        "ListServiceDeployments" => service_deployments::list(cloud, input),
        "DescribeServiceDeployments" => service_deployments::describe(cloud, input),
        "DescribeServiceRevisions" => service_deployments::revisions(cloud, input),
        "StopServiceDeployment" => service_deployments::stop(cloud, input),
        "CreateTaskSet" => task_sets::create_by_user(cloud, input),
        "DescribeTaskSets" => task_sets::describe(cloud, input),
        "UpdateTaskSet" => task_sets::update(cloud, input),
        "DeleteTaskSet" => task_sets::delete_by_user(cloud, input),
        "UpdateServicePrimaryTaskSet" => task_sets::primary_by_user(cloud, input),
        "RunTask" => run_task::run(cloud, input),
        "StopTask" => run_task::stop(cloud, input),
        "DescribeTasks" => task_view::describe(cloud, input),
        "ListTasks" => task_view::list(cloud, input),
        "TagResource" => tags::tag(cloud, input),
        "UntagResource" => tags::untag(cloud, input),
        "ListTagsForResource" => tags::list(cloud, input),
        other => Err(Fault::not_modelled(format!("ecs:{other}"))),
    }
    .map(Reply::Now)
}

pub(crate) fn fire(cloud: &mut Cloud, timer: Timer) {
    match timer {
        Timer::Schedule { service, at } => scheduler::due(cloud, &service, at),
        Timer::Task { id, step } => lifecycle::step(cloud, &id, step),
        Timer::Alarms { service, deployment } => alarms::poll(cloud, &service, &deployment),
        Timer::StopDeployment { arn } => service_deployments::stop_now(cloud, &arn),
    }
}

pub(crate) fn task_started(cloud: &mut Cloud, task: &str) {
    lifecycle::started(cloud, task);
}

pub(crate) fn task_failed(cloud: &mut Cloud, task: &str, reason: &str) {
    lifecycle::failed(cloud, task, reason);
}

pub(crate) fn container_exited(cloud: &mut Cloud, task: &str, container: &str, exit_code: i32) {
    lifecycle::container_exited(cloud, task, container, exit_code);
}

/// A target's health as the target group sees it changed (`healthy`, `unhealthy`, `initial`, `draining`, `unused`).
pub(crate) fn target_health_changed(
    cloud: &mut Cloud,
    target_group: &str,
    address: Ipv4Addr,
    port: u16,
    state: &str,
) {
    placement::health_changed(cloud, target_group, address, port, state);
}

/// The service as DescribeServices gives it (taskSets included, tags left out); `None` if not ACTIVE.
/// `cluster` and `service` are names or ARNs.
pub fn service(cloud: &Cloud, cluster: &str, service: &str) -> Option<Value> {
    let service = names::active_service(cloud, cluster, service)?;
    Some(without_nulls(service_view::json(cloud, service)))
}

/// ARN of the task definition that a service runs: its PRIMARY task set's, or what it was
/// asked for last. Without a call, for whoever looks often.
pub fn serving<'a>(cloud: &'a Cloud, cluster: &str, service: &str) -> Option<&'a str> {
    let service = names::active_service(cloud, cluster, service)?;
    let primary = service.task_sets.iter().find(|set| set.primary).map(|set| &set.fleet.workload);
    Some(primary.or(service.workload.as_ref())?.task_definition.as_str())
}

/// ARN of the deployment of a service that is under way.
pub fn active_deployment<'a>(cloud: &'a Cloud, cluster: &str, service: &str) -> Option<&'a str> {
    let service = names::active_service(cloud, cluster, service)?;
    let active = service.service_deployments.iter().rev().find(|one| one.state.is_ongoing())?;
    Some(active.arn.as_str())
}

/// Creates a task set from a CreateTaskSet input; gives the task set as DescribeTaskSets does.
pub(crate) fn create_task_set(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    task_sets::create(cloud, input, Some("CODE_DEPLOY")).map(without_nulls)
}

/// A task set as DescribeTaskSets gives it (`stabilityStatus`, `runningCount`, `computedDesiredCount` …), with one more
/// member `failedTasks`: how many of its tasks stopped without ever becoming healthy.
pub(crate) fn task_set(cloud: &Cloud, cluster: &str, service: &str, task_set: &str) -> Option<Value> {
    let service = names::active_service(cloud, cluster, service)?;
    let set = service.task_set(task_set)?;
    let mut json = without_nulls(task_sets::json(cloud, service, set));
    json["failedTasks"] = set.fleet.failed_tasks.into();
    Some(json)
}

/// Makes a task set PRIMARY, the old PRIMARY ACTIVE.
pub(crate) fn set_primary(
    cloud: &mut Cloud,
    cluster: &str,
    service: &str,
    task_set: &str,
) -> Result<(), Fault> {
    let (key, id) = task_sets::located(cloud, cluster, service, task_set)?;
    task_sets::make_primary(cloud, &key, &id)
}

/// Drains and removes a task set, by force.
pub(crate) fn delete_task_set(
    cloud: &mut Cloud,
    cluster: &str,
    service: &str,
    task_set: &str,
) -> Result<(), Fault> {
    let (key, id) = task_sets::located(cloud, cluster, service, task_set)?;
    task_sets::drain(cloud, &key, &id);
    Ok(())
}

/// What the task metadata endpoint answers below `<container>`: `[]`, `["task"]` …; `task` is the id.
pub fn task_metadata(cloud: &Cloud, task: &str, container: &str, rest: &[&str]) -> Option<Value> {
    metadata::answer(cloud, task, container, rest)
}
