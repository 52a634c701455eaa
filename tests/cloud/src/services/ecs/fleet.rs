//! The tasks of one deployment or task set: what they are made from, and starting
//! and stopping them with the service's events.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::lifecycle::Why;
use super::names::text;
use super::task::Task;
use super::{events, lifecycle, tags, task_definitions};
use crate::cloud::Cloud;
use crate::time::{MINUTE, Ms, SECOND};

/// What tasks are made from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Workload {
    /// ARN.
    pub task_definition: String,
    pub launch_type: Option<String>,
    pub strategy: Vec<Value>,
    /// As asked for; `LATEST` if nothing was.
    pub platform_version: String,
    pub network: Value,
    pub load_balancers: Vec<Value>,
}

/// What `LATEST` means on Fargate for Linux.
pub(super) const PLATFORM: &str = "1.4.0";

impl Workload {
    pub fn platform(&self) -> &str {
        if self.platform_version == "LATEST" { PLATFORM } else { &self.platform_version }
    }

    /// The members that services, deployments, task sets and revisions show of it.
    pub fn members(&self) -> Map<String, Value> {
        let json = json!({
            "taskDefinition": self.task_definition,
            "launchType": self.launch_type,
            "capacityProviderStrategy": (!self.strategy.is_empty()).then_some(&self.strategy),
            "platformVersion": self.platform(),
            "platformFamily": "Linux",
            "networkConfiguration": self.network,
        });
        json.as_object().cloned().unwrap_or_default()
    }
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Fleet {
    /// `ecs-svc/<19 digits>`, the `startedBy` of its tasks.
    pub id: String,
    pub workload: Workload,
    /// Digest of each container's image as the first task resolved it: later tasks
    /// run the same (version consistency).
    pub digests: BTreeMap<String, String>,
    /// Tasks that stopped without ever becoming healthy.
    pub failed_tasks: u64,
    /// The same since a task became healthy: what the circuit breaker counts.
    pub failures: u64,
    /// Tasks that did not reach RUNNING, since one did.
    pub start_failures: u32,
    pub not_before: Ms,
}

impl Fleet {
    pub fn new(cloud: &mut Cloud, workload: Workload) -> Self {
        Self {
            id: format!("ecs-svc/{}", cloud.ids.digits(19)),
            workload,
            digests: BTreeMap::new(),
            failed_tasks: 0,
            failures: 0,
            start_failures: 0,
            not_before: 0,
        }
    }
}

/// Failed starts in a row before ECS waits between further ones.
const PATIENCE: u32 = 3;
const LONGEST_WAIT: Ms = 15 * MINUTE;

/// Tasks of a fleet that are wanted, oldest first.
pub(super) fn live<'a>(cloud: &'a Cloud, fleet: &str) -> Vec<&'a Task> {
    let mut tasks: Vec<&Task> = members(cloud, fleet).filter(|t| t.wanted).collect();
    tasks.sort_by_key(|t| t.number);
    tasks
}

pub(super) fn members<'a>(cloud: &'a Cloud, fleet: &str) -> impl Iterator<Item = &'a Task> {
    cloud
        .state
        .ecs
        .tasks
        .values()
        .filter(move |t| t.service.is_some() && t.started_by.as_deref() == Some(fleet))
}

/// Starts tasks, unless starting has failed too often lately; then the scheduler
/// looks again when the wait is over.
pub(super) fn start(cloud: &mut Cloud, key: &str, fleet: &str, count: u64) {
    let now = cloud.now;
    let Some(not_before) = find(cloud, key, fleet).map(|f| f.not_before) else { return };
    if count == 0 {
        return;
    }
    if now < not_before {
        super::scheduler::wake(cloud, key, not_before - now);
        return;
    }
    let started: Vec<String> = (0..count).filter_map(|_| start_one(cloud, key, fleet)).collect();
    let list: Vec<String> = started.iter().map(|id| format!("(task {id})")).collect();
    let who = events::subject(cloud, key, fleet);
    let text = format!("{who} has started {} tasks: {}.", started.len(), list.join(" "));
    events::service(cloud, key, &text);
}

fn find<'a>(cloud: &'a Cloud, key: &str, fleet: &str) -> Option<&'a Fleet> {
    cloud.state.ecs.services.get(key)?.fleets().find(|f| f.id == fleet)
}

fn start_one(cloud: &mut Cloud, key: &str, fleet: &str) -> Option<String> {
    let service = cloud.state.ecs.services.get(key)?;
    let workload = service.fleets().find(|f| f.id == fleet)?.workload.clone();
    let mut task_tags = tags::Tags::new();
    match service.options.propagate_tags.as_deref() {
        Some("SERVICE") => task_tags.extend(tags::of(cloud, &service.arn).cloned().unwrap_or_default()),
        Some("TASK_DEFINITION") => {
            task_tags.extend(tags::of(cloud, &workload.task_definition).cloned().unwrap_or_default());
        }
        _ => {}
    }
    if service.options.managed_tags {
        task_tags.insert("aws:ecs:clusterName".into(), service.cluster.clone());
        task_tags.insert("aws:ecs:serviceName".into(), service.name.clone());
    }
    let plan = lifecycle::Plan {
        cluster: service.cluster.clone(),
        service: Some(key.to_owned()),
        started_by: Some(fleet.to_owned()),
        group: format!("service:{}", service.name),
        provider: provider(cloud, &workload, fleet),
        definition: task_definitions::find(cloud, &workload.task_definition)?.arn.clone(),
        workload,
        overrides: Value::Null,
        tags: task_tags,
        execute_command: service.options.execute_command,
    };
    Some(lifecycle::start(cloud, plan))
}

/// Which provider of the strategy the next task goes to: each `base` first, then by weight.
pub(super) fn provider(cloud: &Cloud, workload: &Workload, fleet: &str) -> Option<String> {
    let taken =
        |name: &str| live(cloud, fleet).iter().filter(|t| t.provider.as_deref() == Some(name)).count() as u64;
    pick(&workload.strategy, taken)
}

/// As [`provider`], where `taken` says how many tasks a provider already has.
pub(super) fn pick(strategy: &[Value], taken: impl Fn(&str) -> u64) -> Option<String> {
    let number = |item: &Value, member: &str| item.get(member).and_then(Value::as_u64).unwrap_or(0);
    let named = strategy.iter().filter_map(|i| Some((i, text(i, "capacityProvider")?)));
    if let Some((_, name)) = named.clone().find(|(i, name)| taken(name) < number(i, "base")) {
        return Some(name.to_owned());
    }
    named
        .filter(|(i, _)| number(i, "weight") > 0)
        .min_by_key(|(i, name)| {
            taken(name).saturating_sub(number(i, "base")) * 1_000_000 / number(i, "weight")
        })
        .map(|(_, name)| name.to_owned())
}

/// Stops tasks that the service has too many of.
pub(super) fn scale_in(cloud: &mut Cloud, key: &str, fleet: &str, tasks: &[String]) {
    stop(cloud, key, fleet, tasks, &Why::Scaling(fleet.to_owned()));
}

/// Stops tasks by the scheduler's decision, with the service's events about it.
pub(super) fn stop(cloud: &mut Cloud, key: &str, fleet: &str, tasks: &[String], why: &Why) {
    if tasks.is_empty() {
        return;
    }
    let mut groups: BTreeMap<String, usize> = BTreeMap::new();
    for task in tasks.iter().filter_map(|id| cloud.state.ecs.tasks.get(id)) {
        for target in task.targets.iter().filter(|t| t.registered) {
            *groups.entry(target.group.clone()).or_default() += 1;
        }
    }
    for id in tasks {
        lifecycle::stop(cloud, id, why);
    }
    let who = events::subject(cloud, key, fleet);
    for (group, count) in &groups {
        events::service(cloud, key, &format!("{who} deregistered {count} targets in (target-group {group})"));
    }
    if let Some(count) = groups.values().max() {
        events::service(cloud, key, &format!("{who} has begun draining connections on {count} tasks."));
    }
    let list: Vec<String> = tasks.iter().map(|id| format!("(task {id})")).collect();
    let text = format!("{who} has stopped {} running tasks: {}.", tasks.len(), list.join(" "));
    events::service(cloud, key, &text);
}

/// Counts a task that stopped against the will of the service.
pub(super) fn failed(cloud: &mut Cloud, task: &Task) {
    let (Some(key), Some(fleet_id)) = (&task.service, &task.started_by) else { return };
    let now = cloud.now;
    let fleet = cloud.state.ecs.services.get_mut(key).and_then(|s| s.fleet_mut(fleet_id));
    let Some(fleet) = fleet else { return };
    if task.healthy_at.is_none() {
        fleet.failed_tasks += 1;
        fleet.failures += 1;
    }
    if task.times.started.is_some() {
        return;
    }
    fleet.start_failures += 1;
    if let Some(over) = fleet.start_failures.checked_sub(PATIENCE) {
        fleet.not_before = now + ((15 * SECOND) << over.min(10)).min(LONGEST_WAIT);
        if over == 0 {
            events::start_impaired(cloud, key, fleet_id);
        }
    }
}

pub(super) fn reached_running(cloud: &mut Cloud, key: &str, fleet: &str) {
    if let Some(fleet) = cloud.state.ecs.services.get_mut(key).and_then(|s| s.fleet_mut(fleet)) {
        fleet.start_failures = 0;
        fleet.not_before = 0;
    }
}

pub(super) fn became_healthy(cloud: &mut Cloud, key: &str, fleet: &str) {
    let Some(service) = cloud.state.ecs.services.get_mut(key) else { return };
    let resets = service.rules().breaker.is_none_or(|b| b.reset_on_healthy);
    if let Some(fleet) = service.fleet_mut(fleet).filter(|_| resets) {
        fleet.failures = 0;
    }
}
