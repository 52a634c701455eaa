//! What there is to do for one service, from facts alone. Pure.
//!
//! What was done already, the tag `sluice:ended` says: on the revision that serves, or on the
//! newest of its family, which is the one that was taken back. So a service at rest is
//! recognized without looking at its deployments.

use image_push::Waiting;
use jiff::{SignedDuration, Timestamp};
use shared::aws::{Alarm, AlarmState, EcsService, Red};
use shared::config::{Engine, Service};
use shared::ended::{Ended, How};
use shared::freeze::Freeze;
use shared::release::State;
use shared::revision::{Revision, Verdict};

use crate::hook::{self, Hook};

/// What is known of a service when a decision is due.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    pub now: Timestamp,
    pub service: &'a Service,
    pub ecs: EcsService,
    /// The revision that serves.
    pub live: Revision,
    /// The newest of its family, where [`family_is_open`].
    pub newest: Option<Revision>,
    /// The last deployment.
    pub last: Option<Last>,
    /// The last one that succeeded, where that is another.
    pub before: Option<Last>,
    /// Those of the service, and of its deployment group. One that could not be read is missing.
    pub alarms: Vec<Alarm>,
    /// When they went red: first since the last deployment began, where [`history_is_open`],
    /// else last.
    pub reds: Vec<Red>,
    /// Images that were pushed after what is live.
    pub waiting: Vec<Waiting>,
    /// The hook that is under way.
    pub hook: Option<Hook>,
    /// ARNs of tasks of checks that run for too long, where no deployment does any more.
    pub left_over: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// CodeDeploy's id; ECS is asked for its newest.
    pub id: Option<String>,
    pub state: State,
    pub began: Timestamp,
    pub ended: Option<Timestamp>,
    /// Who started it, or what it takes back; unknown until it has been asked for.
    pub by: Option<By>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Sluice,
    Others,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An alarm went red since the last deployment began, and nobody acted.
    Guard {
        alarm: String,
        since: Timestamp,
    },
    /// A deployment ended and nobody looked, or its watch has passed.
    Settle {
        deployment: Option<String>,
        why: Unsettled,
    },
    /// What a hook waits for has ended, or takes too long: the hook function is to look.
    WakeHook {
        deployment: String,
        execution: String,
        event: String,
    },
    /// A hook has had almost all of its hour, and nobody is at work on it.
    StopOverdue {
        deployment: String,
        event: String,
        since: Timestamp,
    },
    /// A task of a check runs for longer than it may, and its deployment has ended.
    StopTask {
        task: String,
    },
    /// From now on, images that are pushed count as the service's next.
    Baseline,
    /// An image waits that nothing stands against.
    Newest {
        repository: String,
        tags: Vec<String>,
        pushed_at: Timestamp,
    },
    Nothing(Nothing),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsettled {
    EndUnheard,
    VerdictDue,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nothing {
    AtRest,
    NotActive,
    Deploying { id: Option<String> },
    Ending { id: Option<String> },
    Held { text: String },
    Frozen { until: Timestamp, window: String },
    RejectedBefore { tags: Vec<String> },
    NotGreen { alarms: Vec<String> },
    LeftToPeople { ended: Ended },
}

/// Events have the first turn: what is younger is left to them.
pub const GRACE: SignedDuration = SignedDuration::from_mins(2);

/// CloudWatch's events are guaranteed, and quick.
const ALARM_GRACE: SignedDuration = SignedDuration::from_mins(1);

/// Two sources of one moment may round it differently.
const ROUNDING: SignedDuration = SignedDuration::from_secs(1);

/// Never empty. Facts that are unknown count as those that ask for more to be looked at.
pub fn decide(facts: &Facts<'_>) -> Vec<Step> {
    if !facts.ecs.active {
        return vec![Step::Nothing(Nothing::NotActive)];
    }
    let mut steps = Vec::new();
    steps.extend(guard(facts));
    steps.extend(settle(facts));
    steps.extend(facts.hook.as_ref().and_then(|hook| hook::decide(hook, facts.now)));
    steps.extend(facts.left_over.iter().map(|task| Step::StopTask { task: task.clone() }));
    let settles = steps.iter().any(|step| matches!(step, Step::Settle { .. }));
    if facts.ecs.baseline.is_none() {
        steps.push(Step::Baseline);
    } else if !settles {
        // What settles a deployment starts what waited for it.
        match next(facts) {
            Ok(step) => steps.push(step),
            Err(nothing) if steps.is_empty() => steps.push(Step::Nothing(nothing)),
            Err(_) => {}
        }
    }
    steps
}

/// The alarm that went red first during the last deployment or its watch.
fn guard(facts: &Facts<'_>) -> Option<Step> {
    let last = facts.last.as_ref()?;
    if matches!(last.state, State::Rejected(_)) {
        return None;
    }
    let until = match (&last.state, facts.ended_at(last)) {
        (State::Succeeded, Some(ended)) => ended.checked_add(facts.service.watch).unwrap_or(Timestamp::MAX),
        _ => Timestamp::MAX,
    };
    let told = &facts.live.release.escalated;
    let muted = |name: &String| facts.alarms.iter().any(|alarm| alarm.name == *name && alarm.muted.is_some());
    let counts = |red: &&Red| {
        let Red { alarm, since } = red;
        let in_time = last.began <= *since && *since <= until && age(facts, *since) >= ALARM_GRACE;
        let is_told = told.as_ref().is_some_and(|told| *told == shared::escalated::value(alarm, *since));
        in_time && !is_told && facts.service.alarms.contains(alarm) && !muted(alarm)
    };
    let first = facts.reds.iter().filter(counts).min_by_key(|red| red.since)?;
    Some(Step::Guard { alarm: first.alarm.clone(), since: first.since })
}

/// Whether it must be read when alarms went red: one may be green again before a sweep comes.
/// What is judged, and no longer watched, needs none of it.
pub fn history_is_open(facts: &Facts<'_>) -> bool {
    let Some(last) = &facts.last else { return false };
    let released = &facts.live.release;
    match last.state {
        State::Active => true,
        State::Succeeded => {
            let watch = SignedDuration::try_from(facts.service.watch).unwrap_or(SignedDuration::MAX);
            let watched = facts.ended_at(last).is_none_or(|ended| age(facts, ended) <= watch);
            watched || (released.digest.is_some() && released.verdict.is_none())
        }
        State::Rejected(_) => false,
    }
}

fn settle(facts: &Facts<'_>) -> Vec<Step> {
    let ended = unsettled(facts).into_iter().filter(|last| last.by != Some(By::Others));
    let ended = ended.map(|last| Step::Settle { deployment: last.id.clone(), why: Unsettled::EndUnheard });
    let mut steps: Vec<_> = ended.collect();
    if let (true, Some(last)) = (steps.is_empty() && verdict_is_due(facts), &facts.last) {
        steps.push(Step::Settle { deployment: last.id.clone(), why: Unsettled::VerdictDue });
    }
    steps
}

/// Deployments whose end nobody has noted, the oldest first, and that were left to their events.
pub fn unsettled<'a>(facts: &'a Facts<'_>) -> Vec<&'a Last> {
    let is_open = |last: &&Last| {
        let left_to_events = last.ended.is_some_and(|ended| age(facts, ended) < GRACE);
        last.state != State::Active && !left_to_events && !is_noted(facts, last)
    };
    let before = facts.before.iter().filter(|before| {
        // Since then the newest revision is another's.
        is_open(before) && !was_noted(&facts.live, before)
    });
    before.chain(facts.last.iter().filter(is_open)).collect()
}

/// Whether the newest revision of the family must be read.
pub fn family_is_open(facts: &Facts<'_>) -> bool {
    let waits = !facts.waiting.is_empty();
    waits
        || facts
            .last
            .as_ref()
            .is_some_and(|last| last.state != State::Active && !was_noted(&facts.live, last))
}

fn is_noted(facts: &Facts<'_>, last: &Last) -> bool {
    if !facts.live.active {
        // A person deregistered it: ECS takes no more tags for it, so nothing can ever be noted.
        return true;
    }
    match &facts.service.engine {
        Engine::CodeDeploy { .. } => {
            was_noted(&facts.live, last)
                || facts.newest.as_ref().is_some_and(|newest| was_noted(newest, last))
        }
        Engine::Ecs => is_noted_of_ecs(facts, last),
    }
}

/// Nothing says who started a deployment of ECS, and one that ECS takes back begins no other.
/// But a release of Sluice is noted, and one that was taken back is newer than what serves.
fn is_noted_of_ecs(facts: &Facts<'_>, last: &Last) -> bool {
    let is_open = |revision: &Revision| revision.release.digest.is_some() && revision.release.ended.is_none();
    let Some(newest) = facts.newest.as_ref().filter(|newest| newest.arn != facts.live.arn) else {
        return !is_open(&facts.live);
    };
    let taken_back = newest.release.digest.is_some()
        && newest.release.ended.is_some_and(|ended| match ended.how {
            How::Succeeded => ended.at < last.began,
            How::Failed => last.ended.is_some_and(|updated| ended.at < updated),
            How::RolledBack | How::RollbackFailed => false,
        });
    !is_open(&facts.live) && !is_open(newest) && !taken_back
}

/// By the end that a revision carries.
fn was_noted(revision: &Revision, last: &Last) -> bool {
    // ECS does not tell a service's deployments' ends: what was noted after its beginning is of it.
    let since = last.ended.filter(|_| last.id.is_some()).unwrap_or(last.began);
    let noted = revision.release.ended.and_then(|ended| ended.at.checked_add(ROUNDING).ok());
    noted.is_some_and(|noted| noted >= since)
}

/// The watch has passed, and no alarm stands against it.
fn verdict_is_due(facts: &Facts<'_>) -> bool {
    let tags = &facts.live.release;
    let Some(Ended { how: How::Succeeded, at }) = tags.ended else { return false };
    let watch = SignedDuration::try_from(facts.service.watch).unwrap_or(SignedDuration::MAX);
    let quiet = |alarm: &Alarm| matches!(alarm.state, AlarmState::Ok | AlarmState::InsufficientData);
    let is_last = facts.last.as_ref().is_some_and(|last| {
        last.state == State::Succeeded && last.by != Some(By::Others) && was_noted(&facts.live, last)
    });
    is_last
        && facts.live.active
        && tags.digest.is_some()
        && tags.verdict.is_none()
        && age(facts, at) >= watch
        && facts.alarms.iter().all(quiet)
        && !went_red(facts, at.checked_add(watch).unwrap_or(Timestamp::MAX))
}

/// Whether an alarm went red since the last deployment began, and until then.
fn went_red(facts: &Facts<'_>, until: Timestamp) -> bool {
    let began = facts.last.as_ref().map_or(Timestamp::MAX, |last| last.began);
    facts.reds.iter().any(|red| began <= red.since && red.since <= until)
}

/// What waits and may start. All that image-push would hold against it in any case is known
/// here already, and costs no call.
fn next(facts: &Facts<'_>) -> Result<Step, Nothing> {
    if let Some(last) = facts.last.as_ref().filter(|last| last.state == State::Active) {
        return Err(Nothing::Deploying { id: last.id.clone() });
    }
    if facts.waiting.is_empty() {
        return Err(Nothing::AtRest);
    }
    if let Some(last) =
        facts.last.as_ref().filter(|last| last.by != Some(By::Others) && !is_noted(facts, last))
    {
        return Err(Nothing::Ending { id: last.id.clone() });
    }
    if let Some(hold) = facts.ecs.hold.as_ref().filter(|hold| hold.is_on(facts.now)) {
        return Err(Nothing::Held { text: hold.text.clone() });
    }
    let frozen = |window: &Freeze| Some((window.until(facts.now)?, window.text.clone()));
    if let Some((until, window)) = facts.service.freeze.iter().find_map(frozen) {
        return Err(Nothing::Frozen { until, window });
    }
    let red = facts.alarms.iter();
    let red = red.filter(|alarm| matches!(alarm.state, AlarmState::Alarm | AlarmState::Missing));
    let alarms: Vec<_> = red.map(|alarm| alarm.name.clone()).collect();
    if !alarms.is_empty() {
        return Err(Nothing::NotGreen { alarms });
    }
    let mut refused = None;
    for Waiting { repository, image } in &facts.waiting {
        match may_start(facts, image) {
            Ok(()) => {
                let (repository, tags) = (repository.clone(), image.tags.clone());
                return Ok(Step::Newest { repository, tags, pushed_at: image.pushed_at });
            }
            Err(nothing) => refused = Some(nothing),
        }
    }
    Err(refused.unwrap_or(Nothing::AtRest))
}

fn may_start(facts: &Facts<'_>, image: &shared::aws::Image) -> Result<(), Nothing> {
    let known = || facts.newest.iter().chain([&facts.live]).map(|revision| &revision.release);
    let is_rejected = known()
        .any(|tags| tags.digest.as_ref() == Some(&image.digest) && tags.verdict == Some(Verdict::Rejected));
    if is_rejected {
        return Err(Nothing::RejectedBefore { tags: image.tags.clone() });
    }
    // What waited when a release could not be taken back may be no better.
    let failed = known().filter_map(|tags| tags.ended).find(|ended| {
        let serves = facts.live.release.ended == Some(*ended);
        let needs_people = match ended.how {
            How::RollbackFailed => true,
            How::Failed => serves,
            How::Succeeded | How::RolledBack => false,
        };
        needs_people && image.pushed_at < ended.at
    });
    failed.map_or(Ok(()), |ended| Err(Nothing::LeftToPeople { ended }))
}

/// The clock has whole seconds.
fn age(facts: &Facts<'_>, since: Timestamp) -> SignedDuration {
    facts.now.max(since).duration_since(since)
}

impl Facts<'_> {
    /// When a deployment ended, as far as it is known.
    fn ended_at(&self, last: &Last) -> Option<Timestamp> {
        let noted = self.live.release.ended.filter(|_| was_noted(&self.live, last)).map(|ended| ended.at);
        last.ended.filter(|_| last.id.is_some()).or(noted).or(last.ended)
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
