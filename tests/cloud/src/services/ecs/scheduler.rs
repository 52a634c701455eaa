//! Brings each service to what it should be: so many tasks of each deployment or
//! task set, within what its deployment configuration allows.

use super::fleet;
use super::service::{Controller, Rules, Status};
use super::task::{self, Task};
use super::{Timer, deployments, events, task_sets};
use crate::cloud::Cloud;
use crate::time::{Ms, SECOND};

/// How long the scheduler takes to notice a change.
const NOTICE: Ms = SECOND;

pub(super) fn wake_soon(cloud: &mut Cloud, key: &str) {
    wake(cloud, key, NOTICE);
}

/// Has the scheduler look at a service after `delay`, or earlier if it will anyway.
pub(super) fn wake(cloud: &mut Cloud, key: &str, delay: Ms) {
    let at = cloud.now + delay;
    let Some(service) = cloud.state.ecs.services.get_mut(key) else { return };
    if service.status != Status::Inactive && service.wake_at.is_none_or(|due| at < due) {
        service.wake_at = Some(at);
        cloud.after(delay, Timer::Schedule { service: key.to_owned(), at });
    }
}

pub(super) fn due(cloud: &mut Cloud, key: &str, at: Ms) {
    let Some(service) = cloud.state.ecs.services.get_mut(key) else { return };
    if service.wake_at != Some(at) {
        return;
    }
    service.wake_at = None;
    match (service.status, service.controller) {
        (Status::Active, Controller::Ecs) => roll(cloud, key),
        (Status::Active, _) => task_sets::scale_all(cloud, key),
        (Status::Draining, _) => drained(cloud, key),
        (Status::Inactive, _) => {}
    }
}

/// A deleted service is gone once its tasks are.
fn drained(cloud: &mut Cloud, key: &str) {
    let left = cloud
        .state
        .ecs
        .tasks
        .values()
        .any(|t| t.service.as_deref() == Some(key) && t.status < task::Status::Stopping);
    if left {
        return;
    }
    if let Some(service) = cloud.state.ecs.services.get_mut(key) {
        service.status = Status::Inactive;
        service.deployments.clear();
        service.task_sets.clear();
    }
}

/// One look at a rolling deployment, or at a service between two.
fn roll(cloud: &mut Cloud, key: &str) {
    deployments::begin(cloud, key);
    if deployments::tripped(cloud, key) {
        return;
    }
    let Some(service) = cloud.state.ecs.services.get(key) else { return };
    let Some(primary) = service.deployments.first() else { return };
    let (desired, rules) = (service.desired, service.rules());
    let id = primary.fleet.id.clone();
    let old: Vec<String> = service.deployments.iter().skip(1).map(|d| d.fleet.id.clone()).collect();
    let is_failed = primary.rollout == deployments::Rollout::Failed;

    let excess = surplus(&fleet::live(cloud, &id), desired);
    fleet::scale_in(cloud, key, &id, &excess);
    if !is_failed {
        start_new(cloud, key, &id, &old, desired, &rules);
        stop_old(cloud, key, &id, &old, desired, &rules);
        // Into the room that this made.
        start_new(cloud, key, &id, &old, desired, &rules);
    }
    deployments::forget_old(cloud, key);
    deployments::settle(cloud, key);
    steady(cloud, key);
}

/// Which tasks to stop of more than are wanted: those that are not healthy first,
/// then the youngest.
pub(super) fn surplus(live: &[&Task], wanted: u64) -> Vec<String> {
    let count = live.len().saturating_sub(usize::try_from(wanted).unwrap_or(usize::MAX));
    let mut order: Vec<&&Task> = live.iter().collect();
    order.sort_by_key(|t| (t.is_healthy(), std::cmp::Reverse(t.number)));
    order.iter().take(count).map(|t| t.id.clone()).collect()
}

fn healthy(tasks: &[&Task]) -> u64 {
    tasks.iter().filter(|t| t.is_healthy()).count() as u64
}

fn start_new(cloud: &mut Cloud, key: &str, id: &str, old: &[String], desired: u64, rules: &Rules) {
    let new = fleet::live(cloud, id).len() as u64;
    let all = new + old.iter().map(|o| fleet::live(cloud, o).len() as u64).sum::<u64>();
    // Outside a deployment a dead task is replaced whatever `maximumPercent` says.
    let most = rules.most.max(if old.is_empty() { desired } else { 0 });
    let count = desired.saturating_sub(new).min(most.saturating_sub(all));
    fleet::start(cloud, key, id, count);
    if count == 0 && new < desired && rules.least >= desired && rules.most <= desired && all >= desired {
        let text = format!(
            "{} was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.",
            events::subject(cloud, key, id)
        );
        let told =
            cloud.state.ecs.services.get(key).and_then(|s| s.events.front().map(|e| e.message == text));
        if told != Some(true) {
            events::service(cloud, key, &text);
        }
    }
}

/// Stops tasks of older deployments: as many as the new ones replace, or as must make
/// room for new ones, while enough healthy ones stay. Those that are not healthy go first.
fn stop_old(cloud: &mut Cloud, key: &str, id: &str, old: &[String], desired: u64, rules: &Rules) {
    let new = fleet::live(cloud, id);
    let (new_count, new_healthy) = (new.len() as u64, healthy(&new));
    let mut old_tasks: Vec<(String, &Task)> = Vec::new();
    for fleet in old.iter().rev() {
        old_tasks.extend(fleet::live(cloud, fleet).into_iter().map(|t| (fleet.clone(), t)));
    }
    let old_count = old_tasks.len() as u64;
    let old_healthy = old_tasks.iter().filter(|(_, t)| t.is_healthy()).count() as u64;

    let spare = (new_healthy + old_healthy).saturating_sub(rules.least);
    let replaced = (new_healthy + old_count).saturating_sub(desired);
    let full = new_count < desired && new_count + old_count >= rules.most;
    let room = if full {
        (desired - new_count).min((new_count + old_count + desired - new_count).saturating_sub(rules.most))
    } else {
        0
    };
    let mut count = replaced.max(room);
    let mut may = spare;
    let mut stops: Vec<(String, String)> = Vec::new();
    old_tasks.sort_by_key(|(_, t)| (t.is_healthy(), t.number));
    for (fleet, task) in old_tasks {
        let costs = u64::from(task.is_healthy());
        if count == 0 || may < costs {
            continue;
        }
        count -= 1;
        may -= costs;
        stops.push((fleet, task.id.clone()));
    }
    for fleet in old {
        let tasks: Vec<String> = stops.iter().filter(|(f, _)| f == fleet).map(|(_, t)| t.clone()).collect();
        fleet::scale_in(cloud, key, fleet, &tasks);
    }
}

/// Says so once when a service has become what it should be.
fn steady(cloud: &mut Cloud, key: &str) {
    let Some(service) = cloud.state.ecs.services.get(key) else { return };
    let Some(primary) = service.deployments.first() else { return };
    let live = fleet::live(cloud, &primary.fleet.id);
    let is_steady = service.deployments.len() == 1
        && live.len() as u64 == service.desired
        && healthy(&live) == service.desired;
    let Some(service) = cloud.state.ecs.services.get_mut(key) else { return };
    let was_steady = std::mem::replace(&mut service.steady, is_steady);
    if is_steady && !was_steady {
        events::steady(cloud, key);
    }
}
