//! Service deployments and revisions: the record of an ECS service's deployments.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::deployments::{self, Cause};
use super::fleet::{self, Workload};
use super::names::{self, invalid, text, texts};
use super::paging::page;
use super::service::{Rules, Service};
use super::{Timer, task, task_definitions};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{DAY, Ms, SECOND, from_timestamp, timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum State {
    Pending,
    InProgress,
    Successful,
    StopRequested,
    Stopped,
    RollbackRequested,
    RollbackInProgress,
    RollbackSuccessful,
    RollbackFailed,
}

impl State {
    pub fn text(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::InProgress => "IN_PROGRESS",
            Self::Successful => "SUCCESSFUL",
            Self::StopRequested => "STOP_REQUESTED",
            Self::Stopped => "STOPPED",
            Self::RollbackRequested => "ROLLBACK_REQUESTED",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
            Self::RollbackFailed => "ROLLBACK_FAILED",
        }
    }

    pub fn is_ongoing(self) -> bool {
        match self {
            Self::Pending
            | Self::InProgress
            | Self::StopRequested
            | Self::RollbackRequested
            | Self::RollbackInProgress => true,
            Self::Successful | Self::Stopped | Self::RollbackSuccessful | Self::RollbackFailed => false,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ServiceDeployment {
    pub arn: String,
    /// The `ecs-svc/…` id that it began with.
    pub deployment: String,
    pub state: State,
    pub reason: String,
    pub created_at: Ms,
    pub started_at: Option<Ms>,
    pub finished_at: Option<Ms>,
    pub updated_at: Ms,
    /// ARNs of revisions.
    pub sources: Vec<String>,
    pub target: String,
    pub configuration: Value,
    pub rollback: Option<Rollback>,
    /// What the circuit breaker had counted at the end.
    pub failures: u64,
    pub tripped: bool,
    pub triggered_alarms: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Rollback {
    pub reason: String,
    pub at: Ms,
    pub revision: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Revision {
    pub arn: String,
    pub created_at: Ms,
    pub workload: Workload,
    /// By container.
    pub digests: BTreeMap<String, String>,
}

impl Revision {
    pub fn new(cloud: &mut Cloud, key: &str, workload: Workload) -> Self {
        let id = cloud.ids.digits(19);
        Self {
            arn: cloud.arn("ecs", &format!("service-revision/{key}/{id}")),
            created_at: cloud.now,
            workload,
            digests: BTreeMap::new(),
        }
    }
}

impl ServiceDeployment {
    pub fn new(
        cloud: &mut Cloud,
        key: &str,
        deployment: &str,
        sources: Vec<String>,
        target: &str,
        configuration: Value,
    ) -> Self {
        let id = cloud.ids.alphanumeric(21);
        Self {
            arn: cloud.arn("ecs", &format!("service-deployment/{key}/{id}")),
            deployment: deployment.to_owned(),
            state: State::Pending,
            reason: String::new(),
            created_at: cloud.now,
            started_at: None,
            finished_at: None,
            updated_at: cloud.now,
            sources,
            target: target.to_owned(),
            configuration,
            rollback: None,
            failures: 0,
            tripped: false,
            triggered_alarms: Vec::new(),
        }
    }

    pub fn finish(&mut self, at: Ms, state: State, reason: &str) {
        self.state = state;
        reason.clone_into(&mut self.reason);
        self.finished_at = Some(at);
        self.updated_at = at;
    }
}

/// ECS keeps service deployments for 90 days.
const KEPT: Ms = 90 * DAY;
/// How long a requested stop waits before it takes effect.
const STOPPING: Ms = SECOND;

fn time(at: Option<Ms>) -> Value {
    at.map_or(Value::Null, timestamp)
}

fn shown(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

pub(super) fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let cluster = names::cluster(cloud, input)?;
    let key = names::service_key(cloud, &cluster, text(input, "service").unwrap_or_default())
        .ok_or_else(|| Fault::new("ServiceNotFoundException", "Service not found."))?;
    let states = texts(input, "status");
    let bound = |name: &str| input.get("createdAt").and_then(|c| from_timestamp(c.get(name)?));
    let (after, before) = (bound("after").unwrap_or(0), bound("before").unwrap_or(Ms::MAX));
    let oldest = cloud.now.saturating_sub(KEPT);
    let service = &cloud.state.ecs.services[&key];
    let found = service
        .service_deployments
        .iter()
        .rev()
        .filter(|d| d.created_at >= oldest && d.created_at > after && d.created_at < before)
        .filter(|d| states.is_empty() || states.iter().any(|s| s == d.state.text()))
        .map(|d| brief(cloud, service, d));
    page(cloud, input, "serviceDeployments", 20, found)
}

fn brief(cloud: &Cloud, service: &Service, entry: &ServiceDeployment) -> Value {
    json!({
        "serviceDeploymentArn": entry.arn,
        "serviceArn": service.arn,
        "clusterArn": names::cluster_arn(cloud, &service.cluster),
        "startedAt": time(entry.started_at),
        "createdAt": timestamp(entry.created_at),
        "finishedAt": time(entry.finished_at),
        "targetServiceRevisionArn": entry.target,
        "status": entry.state.text(),
        "statusReason": shown(&entry.reason),
    })
}

/// The wanted ARNs that are there, as `view` shows them, and failures for the others.
fn describe_each(
    cloud: &Cloud,
    input: &Value,
    member: &str,
    view: impl Fn(&Cloud, &str) -> Option<Value>,
) -> Result<(Vec<Value>, Vec<Value>), Fault> {
    let wanted = texts(input, member);
    if wanted.is_empty() || wanted.len() > 20 {
        return Err(invalid(format!("{member} must have 1 to 20 elements")));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in wanted {
        match view(cloud, &arn) {
            Some(json) => found.push(json),
            None => failures.push(json!({ "arn": arn, "reason": "MISSING" })),
        }
    }
    Ok((found, failures))
}

pub(super) fn describe(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let (found, failures) = describe_each(cloud, input, "serviceDeploymentArns", |cloud, arn| {
        let (service, entry) = find(cloud, arn)?;
        Some(json(cloud, service, entry))
    })?;
    Ok(json!({ "serviceDeployments": found, "failures": failures }))
}

pub(super) fn revisions(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let (found, failures) = describe_each(cloud, input, "serviceRevisionArns", |cloud, arn| {
        let service = cloud.state.ecs.services.values().find(|s| s.revisions.contains_key(arn))?;
        Some(revision_json(cloud, service, &service.revisions[arn]))
    })?;
    Ok(json!({ "serviceRevisions": found, "failures": failures }))
}

fn find<'a>(cloud: &'a Cloud, arn: &str) -> Option<(&'a Service, &'a ServiceDeployment)> {
    let oldest = cloud.now.saturating_sub(KEPT);
    cloud.state.ecs.services.values().find_map(|service| {
        let entry = service.service_deployments.iter().find(|d| d.arn == arn && d.created_at >= oldest)?;
        Some((service, entry))
    })
}

fn json(cloud: &Cloud, service: &Service, entry: &ServiceDeployment) -> Value {
    let rules = Rules::of(&entry.configuration, service.desired);
    let watching = if entry.state.is_ongoing() { "MONITORING" } else { "MONITORING_COMPLETE" };
    let failures = service.fleets().find(|f| f.id == entry.deployment && entry.state.is_ongoing());
    let breaker =
        rules.breaker.as_ref().map_or("DISABLED", |_| if entry.tripped { "TRIGGERED" } else { watching });
    let has_alarm = !entry.triggered_alarms.is_empty();
    let alarms = rules.alarms.as_ref().map_or("DISABLED", |_| if has_alarm { "TRIGGERED" } else { watching });
    let sources: Vec<Value> = entry.sources.iter().map(|arn| summary(cloud, service, arn, 0)).collect();
    let mut json = brief(cloud, service, entry);
    if let Some(members) = json.as_object_mut() {
        members.shift_remove("targetServiceRevisionArn");
    }
    json["stoppedAt"] = time(entry.finished_at.filter(|_| entry.state == State::Stopped));
    json["updatedAt"] = timestamp(entry.updated_at);
    json["sourceServiceRevisions"] = json!(sources);
    json["targetServiceRevision"] = summary(cloud, service, &entry.target, service.desired);
    json["deploymentConfiguration"] = entry.configuration.clone();
    json["rollback"] = entry.rollback.as_ref().map_or(
        Value::Null,
        |r| json!({ "reason": r.reason, "startedAt": timestamp(r.at), "serviceRevisionArn": r.revision }),
    );
    json["deploymentCircuitBreaker"] = json!({
        "status": breaker,
        "failureCount": failures.map_or(entry.failures, |f| f.failures),
        "threshold": rules.breaker.map_or(0, |b| b.threshold),
    });
    json["alarms"] = json!({
        "status": alarms,
        "alarmNames": rules.alarms.map(|a| a.names).unwrap_or_default(),
        "triggeredAlarmNames": entry.triggered_alarms,
    });
    json
}

/// A revision with its tasks now.
pub(super) fn summary(cloud: &Cloud, service: &Service, arn: &str, requested: u64) -> Value {
    let deployment = service.deployments.iter().find(|d| d.revision == arn);
    let live = deployment.map(|d| fleet::live(cloud, &d.fleet.id)).unwrap_or_default();
    json!({
        "arn": arn,
        "requestedTaskCount": requested,
        "runningTaskCount": live.iter().filter(|t| t.status == task::Status::Running).count(),
        "pendingTaskCount": live.iter().filter(|t| t.is_pending()).count(),
    })
}

fn revision_json(cloud: &Cloud, service: &Service, revision: &Revision) -> Value {
    let definition = task_definitions::find(cloud, &revision.workload.task_definition);
    let images: Vec<Value> = definition
        .into_iter()
        .flat_map(|d| d.containers())
        .map(|c| {
            let name = text(c, "name").unwrap_or_default();
            json!({ "containerName": name, "image": c["image"], "imageDigest": revision.digests.get(name) })
        })
        .collect();
    let resolved: Vec<Value> = revision
        .workload
        .load_balancers
        .iter()
        .map(|b| json!({ "targetGroupArn": b["targetGroupArn"] }))
        .collect();
    let mut json = json!({
        "serviceRevisionArn": revision.arn,
        "serviceArn": service.arn,
        "clusterArn": names::cluster_arn(cloud, &service.cluster),
        "loadBalancers": revision.workload.load_balancers,
        "containerImages": images,
        "guardDutyEnabled": false,
        "createdAt": timestamp(revision.created_at),
        "resolvedConfiguration": { "loadBalancers": resolved },
    });
    if let Some(members) = json.as_object_mut() {
        members.extend(revision.workload.members());
    }
    json
}

/// StopServiceDeployment: asked for now, done a moment later.
pub(super) fn stop(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "serviceDeploymentArn").unwrap_or_default().to_owned();
    let is_abort = text(input, "stopType") == Some("ABORT");
    let now = cloud.now;
    let entry = cloud
        .state
        .ecs
        .services
        .values_mut()
        .flat_map(|s| &mut s.service_deployments)
        .find(|d| d.arn == arn)
        .ok_or_else(|| {
            Fault::new("ServiceDeploymentNotFoundException", "The service deployment does not exist.")
        })?;
    if !matches!(entry.state, State::Pending | State::InProgress) {
        let text = format!("The service deployment cannot be stopped, its status is {}.", entry.state.text());
        return Err(Fault::new("ConflictException", text).with("resourceIds", json!([arn])));
    }
    entry.state = if is_abort { State::StopRequested } else { State::RollbackRequested };
    entry.updated_at = now;
    cloud.after(STOPPING, Timer::StopDeployment { arn: arn.clone() });
    Ok(json!({ "serviceDeploymentArn": arn }))
}

pub(super) fn stop_now(cloud: &mut Cloud, arn: &str) {
    let Some((service, entry)) = find(cloud, arn) else { return };
    let cause = match entry.state {
        State::RollbackRequested => Cause::Asked,
        State::StopRequested => Cause::Aborted,
        _ => return,
    };
    let key = service.key();
    deployments::fail(cloud, &key, &cause);
}
