//! The facts of each service: what all tell together, then only what that leaves open.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::bail;
use futures_util::future::{FutureExt, try_join};
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use shared::aws::{Alarm, AlarmState, Attempt, Aws, Described, EcsService, Group, Origin, Snapshots};
use shared::config::Service;
use shared::release::State;
use shared::revision::Revision;
use tokio::time::{Instant, timeout};

use crate::decide::{By, Facts, GRACE, Last, family_is_open, history_is_open, unsettled};
use crate::together::{Images, Together, words};
use crate::{SIDE_BY_SIDE, one_off};

/// ECS lets an account read so many task definitions, 20 a second; a release needs its own.
const PACE: Duration = Duration::from_millis(60);

/// One service must not keep the others waiting for longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service, and what of its facts could not be read.
pub struct Found<'a> {
    pub facts: Facts<'a>,
    pub troubles: Vec<String>,
}

/// What all of these services tell, side by side; of one that cannot be read, why.
pub async fn gather<'a>(
    aws: &Aws,
    snapshots: &Snapshots,
    services: &[&'a Service],
    images: &mut Images,
) -> Vec<(&'a Service, anyhow::Result<Found<'a>>)> {
    let together = Together::read(aws, services, images).await;
    let many = &Many { together, images };
    let began = Instant::now();
    let each = (0..).zip(services).map(|(n, service)| async move {
        tokio::time::sleep_until(began + PACE * n).await;
        let read = timeout(PATIENCE, many.of(aws, service)).await;
        read.unwrap_or_else(|_| bail!("not read within {PATIENCE:?}"))
    });
    let each: Vec<_> = each.map(FutureExt::boxed).collect();
    let each: Vec<_> = stream::iter(each).buffered(SIDE_BY_SIDE).collect().await;
    let mut found: Vec<_> = services.iter().copied().zip(each).collect();
    who_started(aws, &mut found).await;
    let hooks = found.iter_mut().filter_map(|(_, found)| found.as_mut().ok());
    let hooks = hooks.map(|found| async {
        let Found { facts, troubles } = found;
        let both = try_join(one_off::look(aws, snapshots, facts), one_off::left_over(aws, facts));
        match timeout(PATIENCE, both).await {
            Ok(Ok((hook, left_over))) => (facts.hook, facts.left_over) = (hook, left_over),
            Ok(Err(e)) => troubles.push(words(&e)),
            Err(_) => troubles.push(format!("its tasks were not read within {PATIENCE:?}")),
        }
    });
    let hooks: Vec<_> = hooks.map(FutureExt::boxed).collect();
    stream::iter(hooks).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<()>>().await;
    found
}

struct Many<'m> {
    together: Together,
    images: &'m Images,
}

impl Many<'_> {
    async fn of<'a>(&self, aws: &Aws, service: &'a Service) -> anyhow::Result<Found<'a>> {
        let mut troubles = Vec::new();
        let ecs = self.together.ecs(service)?;
        let live = aws.revision(&ecs.revision).await?;
        let Some(live) = live else { bail!("ECS does not know {}, which serves", ecs.revision) };
        let group = self.together.group(service)?;
        let (last, before) = match &group {
            Some(group) => lasts(group),
            None => (rollout(&ecs), None),
        };
        let alarms = self.alarms_of(service, &ecs, group.as_ref(), &mut troubles);
        let now = aws.now();
        let waiting = self.waiting(service, &ecs, &live, now, &mut troubles);
        let reds = alarms.iter().filter_map(|alarm| alarm.red(now)).collect();
        let (newest, hook, left_over) = (None, None, Vec::new());
        let mut facts =
            Facts { now, service, ecs, live, newest, last, before, alarms, reds, waiting, hook, left_over };
        if let Some(last) = facts.last.as_ref().filter(|_| history_is_open(&facts)) {
            match aws.reds(&facts.alarms, last.began).await {
                Ok(reds) => facts.reds = reds,
                Err(e) => troubles.push(words(&e)),
            }
        }
        if family_is_open(&facts) {
            facts.newest = aws.revision(facts.live.family()).await?;
        }
        Ok(Found { facts, troubles })
    }

    /// An alarm that nobody can read never counts as a green one.
    fn alarms_of(
        &self,
        service: &Service,
        ecs: &EcsService,
        group: Option<&Group>,
        troubles: &mut Vec<String>,
    ) -> Vec<Alarm> {
        let of_group = group.into_iter().flat_map(|group| &group.alarms);
        let names: BTreeSet<_> = service.alarms.iter().chain(&ecs.alarms).chain(of_group).collect();
        let each = names.into_iter().map(|name| match self.together.alarm(name) {
            Ok(alarm) => alarm,
            Err(e) => {
                troubles.push(words(&e));
                Alarm { name: name.clone(), state: AlarmState::Missing, changed: None, muted: None }
            }
        });
        let alarms = each.collect();
        troubles.dedup();
        alarms
    }

    fn waiting(
        &self,
        service: &Service,
        ecs: &EcsService,
        live: &Revision,
        now: Timestamp,
        troubles: &mut Vec<String>,
    ) -> Vec<image_push::Waiting> {
        let unread =
            service.images.iter().filter_map(|rule| self.images.get(&rule.repository)?.as_ref().err());
        troubles.extend(unread.cloned());
        let of = |repository: &str| match self.images.get(repository) {
            Some(Ok(images)) => images.as_slice(),
            Some(Err(_)) | None => &[],
        };
        image_push::waiting(service, ecs, live, of, GRACE, now)
    }
}

/// The last deployment of a group, and the last that succeeded where that is another.
fn lasts(group: &Group) -> (Option<Last>, Option<Last>) {
    let last = |attempt: &Attempt| Last {
        id: Some(attempt.id.clone()),
        state: attempt.state.clone(),
        began: attempt.created,
        ended: attempt.ended,
        by: None,
    };
    let (attempted, succeeded) = (&group.last_attempted, &group.last_succeeded);
    let others = succeeded.iter().filter(|s| attempted.as_ref().is_none_or(|a| a.id != s.id));
    (attempted.as_ref().map(last), others.map(last).next())
}

fn rollout(ecs: &EcsService) -> Option<Last> {
    let (rollout, began) = (ecs.rollout.as_ref()?, ecs.serving_since?);
    let ended = rollout.updated.filter(|_| rollout.state != State::Active);
    Some(Last { id: None, state: rollout.state.clone(), began, ended, by: None })
}

/// Who started the deployments that nobody has settled, or whose hooks may be overdue.
async fn who_started(aws: &Aws, found: &mut [(&Service, anyhow::Result<Found<'_>>)]) {
    let open = |found: &Found<'_>| -> Vec<String> {
        let with_hooks = one_off::is_open(&found.facts).into_iter();
        let all = unsettled(&found.facts).into_iter().chain(with_hooks);
        all.filter_map(|last| last.id.clone()).collect()
    };
    let ids: Vec<_> = found.iter().filter_map(|(_, found)| found.as_ref().ok()).flat_map(open).collect();
    let described = match starters(aws, &ids).await {
        Ok(described) => described,
        Err(e) => {
            let affected = found.iter_mut().filter_map(|(_, found)| found.as_mut().ok());
            affected.filter(|found| !open(found).is_empty()).for_each(|found| found.troubles.push(words(&e)));
            BTreeMap::new()
        }
    };
    for (_, found) in found {
        let Ok(Found { facts, .. }) = found else { continue };
        for last in facts.last.iter_mut().chain(&mut facts.before) {
            last.by = last.id.as_ref().and_then(|id| described.get(id)).copied();
        }
    }
}

/// Whose release each of these deployments is, or takes back.
async fn starters(aws: &Aws, ids: &[String]) -> anyhow::Result<BTreeMap<String, By>> {
    let described = aws.all_described(ids).await?;
    let by_codedeploy = |one: &&Described| one.origin == Origin::Rollback && one.description.is_none();
    let taken_back: Vec<_> =
        described.iter().filter(by_codedeploy).filter_map(|one| one.rolls_back.clone()).collect();
    let releases = aws.all_described(&taken_back).await?;
    let by = |one: &Described| match (&one.deployment.digest, one.origin) {
        (Some(_), _) => By::Sluice,
        (None, Origin::Rollback) if one.description.is_some() => By::Sluice,
        (None, Origin::Rollback | Origin::Release) => By::Others,
    };
    let of_release = |one: &Described| {
        let release = releases.iter().find(|release| Some(&release.deployment.id) == one.rolls_back.as_ref());
        release.map_or_else(|| by(one), by)
    };
    Ok(described.iter().map(|one| (one.deployment.id.clone(), of_release(one))).collect())
}
