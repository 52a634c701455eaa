//! One service and the image: facts are gathered, a decision is made, and if it says so
//! the deployment is started.
//!
//! Four round trips one after the other, whatever runs beside them: image and service; its
//! revision, what was tried, alarms; registering the next revision and making sure of the
//! way back; the deployment.

use std::pin::pin;

use futures_util::future::{Either, FutureExt as _, join3, select, try_join, try_join3, try_join4};
use jiff::{SignedDuration, Timestamp};
use shared::aws::{Aws, EcsService, Group, Scan};
use shared::config::{Engine, ImageRule, Service};
use shared::image::Platform;
use shared::release::Deployment;
use shared::revision::short_arn;

use crate::decide::{Decision, Facts, Refuse, Running, Start, decide, order_is_open};
use crate::image::{PushedImage, Read};
use crate::start;
use crate::way_back::way_back;

/// How far back deployments are looked through for this image. ECS keeps no more.
const HISTORY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A service that takes images of the repository.
pub struct Target<'a> {
    pub aws: &'a Aws,
    pub service: &'a Service,
    /// Its rules for the repository; at least one.
    pub rules: Vec<&'a ImageRule>,
    pub image: &'a PushedImage<'a>,
    /// When the event happened, as far as it says.
    pub time: Timestamp,
    /// The function that answers CodeDeploy's hooks.
    pub hook: Option<&'a str>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub decision: Decision,
    /// CodeDeploy's id, or the revision that the service is rolled to.
    pub started: Option<String>,
}

impl From<Decision> for Outcome {
    fn from(decision: Decision) -> Self {
        Self { decision, started: None }
    }
}

/// What the first round trip tells of the service.
struct Seen {
    ecs: Option<EcsService>,
    group: Option<Group>,
    deployment_ids: Vec<String>,
}

impl Target<'_> {
    pub async fn release(&self) -> anyhow::Result<Outcome> {
        let (read, seen) = try_join(self.image.read(), self.look()).await?;
        let mut facts = Facts {
            now: self.aws.now(),
            service: self.service,
            rules: &self.rules,
            image: read.map(|read| (&read.image, &read.pushed)),
            scan: None,
            running: None,
            way_back: None,
            platform: None,
        };
        let (Some(read), true) = (read, seen.ecs.is_some()) else { return Ok(decide(&facts).into()) };
        // Two round trips of its own: read beside the rest, waited for only before a start.
        let platform = self.image.platform().shared();
        let rest = pin!(try_join(self.running(seen, read.image.pushed_at), self.scan()));
        let (running, scan) = match select(rest, pin!(platform.clone())).await {
            Either::Left((rest, _)) => rest?,
            Either::Right((_, rest)) => rest.await?,
        };
        (facts.now, facts.running, facts.scan) = (self.aws.now(), running, scan);
        if let (true, Some(running)) = (order_is_open(&facts), &facts.running) {
            facts.way_back = Some(way_back(self.aws, &running.current, &self.rules).await?);
        }
        match decide(&facts) {
            Decision::Start(start) => self.start(facts, &start, read, platform).await,
            other => Ok(other.into()),
        }
    }

    /// From when on deployments are looked at.
    fn since(&self) -> Timestamp {
        self.time.checked_sub(HISTORY).unwrap_or(Timestamp::MIN)
    }

    async fn look(&self) -> anyhow::Result<Seen> {
        let described = self.aws.service(&self.service.cluster, &self.service.service);
        match &self.service.engine {
            Engine::CodeDeploy { application, group } => {
                let ids = self.aws.deployment_ids(application, group, self.since());
                let group = self.aws.deployment_group(application, group);
                let (ecs, group, deployment_ids) = try_join3(described, group, ids).await?;
                Ok(Seen { ecs, group: Some(group), deployment_ids })
            }
            Engine::Ecs => Ok(Seen { ecs: described.await?, group: None, deployment_ids: Vec::new() }),
        }
    }

    async fn scan(&self) -> anyhow::Result<Option<&Scan>> {
        if self.service.scan.is_some() { self.image.scan().await } else { Ok(None) }
    }

    async fn running(&self, seen: Seen, pushed_at: Timestamp) -> anyhow::Result<Option<Running>> {
        let Seen { ecs: Some(ecs), group, deployment_ids } = seen else { return Ok(None) };
        let family = short_arn(&ecs.revision).rsplit_once(':').map_or("", |(family, _)| family);
        let mut alarms = self.service.alarms.clone();
        alarms.extend(group.iter().flat_map(|group| group.alarms.clone()));
        alarms.extend(ecs.alarms.clone());
        alarms.sort();
        alarms.dedup();
        let (current, newest, deployments, alarms) = try_join4(
            self.aws.revision(&ecs.revision),
            self.aws.revision(family),
            self.deployments(deployment_ids, group.as_ref(), pushed_at),
            self.aws.alarms(&alarms),
        )
        .await?;
        let Some(current) = current else {
            anyhow::bail!("ECS does not know {}, which the service runs", ecs.revision)
        };
        Ok(Some(Running { ecs, current, newest, group, deployments, alarms }))
    }

    /// What was deployed since the image was pushed, at least.
    async fn deployments(
        &self,
        mut ids: Vec<String>,
        group: Option<&Group>,
        pushed_at: Timestamp,
    ) -> anyhow::Result<Vec<Deployment>> {
        let (cluster, service) = (&self.service.cluster, &self.service.service);
        match &self.service.engine {
            Engine::Ecs => {
                let container = self.rules.first().map_or("", |rule| &rule.container);
                self.aws.service_deployments(cluster, service, container, self.since()).await
            }
            Engine::CodeDeploy { application, group: name } => {
                if pushed_at < self.since() {
                    ids = self.aws.deployment_ids(application, name, pushed_at).await?;
                }
                // The list may lag behind; the group itself names the last one.
                let last = group.and_then(|group| group.last_attempted.clone());
                ids.extend(last.filter(|last| !ids.contains(last)).into_iter().collect::<Vec<_>>());
                self.aws.deployments(&ids).await
            }
        }
    }

    /// Registers while the way back is made sure of: a revision alone changes nothing.
    async fn start(
        &self,
        mut facts: Facts<'_>,
        start: &Start,
        read: &Read,
        platform: impl Future<Output = Option<Platform>>,
    ) -> anyhow::Result<Outcome> {
        let Some(running) = facts.running.take() else { return Ok(Outcome::from(decide(&facts))) };
        let image = format!("{}@{}", read.repository_uri, start.release.digest);
        let images: Vec<_> = start.containers.iter().map(|name| (name.as_str(), image.clone())).collect();
        let rendered = match running.current.next(&images, &start.release) {
            Ok(rendered) => rendered,
            Err(e) => return Ok(Decision::from(Refuse::Unrenderable(e.to_string())).into()),
        };
        let known = facts.way_back.take();
        let way_back = async {
            match known {
                None => way_back(self.aws, &running.current, &self.rules).await,
                Some(known) => Ok(known),
            }
        };
        let register = start::revision(self.aws, &running, &rendered);
        let (revision, way_back, platform) = join3(register, way_back, platform).await;
        (facts.now, facts.way_back, facts.platform) = (self.aws.now(), Some(way_back?), platform);
        facts.running = Some(running);
        match (decide(&facts), &facts.running) {
            (Decision::Start(start), Some(running)) => self.deploy(start, running, &revision?).await,
            (other, _) => Ok(other.into()),
        }
    }
}
