//! What is kept of a service.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::{Value, json};

use super::deployments::Deployment;
use super::fleet::{Fleet, Workload};
use super::service_deployments::{Revision, ServiceDeployment};
use super::task_sets::TaskSet;
use crate::time::Ms;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Status {
    Active,
    Draining,
    Inactive,
}

impl Status {
    pub fn text(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive => "INACTIVE",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Controller {
    Ecs,
    CodeDeploy,
    External,
}

impl Controller {
    pub fn text(self) -> &'static str {
        match self {
            Self::Ecs => "ECS",
            Self::CodeDeploy => "CODE_DEPLOY",
            Self::External => "EXTERNAL",
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Service {
    pub cluster: String,
    pub name: String,
    pub arn: String,
    pub status: Status,
    pub controller: Controller,
    pub desired: u64,
    /// As last asked for; a rollback puts the rolled back one here.
    pub workload: Option<Workload>,
    pub configuration: Value,
    pub options: Options,
    pub created_at: Ms,
    pub created_by: String,
    /// The CreateService input, held against a repetition with the same clientToken.
    #[serde(skip)]
    pub request: Value,
    /// Newest first; the first is PRIMARY. With controller ECS only.
    pub deployments: Vec<Deployment>,
    /// With the other controllers only.
    pub task_sets: Vec<TaskSet>,
    /// Oldest first.
    pub service_deployments: Vec<ServiceDeployment>,
    /// By ARN.
    pub revisions: BTreeMap<String, Revision>,
    /// Revision of the deployment that completed last.
    pub completed: Option<String>,
    /// Newest first.
    pub events: VecDeque<Event>,
    /// When the scheduler looks next.
    pub wake_at: Option<Ms>,
    pub steady: bool,
}

/// What tasks of the service get, whichever deployment they belong to.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Options {
    pub grace_seconds: Option<u64>,
    pub execute_command: bool,
    pub managed_tags: bool,
    pub propagate_tags: Option<String>,
    pub zone_rebalancing: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Event {
    pub id: String,
    pub at: Ms,
    pub message: String,
}

impl Service {
    pub fn key(&self) -> String {
        format!("{}/{}", self.cluster, self.name)
    }

    pub fn task_set(&self, reference: &str) -> Option<&TaskSet> {
        self.task_sets.iter().find(|s| s.is(reference))
    }

    pub fn task_set_mut(&mut self, reference: &str) -> Option<&mut TaskSet> {
        self.task_sets.iter_mut().find(|s| s.is(reference))
    }

    pub fn fleets(&self) -> impl Iterator<Item = &Fleet> {
        self.deployments.iter().map(|d| &d.fleet).chain(self.task_sets.iter().map(|s| &s.fleet))
    }

    pub fn fleet_mut(&mut self, id: &str) -> Option<&mut Fleet> {
        self.deployments
            .iter_mut()
            .map(|d| &mut d.fleet)
            .chain(self.task_sets.iter_mut().map(|s| &mut s.fleet))
            .find(|f| f.id == id)
    }

    /// What is running now, or was asked for before anything ran.
    pub fn current(&self) -> Option<&Workload> {
        let primary = self.task_sets.iter().find(|s| s.primary);
        primary.map(|s| &s.fleet.workload).or(self.workload.as_ref())
    }

    pub fn rules(&self) -> Rules {
        Rules::of(&self.configuration, self.desired)
    }
}

/// A deployment configuration, narrowed to what the scheduler asks of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rules {
    /// Tasks that must stay healthy during a deployment.
    pub least: u64,
    /// Tasks that may run or start during a deployment.
    pub most: u64,
    pub breaker: Option<Breaker>,
    pub alarms: Option<Alarms>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Breaker {
    pub rollback: bool,
    pub threshold: u64,
    pub reset_on_healthy: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alarms {
    pub names: Vec<String>,
    pub rollback: bool,
}

impl Rules {
    pub fn of(configuration: &Value, desired: u64) -> Self {
        let percent = |member: &str, default: u64| configuration[member].as_u64().unwrap_or(default);
        let breaker = &configuration["deploymentCircuitBreaker"];
        let alarms = &configuration["alarms"];
        let on = |value: &Value, member: &str| value[member] == json!(true);
        Self {
            least: (desired * percent("minimumHealthyPercent", 100)).div_ceil(100),
            most: desired * percent("maximumPercent", 200) / 100,
            breaker: on(breaker, "enable").then(|| Breaker {
                rollback: on(breaker, "rollback"),
                threshold: threshold(&breaker["thresholdConfiguration"], desired),
                reset_on_healthy: breaker["resetOnHealthyTask"] != json!(false),
            }),
            alarms: on(alarms, "enable").then(|| Alarms {
                names: super::names::texts(alarms, "alarmNames"),
                rollback: on(alarms, "rollback"),
            }),
        }
    }
}

/// Failed tasks that trip the circuit breaker: by default half of the desired count,
/// but 3 at least and 200 at most.
fn threshold(configuration: &Value, desired: u64) -> u64 {
    let value = configuration["value"].as_u64().unwrap_or(50);
    let share = (desired * value).div_ceil(100);
    match configuration["type"].as_str() {
        Some("COUNT") => value,
        Some("UNBOUNDED_PERCENT") => share,
        _ => share.clamp(3, 200),
    }
}
