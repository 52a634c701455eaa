//! One deployment: what it was asked to do, and how far it is.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::Timer;
use super::appspec::AppSpec;
use super::configurations::Routing;
use super::group_settings::GroupSettings;
use super::groups::Group;
use super::lifecycle::{self, Event};
use super::revisions::Revision;
use crate::cloud::Cloud;
use crate::time::Ms;
use crate::timeline::Kind;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Status {
    Created,
    InProgress,
    Ready,
    Succeeded,
    Failed,
    Stopped,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::InProgress => "InProgress",
            Self::Ready => "Ready",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
        }
    }

    pub(super) fn ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Stopped)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Creator {
    #[serde(rename = "user")]
    User,
    #[serde(rename = "codeDeployRollback")]
    Rollback,
}

/// `errorInformation`: a code of the model's `ErrorCode`, and a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Error {
    pub code: &'static str,
    pub message: String,
}

impl Error {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct RollbackInfo {
    /// The deployment that undoes this one.
    pub deployment: Option<String>,
    /// The deployment that this one undoes.
    pub triggering: Option<String>,
    pub message: Option<String>,
}

/// What the deployment does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Phase {
    Created,
    /// Between two events.
    Before(Event),
    /// An event without a hook, that takes its moment.
    Brief(Event),
    /// A hook has been invoked and has not reported.
    Hook(Event),
    /// Install: the replacement task set has until then to become steady.
    AwaitTaskSet {
        deadline: Ms,
    },
    /// AllowTraffic: so many shifts are done.
    Shift {
        done: usize,
    },
    /// Waiting for ContinueDeployment to go on with the event.
    ReadyWait {
        then: Event,
        minutes: u64,
    },
    TerminationWait,
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum EventStatus {
    Pending,
    InProgress,
    Succeeded,
    Failed,
    Skipped,
}

/// `diagnostics` of an event that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Diagnostics {
    pub code: &'static str,
    pub message: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct LifecycleEvent {
    pub event: Event,
    pub status: EventStatus,
    pub started: Option<Ms>,
    pub ended: Option<Ms>,
    /// The hook's Lambda function.
    pub function: Option<String>,
    /// The id by which the hook reports.
    pub execution: Option<String>,
    pub diagnostics: Option<Diagnostics>,
}

impl LifecycleEvent {
    pub(super) fn new(event: Event, function: Option<String>) -> Self {
        Self {
            event,
            status: EventStatus::Pending,
            started: None,
            ended: None,
            function,
            execution: None,
            diagnostics: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum TargetStatus {
    Pending,
    InProgress,
    Ready,
    Succeeded,
    Failed,
}

/// A task set with the target group behind which it runs; the rest is as it was last seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct TaskSet {
    pub id: String,
    /// ARN and name.
    pub target_group: (String, String),
    pub desired: u64,
    pub pending: u64,
    pub running: u64,
    pub status: String,
    pub weight: f64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Deployment {
    /// Counts all deployments of the account.
    pub number: u64,
    pub id: String,
    pub application: String,
    pub group: String,
    pub group_id: String,
    /// The group's at creation, with what CreateDeployment overrode.
    pub settings: GroupSettings,
    /// Members that come back as the group was given them.
    pub given: Value,
    pub override_alarms: Option<Value>,
    pub configuration: String,
    pub routing: Routing,
    pub revision: Option<Revision>,
    pub previous_revision: Option<Revision>,
    pub appspec: Option<AppSpec>,
    pub description: Option<String>,
    pub creator: Creator,
    pub created: Ms,
    pub started: Option<Ms>,
    pub completed: Option<Ms>,
    pub status: Status,
    pub error: Option<Error>,
    pub rollback: RollbackInfo,
    pub phase: Phase,
    /// Counts the steps: a timer set for an earlier one means nothing any more.
    pub step: u64,
    /// The events that it goes through; it shows `events`, which may be more.
    pub plan: Vec<Event>,
    pub events: Vec<LifecycleEvent>,
    pub target_status: TargetStatus,
    pub target_updated: Ms,
    /// The original task set.
    pub blue: Option<TaskSet>,
    /// The replacement task set.
    pub green: Option<TaskSet>,
    pub termination_wait_started: bool,
    /// Alarms that were red at the start and have been since, where those do not count.
    pub ignored_alarms: BTreeSet<String>,
    /// A stop is on its way: `Some` with `autoRollbackEnabled` as it was asked.
    pub stop_requested: Option<Option<bool>>,
}

impl Deployment {
    /// A user's deployment with neither number, id nor revision yet.
    pub(super) fn new(
        application: &str,
        group: &Group,
        settings: GroupSettings,
        routing: Routing,
        appspec: AppSpec,
        now: Ms,
    ) -> Self {
        let plan = lifecycle::events(settings.routes.test.as_deref());
        let hook = |event: &Event| appspec.hooks.get(event).cloned();
        Self {
            number: 0,
            id: String::new(),
            application: application.to_owned(),
            group: group.name.clone(),
            group_id: group.id.clone(),
            given: json!({
                "deploymentStyle": group.given.get("deploymentStyle"),
                "blueGreenDeploymentConfiguration": group.given.get("blueGreenDeploymentConfiguration"),
                "loadBalancerInfo": group.given.get("loadBalancerInfo"),
            }),
            override_alarms: None,
            configuration: settings.configuration.clone(),
            settings,
            routing,
            revision: None,
            previous_revision: None,
            events: plan.iter().map(|event| LifecycleEvent::new(*event, hook(event))).collect(),
            plan,
            appspec: Some(appspec),
            description: None,
            creator: Creator::User,
            created: now,
            started: None,
            completed: None,
            status: Status::Created,
            error: None,
            rollback: RollbackInfo::default(),
            phase: Phase::Created,
            step: 0,
            target_status: TargetStatus::Pending,
            target_updated: now,
            blue: None,
            green: None,
            termination_wait_started: false,
            ignored_alarms: BTreeSet::new(),
            stop_requested: None,
        }
    }

    /// `<cluster>:<service>`
    pub(super) fn target_id(&self) -> String {
        format!("{}:{}", self.settings.service.cluster, self.settings.service.name)
    }

    /// Goes into a phase and sets the timer of its next step, which takes the place of the one before.
    pub(super) fn enter(&mut self, cloud: &mut Cloud, phase: Phase, step_after: Ms) {
        self.phase = phase;
        self.step += 1;
        cloud.after(step_after, Timer::Step { deployment: self.id.clone(), step: self.step });
    }

    pub(super) fn event_mut(&mut self, event: Event) -> Option<&mut LifecycleEvent> {
        self.events.iter_mut().find(|e| e.event == event)
    }

    /// Closes an event; one that is not in progress stays as it is.
    pub(super) fn close_event(&mut self, cloud: &mut Cloud, event: Event, status: EventStatus) {
        let now = cloud.now;
        self.target_updated = now;
        let Some(closed) = self.event_mut(event).filter(|e| e.status == EventStatus::InProgress) else {
            return;
        };
        closed.status = status;
        closed.ended = Some(now);
        let status = format!("{status:?}");
        let text = format!("{} {}", event.name(), status.to_lowercase());
        self.note(cloud, &text, json!({ "event": event.name(), "status": status }));
    }

    /// Puts what happens to this deployment into the timeline.
    pub(super) fn note(&self, cloud: &mut Cloud, text: &str, mut data: Value) {
        data["deployment"] = json!(self.id);
        cloud.note(Kind::Deployment, format!("{} {text}", self.id), data);
    }
}
