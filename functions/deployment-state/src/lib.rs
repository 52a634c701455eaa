//! deployment-state: what becomes of a deployment that has begun or ended. Messages, metrics,
//! the verdict on its revision, a rollback where there is none, then the image that waited.

mod codedeploy;
mod decide;
mod ecs;
mod perform;
mod text;

use std::time::Duration;

use anyhow::bail;
use futures_util::future::FutureExt as _;
use image_push::ImagePush;
use serde::Serialize;
use shared::aws::Aws;
use shared::config::{Engine, Service};
use shared::events::deployment::{Change, DeploymentEvent};
use shared::start::Invocation;
use tracing::Instrument as _;

pub use decide::{Decision, Effect, Facts, Nothing, decide};

/// What is kept between events.
pub struct DeploymentState {
    /// Starts the image that waited. Its topic is told what became of a deployment.
    pub push: ImagePush,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    pub decision: &'static str,
    pub reason: String,
    /// What was done, in this order.
    pub done: Vec<String>,
}

/// What there is to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A deployment of CodeDeploy, by its id.
    Deployment(&'a str),
    /// The newest deployment of a service under the ECS controller.
    Newest,
}

impl DeploymentState {
    /// From the environment: `SLUICE_RELEASES`, `SLUICE_TOPIC`, `SLUICE_HOOK_FUNCTION` and what
    /// Lambda gives.
    pub async fn from_environment() -> anyhow::Result<Self> {
        Ok(Self { push: ImagePush::from_environment().await? })
    }

    pub fn aws(&self) -> &Aws {
        &self.push.aws
    }

    /// Handles one event. After an error it is to be delivered again: what was done is not
    /// done twice.
    pub async fn handle(&self, invocation: Invocation) -> anyhow::Result<Answer> {
        let releases = &self.push.releases;
        match DeploymentEvent::parse(&invocation.event)? {
            DeploymentEvent::CodeDeploy { application, group, deployment, change } => {
                match releases.deployed_by(&application, &group) {
                    Some(service) => {
                        self.settle(service, Subject::Deployment(&deployment), change, invocation.time).await
                    }
                    None => Ok(Answer::nothing(&Nothing::NotOurs(format!("{application}/{group}")))),
                }
            }
            DeploymentEvent::Ecs { cluster, service: name, change } => {
                // Under CodeDeploy, its own events tell.
                match releases.by_service(&cluster, &name).filter(|s| s.engine == Engine::Ecs) {
                    Some(service) => self.settle(service, Subject::Newest, change, invocation.time).await,
                    None => Ok(Answer::nothing(&Nothing::NotOurs(format!("{cluster}/{name}")))),
                }
            }
            DeploymentEvent::Other(what) => Ok(Answer::nothing(&Nothing::Other(what))),
        }
    }

    /// Looks at a deployment as it is now, and does what is still to be done.
    pub async fn settle(
        &self,
        service: &Service,
        subject: Subject<'_>,
        change: Change,
        time: Duration,
    ) -> anyhow::Result<Answer> {
        let span = tracing::info_span!("deployment", service = service.name);
        let work = async {
            let work = self.settled(service, subject, change).boxed();
            tokio::time::timeout(time, work)
                .await
                .unwrap_or_else(|_| bail!("not finished in the function's time"))
        };
        work.instrument(span).await
    }

    async fn settled(
        &self,
        service: &Service,
        subject: Subject<'_>,
        change: Change,
    ) -> anyhow::Result<Answer> {
        let facts = match subject {
            Subject::Deployment(id) => self.codedeploy(service, id, change).await?,
            Subject::Newest => self.ecs(service, change).await?,
        };
        let Some(facts) = facts else { return Ok(Answer::nothing(&Nothing::NoDeployment)) };
        let decision = decide(&facts);
        let deployment = facts.release.id.clone();
        tracing::info!(deployment, decision = decision.kind(), "{decision}");
        let done = self.perform(service, &facts, &decision).await?;
        Ok(Answer {
            service: Some(service.name.clone()),
            deployment: Some(deployment),
            decision: decision.kind(),
            reason: decision.to_string(),
            done,
        })
    }
}

impl Answer {
    fn nothing(nothing: &Nothing) -> Self {
        tracing::info!(decision = "nothing", "{nothing}");
        let reason = nothing.to_string();
        Self { service: None, deployment: None, decision: "nothing", reason, done: Vec::new() }
    }
}
