//! Tasks behind load balancers: registering, health, draining.

use std::net::Ipv4Addr;

use serde_json::Value;

use super::fleet::{self, Workload};
use super::names::text;
use super::task::{Status, Target, Task};
use super::{events, lifecycle, scheduler};
use crate::cloud::Cloud;
use crate::services::elbv2;
use crate::time::{Ms, SECOND};

/// Where a task of this workload will be registered.
pub(super) fn targets(workload: &Workload) -> Vec<Target> {
    workload
        .load_balancers
        .iter()
        .filter_map(|balancer| {
            let port = balancer.get("containerPort").and_then(Value::as_u64)?;
            Some(Target {
                group: text(balancer, "targetGroupArn")?.to_owned(),
                port: u16::try_from(port).ok()?,
                registered: false,
                state: String::new(),
            })
        })
        .collect()
}

pub(super) fn register(cloud: &mut Cloud, id: &str) {
    let Some(task) = cloud.state.ecs.tasks.get(id).cloned() else { return };
    let Some(address) = task.address else { return };
    for target in &task.targets {
        if let Err(fault) = elbv2::register(cloud, &target.group, address, target.port) {
            let reason = format!("ELB registration failed in (target-group {}): {fault}", target.group);
            return fleet_stop(cloud, &task, reason);
        }
        if let (Some(key), Some(fleet)) = (&task.service, &task.started_by) {
            let who = events::subject(cloud, key, fleet);
            events::service(
                cloud,
                key,
                &format!("{who} registered 1 targets in (target-group {})", target.group),
            );
        }
        mark_registered(cloud, id, &target.group, target.port);
    }
    check(cloud, id);
}

fn mark_registered(cloud: &mut Cloud, id: &str, group: &str, port: u16) {
    let targets = cloud.state.ecs.tasks.get_mut(id).map(|t| &mut t.targets);
    for target in targets.into_iter().flatten().filter(|t| t.group == group && t.port == port) {
        target.registered = true;
    }
}

/// Reads the state of a task's targets anew, and acts on it.
pub(super) fn check(cloud: &mut Cloud, id: &str) {
    let Some(task) = cloud.state.ecs.tasks.get(id) else { return };
    let Some(address) = task.address else { return };
    let states: Vec<Option<String>> = task
        .targets
        .iter()
        .map(|t| elbv2::target_state(cloud, &t.group, address, t.port).map(str::to_owned))
        .collect();
    if let Some(task) = cloud.state.ecs.tasks.get_mut(id) {
        for (target, state) in task.targets.iter_mut().zip(states) {
            target.state = state.unwrap_or(std::mem::take(&mut target.state));
        }
    }
    act(cloud, id);
}

pub(super) fn health_changed(cloud: &mut Cloud, group: &str, address: Ipv4Addr, port: u16, state: &str) {
    let found =
        cloud.state.ecs.tasks.values_mut().find(|t| {
            t.address == Some(address) && t.targets.iter().any(|t| t.group == group && t.port == port)
        });
    let Some(task) = found else { return };
    for target in task.targets.iter_mut().filter(|t| t.group == group && t.port == port) {
        state.clone_into(&mut target.state);
    }
    let id = task.id.clone();
    act(cloud, &id);
}

fn act(cloud: &mut Cloud, id: &str) {
    let Some(task) = cloud.state.ecs.tasks.get(id).filter(|t| t.wanted && t.status == Status::Running) else {
        return;
    };
    if task.targets.iter().all(Target::is_settled) {
        return lifecycle::healthy(cloud, id);
    }
    let task = task.clone();
    if let Some(key) = &task.service {
        scheduler::wake_soon(cloud, key);
    }
    let Some(bad) = task.targets.iter().find(|t| t.state == "unhealthy") else { return };
    let over = task.times.started.unwrap_or(cloud.now) + grace(cloud, &task);
    if cloud.now < over {
        return lifecycle::after(cloud, id, over - cloud.now, lifecycle::Step::GraceOver);
    }
    if let (Some(key), Some(fleet)) = (&task.service, &task.started_by) {
        let who = events::subject(cloud, key, fleet);
        let why = "due to (reason Health checks failed)";
        let text = format!("{who} (port {}) is unhealthy in (target-group {}) {why}", bad.port, bad.group);
        events::service(cloud, key, &text);
    }
    fleet_stop(cloud, &task, format!("Task failed ELB health checks in (target-group {})", bad.group));
}

fn grace(cloud: &Cloud, task: &Task) -> Ms {
    let service = task.service.as_ref().and_then(|key| cloud.state.ecs.services.get(key));
    service.and_then(|s| s.options.grace_seconds).unwrap_or(0) * SECOND
}

fn fleet_stop(cloud: &mut Cloud, task: &Task, reason: String) {
    if let (Some(key), Some(id)) = (&task.service, &task.started_by) {
        fleet::stop(cloud, key, id, std::slice::from_ref(&task.id), &lifecycle::Why::Unhealthy(reason));
    }
}

/// Takes a task out of its target groups; gives how long the slowest drains.
pub(super) fn deregister(cloud: &mut Cloud, id: &str) -> Ms {
    let Some(task) = cloud.state.ecs.tasks.get_mut(id) else { return 0 };
    let Some(address) = task.address else { return 0 };
    let registered: Vec<Target> = task.targets.iter().filter(|t| t.registered).cloned().collect();
    for target in &mut task.targets {
        target.registered = false;
    }
    let delays = registered.iter().map(|t| elbv2::deregister(cloud, &t.group, address, t.port));
    delays.max().unwrap_or(0)
}
