//! A task from PROVISIONING to STOPPED.

use serde_json::{Value, json};

use super::containers::{self, Launch};
use super::fleet::{self, Workload};
use super::names::{flag, items, text};
use super::tags::{self, Tags};
use super::task::{Container, Status, Task, Times};
use super::{Timer, events, network, placement, scheduler, task_definitions};
use crate::cloud::Cloud;
use crate::effect::Effect;
use crate::time::{HOUR, Ms, SECOND};
use crate::timeline::Kind;

/// What happens to a task at a set time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The network interface is attached.
    Provisioned,
    Pulled,
    Activated,
    /// A task without load balancer has run long enough to count as healthy.
    Settled,
    /// The health check grace period is over.
    GraceOver,
    /// The load balancer has let go.
    Drained,
    Deprovisioned,
    Forgotten,
}

/// Why a task stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// StopTask, with its reason.
    Asked(String),
    /// Its deployment or task set (an id) has too many.
    Scaling(String),
    /// Its load balancer found it unhealthy, or refused it.
    Unhealthy(String),
    FailedToStart(String),
    Exited,
}

impl Why {
    fn code(&self) -> &'static str {
        match self {
            Self::Asked(_) => "UserInitiated",
            Self::Scaling(_) | Self::Unhealthy(_) => "ServiceSchedulerInitiated",
            Self::FailedToStart(_) => "TaskFailedToStart",
            Self::Exited => "EssentialContainerExited",
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Asked(reason) | Self::Unhealthy(reason) | Self::FailedToStart(reason) => reason.clone(),
            Self::Scaling(fleet) => format!("Scaling activity initiated by (deployment {fleet})"),
            Self::Exited => "Essential container in task exited".into(),
        }
    }

    fn is_failure(&self) -> bool {
        matches!(self, Self::Unhealthy(_) | Self::FailedToStart(_) | Self::Exited)
    }
}

/// From the start to RUNNING takes Fargate about ten seconds here.
const PROVISIONING: (Ms, Ms) = (3 * SECOND, 5 * SECOND);
const PULLING: (Ms, Ms) = (4 * SECOND, 6 * SECOND);
const ACTIVATING: Ms = 500;
const DEPROVISIONING: Ms = 2 * SECOND;
/// While all addresses are taken.
const ADDRESS_RETRY: Ms = 5 * SECOND;
/// A task without load balancer counts towards the healthy ones 40 s after RUNNING.
const SETTLING: Ms = 40 * SECOND;
const STOPPED_TASKS_KEPT: Ms = HOUR;

/// All that a task is started from.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub cluster: String,
    pub service: Option<String>,
    pub started_by: Option<String>,
    pub group: String,
    pub workload: Workload,
    pub provider: Option<String>,
    /// ARN of the task definition.
    pub definition: String,
    pub overrides: Value,
    pub tags: Tags,
    pub execute_command: bool,
}

pub(super) fn start(cloud: &mut Cloud, plan: Plan) -> String {
    let tags = plan.tags.clone();
    let task = new_task(cloud, plan);
    let (id, arn) = (task.id.clone(), task.arn.clone());
    tags::put(cloud, &arn, tags);
    let data = json!({ "taskDefinition": task.definition, "startedBy": task.started_by });
    note(cloud, &task, "starting", data);
    cloud.state.ecs.tasks.insert(id.clone(), task);
    events::task(cloud, &id);
    let delay = cloud.ids.between(PROVISIONING.0, PROVISIONING.1);
    after(cloud, &id, delay, Step::Provisioned);
    id
}

fn new_task(cloud: &mut Cloud, plan: Plan) -> Task {
    let id = cloud.ids.hex(32);
    cloud.state.ecs.task_count += 1;
    let number = cloud.state.ecs.task_count;
    let definition = task_definitions::find(cloud, &plan.definition).map(|d| Value::Object(d.json.clone()));
    let definition = definition.unwrap_or_default();
    let given = |member: &str| plan.overrides.get(member).or_else(|| definition.get(member));
    let size = |member: &str| given(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let storage = given("ephemeralStorage").and_then(|s| s.get("sizeInGiB")).and_then(Value::as_u64);
    let containers = items(&definition, "containerDefinitions")
        .iter()
        .map(|c| container(cloud, &plan.cluster, &id, c))
        .collect();
    Task {
        arn: cloud.arn("ecs", &format!("task/{}/{id}", plan.cluster)),
        id,
        number,
        status: Status::Provisioning,
        wanted: true,
        launch_type: "FARGATE".into(),
        platform_version: plan.workload.platform().to_owned(),
        cpu: size("cpu"),
        memory: size("memory"),
        storage_gib: storage.unwrap_or(20),
        interface: network::interface(cloud, &plan.workload.network, number),
        address: None,
        containers,
        targets: placement::targets(&plan.workload),
        launched: false,
        healthy_at: None,
        times: Times { created: cloud.now, ..Times::default() },
        stop_code: None,
        stopped_reason: None,
        version: 1,
        cluster: plan.cluster,
        service: plan.service,
        started_by: plan.started_by,
        group: plan.group,
        definition: plan.definition,
        provider: plan.provider,
        overrides: plan.overrides,
        execute_command: plan.execute_command,
    }
}

fn container(cloud: &mut Cloud, cluster: &str, task: &str, definition: &Value) -> Container {
    let arn = format!("container/{cluster}/{task}/{}", cloud.ids.uuid());
    let number = |member: &str| definition.get(member).and_then(Value::as_u64);
    Container {
        name: text(definition, "name").unwrap_or_default().to_owned(),
        arn: cloud.arn("ecs", &arn),
        image: text(definition, "image").unwrap_or_default().to_owned(),
        cpu: number("cpu").unwrap_or(0).to_string(),
        memory: number("memory").map(|m| m.to_string()),
        digest: None,
        runtime_id: None,
        essential: flag(definition, "essential"),
        running: false,
        exit_code: None,
        reason: None,
    }
}

pub(super) fn after(cloud: &mut Cloud, id: &str, delay: Ms, step: Step) {
    cloud.after(delay, Timer::Task { id: id.to_owned(), step });
}

fn note(cloud: &mut Cloud, task: &Task, what: &str, mut data: Value) {
    data["task"] = json!(task.id);
    data["group"] = json!(task.group);
    data["state"] = json!(what);
    cloud.note(Kind::Task, format!("task {} of {} {what}", &task.id[..8], task.group), data);
}

/// Changes a task, with the event that tells of a new state.
fn change(cloud: &mut Cloud, id: &str, edit: impl FnOnce(&mut Task)) {
    let Some(task) = cloud.state.ecs.tasks.get_mut(id) else { return };
    edit(task);
    task.version += 1;
    events::task(cloud, id);
}

fn status(cloud: &Cloud, id: &str) -> Option<Status> {
    cloud.state.ecs.tasks.get(id).map(|t| t.status)
}

pub(super) fn step(cloud: &mut Cloud, id: &str, step: Step) {
    let Some(task) = cloud.state.ecs.tasks.get(id) else { return };
    match (step, task.status) {
        (Step::Provisioned, Status::Provisioning) => provisioned(cloud, id),
        (Step::Pulled, Status::Pending) => pulled(cloud, id),
        (Step::Activated, Status::Activating) => running(cloud, id),
        (Step::Settled, Status::Running) if task.wanted => healthy(cloud, id),
        (Step::GraceOver, Status::Running) => placement::check(cloud, id),
        (Step::Drained, Status::Deactivating) => stop_processes(cloud, id),
        (Step::Deprovisioned, Status::Deprovisioning) => stopped(cloud, id),
        (Step::Forgotten, Status::Stopped) => {
            let arn = task.arn.clone();
            cloud.state.ecs.tasks.remove(id);
            cloud.state.ecs.tags.remove(&arn);
        }
        _ => {}
    }
}

fn provisioned(cloud: &mut Cloud, id: &str) {
    let Some(address) = network::take(cloud) else {
        return after(cloud, id, ADDRESS_RETRY, Step::Provisioned);
    };
    let now = cloud.now;
    change(cloud, id, |task| {
        task.address = Some(address);
        task.status = Status::Pending;
        task.times.pull_started = Some(now);
    });
    let delay = cloud.ids.between(PULLING.0, PULLING.1);
    after(cloud, id, delay, Step::Pulled);
}

fn pulled(cloud: &mut Cloud, id: &str) {
    let Some(task) = cloud.state.ecs.tasks.get(id).cloned() else { return };
    let Some(address) = task.address else { return };
    let now = cloud.now;
    match containers::launch(cloud, &task, address) {
        Err(reason) => {
            change(cloud, id, |task| {
                for container in &mut task.containers {
                    container.reason = Some(reason.clone());
                }
            });
            stop(cloud, id, &Why::FailedToStart(reason));
        }
        Ok(Launch { specs, digests, remarks }) => {
            for remark in remarks {
                note(cloud, &task, &remark, json!({}));
            }
            containers::keep_digests(cloud, &task, &digests);
            let runtimes: Vec<String> = task.containers.iter().map(|_| cloud.ids.digits(10)).collect();
            change(cloud, id, |task| {
                task.times.pull_stopped = Some(now);
                task.launched = true;
                for (container, runtime) in task.containers.iter_mut().zip(runtimes) {
                    container.running = true;
                    container.digest = digests.get(&container.name).cloned();
                    container.runtime_id = Some(format!("{}-{runtime}", task.id));
                }
            });
            cloud.effect(Effect::StartTask { task: id.to_owned(), address, containers: specs });
        }
    }
}

/// The processes run.
pub(super) fn started(cloud: &mut Cloud, id: &str) {
    if status(cloud, id) == Some(Status::Pending) {
        change(cloud, id, |task| task.status = Status::Activating);
        after(cloud, id, ACTIVATING, Step::Activated);
    }
}

/// The processes could not be started at all.
pub(super) fn failed(cloud: &mut Cloud, id: &str, reason: &str) {
    let Some(task) = cloud.state.ecs.tasks.get(id) else { return };
    if task.status >= Status::Deprovisioning {
        return;
    }
    let wanted = task.wanted;
    let reason = if reason.contains("Error: ") {
        reason.to_owned()
    } else {
        format!("CannotStartContainerError: {reason}")
    };
    change(cloud, id, |task| {
        for container in &mut task.containers {
            container.running = false;
            container.reason = Some(reason.clone());
        }
    });
    if wanted {
        stop(cloud, id, &Why::FailedToStart("Task failed to start".into()));
    } else {
        deprovision(cloud, id);
    }
}

fn running(cloud: &mut Cloud, id: &str) {
    let now = cloud.now;
    change(cloud, id, |task| {
        task.status = Status::Running;
        task.times.started = Some(now);
    });
    let Some(task) = cloud.state.ecs.tasks.get(id).cloned() else { return };
    note(cloud, &task, "running", json!({ "address": task.address }));
    if let (Some(key), Some(fleet)) = (&task.service, &task.started_by) {
        fleet::reached_running(cloud, key, fleet);
        scheduler::wake_soon(cloud, key);
    }
    if task.targets.is_empty() {
        after(cloud, id, SETTLING, Step::Settled);
    } else {
        placement::register(cloud, id);
    }
}

/// The first time that a task counts as healthy.
pub(super) fn healthy(cloud: &mut Cloud, id: &str) {
    let now = cloud.now;
    let Some(task) = cloud.state.ecs.tasks.get_mut(id) else { return };
    let first = task.healthy_at.is_none();
    task.healthy_at.get_or_insert(now);
    let task = task.clone();
    if first {
        note(cloud, &task, "healthy", json!({}));
    }
    let (Some(key), Some(fleet)) = (&task.service, &task.started_by) else { return };
    if first {
        fleet::became_healthy(cloud, key, fleet);
    }
    scheduler::wake_soon(cloud, key);
}

pub(super) fn container_exited(cloud: &mut Cloud, id: &str, name: &str, exit_code: i32) {
    let Some(task) = cloud.state.ecs.tasks.get(id) else { return };
    let Some(container) = task.containers.iter().find(|c| c.name == name && c.running) else { return };
    let (essential, wanted) = (container.essential, task.wanted);
    let task = task.clone();
    note(
        cloud,
        &task,
        &format!("container {name} exited"),
        json!({ "container": name, "exitCode": exit_code }),
    );
    change(cloud, id, |task| {
        for container in task.containers.iter_mut().filter(|c| c.name == name) {
            container.running = false;
            container.exit_code = Some(exit_code);
        }
    });
    let all_exited = cloud.state.ecs.tasks.get(id).is_some_and(Task::all_exited);
    if wanted && (essential || all_exited) {
        stop(cloud, id, &Why::Exited);
    } else if all_exited && !wanted {
        deprovision(cloud, id);
    }
}

/// Begins to stop a task, once.
pub(super) fn stop(cloud: &mut Cloud, id: &str, why: &Why) {
    let Some(before) = cloud.state.ecs.tasks.get(id).filter(|t| t.wanted).cloned() else { return };
    let now = cloud.now;
    let (code, reason) = (why.code(), why.reason());
    if why.is_failure() {
        fleet::failed(cloud, &before);
    }
    if let Some(task) = cloud.state.ecs.tasks.get_mut(id) {
        task.wanted = false;
        task.times.stopping = Some(now);
        task.stop_code = Some(code.to_owned());
        task.stopped_reason = Some(reason.clone());
    }
    note(cloud, &before, &format!("stopping: {reason}"), json!({ "stopCode": code, "reason": reason }));
    let draining = placement::deregister(cloud, id);
    if before.all_exited() {
        deprovision(cloud, id);
    } else if draining > 0 && *why != Why::Exited {
        change(cloud, id, |task| task.status = Status::Deactivating);
        after(cloud, id, draining, Step::Drained);
    } else {
        stop_processes(cloud, id);
    }
    if let Some(key) = &before.service {
        scheduler::wake_soon(cloud, key);
    }
}

fn stop_processes(cloud: &mut Cloud, id: &str) {
    change(cloud, id, |task| task.status = Status::Stopping);
    cloud.effect(Effect::StopTask { task: id.to_owned() });
    if let Some(key) = cloud.state.ecs.tasks.get(id).and_then(|t| t.service.clone()) {
        scheduler::wake_soon(cloud, &key);
    }
}

fn deprovision(cloud: &mut Cloud, id: &str) {
    let now = cloud.now;
    if status(cloud, id).is_none_or(|s| s >= Status::Deprovisioning) {
        return;
    }
    change(cloud, id, |task| {
        task.status = Status::Deprovisioning;
        task.times.execution_stopped = task.launched.then_some(now);
    });
    after(cloud, id, DEPROVISIONING, Step::Deprovisioned);
}

fn stopped(cloud: &mut Cloud, id: &str) {
    let now = cloud.now;
    change(cloud, id, |task| {
        task.status = Status::Stopped;
        task.times.stopped = Some(now);
    });
    let Some(task) = cloud.state.ecs.tasks.get_mut(id) else { return };
    let address = task.address.take();
    let task = task.clone();
    if let Some(address) = address {
        network::release(cloud, address);
    }
    let exits: Value =
        task.containers.iter().map(|c| json!({ "name": c.name, "exitCode": c.exit_code })).collect();
    let data = json!({ "stopCode": task.stop_code, "reason": task.stopped_reason, "containers": exits });
    note(cloud, &task, "stopped", data);
    after(cloud, id, STOPPED_TASKS_KEPT, Step::Forgotten);
    if let Some(key) = &task.service {
        scheduler::wake_soon(cloud, key);
    }
}
