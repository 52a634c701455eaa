//! The facts about the newest deployment of a service under the ECS controller.
//!
//! What ECS rolls back by itself is one deployment with it; what Sluice rolls back is one more,
//! back to a revision that is older than what it replaces.

use anyhow::Context as _;
use futures_util::future::try_join3;
use jiff::{SignedDuration, Timestamp};
use shared::aws::{Aws, ServiceDeployment, ServiceDeploymentDetail};
use shared::config::Service;
use shared::events::deployment::Change;
use shared::release::State;
use shared::revision::Revision;

use crate::DeploymentState;
use crate::codedeploy::revision;
use crate::decide::{Facts, Release, Rollback};

/// ECS keeps no more.
const HISTORY: SignedDuration = SignedDuration::from_hours(90 * 24);

impl DeploymentState {
    /// None if ECS keeps no deployment of the service.
    pub(crate) async fn ecs<'a>(
        &self,
        service: &'a Service,
        change: Change,
    ) -> anyhow::Result<Option<Facts<'a>>> {
        let (aws, cluster, name) = (self.aws(), &service.cluster, &service.service);
        let ecs = aws.service(cluster, name).await?;
        let ecs = ecs.with_context(|| format!("ECS has no {cluster}/{name}"))?;
        let since = aws.now().checked_sub(HISTORY).unwrap_or(Timestamp::MIN);
        let all = aws.service_deployments_since(cluster, name, since).await?;
        let Some(brief) = all.iter().max_by_key(|deployment| deployment.created) else { return Ok(None) };
        let Some(newest) = aws.service_deployment(brief).await? else { return Ok(None) };
        let mut alarms = service.alarms.clone();
        alarms.extend(ecs.alarms.iter().cloned());
        alarms.sort();
        alarms.dedup();
        let deployed = deployed(aws, &newest);
        let (live, (brought, before), alarms) =
            try_join3(revision(aws, &ecs.revision), deployed, aws.alarms(&alarms)).await?;
        let is_new = before.is_some();
        let (mut release, rollback) = match before.filter(|before| goes_back(&brought, &before.revision)) {
            Some(before) => taken_back(&all, newest, brought, before),
            None => release(aws, newest, brought).await?,
        };
        if !is_new {
            // The same revision once more, as after a change of something else.
            release.asked = None;
        }
        let reds = aws.reds(&alarms, release.began).await?;
        let (now, superseded) = (aws.now(), false);
        Ok(Some(Facts { now, service, change, release, rollback, superseded, live, alarms, reds }))
    }
}

/// What ran before a deployment.
struct Before {
    /// ARN.
    service_revision: String,
    revision: Revision,
}

/// The revision that a deployment brings, and the newest other that ran before, if there was one.
async fn deployed(
    aws: &Aws,
    deployment: &ServiceDeploymentDetail,
) -> anyhow::Result<(Revision, Option<Before>)> {
    let of =
        async |service_revision: &str| revision(aws, &aws.task_definition_of(service_revision).await?).await;
    let target = deployment.brief.target.as_deref().context("ECS does not say what it deploys")?;
    let brought = of(target).await?;
    let mut before = None;
    for source in &deployment.sources {
        let ran = Before { service_revision: source.clone(), revision: of(source).await? };
        let is_newer = before.as_ref().is_none_or(|b: &Before| b.revision.number() < ran.revision.number());
        before = if ran.revision.arn != brought.arn && is_newer { Some(ran) } else { before };
    }
    Ok((brought, before))
}

/// Back to what is older than a release of Sluice.
fn goes_back(brought: &Revision, before: &Revision) -> bool {
    before.release.digest.is_some()
        && brought.family() == before.family()
        && brought.number() < before.number()
}

/// A release that was taken back by a deployment of its own.
fn taken_back(
    all: &[ServiceDeployment],
    by: ServiceDeploymentDetail,
    brought: Revision,
    before: Before,
) -> (Release, Option<Rollback>) {
    let Before { service_revision, revision: before } = before;
    let of_before = all.iter().find(|one| one.target.as_ref() == Some(&service_revision));
    let brief = of_before.cloned().unwrap_or_else(|| ServiceDeployment {
        // ECS does not keep it any more: it had succeeded when it was taken back.
        arn: before.short().to_owned(),
        state: State::Succeeded,
        ended: None,
        ..by.brief.clone()
    });
    let rollback = Rollback {
        id: by.brief.arn.clone(),
        state: by.brief.state.clone(),
        began: by.brief.created,
        ended: by.brief.ended,
        traffic_back: by.brief.ended,
        target: Some(brought.arn),
        error: by.reason,
    };
    (narrowed(&brief, None, before), Some(rollback))
}

async fn release(
    aws: &Aws,
    newest: ServiceDeploymentDetail,
    brought: Revision,
) -> anyhow::Result<(Release, Option<Rollback>)> {
    let ServiceDeploymentDetail { mut brief, rollback, reason, status, .. } = newest;
    let state = brief.state.clone();
    let begun = rollback.as_ref().and_then(|rollback| rollback.began);
    let (Some(back), Some(began)) = (rollback, begun) else {
        return Ok((narrowed(&brief, reason, brought), None));
    };
    // ECS's word is of both together.
    let ended = brief.ended;
    brief.state = State::Rejected("failed".to_owned());
    brief.ended = Some(began);
    let target = match &back.target {
        Some(target) => Some(aws.task_definition_of(target).await?),
        None => None,
    };
    let rollback = Rollback {
        id: brief.arn.clone(),
        state: if status == "ROLLBACK_SUCCESSFUL" { State::Succeeded } else { state },
        began,
        ended,
        traffic_back: ended,
        target,
        error: reason.clone(),
    };
    Ok((narrowed(&brief, back.reason.or(reason), brought), Some(rollback)))
}

fn narrowed(brief: &ServiceDeployment, error: Option<String>, revision: Revision) -> Release {
    let tags = &revision.release;
    let repository = tags.digest.as_ref().and_then(|digest| {
        let mut images = revision.containers.iter().map(|container| &container.image);
        images.find(|image| image.digest.as_ref() == Some(digest)).map(|image| image.repository.clone())
    });
    let pushed = tags.pushed_at.map_or(String::new(), |at| format!(" pushed {at}"));
    Release {
        id: brief.arn.clone(),
        state: brief.state.clone(),
        began: brief.created,
        ended: brief.ended,
        live_at: brief.ended,
        reason: tags.tag.as_ref().map(|tag| format!("tag {tag}{pushed}")),
        error,
        asked: tags.digest.clone().zip(repository),
        revision,
        // What serves is the PRIMARY deployment's revision.
        serves: false,
    }
}
