//! The check `smoke`: where the new tasks are reached, and how long they are waited for.

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::future::FutureExt as _;
use jiff::Timestamp;
use shared::config::{Reach, Smoke};
use shared::revision::Revision;
use tokio::time::Instant;

use crate::LifecycleHook;
use crate::decide::Outcome;
use crate::hook::{Caller, Hook};
use crate::smoke::{Deployed, Patience, Smoker, Wrong};

/// Since when ECS calls a hook again because its service is not ready: a tag on the revision.
const WAITING: &str = "sluice:waiting";

impl LifecycleHook {
    pub(crate) async fn smoke(&self, hook: &Hook<'_>, smoke: &Smoke) -> anyhow::Result<Outcome> {
        let within = Instant::now() + smoke.within;
        let bases = match &smoke.reach {
            Reach::BaseUrl(url) => vec![url.clone()],
            Reach::Tasks { port } => match self.tasks(hook, *port, within).await? {
                Ok(bases) => bases,
                Err(why) => return self.not_ready(hook, smoke, why).await,
            },
        };
        let deploying = async { self.deployed(hook).await.map_err(|e| format!("{e:#}")) };
        let smoker = Smoker {
            web: &self.web,
            smoke,
            bases: &bases,
            secrets: hook.secrets,
            deploying: deploying.boxed().shared(),
            patience: match hook.caller {
                Caller::CodeDeploy { .. } => Patience::Until(within),
                Caller::Ecs => Patience::Once,
            },
            end: before(hook.end),
        };
        match smoker.run().await {
            Ok(seen) => Ok(Outcome::Passed(seen)),
            Err(Wrong::Failed(why)) => Ok(Outcome::Failed(why)),
            Err(Wrong::NotReady(why)) => self.not_ready(hook, smoke, why).await,
        }
    }

    async fn deployed(&self, hook: &Hook<'_>) -> anyhow::Result<Deployed> {
        let revision = self.aws.revision(hook.revision).await?;
        let revision = revision.with_context(|| format!("ECS does not know {}", hook.revision))?;
        Ok(of_revision(&revision, hook))
    }

    /// The addresses of all new tasks, once there are some and all of them run.
    async fn tasks(
        &self,
        hook: &Hook<'_>,
        port: Option<u16>,
        within: Instant,
    ) -> anyhow::Result<Result<Vec<String>, String>> {
        let port = port.or(hook.ecs.load_balanced.as_ref().map(|(_, port)| *port));
        let port = port.context("the service has no load balancer; give 'tasks' a port in releases.yaml")?;
        loop {
            let why = match self.addresses(hook).await? {
                Ok(addresses) => {
                    return Ok(Ok(addresses.iter().map(|ip| format!("http://{ip}:{port}")).collect()));
                }
                Err(why) => why,
            };
            let pause = Duration::from_secs(2);
            if matches!(hook.caller, Caller::Ecs) || Instant::now() + pause >= within.min(hook.end) {
                return Ok(Err(why));
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn addresses(&self, hook: &Hook<'_>) -> anyhow::Result<Result<Vec<std::net::IpAddr>, String>> {
        let cluster = &hook.service.cluster;
        let arns = match &hook.caller {
            Caller::CodeDeploy { green: Some(green), .. } => {
                self.aws.tasks_started_by(cluster, green).await?
            }
            Caller::CodeDeploy { green: None, .. } => Vec::new(),
            Caller::Ecs => self.aws.tasks_of_service(cluster, &hook.service.service).await?,
        };
        let mut tasks = self.aws.tasks(cluster, &arns).await?;
        tasks.retain(|task| task.revision == hook.revision);
        if tasks.is_empty() {
            return Ok(Err("no task of the new revision is there".to_owned()));
        }
        let mut addresses = Vec::new();
        for task in &tasks {
            match (&task.state, task.address) {
                (shared::aws::TaskState::Running, Some(address)) => addresses.push(address),
                (shared::aws::TaskState::Running, None) => bail!(
                    "{} has no address of its own, as tasks outside of the network mode awsvpc have none; \
                     use base-url",
                    task.arn
                ),
                _ => return Ok(Err(format!("{} does not run", task.arn))),
            }
        }
        Ok(Ok(addresses))
    }

    /// For CodeDeploy the time is over. ECS calls again, until it is over by the revision's tag.
    async fn not_ready(&self, hook: &Hook<'_>, smoke: &Smoke, why: String) -> anyhow::Result<Outcome> {
        if let Caller::CodeDeploy { .. } = hook.caller {
            return Ok(Outcome::Failed(why));
        }
        let revision = self.aws.revision(hook.revision).await?;
        let revision = revision.with_context(|| format!("ECS does not know {}", hook.revision))?;
        let deployment = hook.deployment.rsplit('/').next().unwrap_or_default();
        let now = self.aws.now();
        let mine = format!("{} {deployment} ", hook.event);
        let since = revision.tag(WAITING).and_then(|value| value.strip_prefix(&mine));
        match since.and_then(|since| since.parse::<Timestamp>().ok()) {
            None => {
                self.aws.tag(hook.revision, &[(WAITING, format!("{mine}{now}"))]).await?;
                Ok(Outcome::Pending(why))
            }
            Some(since) if now.duration_since(since).unsigned_abs() < smoke.within => {
                Ok(Outcome::Pending(why))
            }
            Some(since) => Ok(Outcome::Failed(format!("not ready since {since}, {why}"))),
        }
    }
}

/// A little earlier, so that what is late is told by its name, and not as the whole check.
fn before(end: Instant) -> Instant {
    let spare = end.saturating_duration_since(Instant::now()) / 10;
    end.checked_sub(spare.min(Duration::from_secs(1))).unwrap_or(end)
}

/// How the revision's image may call itself.
fn of_revision(revision: &Revision, hook: &Hook<'_>) -> Deployed {
    let release = &revision.release;
    let rules = hook.service.images.iter();
    let image = rules.filter_map(|rule| revision.container(&rule.container)).map(|c| &c.image).next();
    Deployed {
        digest: release.digest.clone().or_else(|| image.and_then(|image| image.digest.clone())),
        tag: release.tag.clone().or_else(|| image.and_then(|image| image.tag.clone())),
    }
}
