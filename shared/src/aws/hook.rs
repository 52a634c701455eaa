//! CodeDeploy, as a lifecycle hook meets it: which lifecycle event, which task set is green,
//! and the verdict.

use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_codedeploy::config::Builder as Config;
use aws_sdk_codedeploy::error::ProvideErrorMetadata as _;
use aws_sdk_codedeploy::types::{LifecycleEvent as SdkEvent, LifecycleEventStatus, TargetLabel};
use aws_smithy_types::retry::RetryConfig;
use jiff::Timestamp;

use super::{Aws, Missing, failed, timestamp};

/// What a deployment does to its service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// In their order.
    pub events: Vec<LifecycleEvent>,
    /// Id of the task set that is to take the traffic; none before it is made.
    pub green: Option<String>,
    /// Whether that takes production traffic, or did when the deployment ended.
    pub green_serves: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleEvent {
    pub name: String,
    pub state: EventState,
    pub began: Option<Timestamp>,
    pub ended: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    Pending,
    InProgress,
    Ended,
}

/// A verdict, and what it needs, are worth more patience than any other call: without one, the
/// deployment hangs, and with a wrong one a good image is lost.
const ATTEMPTS: u32 = 40;
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

impl Aws {
    /// None where CodeDeploy has not begun with the service yet.
    pub async fn target(
        &self,
        deployment: &str,
        cluster: &str,
        service: &str,
    ) -> anyhow::Result<Option<Target>> {
        let call = self.codedeploy.batch_get_deployment_targets().deployment_id(deployment);
        let what = || format!("reading what the deployment {deployment} does to {cluster}/{service}");
        let call = call.target_ids(format!("{cluster}:{service}")).customize();
        let answer = match call.config_override(patient()).send().await {
            Err(e) if e.code().is_some_and(|code| NOT_YET.contains(&code)) => return Ok(None),
            other => other.map_err(failed(what()))?,
        };
        let target = answer.deployment_targets().iter().find_map(|target| target.ecs_target());
        let Some(target) = target else { return Ok(None) };
        let events = target.lifecycle_events().iter().map(LifecycleEvent::narrowed);
        let green =
            target.task_sets_info().iter().find(|set| set.task_set_label() == Some(&TargetLabel::Green));
        Ok(Some(Target {
            events: events.collect::<Result<_, _>>().with_context(what)?,
            green_serves: green.is_some_and(|set| set.traffic_weight() > 0.0),
            green: green.and_then(|set| set.identifer()).map(str::to_owned),
        }))
    }

    /// Reports a hook's verdict. That one was reported already is no error: CodeDeploy takes
    /// one, and an answer may have been lost.
    pub async fn report(
        &self,
        deployment: &str,
        execution: &str,
        succeeded: Succeeded,
    ) -> anyhow::Result<Reported> {
        let call = self.codedeploy.put_lifecycle_event_hook_execution_status().deployment_id(deployment);
        let call = call.lifecycle_event_hook_execution_id(execution).status(match succeeded {
            Succeeded::Yes => LifecycleEventStatus::Succeeded,
            Succeeded::No => LifecycleEventStatus::Failed,
        });
        match call.customize().config_override(patient()).send().await {
            Err(e)
                if e.as_service_error()
                    .is_some_and(|e| e.is_lifecycle_event_already_completed_exception()) =>
            {
                Ok(Reported::Before)
            }
            other => other
                .map(|_| Reported::Now)
                .map_err(failed(format!("reporting to the deployment {deployment}"))),
        }
    }
}

fn patient() -> Config {
    let retry = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(Duration::from_millis(200))
        .with_max_backoff(LONGEST_PAUSE);
    Config::default().retry_config(retry)
}

/// What is reported of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Succeeded {
    Yes,
    No,
}

impl Succeeded {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "Succeeded",
            Self::No => "Failed",
        }
    }
}

/// Whether CodeDeploy took the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    Now,
    /// It has one already: another's, or this one, whose answer was lost.
    Before,
}

const NOT_YET: [&str; 2] = ["DeploymentNotStartedException", "DeploymentTargetDoesNotExistException"];

impl LifecycleEvent {
    fn narrowed(event: &SdkEvent) -> Result<Self, Missing> {
        Ok(Self {
            name: event.lifecycle_event_name().ok_or(Missing("lifecycleEventName"))?.to_owned(),
            state: match event.status().ok_or(Missing("status"))? {
                LifecycleEventStatus::Pending => EventState::Pending,
                LifecycleEventStatus::InProgress => EventState::InProgress,
                _ => EventState::Ended,
            },
            began: event.start_time().and_then(timestamp),
            ended: event.end_time().and_then(timestamp),
        })
    }
}
