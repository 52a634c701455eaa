//! The effects: a revision for the image, and its deployment. Each is safe to repeat.

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use shared::appspec::appspec;
use shared::aws::{Aws, Created, Order, Pace};
use shared::config::Engine;
use shared::release::description;
use shared::revision::{Rendered, Verdict, short_arn};

use crate::decide::{Decision, Nothing, Refuse, Running, Start, Wait};
use crate::target::{Outcome, Target};

/// As many revisions of a family as may be registered at the same moment.
const AT_ONCE: u64 = 10;

/// The ARN of a revision that is `rendered`: the newest of its family if it is that already.
///
/// Of two that were registered at the same moment for the same release, both callers take
/// the older: rolling a service twice to one revision is one deployment.
pub async fn revision(aws: &Aws, running: &Running, rendered: &Rendered) -> anyhow::Result<String> {
    if let Some(newest) = running.newest.iter().find(|newest| newest.is_already(rendered)) {
        return Ok(newest.arn.clone());
    }
    let arn = aws.register(rendered).await?;
    let (family, number) = short_arn(&arn).rsplit_once(':').context("the new revision has no number")?;
    let seen = running.newest.as_ref().unwrap_or(&running.current).number().unwrap_or_default();
    let number: u64 = number.parse()?;
    // Numbers between may also be of revisions deregistered long ago: thousands, in some families.
    let between = number.saturating_sub(AT_ONCE).max(seen + 1)..number;
    let others = try_join_all(between.map(|n| {
        let name = format!("{family}:{n}");
        async move { aws.revision(&name).await }
    }));
    let twin = others.await?.into_iter().flatten().find(|other| other.is_already(rendered));
    Ok(twin.map_or(arn, |twin| twin.arn))
}

impl Target<'_> {
    pub(crate) async fn deploy(
        &self,
        start: Start,
        running: &Running,
        revision: &str,
    ) -> anyhow::Result<Outcome> {
        match &self.service.engine {
            Engine::CodeDeploy { application, group } => {
                self.by_codedeploy(start, running, revision, application, group).await
            }
            Engine::Ecs => self.by_ecs(start, running, revision).await,
        }
    }

    /// ECS has no lock: what the decision was made on is looked at once more.
    async fn by_ecs(&self, start: Start, running: &Running, revision: &str) -> anyhow::Result<Outcome> {
        let (cluster, service) = (&self.service.cluster, &self.service.service);
        let now = self.aws.service(cluster, service).await?;
        let now = now.with_context(|| format!("{cluster}/{service} was deleted meanwhile"))?;
        let started = short_arn(revision).to_owned();
        if now.revision == revision {
            return Ok(Decision::from(Nothing::AlreadyInProgress { deployment: started }).into());
        }
        ensure!(
            now.revision == running.ecs.revision,
            "{cluster}/{service} was changed to {} meanwhile; the event is to be delivered again",
            short_arn(&now.revision)
        );
        let runs = self.aws.roll(cluster, service, &now, revision).await?;
        let between = runs.iter().find(|arn| *arn != revision && **arn != now.revision);
        if let Some(newer) = between
            && let Some(pushed_at) = self.newer(newer, &start).await?
        {
            // Another image was rolled out since that look: it was pushed later, and stays.
            self.aws.roll(cluster, service, &now, newer).await?;
            let (pushed_at, live_pushed_at) = (start.release.pushed_at, pushed_at);
            return Ok(Decision::from(Nothing::OlderThanLive { pushed_at, live_pushed_at }).into());
        }
        Ok(Outcome { decision: Decision::Start(start), started: Some(started) })
    }

    /// When the image of a revision was pushed, if it is a release that is newer than this one.
    async fn newer(&self, revision: &str, than: &Start) -> anyhow::Result<Option<Timestamp>> {
        let Some(other) = self.aws.revision(revision).await? else { return Ok(None) };
        let release = other.release;
        let stands = release.digest.is_some() && release.verdict != Some(Verdict::Rejected);
        Ok(release.pushed_at.filter(|at| stands && *at > than.release.pushed_at))
    }

    async fn by_codedeploy(
        &self,
        start: Start,
        running: &Running,
        revision: &str,
        application: &str,
        group: &str,
    ) -> anyhow::Result<Outcome> {
        let Some((container, port)) = &running.ecs.load_balanced else {
            return Ok(Decision::from(Refuse::NoLoadBalancer).into());
        };
        let events = self.service.checks.lifecycle_events();
        let hooks: Vec<_> = events.into_iter().zip(self.hook.into_iter().cycle()).collect();
        let order = Order {
            application,
            group,
            content: appspec(revision, container, *port, &running.ecs.placement, &hooks),
            description: description(self.image.repository, &start.release.digest, &start.to_string()),
            pace: Pace::Group,
        };
        match self.aws.create_deployment(&order).await? {
            Created::Deployment(id) => Ok(Outcome { decision: Decision::Start(start), started: Some(id) }),
            Created::Busy => self.busy(&start, application, group).await,
        }
    }

    /// CodeDeploy is the lock: somebody else was first, perhaps with the same image.
    async fn busy(&self, start: &Start, application: &str, group: &str) -> anyhow::Result<Outcome> {
        let active = self.aws.active_deployment(application, group).await?;
        let active = active.with_context(|| {
            format!("{application}/{group} refused a second deployment, and the first has just ended")
        })?;
        let decision: Decision = if active.is_of(self.image.repository, &start.release.digest) {
            Nothing::AlreadyInProgress { deployment: active.id }.into()
        } else {
            Wait::ActiveDeployment { id: active.id }.into()
        };
        Ok(decision.into())
    }
}
