//! Task sets: what CodeDeploy, or an external controller, deploys with.

use serde::Serialize;
use serde_json::{Value, json};

use super::fleet::{self, Fleet, Workload};
use super::names::{self, flag, includes_tags, invalid, text, texts};
use super::service::{Controller, Service};
use super::{events, scheduler, service_rules, tags, task};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{Ms, timestamp};
use crate::timeline::Kind;

#[derive(Debug, Clone, Serialize)]
pub(super) struct TaskSet {
    pub fleet: Fleet,
    pub arn: String,
    pub external_id: Option<String>,
    pub started_by: Option<String>,
    pub primary: bool,
    pub draining: bool,
    /// Percent of the service's desired count.
    pub scale: f64,
    pub stable: bool,
    pub stability_at: Ms,
    pub created_at: Ms,
    pub updated_at: Ms,
    /// The CreateTaskSet input, held against a repetition with the same clientToken.
    #[serde(skip)]
    pub request: Value,
}

/// ECS allows so many task sets in a service.
const MOST: usize = 5;

impl TaskSet {
    fn new(cloud: &mut Cloud, key: &str, workload: Workload, scale: f64) -> Self {
        let fleet = Fleet::new(cloud, workload);
        Self {
            arn: cloud.arn("ecs", &format!("task-set/{key}/{}", fleet.id)),
            fleet,
            external_id: None,
            started_by: None,
            primary: false,
            draining: false,
            scale,
            stable: false,
            stability_at: cloud.now,
            created_at: cloud.now,
            updated_at: cloud.now,
            request: Value::Null,
        }
    }

    /// By id, the id's number, or ARN.
    pub fn is(&self, reference: &str) -> bool {
        reference == self.fleet.id
            || reference == self.arn
            || self.fleet.id.strip_prefix("ecs-svc/") == Some(reference)
    }

    fn computed(&self, desired: u64) -> u64 {
        if self.draining {
            return 0;
        }
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let count = (desired as f64 * self.scale / 100.0).ceil() as u64;
        count
    }

    fn status(&self) -> &'static str {
        match (self.draining, self.primary) {
            (true, _) => "DRAINING",
            (_, true) => "PRIMARY",
            (_, false) => "ACTIVE",
        }
    }
}

pub(super) fn json(cloud: &Cloud, service: &Service, set: &TaskSet) -> Value {
    let live = fleet::live(cloud, &set.fleet.id);
    let mut json = json!({
        "id": set.fleet.id,
        "taskSetArn": set.arn,
        "serviceArn": service.arn,
        "clusterArn": names::cluster_arn(cloud, &service.cluster),
        "startedBy": set.started_by,
        "externalId": set.external_id,
        "status": set.status(),
        "computedDesiredCount": set.computed(service.desired),
        "pendingCount": live.iter().filter(|t| t.is_pending()).count(),
        "runningCount": live.iter().filter(|t| t.status == task::Status::Running).count(),
        "createdAt": timestamp(set.created_at),
        "updatedAt": timestamp(set.updated_at),
        "loadBalancers": set.fleet.workload.load_balancers,
        "serviceRegistries": [],
        "scale": { "value": set.scale, "unit": "PERCENT" },
        "stabilityStatus": if is_stable(cloud, service, set) { "STEADY_STATE" } else { "STABILIZING" },
        "stabilityStatusAt": timestamp(set.stability_at),
    });
    if let Some(members) = json.as_object_mut() {
        members.extend(set.fleet.workload.members());
    }
    json
}

/// As many tasks as wanted, all of them healthy, and none starting.
fn is_stable(cloud: &Cloud, service: &Service, set: &TaskSet) -> bool {
    let live = fleet::live(cloud, &set.fleet.id);
    live.len() as u64 == set.computed(service.desired) && live.iter().all(|t| t.is_healthy())
}

/// The PRIMARY task set that CreateService makes for CodeDeploy.
pub(super) fn first(cloud: &mut Cloud, key: &str, workload: Workload) {
    let mut set = TaskSet::new(cloud, key, workload, 100.0);
    set.primary = true;
    add(cloud, key, set);
}

fn add(cloud: &mut Cloud, key: &str, set: TaskSet) {
    let data = json!({ "service": key, "taskSet": set.fleet.id, "taskDefinition": set.fleet.workload.task_definition });
    cloud.note(Kind::Deployment, format!("service {key}: task set {} created", set.fleet.id), data);
    if let Some(service) = cloud.state.ecs.services.get_mut(key) {
        service.task_sets.push(set);
    }
    scheduler::wake_soon(cloud, key);
}

/// CodeDeploy's task sets are CodeDeploy's.
fn check_external(cloud: &Cloud, input: &Value, operation: &str) -> Result<(), Fault> {
    let key = names::service(cloud, input)?;
    match cloud.state.ecs.services[&key].controller {
        Controller::External => Ok(()),
        other => Err(invalid(format!(
            "{operation} is not supported for services with a {} deployment controller. It can only be used with an EXTERNAL deployment controller.",
            other.text()
        ))),
    }
}

pub(super) fn create_by_user(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    check_external(cloud, input, "CreateTaskSet")?;
    let mut set = create(cloud, input, None)?;
    set["tags"] = tags::json(cloud, text(&set, "taskSetArn").unwrap_or_default());
    Ok(json!({ "taskSet": set }))
}

pub(super) fn create(cloud: &mut Cloud, input: &Value, started_by: Option<&str>) -> Result<Value, Fault> {
    let key = names::service(cloud, input)?;
    let service = cloud.state.ecs.services[&key].clone();
    if let Some(token) = text(input, "clientToken")
        && let Some(set) = service.task_sets.iter().find(|s| text(&s.request, "clientToken") == Some(token))
    {
        return if set.request == *input {
            Ok(json(cloud, &service, set))
        } else {
            Err(invalid("The request with this clientToken was made with other parameters."))
        };
    }
    if service.task_sets.len() >= MOST {
        return Err(Fault::new(
            "LimitExceededException",
            format!("A service can have at most {MOST} task sets."),
        ));
    }
    service_rules::check_modelled("CreateTaskSet", input)?;
    let workload = service_rules::workload(cloud, &service.cluster, input, None)?;
    let scale = input.get("scale").map_or(Ok(0.0), scale)?;
    let new_tags = tags::read(input)?;
    let mut set = TaskSet::new(cloud, &key, workload, scale);
    set.external_id = text(input, "externalId").map(str::to_owned);
    set.started_by = started_by.map(str::to_owned);
    set.request = input.clone();
    let (arn, id) = (set.arn.clone(), set.fleet.id.clone());
    tags::put(cloud, &arn, new_tags);
    add(cloud, &key, set);
    let service = &cloud.state.ecs.services[&key];
    Ok(service.task_set(&id).map(|set| json(cloud, service, set)).unwrap_or_default())
}

fn scale(given: &Value) -> Result<f64, Fault> {
    let value = given.get("value").and_then(Value::as_f64).unwrap_or(0.0);
    if (0.0..=100.0).contains(&value) {
        Ok(value)
    } else {
        Err(invalid("The scale value must be between 0 and 100."))
    }
}

pub(super) fn describe(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let key = names::service(cloud, input)?;
    let service = &cloud.state.ecs.services[&key];
    if service.controller == Controller::Ecs {
        return Err(invalid("Task sets are not supported for services with an ECS deployment controller."));
    }
    let wanted = texts(input, "taskSets");
    let view = |set: &TaskSet| {
        let mut json = json(cloud, service, set);
        if includes_tags(input) {
            json["tags"] = tags::json(cloud, &set.arn);
        }
        json
    };
    if wanted.is_empty() {
        let all: Vec<Value> = service.task_sets.iter().map(view).collect();
        return Ok(json!({ "taskSets": all, "failures": [] }));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for reference in wanted {
        match service.task_set(&reference) {
            Some(set) => found.push(view(set)),
            None => failures.push(json!({ "arn": reference, "reason": "MISSING" })),
        }
    }
    Ok(json!({ "taskSets": found, "failures": failures }))
}

fn not_found() -> Fault {
    Fault::new("TaskSetNotFoundException", "The specified task set could not be found.")
}

/// The service's key and the task set's id that a request names under `member`.
fn named(cloud: &Cloud, input: &Value, member: &str) -> Result<(String, String), Fault> {
    let key = names::service(cloud, input)?;
    let set = cloud.state.ecs.services[&key].task_set(text(input, member).unwrap_or_default());
    let id = set.ok_or_else(not_found)?.fleet.id.clone();
    Ok((key, id))
}

/// The same from plain arguments.
pub(super) fn located(
    cloud: &Cloud,
    cluster: &str,
    service: &str,
    task_set: &str,
) -> Result<(String, String), Fault> {
    named(cloud, &json!({ "cluster": cluster, "service": service, "taskSet": task_set }), "taskSet")
}

fn answer(cloud: &Cloud, key: &str, id: &str) -> Value {
    let service = &cloud.state.ecs.services[key];
    let set = service.task_set(id).map(|set| {
        let mut json = json(cloud, service, set);
        json["tags"] = tags::json(cloud, &set.arn);
        json
    });
    json!({ "taskSet": set })
}

pub(super) fn update(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    check_external(cloud, input, "UpdateTaskSet")?;
    let (key, id) = named(cloud, input, "taskSet")?;
    let value = scale(&input["scale"])?;
    let now = cloud.now;
    if let Some(set) = cloud.state.ecs.services.get_mut(&key).and_then(|s| s.task_set_mut(&id)) {
        if set.draining {
            return Err(invalid("The task set is DRAINING and cannot be updated."));
        }
        set.scale = value;
        set.updated_at = now;
    }
    scheduler::wake_soon(cloud, &key);
    Ok(answer(cloud, &key, &id))
}

pub(super) fn primary_by_user(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    check_external(cloud, input, "UpdateServicePrimaryTaskSet")?;
    let (key, id) = named(cloud, input, "primaryTaskSet")?;
    make_primary(cloud, &key, &id)?;
    Ok(answer(cloud, &key, &id))
}

pub(super) fn make_primary(cloud: &mut Cloud, key: &str, id: &str) -> Result<(), Fault> {
    let now = cloud.now;
    let Some(service) = cloud.state.ecs.services.get_mut(key) else { return Err(not_found()) };
    match service.task_set(id) {
        None => return Err(not_found()),
        Some(set) if set.draining => {
            return Err(invalid("A task set that is DRAINING cannot become the primary task set."));
        }
        Some(set) if set.primary => return Ok(()),
        Some(_) => {}
    }
    for set in &mut service.task_sets {
        let is_new = set.fleet.id == id;
        if set.primary != is_new {
            set.primary = is_new;
            set.updated_at = now;
        }
    }
    service.workload = service.current().cloned();
    let data = json!({ "service": key, "taskSet": id });
    cloud.note(Kind::Deployment, format!("service {key}: task set {id} is PRIMARY"), data);
    Ok(())
}

pub(super) fn delete_by_user(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    check_external(cloud, input, "DeleteTaskSet")?;
    let (key, id) = named(cloud, input, "taskSet")?;
    let service = &cloud.state.ecs.services[&key];
    let set = service.task_set(&id).ok_or_else(not_found)?;
    if !flag(input, "force") {
        if set.primary {
            return Err(invalid("The PRIMARY task set cannot be deleted."));
        }
        if set.computed(service.desired) > 0 {
            return Err(invalid("A task set cannot be deleted while it is scaled above 0."));
        }
    }
    drain(cloud, &key, &id);
    Ok(answer(cloud, &key, &id))
}

/// Stops a task set's tasks; it goes when they have.
pub(super) fn drain(cloud: &mut Cloud, key: &str, id: &str) {
    let now = cloud.now;
    if let Some(set) = cloud.state.ecs.services.get_mut(key).and_then(|s| s.task_set_mut(id)) {
        set.draining = true;
        set.primary = false;
        set.updated_at = now;
        let data = json!({ "service": key, "taskSet": id });
        cloud.note(Kind::Deployment, format!("service {key}: task set {id} is DRAINING"), data);
    }
    scheduler::wake_soon(cloud, key);
}

/// The scheduler's look at a service with task sets.
pub(super) fn scale_all(cloud: &mut Cloud, key: &str) {
    let Some(service) = cloud.state.ecs.services.get(key) else { return };
    let wanted: Vec<(String, u64)> =
        service.task_sets.iter().map(|s| (s.fleet.id.clone(), s.computed(service.desired))).collect();
    for (id, count) in wanted {
        let live = fleet::live(cloud, &id);
        let (missing, excess) = (count.saturating_sub(live.len() as u64), scheduler::surplus(&live, count));
        fleet::scale_in(cloud, key, &id, &excess);
        fleet::start(cloud, key, &id, missing);
    }
    forget_drained(cloud, key);
    stabilize(cloud, key);
}

fn forget_drained(cloud: &mut Cloud, key: &str) {
    let ecs = &mut cloud.state.ecs;
    let Some(service) = ecs.services.get_mut(key) else { return };
    let mut gone = Vec::new();
    service.task_sets.retain(|set| {
        let is_busy = ecs.tasks.values().any(|t| {
            t.service.as_deref() == Some(key)
                && t.started_by.as_ref() == Some(&set.fleet.id)
                && t.status < task::Status::Stopping
        });
        if set.draining && !is_busy {
            gone.push((set.fleet.id.clone(), set.arn.clone()));
        }
        !set.draining || is_busy
    });
    for (id, arn) in gone {
        cloud.state.ecs.tags.remove(&arn);
        let data = json!({ "service": key, "taskSet": id });
        cloud.note(Kind::Deployment, format!("service {key}: task set {id} is gone"), data);
    }
}

/// Notes when a task set has reached, or lost, its steady state.
fn stabilize(cloud: &mut Cloud, key: &str) {
    let now = cloud.now;
    let Some(service) = cloud.state.ecs.services.get(key) else { return };
    let states: Vec<(String, bool, bool)> = service
        .task_sets
        .iter()
        .map(|s| (s.fleet.id.clone(), s.stable, is_stable(cloud, service, s) && !s.draining))
        .filter(|(_, before, after)| before != after)
        .collect();
    for (id, _, is_stable) in states {
        let Some(set) = cloud.state.ecs.services.get_mut(key).and_then(|s| s.task_set_mut(&id)) else {
            continue;
        };
        set.stable = is_stable;
        set.stability_at = now;
        let arn = set.arn.clone();
        if is_stable {
            let who = events::subject(cloud, key, &id);
            events::service(cloud, key, &format!("{who} updated state to STEADY_STATE."));
            events::action(cloud, key, "INFO", "TASKSET_STEADY_STATE", json!({ "taskSetArns": [arn] }));
        }
    }
    let Some(service) = cloud.state.ecs.services.get_mut(key) else { return };
    let is_steady = !service.task_sets.is_empty() && service.task_sets.iter().all(|s| s.stable);
    let was_steady = std::mem::replace(&mut service.steady, is_steady);
    if is_steady && !was_steady {
        events::steady(cloud, key);
    }
}
