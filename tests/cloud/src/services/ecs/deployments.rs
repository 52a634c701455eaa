//! How a rolling deployment begins, completes, fails and is rolled back.

use serde::Serialize;
use serde_json::{Value, json};

use super::fleet::{self, Fleet, Workload};
use super::service::Service;
use super::service_deployments::{self as record, Revision, ServiceDeployment, State};
use super::{alarms, events, scheduler, task};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{Ms, timestamp};
use crate::timeline::Kind;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Rollout {
    InProgress,
    Completed,
    Failed,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Deployment {
    pub fleet: Fleet,
    /// ARN of the service revision.
    pub revision: String,
    pub rollout: Rollout,
    pub reason: String,
    pub created_at: Ms,
    pub updated_at: Ms,
    /// Names of alarms that were red at the start: ECS ignores them to the end.
    pub ignored_alarms: Vec<String>,
    /// With alarms: when their watch after the last task is over.
    pub baked_at: Option<Ms>,
}

/// What made a deployment fail.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cause {
    Breaker,
    Alarms(Vec<String>),
    /// StopServiceDeployment with ROLLBACK.
    Asked,
    /// StopServiceDeployment with ABORT.
    Aborted,
}

impl Cause {
    /// The beginning of ECS's texts about it, and the fault itself.
    fn texts(&self) -> (&'static str, &'static str) {
        match self {
            Self::Breaker => ("ECS deployment circuit breaker", "tasks failed to start."),
            Self::Alarms(_) => ("ECS deployment alarm", "alarm detected."),
            Self::Asked => ("ECS deployment rollback", "rollback requested by user."),
            Self::Aborted => ("ECS deployment stop", "stopped by user."),
        }
    }
}

/// ECS refuses a further deployment while so many are there.
const MOST: usize = 5;

/// Makes a new PRIMARY deployment from what the service now asks for.
pub(super) fn create(cloud: &mut Cloud, key: &str, workload: Workload) -> Result<(), Fault> {
    let Some(service) = cloud.state.ecs.services.get(key) else { return Ok(()) };
    if service.deployments.len() >= MOST {
        return Err(Fault::new(
            "InvalidParameterException",
            format!("The service already has the maximum number of active deployments ({MOST})."),
        ));
    }
    let (source, configuration) = (live_revisions(cloud, service), service.configuration.clone());
    let revision = Revision::new(cloud, key, workload.clone());
    let fleet = Fleet::new(cloud, workload);
    let entry = ServiceDeployment::new(cloud, key, &fleet.id, source, &revision.arn, configuration);
    let deployment = new_deployment(cloud, fleet, &revision.arn);
    let now = cloud.now;
    let Some(service) = cloud.state.ecs.services.get_mut(key) else { return Ok(()) };
    if let Some(unfinished) = service.service_deployments.last_mut().filter(|d| d.state.is_ongoing()) {
        unfinished.finish(now, State::Stopped, "Superseded by a newer service deployment.");
    }
    service.revisions.insert(revision.arn.clone(), revision);
    service.service_deployments.push(entry);
    service.deployments.insert(0, deployment);
    service.steady = false;
    scheduler::wake_soon(cloud, key);
    Ok(())
}

fn new_deployment(cloud: &Cloud, fleet: Fleet, revision: &str) -> Deployment {
    Deployment {
        reason: format!("ECS deployment {} in progress.", fleet.id),
        fleet,
        revision: revision.to_owned(),
        rollout: Rollout::InProgress,
        created_at: cloud.now,
        updated_at: cloud.now,
        ignored_alarms: Vec::new(),
        baked_at: None,
    }
}

fn live_revisions(cloud: &Cloud, service: &Service) -> Vec<String> {
    let live = service.deployments.iter().filter(|d| !fleet::live(cloud, &d.fleet.id).is_empty());
    live.map(|d| d.revision.clone()).collect()
}

/// The scheduler's first look at a new deployment.
pub(super) fn begin(cloud: &mut Cloud, key: &str) {
    let now = cloud.now;
    let Some(service) = cloud.state.ecs.services.get_mut(key) else { return };
    let Some(entry) = service.service_deployments.last_mut().filter(|d| d.state == State::Pending) else {
        return;
    };
    entry.state = State::InProgress;
    entry.started_at = Some(now);
    let Some(primary) = service.deployments.first() else { return };
    let (id, reason) = (primary.fleet.id.clone(), primary.reason.clone());
    announce(cloud, key, &id, "INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS", &reason);
    alarms::watch(cloud, key, &id);
}

fn announce(cloud: &mut Cloud, key: &str, id: &str, level: &str, name: &str, reason: &str) {
    events::deployment(cloud, key, id, level, name, reason);
    let data = json!({ "service": key, "deployment": id, "event": name, "reason": reason });
    cloud.note(Kind::Deployment, format!("service {key}: {reason}"), data);
}

/// Takes deployments off the list whose tasks have all stopped, or are about to.
pub(super) fn forget_old(cloud: &mut Cloud, key: &str) {
    let ecs = &mut cloud.state.ecs;
    let Some(service) = ecs.services.get_mut(key) else { return };
    let busy = |d: &Deployment| {
        ecs.tasks.values().any(|t| {
            t.service.is_some()
                && t.started_by.as_ref() == Some(&d.fleet.id)
                && t.status < task::Status::Stopping
        })
    };
    let primary = service.deployments.first().map(|d| d.fleet.id.clone());
    service.deployments.retain(|d| Some(&d.fleet.id) == primary.as_ref() || busy(d));
}

/// Completes the deployment once only its own tasks are left and all are healthy.
pub(super) fn settle(cloud: &mut Cloud, key: &str) {
    let now = cloud.now;
    let Some(service) = cloud.state.ecs.services.get(key) else { return };
    let Some(primary) = service.deployments.first() else { return };
    let live = fleet::live(cloud, &primary.fleet.id);
    let is_there = service.deployments.len() == 1
        && live.len() as u64 == service.desired
        && live.iter().all(|t| t.is_healthy());
    if primary.rollout != Rollout::InProgress || !is_there {
        return;
    }
    let baked_at = match primary.baked_at {
        Some(at) => at,
        None => now + alarms::bake_time(cloud, key),
    };
    if now < baked_at {
        if let Some(primary) = primary_mut(cloud, key) {
            primary.baked_at = Some(baked_at);
        }
        return scheduler::wake(cloud, key, baked_at - now);
    }
    complete(cloud, key);
}

fn primary_mut<'a>(cloud: &'a mut Cloud, key: &str) -> Option<&'a mut Deployment> {
    cloud.state.ecs.services.get_mut(key)?.deployments.first_mut()
}

fn complete(cloud: &mut Cloud, key: &str) {
    let now = cloud.now;
    let Some(primary) = primary_mut(cloud, key) else { return };
    primary.rollout = Rollout::Completed;
    primary.reason = format!("ECS deployment {} completed.", primary.fleet.id);
    primary.updated_at = now;
    let (id, reason, revision) = (primary.fleet.id.clone(), primary.reason.clone(), primary.revision.clone());
    if let Some(service) = cloud.state.ecs.services.get_mut(key) {
        service.completed = Some(revision);
        if let Some(entry) = service.service_deployments.last_mut().filter(|d| d.state.is_ongoing()) {
            let (state, reason) = match entry.rollback {
                Some(_) => (State::RollbackSuccessful, entry.reason.clone()),
                None => (State::Successful, String::new()),
            };
            entry.finish(now, state, &reason);
        }
    }
    let who = events::subject(cloud, key, &id);
    events::service(cloud, key, &format!("{who} (deployment {id}) deployment completed."));
    announce(cloud, key, &id, "INFO", "SERVICE_DEPLOYMENT_COMPLETED", &reason);
}

/// Whether the circuit breaker has ended the deployment just now.
pub(super) fn tripped(cloud: &mut Cloud, key: &str) -> bool {
    let Some(service) = cloud.state.ecs.services.get_mut(key) else { return false };
    let Some(breaker) = service.rules().breaker else { return false };
    let Some(primary) = service.deployments.first() else { return false };
    let failures = primary.fleet.failures;
    if primary.rollout != Rollout::InProgress || failures < breaker.threshold {
        return false;
    }
    fail(cloud, key, &Cause::Breaker);
    true
}

/// Ends the deployment in progress, and rolls back if that is wanted.
pub(super) fn fail(cloud: &mut Cloud, key: &str, cause: &Cause) {
    let now = cloud.now;
    let Some(service) = cloud.state.ecs.services.get_mut(key) else { return };
    let rules = service.rules();
    let wants_rollback = match cause {
        Cause::Breaker => rules.breaker.is_some_and(|b| b.rollback),
        Cause::Alarms(_) => rules.alarms.is_some_and(|a| a.rollback),
        Cause::Asked => true,
        Cause::Aborted => false,
    };
    let (kind, what) = cause.texts();
    let Some(primary) = service.deployments.first_mut() else { return };
    primary.rollout = Rollout::Failed;
    primary.reason = format!("{kind}: {what}");
    primary.updated_at = now;
    let (id, reason) = (primary.fleet.id.clone(), primary.reason.clone());
    let failures = primary.fleet.failures;
    let Some(entry) = service.service_deployments.last_mut() else { return };
    entry.failures = failures;
    entry.tripped = *cause == Cause::Breaker;
    if let Cause::Alarms(names) = cause {
        entry.triggered_alarms.clone_from(names);
    }
    let is_rollback = entry.rollback.is_some();
    if is_rollback || !wants_rollback {
        let state = if is_rollback { State::RollbackFailed } else { State::Stopped };
        entry.finish(now, state, &reason);
    }
    let who = events::subject(cloud, key, &id);
    events::service(cloud, key, &format!("{who} (deployment {id}) deployment failed: {what}"));
    announce(cloud, key, &id, "ERROR", "SERVICE_DEPLOYMENT_FAILED", &reason);
    if wants_rollback && !is_rollback {
        roll_back(cloud, key, &id, kind);
    }
    scheduler::wake_soon(cloud, key);
}

/// Makes the last completed deployment PRIMARY again: itself if it still has tasks,
/// else a new one from its revision.
fn roll_back(cloud: &mut Cloud, key: &str, failed: &str, kind: &str) {
    let now = cloud.now;
    let Some(service) = cloud.state.ecs.services.get_mut(key) else { return };
    let candidate = service.completed.clone().and_then(|arn| service.revisions.get(&arn).cloned());
    let Some(revision) = candidate.filter(|r| service.deployments[0].revision != r.arn) else {
        let text = "No rollback candidate was found to run the rollback.";
        if let Some(entry) = service.service_deployments.last_mut() {
            entry.finish(now, State::RollbackFailed, text);
        }
        let who = events::subject(cloud, key, failed);
        return events::service(cloud, key, &format!("{who} (deployment {failed}) {text}"));
    };
    let kept = service.deployments.iter().position(|d| d.revision == revision.arn);
    let mut target = match kept {
        Some(index) => service.deployments.remove(index),
        None => {
            let mut fleet = Fleet::new(cloud, revision.workload.clone());
            fleet.digests.clone_from(&revision.digests);
            new_deployment(cloud, fleet, &revision.arn)
        }
    };
    let id = target.fleet.id.clone();
    let reason = format!("{kind}: rolling back to deploymentId {id}.");
    target.rollout = Rollout::InProgress;
    target.reason.clone_from(&reason);
    target.updated_at = now;
    target.baked_at = Some(now);
    target.fleet.failures = 0;
    let Some(service) = cloud.state.ecs.services.get_mut(key) else { return };
    service.workload = Some(revision.workload.clone());
    service.deployments.insert(0, target);
    service.steady = false;
    if let Some(entry) = service.service_deployments.last_mut() {
        entry.state = State::RollbackInProgress;
        entry.reason.clone_from(&reason);
        entry.updated_at = now;
        entry.rollback = Some(record::Rollback { reason: reason.clone(), at: now, revision: revision.arn });
    }
    let who = events::subject(cloud, key, &id);
    events::service(cloud, key, &format!("{who} rolling back to deployment {id}."));
    announce(cloud, key, &id, "INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS", &reason);
}

pub(super) fn json(cloud: &Cloud, service: &Service, index: usize, deployment: &Deployment) -> Value {
    let live = fleet::live(cloud, &deployment.fleet.id);
    let running = live.iter().filter(|t| t.status == task::Status::Running).count();
    let pending = live.iter().filter(|t| t.is_pending()).count();
    let desired = match (index, deployment.rollout) {
        (0, Rollout::InProgress | Rollout::Completed) => service.desired,
        _ => live.len() as u64,
    };
    let mut json = json!({
        "id": deployment.fleet.id,
        "status": if index == 0 { "PRIMARY" } else { "ACTIVE" },
        "desiredCount": desired,
        "pendingCount": pending,
        "runningCount": running,
        "failedTasks": deployment.fleet.failures,
        "createdAt": timestamp(deployment.created_at),
        "updatedAt": timestamp(deployment.updated_at),
        "rolloutState": match deployment.rollout {
            Rollout::InProgress => "IN_PROGRESS",
            Rollout::Completed => "COMPLETED",
            Rollout::Failed => "FAILED",
        },
        "rolloutStateReason": deployment.reason,
    });
    if let Some(members) = json.as_object_mut() {
        members.extend(deployment.fleet.workload.members());
    }
    json
}
