//! One service and the image: facts are gathered, a decision is made, and if it says so
//! the deployment is started.
//!
//! Four round trips one after the other, whatever runs beside them: manifest and service;
//! the image, the service's revision, what was tried, alarms; registering the next revision
//! and making sure of the way back; the deployment.

use std::pin::pin;

use futures_util::future::{
    Either, OptionFuture, join, join4, maybe_done, select, try_join, try_join3, try_join5,
};
use jiff::Timestamp;
use shared::aws::{Alarm, Aws, EcsService, Group, Image, Page, Scan};
use shared::config::{Engine, ImageRule, Service};
use shared::events::ecr::Cause;
use shared::image::Platform;
use shared::release::Deployment;
use shared::revision::{Revision, short_arn};
use shared::way_back::{WayBack, way_back};

use crate::decide::{Decision, Facts, Nothing, Refuse, Running, Start, decide, order_is_open};
use crate::history::History;
use crate::image::PushedImage;
use crate::start;

/// A service that takes images of the repository.
pub struct Target<'a> {
    pub aws: &'a Aws,
    pub service: &'a Service,
    /// Its rules for the repository; at least one.
    pub rules: Vec<&'a ImageRule>,
    pub image: &'a PushedImage<'a>,
    pub cause: Cause,
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

impl From<Nothing> for Outcome {
    fn from(nothing: Nothing) -> Self {
        Decision::from(nothing).into()
    }
}

impl From<Refuse> for Outcome {
    fn from(refuse: Refuse) -> Self {
        Decision::from(refuse).into()
    }
}

/// What the first round trip tells of the service.
struct Seen {
    ecs: EcsService,
    /// The newest deployments, where CodeDeploy keeps them.
    page: Page,
}

/// What takes longer, and is waited for only before a start.
type Late = (Option<Platform>, anyhow::Result<Vec<Deployment>>);

impl Target<'_> {
    pub async fn release(&self) -> anyhow::Result<Outcome> {
        let (manifest, seen) = try_join(self.image.manifest(), self.look()).await?;
        let mut facts = Facts {
            hook: self.hook,
            now: self.aws.now(),
            cause: self.cause,
            service: self.service,
            rules: &self.rules,
            image: None,
            scan: None,
            running: None,
            way_back: None,
            platform: None,
        };
        let Some(manifest) = manifest else { return Ok(decide(&facts).into()) };
        let history = self.history();
        let next = seen.as_ref().and_then(|seen| seen.page.next.clone());
        let mut late = pin!(maybe_done(join(self.image.platform(), history.rest(next, self.image))));
        let running = OptionFuture::from(seen.map(|seen| self.running(seen, &history)));
        let running = async { running.await.transpose() };
        let now = pin!(try_join3(running, self.scan(), self.image.described()));
        let (running, scan, image) = match select(now, late.as_mut()).await {
            Either::Left((now, _)) => now?,
            Either::Right(((), now)) => now.await?,
        };
        (facts.now, facts.running, facts.scan) = (self.aws.now(), running, scan);
        facts.image = image.map(|image| (image, &manifest.pushed));
        if let (true, Some(running)) = (order_is_open(&facts), &facts.running) {
            facts.way_back = Some(self.way_back(&running.current).await?);
        }
        match (decide(&facts), image) {
            (Decision::Start(start), Some(image)) => {
                let late = async {
                    late.as_mut().await;
                    late.take_output()
                };
                self.start(facts, &start, image, late).await
            }
            (other, _) => Ok(other.into()),
        }
    }

    /// The container whose image tells what is live and what was deployed.
    fn container(&self) -> &str {
        self.rules.first().map_or("", |rule| &rule.container)
    }

    fn history(&self) -> History<'_> {
        History { aws: self.aws, service: self.service, container: self.container(), time: self.time }
    }

    async fn way_back(&self, live: &Revision) -> anyhow::Result<WayBack> {
        way_back(self.aws, live, &self.service.images, self.container()).await
    }

    async fn look(&self) -> anyhow::Result<Option<Seen>> {
        let described = self.aws.service(&self.service.cluster, &self.service.service);
        let (ecs, page) = try_join(described, self.history().newest()).await?;
        Ok(ecs.map(|ecs| Seen { ecs, page }))
    }

    async fn scan(&self) -> anyhow::Result<Option<&Scan>> {
        if self.service.scan.is_some() { self.image.scan().await } else { Ok(None) }
    }

    async fn group(&self) -> anyhow::Result<Option<Group>> {
        match &self.service.engine {
            Engine::CodeDeploy { application, group } => {
                self.aws.deployment_group(application, group).await.map(Some)
            }
            Engine::Ecs => Ok(None),
        }
    }

    async fn running(&self, seen: Seen, history: &History<'_>) -> anyhow::Result<Running> {
        let Seen { ecs, page } = seen;
        let family = short_arn(&ecs.revision).rsplit_once(':').map_or("", |(family, _)| family);
        let mut alarms = self.service.alarms.clone();
        alarms.extend(ecs.alarms.clone());
        alarms.sort();
        alarms.dedup();
        let (current, newest, deployments, alarms, group) = try_join5(
            self.aws.revision(&ecs.revision),
            self.aws.revision(family),
            history.read(&page.ids),
            self.aws.alarms(&alarms),
            self.group(),
        )
        .await?;
        let Some(current) = current else {
            anyhow::bail!("ECS does not know {}, which the service runs", ecs.revision)
        };
        let mut running = Running { ecs, current, newest, group, deployments, alarms };
        let unlisted = self.unlisted(&running).await?;
        running.deployments.extend(unlisted);
        Ok(running)
    }

    /// The group's last deployment, where the list lags behind: a round trip more, but then
    /// one is most likely active, and nothing starts.
    async fn unlisted(&self, running: &Running) -> anyhow::Result<Vec<Deployment>> {
        let is_listed = |id: &&String| running.deployments.iter().any(|deployment| deployment.id == **id);
        let attempts = running.group.iter().flat_map(|group| &group.last_attempted);
        let last = attempts.map(|attempt| &attempt.id);
        let last: Vec<_> = last.filter(|id| !is_listed(id)).cloned().collect();
        self.aws.deployments(&last).await
    }

    /// Alarms of the deployment group that the configuration does not name.
    async fn group_alarms(&self, running: &Running) -> anyhow::Result<Vec<Alarm>> {
        let is_read = |name: &&String| running.alarms.iter().any(|alarm| alarm.name == **name);
        let names = running.group.iter().flat_map(|group| &group.alarms);
        let names: Vec<_> = names.filter(|name| !is_read(name)).cloned().collect();
        self.aws.alarms(&names).await
    }

    /// Registers while the way back is made sure of: a revision alone changes nothing.
    async fn start(
        &self,
        mut facts: Facts<'_>,
        start: &Start,
        image: &Image,
        late: impl Future<Output = Option<Late>>,
    ) -> anyhow::Result<Outcome> {
        let Some(mut running) = facts.running.take() else { return Ok(decide(&facts).into()) };
        let registry = self.aws.registry(&image.registry_id);
        let image = format!("{registry}/{}@{}", self.image.repository, start.release.digest);
        let images: Vec<_> = start.containers.iter().map(|name| (name.as_str(), image.clone())).collect();
        let rendered = match running.current.next(&images, &start.release) {
            Ok(rendered) => rendered,
            Err(e) => return Ok(Decision::from(Refuse::Unrenderable(e.to_string())).into()),
        };
        let known = facts.way_back.take();
        let way_back = async {
            match known {
                None => self.way_back(&running.current).await,
                Some(known) => Ok(known),
            }
        };
        let register = start::revision(self.aws, &running, &rendered);
        let (revision, way_back, alarms, late) =
            join4(register, way_back, self.group_alarms(&running), late).await;
        let (platform, rest) = late.unwrap_or((None, Ok(Vec::new())));
        running.alarms.extend(alarms?);
        running.deployments.extend(rest?);
        (facts.now, facts.way_back, facts.platform) = (self.aws.now(), Some(way_back?), platform);
        facts.running = Some(running);
        match (decide(&facts), &facts.running) {
            (Decision::Start(start), Some(running)) => self.deploy(start, running, &revision?).await,
            (other, _) => Ok(other.into()),
        }
    }
}
