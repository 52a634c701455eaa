//! What is asked of AWS before anything is decided: one round trip, most often.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::{try_join, try_join3};
use jiff::{SignedDuration, Timestamp};
use shared::aws::{Alarm, AlarmState, Attempt, Aws, Controller, EcsService, Origin, Serving};
use shared::config::{Engine, Service};
use shared::events::alarm::Change;
use shared::release::State;
use shared::revision::Verdict;

use crate::decide::{AlarmFacts, Facts, Last};

/// Deployments of the ECS controller are looked at as far back as the watch may reach, and
/// as long as one may take.
const LONGEST: SignedDuration = SignedDuration::from_hours(72);

/// How far apart ECS may date a deployment and what it does to the service.
const APART: SignedDuration = SignedDuration::from_secs(5);

/// What was found, and what acting needs of it.
pub struct Found {
    pub facts: Facts,
    pub ecs: EcsService,
}

impl Found {
    /// None if ECS has no such service.
    pub async fn look(aws: &Aws, service: &Service, change: &Change) -> anyhow::Result<Option<Self>> {
        let names = [change.alarm.clone()];
        let (alarms, ecs, last) = try_join3(
            aws.alarms(&names),
            aws.service(&service.cluster, &service.service),
            last(aws, service, change.at),
        )
        .await?;
        let alarm = alarms.first().context("DescribeAlarms gave no answer")?;
        let Some(ecs) = ecs else { return Ok(None) };
        let last = last.map(|last| Last { origin: last.origin.or_else(|| origin(&last, &ecs)), ..last });
        let alarm = alarm_facts(alarm, change, aws.now());
        Ok(Some(Self { facts: Facts { alarm, last, watch: service.watch }, ecs }))
    }

    /// Whether ECS's list of deployments is older than what it says of the service: what serves
    /// was started after the last deployment of the list had ended.
    pub fn is_behind(&self) -> bool {
        let ended = self.facts.last.as_ref().and_then(|last| last.ended);
        let is_ecs = self.ecs.controller == Controller::Ecs;
        is_ecs && ended.zip(self.ecs.serving_since).is_some_and(|(ended, since)| since > ended)
    }

    /// Asks for the origin of the last deployment: a round trip.
    pub async fn find_origin(&mut self, aws: &Aws, service: &Service) -> anyhow::Result<()> {
        let Some(last) = &mut self.facts.last else { return Ok(()) };
        last.origin = Some(match service.engine {
            Engine::CodeDeploy { .. } => match aws.described(&last.id).await? {
                Some(described) => described.origin,
                None => anyhow::bail!("CodeDeploy has no deployment {} any more", last.id),
            },
            Engine::Ecs => ecs_origin(aws, &self.ecs).await?,
        });
        Ok(())
    }

    /// Whether what ECS says of the service is older than its list of deployments: it does not
    /// know the one that is active.
    fn is_ahead(&self) -> bool {
        let release = |last: &&Last| last.state == State::Active && last.origin != Some(Origin::Rollback);
        let began = self.facts.last.as_ref().filter(release).map(|last| last.began);
        began.zip(self.ecs.serving_since).is_some_and(|(began, since)| began.duration_since(since) > APART)
    }

    /// ARN of the revision that the last deployment brings or brought; none before CodeDeploy
    /// has made its task set, or where ECS does not tell yet.
    pub fn brought(&self) -> Option<&str> {
        let last = self.facts.last.as_ref()?;
        let mut made = self.ecs.serving.iter().filter(|set| set.made_by.as_ref() == Some(&last.id));
        match self.ecs.controller {
            Controller::Ecs if self.is_ahead() => None,
            // PRIMARY is what is being deployed.
            Controller::Ecs => Some(&self.ecs.revision),
            Controller::CodeDeploy | Controller::External => made.next().map(|set| set.revision.as_str()),
        }
    }
}

/// The event says when the alarm went red, and AWS whether there is such an alarm, whether
/// it is red now, and whether it is muted.
pub fn alarm_facts(alarm: &Alarm, change: &Change, now: Timestamp) -> AlarmFacts {
    let mut reds = vec![change.at];
    reds.extend(alarm.changed.filter(|_| alarm.state == AlarmState::Alarm));
    let by_rule = change.muted.as_ref().filter(|mute| mute.until.is_none_or(|until| now < until));
    let by_rule = by_rule.map(|mute| format!("by {}", mute.by));
    AlarmFacts {
        exists: alarm.state != AlarmState::Missing,
        reds,
        is_red: alarm.state == AlarmState::Alarm,
        muted: by_rule.or_else(|| alarm.muted.clone()),
    }
}

async fn last(aws: &Aws, service: &Service, red: Timestamp) -> anyhow::Result<Option<Last>> {
    match &service.engine {
        Engine::CodeDeploy { application, group } => by_codedeploy(aws, application, group).await,
        Engine::Ecs => by_ecs(aws, service, red).await,
    }
}

/// The group's own memory of its last deployment has what a stop needs, and the list of the
/// active ones what the group may not know yet.
async fn by_codedeploy(aws: &Aws, application: &str, group: &str) -> anyhow::Result<Option<Last>> {
    let (known, active) =
        try_join(aws.deployment_group(application, group), aws.active_ids(application, group)).await?;
    let last = known.last_attempted.map(|Attempt { id, state, created, ended }| Last {
        id,
        state,
        began: created,
        ended,
        origin: None,
    });
    match active.into_iter().find(|id| last.as_ref().is_none_or(|last| last.id != *id)) {
        // One is active, and it is not the last that the group remembers: which is the newer?
        Some(id) if last.as_ref().is_none_or(|last| last.state != State::Active) => {
            let Some(described) = aws.described(&id).await? else { return Ok(last) };
            let newer = last.as_ref().is_none_or(|last| last.began <= described.created);
            Ok(if newer && described.deployment.state == State::Active {
                Some(Last {
                    id,
                    state: State::Active,
                    began: described.created,
                    ended: None,
                    origin: Some(described.origin),
                })
            } else {
                last
            })
        }
        _ => Ok(last),
    }
}

async fn by_ecs(aws: &Aws, service: &Service, red: Timestamp) -> anyhow::Result<Option<Last>> {
    let watch = SignedDuration::try_from(service.watch).unwrap_or(SignedDuration::MAX);
    let since = red.checked_sub(LONGEST.saturating_add(watch)).unwrap_or(Timestamp::MIN);
    let newest = aws.newest_service_deployment(&service.cluster, &service.service, since).await?;
    Ok(newest.map(|newest| Last {
        id: newest.arn,
        state: newest.state,
        began: newest.created,
        ended: newest.ended,
        // What Sluice rolls back is a deployment as any other to ECS.
        origin: (newest.origin == Origin::Rollback).then_some(Origin::Rollback),
    }))
}

/// What the task sets tell of the origin of an active deployment, without asking for it: a
/// release brings a newer revision than the one it replaces, a rollback an older one.
fn origin(last: &Last, ecs: &EcsService) -> Option<Origin> {
    if last.state != State::Active {
        return None;
    }
    let made = |set: &&Serving| set.made_by.as_deref() == Some(&last.id);
    let new = ecs.serving.iter().find(made)?;
    let (family, number) = family_and_number(&new.revision)?;
    let mut others = ecs.serving.iter().filter(|set| set.made_by.as_deref() != Some(&last.id));
    let newer = others
        .all(|old| family_and_number(&old.revision).is_some_and(|(other, n)| other == family && n < number));
    (newer && ecs.serving.len() > 1).then_some(Origin::Release)
}

fn family_and_number(revision: &str) -> Option<(&str, u64)> {
    let (family, number) = revision.rsplit_once(':')?;
    Some((family, number.parse().ok()?))
}

/// Under the ECS controller a rollback of Sluice is told by what it left: a newer revision
/// that was rejected.
async fn ecs_origin(aws: &Aws, ecs: &EcsService) -> anyhow::Result<Origin> {
    let Some((family, number)) = family_and_number(&ecs.revision) else { return Ok(Origin::Release) };
    let family = family.rsplit_once('/').map_or(family, |(_, family)| family);
    let newest = aws.revision(family).await?;
    let rejected = newest.is_some_and(|newest| {
        newest.release.verdict == Some(Verdict::Rejected)
            && newest.number().is_some_and(|newest| newest > number)
    });
    Ok(if rejected { Origin::Rollback } else { Origin::Release })
}

/// Waits before facts are gathered again: CodeDeploy's memory and ECS's list may lag.
pub const LAG: Duration = Duration::from_secs(1);
