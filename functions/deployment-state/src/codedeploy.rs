//! The facts about a deployment of CodeDeploy: the release and its rollback, whichever of the
//! two an event was about.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::{try_join, try_join3};
use jiff::Timestamp;
use shared::aws::{Alarm, Aws, Described, Group, Origin, Target};
use shared::config::{Engine, Service};
use shared::events::deployment::Change;
use shared::release::{State, reason};
use shared::revision::Revision;
use tokio::time::Instant;

use crate::DeploymentState;
use crate::decide::{Facts, Release, Rollback};

/// CodeDeploy makes its rollback a moment after the end of what it rolls back.
const LAG: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_secs(1);

/// The lifecycle event with which all traffic has moved.
const ALL_TRAFFIC: &str = "AllowTraffic";

/// A release and what takes it back.
struct Pair {
    release: Described,
    rollback: Option<Described>,
    group: Group,
}

impl DeploymentState {
    /// None if CodeDeploy does not know the deployment (any more).
    pub(crate) async fn codedeploy<'a>(
        &self,
        service: &'a Service,
        id: &str,
        change: Change,
    ) -> anyhow::Result<Option<Facts<'a>>> {
        let Engine::CodeDeploy { application, group } = &service.engine else { return Ok(None) };
        let aws = self.aws();
        let (described, group) =
            try_join(aws.described(id), aws.deployment_group(application, group)).await?;
        let Some(described) = described else { return Ok(None) };
        let pair = Pair::of(aws, described, group).await?;
        let alarms = all_alarms(aws, service, &pair.group);
        let (release, alarms) = try_join(release(aws, service, &pair), alarms).await?;
        let (release, live) = release;
        let pair = if lacks_a_rollback(&pair, &release, &live) { pair.waited(aws).await? } else { pair };
        let rollback = match &pair.rollback {
            Some(described) => Some(rollback(aws, service, described, &release.revision).await?),
            None => None,
        };
        let superseded = pair.is_superseded();
        let reds = aws.reds(&alarms, release.began).await?;
        let now = aws.now();
        Ok(Some(Facts { now, service, change, release, rollback, superseded, live, alarms, reds }))
    }
}

impl Pair {
    async fn of(aws: &Aws, described: Described, group: Group) -> anyhow::Result<Self> {
        let other = match (described.origin, &described.rolls_back, &described.rolled_back_by) {
            (Origin::Rollback, Some(id), _) | (Origin::Release, _, Some(id)) => aws.described(id).await?,
            (Origin::Rollback | Origin::Release, ..) => None,
        };
        let (release, rollback) = match (described.origin, other) {
            (Origin::Rollback, Some(release)) => (release, Some(described)),
            (Origin::Rollback | Origin::Release, other) => (described, other),
        };
        let pair = Self { release, rollback, group };
        if pair.rollback.is_none() { pair.with_ours(aws).await } else { Ok(pair) }
    }

    /// With the rollback that Sluice made of this release: CodeDeploy does not connect the two.
    async fn with_ours(self, aws: &Aws) -> anyhow::Result<Self> {
        let last = self.group.last_attempted.as_ref().map(|last| &last.id);
        let Some(last) = last.filter(|id| **id != self.release.deployment.id) else { return Ok(self) };
        let is_of_this = |last: &Described| last.rolls_back.as_ref() == Some(&self.release.deployment.id);
        let rollback = aws.described(last).await?.filter(is_of_this);
        Ok(Self { rollback, ..self })
    }

    /// With CodeDeploy's own rollback, if it makes one in a moment.
    async fn waited(self, aws: &Aws) -> anyhow::Result<Self> {
        let end = Instant::now() + LAG;
        while Instant::now() < end {
            tokio::time::sleep(LOOK).await;
            let Some(release) = aws.described(&self.release.deployment.id).await? else { break };
            if let Some(id) = &release.rolled_back_by {
                return Ok(Self { rollback: aws.described(id).await?, ..self });
            }
        }
        Ok(self)
    }

    fn is_superseded(&self) -> bool {
        let known = [Some(&self.release), self.rollback.as_ref()];
        let is_known = |id: &str| known.iter().flatten().any(|known| known.deployment.id == id);
        self.group.last_attempted.as_ref().is_some_and(|last| !is_known(&last.id))
    }
}

fn lacks_a_rollback(pair: &Pair, release: &Release, live: &Revision) -> bool {
    let rejected = matches!(release.state, State::Rejected(_));
    let takes_traffic = release.serves || live.arn == release.revision.arn;
    rejected && takes_traffic && pair.rollback.is_none() && !pair.is_superseded()
}

/// The release, and what serves now.
async fn release(aws: &Aws, service: &Service, pair: &Pair) -> anyhow::Result<(Release, Revision)> {
    let Pair { release, .. } = pair;
    let deployment = &release.deployment;
    let revision = async { revision(aws, &aws.deployed_revision(release).await?).await };
    let live = async {
        let ecs = aws.service(&service.cluster, &service.service).await?;
        let ecs = ecs.with_context(|| format!("ECS has no {}/{}", service.cluster, service.service))?;
        let live = self::revision(aws, &ecs.revision).await?;
        anyhow::Ok((ecs, live))
    };
    let (revision, (ecs, live), target) = try_join3(revision, live, target(aws, service, release)).await?;
    let is_there = ecs.serving.iter().any(|set| set.made_by.as_ref() == Some(&deployment.id));
    let asked = deployment.digest.clone().zip(deployment.repository.clone());
    let release = Release {
        id: deployment.id.clone(),
        state: deployment.state.clone(),
        began: release.created,
        ended: release.ended,
        live_at: target.as_ref().and_then(moved),
        reason: release.description.as_deref().and_then(reason).map(str::to_owned),
        error: release.error.clone(),
        // A rollback of something unknown is nobody's release.
        asked: asked.filter(|_| release.origin == Origin::Release),
        revision,
        serves: is_there && target.is_some_and(|target| target.green_serves),
    };
    Ok((release, live))
}

async fn rollback(
    aws: &Aws,
    service: &Service,
    described: &Described,
    taken_back: &Revision,
) -> anyhow::Result<Rollback> {
    // Only Sluice's own says what it rolls back in its description.
    let target_of = async {
        if described.description.is_some() {
            aws.deployed_revision(described).await.map(Some)
        } else {
            Ok(taken_back.release.replaces.clone())
        }
    };
    let (to, target) = try_join(target_of, target(aws, service, described)).await?;
    Ok(Rollback {
        id: described.deployment.id.clone(),
        state: described.deployment.state.clone(),
        began: described.created,
        ended: described.ended,
        traffic_back: target.as_ref().and_then(moved),
        target: to,
        error: described.error.clone(),
    })
}

async fn target(aws: &Aws, service: &Service, described: &Described) -> anyhow::Result<Option<Target>> {
    aws.target(&described.deployment.id, &service.cluster, &service.service).await
}

fn moved(target: &Target) -> Option<Timestamp> {
    target.events.iter().find(|event| event.name == ALL_TRAFFIC)?.ended
}

pub(crate) async fn revision(aws: &Aws, arn: &str) -> anyhow::Result<Revision> {
    aws.revision(arn).await?.with_context(|| format!("ECS does not know {arn}"))
}

async fn all_alarms(aws: &Aws, service: &Service, group: &Group) -> anyhow::Result<Vec<Alarm>> {
    let mut names = service.alarms.clone();
    names.extend(group.alarms.iter().cloned());
    names.sort();
    names.dedup();
    aws.alarms(&names).await
}
