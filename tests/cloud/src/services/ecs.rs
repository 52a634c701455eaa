//! TODO-BY-OWNER

use serde::Serialize;
use serde_json::Value;

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {}

pub(crate) fn call(_cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    Err(Fault::not_modelled(format!("ecs:{}", call.operation)))
}

pub(crate) fn fire(_cloud: &mut Cloud, timer: Timer) {
    match timer {}
}

pub(crate) fn task_started(_cloud: &mut Cloud, _task: &str) {}
pub(crate) fn task_failed(_cloud: &mut Cloud, _task: &str, _reason: &str) {}
pub(crate) fn container_exited(_cloud: &mut Cloud, _task: &str, _container: &str, _exit_code: i32) {}

/// A target's health as the target group sees it changed (`healthy`, `unhealthy`, `initial`, `draining`, `unused`).
pub(crate) fn target_health_changed(
    _cloud: &mut Cloud,
    _target_group: &str,
    _address: std::net::Ipv4Addr,
    _port: u16,
    _state: &str,
) {
}

/// The service as DescribeServices gives it (taskSets included, tags left out); `None` if not ACTIVE.
/// `cluster` and `service` are names or ARNs.
pub fn service(_cloud: &Cloud, _cluster: &str, _service: &str) -> Option<Value> {
    None
}

/// Creates a task set from a CreateTaskSet input; gives the task set as DescribeTaskSets does.
pub(crate) fn create_task_set(_cloud: &mut Cloud, _input: &Value) -> Result<Value, Fault> {
    Err(Fault::not_modelled("task sets"))
}

/// A task set as DescribeTaskSets gives it (`stabilityStatus`, `runningCount`, `computedDesiredCount` …), with one more
/// member `failedTasks`: how many of its tasks stopped without ever becoming healthy.
pub(crate) fn task_set(_cloud: &Cloud, _cluster: &str, _service: &str, _task_set: &str) -> Option<Value> {
    None
}

/// Makes a task set PRIMARY, the old PRIMARY ACTIVE.
pub(crate) fn set_primary(
    _cloud: &mut Cloud,
    _cluster: &str,
    _service: &str,
    _task_set: &str,
) -> Result<(), Fault> {
    Err(Fault::not_modelled("task sets"))
}

/// Drains and removes a task set, by force.
pub(crate) fn delete_task_set(
    _cloud: &mut Cloud,
    _cluster: &str,
    _service: &str,
    _task_set: &str,
) -> Result<(), Fault> {
    Err(Fault::not_modelled("task sets"))
}

/// Whether a task definition revision (ARN, or family:revision) exists, and is ACTIVE: its ARN.
pub(crate) fn active_task_definition(_cloud: &Cloud, _reference: &str) -> Option<String> {
    None
}

/// What the task metadata endpoint answers below `<container>`: `[]`, `["task"]` …; `task` is the id.
pub fn task_metadata(_cloud: &Cloud, _task: &str, _container: &str, _rest: &[&str]) -> Option<Value> {
    None
}
