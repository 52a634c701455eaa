//! lifecycle-hook: the checks that a new revision must pass at a lifecycle event, and one
//! verdict, in time, whatever happens.

mod codedeploy;
mod decide;
mod hook;
mod migrate;
mod migration_check;
mod native;
mod one_off;
pub mod secrets;
pub mod smoke;
mod smoke_check;
pub mod sql;

use std::time::Duration;

use serde::Serialize;
use shared::aws::{Aws, Logs, Secrets, Snapshots, Topic, Web};
use shared::config::{Releases, Service};
use shared::events::hook::HookEvent;
use shared::message::{Message, News, Release};
use shared::one_off::{STARTED_BY, execution};
use shared::start::Invocation;

use decide::Outcome;

/// What is kept between events.
pub struct LifecycleHook {
    aws: Aws,
    releases: Releases,
    logs: Logs,
    secrets: Secrets,
    snapshots: Snapshots,
    web: Web,
    topic: Topic,
}

/// What became of an event.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// A hook of CodeDeploy, or what it waited for.
    CodeDeploy(Told),
    /// ECS reads this one.
    Ecs(native::Answer),
    Nothing {
        nothing: String,
    },
}

/// A hook of CodeDeploy in words.
#[derive(Debug, Serialize)]
pub struct Told {
    pub deployment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// What was reported; none while the end of a check is still to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<&'static str>,
    pub reason: String,
    pub checks: Vec<ToldCheck>,
}

#[derive(Debug, Serialize)]
pub struct ToldCheck {
    pub check: String,
    pub outcome: &'static str,
}

impl LifecycleHook {
    /// From the environment: `SLUICE_RELEASES`, `SLUICE_TOPIC` and what Lambda gives.
    pub async fn from_environment() -> anyhow::Result<Self> {
        let releases = shared::start::releases()?;
        let aws = Aws::from_environment()?;
        let topic = Topic::from_environment(&aws);
        Ok(Self::new(aws, releases, topic))
    }

    pub fn new(aws: Aws, releases: Releases, topic: Topic) -> Self {
        let (logs, secrets, snapshots) = (Logs::new(&aws), Secrets::new(&aws), Snapshots::new(&aws));
        Self { logs, secrets, snapshots, web: aws.web(), topic, aws, releases }
    }

    /// Handles one event. An error means that a verdict could not be reported, or that the
    /// event was not read: it is to be delivered again.
    pub async fn handle(&self, invocation: Invocation) -> anyhow::Result<Answer> {
        match HookEvent::parse(&invocation.event)? {
            HookEvent::CodeDeploy { deployment, execution } => {
                self.codedeploy(&deployment, &execution, invocation.time).await.map(Answer::CodeDeploy)
            }
            HookEvent::Native(hook) => Ok(Answer::Ecs(self.native(&hook, invocation.time).await)),
            HookEvent::TaskStopped { cluster, task, started_by } => {
                if !started_by.starts_with(STARTED_BY) {
                    return Ok(nothing(format!("{task} was not started by a check")));
                }
                let task = self.aws.tasks(&cluster, &[task]).await?.pop();
                let tags = task.map(|task| task.tags).unwrap_or_default();
                self.resume(&tags, invocation.time).await
            }
            HookEvent::Snapshot { arn } => {
                let tags = self.snapshots.tags(&arn).await?;
                self.resume(&tags, invocation.time).await
            }
            HookEvent::Other(what) => Ok(nothing(format!("{what} is nothing that a check waits for"))),
        }
    }

    /// Publishes that a check failed, with its whole reason.
    async fn tell(&self, service: &Service, event: &str, reason: &str, release: Release) {
        let news = News::CheckFailed { event: event.to_owned(), reason: reason.to_owned() };
        let (service, at) = (service.name.clone(), self.aws.now());
        self.topic.publish(&Message { service, at, release, news }).await;
    }

    /// What a hook of CodeDeploy waited for has ended: the hook runs once more, from its
    /// start, and finds what was done.
    async fn resume(&self, tags: &[(String, String)], time: Duration) -> anyhow::Result<Answer> {
        match execution(tags) {
            Some((deployment, execution)) => {
                self.codedeploy(&deployment, &execution, time).await.map(Answer::CodeDeploy)
            }
            None => Ok(nothing("no hook of CodeDeploy waits for it".to_owned())),
        }
    }
}

fn nothing(reason: String) -> Answer {
    tracing::info!(decision = "nothing", "{reason}");
    Answer::Nothing { nothing: reason }
}

/// What of an invocation's time is kept for the report: it may be throttled many times.
fn reserve(time: Duration) -> Duration {
    (time / 3).min(Duration::from_secs(30))
}

fn told(outcomes: &[(&str, Outcome)]) -> Vec<ToldCheck> {
    let each = outcomes.iter();
    each.map(|(check, outcome)| ToldCheck { check: (*check).to_owned(), outcome: outcome.kind() }).collect()
}
