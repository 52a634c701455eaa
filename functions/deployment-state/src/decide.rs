//! What is to be done about a release and its rollback, as they are now. Pure.
//!
//! Both are looked at together, whichever of them an event was about: so it makes no
//! difference which event comes first, or how often. What was told and counted already says
//! the tag `sluice:ended` of the release's revision; it is written last.

use jiff::{SignedDuration, Timestamp};
use shared::aws::{Alarm, AlarmState, Measure, Red};
use shared::config::Service;
use shared::ended::{Ended, How};
use shared::events::deployment::Change;
use shared::image::Digest;
use shared::message::{News, RollbackTimes};
use shared::release::State;
use shared::revision::{Revision, Verdict, short_arn};

/// What is known when a decision is due.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    pub now: Timestamp,
    pub service: &'a Service,
    pub change: Change,
    pub release: Release,
    /// What takes the release back, whoever started it.
    pub rollback: Option<Rollback>,
    /// A deployment that is neither of them was started later.
    pub superseded: bool,
    /// The revision that serves.
    pub live: Revision,
    /// Those of the service, and of its deployment group.
    pub alarms: Vec<Alarm>,
    /// When each of them first went red since the release began.
    pub reds: Vec<Red>,
}

/// A deployment that was to make something live.
#[derive(Debug, Clone)]
pub struct Release {
    pub id: String,
    pub state: State,
    pub began: Timestamp,
    pub ended: Option<Timestamp>,
    /// When it had all traffic, as far as it is known.
    pub live_at: Option<Timestamp>,
    /// Why it was started, where Sluice did.
    pub reason: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// Digest and repository of what was asked for; none if others started it.
    pub asked: Option<(Digest, String)>,
    pub revision: Revision,
    /// Whether its tasks have production traffic.
    pub serves: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    pub id: String,
    pub state: State,
    pub began: Timestamp,
    pub ended: Option<Timestamp>,
    /// When all traffic was back, as far as it is known.
    pub traffic_back: Option<Timestamp>,
    /// ARN of the revision that is to serve again, as far as it is known.
    pub target: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What became of the release, and what is to be done about it, in this order.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub outcome: Outcome,
    pub effects: Vec<Effect>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Active,
    RollingBack,
    Succeeded,
    WrongImage,
    Failed(String),
    RolledBack(String),
    RollbackFailed(String),
}

/// Each is safe to repeat.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Make what served before live again; `reason` goes into the rollback's description.
    RollBack {
        reason: String,
    },
    Tell {
        at: Timestamp,
        news: News,
    },
    Measure {
        at: Timestamp,
        measures: Vec<Measure>,
    },
    /// Tags on the release's revision.
    Tag(Vec<(&'static str, String)>),
    /// Start the newest image that waited.
    Newest,
}

/// Why nothing was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nothing {
    NotOurs(String),
    Other(String),
    NoDeployment,
}

/// Both the names of tags and of metrics are written down in the README.
const VERDICT: &str = "sluice:verdict";
const REASON: &str = "sluice:reason";
const ENDED: &str = "sluice:ended";

pub fn decide(facts: &Facts<'_>) -> Decision {
    let Facts { release, rollback, .. } = facts;
    let back = rollback.as_ref().map(|rollback| (rollback, &rollback.state));
    let decision = match (&release.state, back) {
        (State::Active, _) => return active(facts),
        (State::Succeeded, None) => succeeded(facts),
        (State::Succeeded, Some((_, State::Active))) => Decision::of(Outcome::RollingBack, Vec::new()),
        (State::Rejected(how), None | Some((_, State::Active))) => failed(facts, how),
        (_, Some((rollback, State::Succeeded))) => rolled_back(facts, rollback),
        (_, Some((rollback, State::Rejected(how)))) => rollback_failed(facts, rollback, how),
    };
    match facts.change {
        Change::Ended | Change::Unheard => decision,
        // That it ended has an event of its own, which may be in work at this moment.
        Change::Began => Decision::of(decision.outcome, Vec::new()),
    }
}

fn active(facts: &Facts<'_>) -> Decision {
    let release = &facts.release;
    let reason = release.reason.clone().unwrap_or_else(|| "started by others than Sluice".to_owned());
    let told = Effect::Tell { at: release.began, news: News::Started { reason } };
    let effects = if facts.change == Change::Began { vec![told] } else { Vec::new() };
    Decision::of(Outcome::Active, effects)
}

fn succeeded(facts: &Facts<'_>) -> Decision {
    let (release, done) = (&facts.release, facts.done());
    let at = release.ended.unwrap_or(facts.now);
    let wrong = wrong_image(facts);
    let outcome = if wrong.is_some() { Outcome::WrongImage } else { Outcome::Succeeded };
    let (mut effects, mut tags) = (Vec::new(), Vec::new());
    if done.is_none() {
        let lead_time = facts.lead_time();
        let news = match &wrong {
            Some((expected, found)) => {
                News::WrongImageLive { expected: expected.clone(), found: found.clone() }
            }
            None => News::Succeeded { lead_time },
        };
        effects.push(Effect::Tell { at: release.live_at.unwrap_or(at), news });
        let mut measures = vec![Measure::one("Deployments")];
        measures
            .extend(release.pushed_at().and_then(|from| Measure::span("LeadTime", from, facts.live_at())));
        tags.push((ENDED, Ended { how: How::Succeeded, at }.to_string()));
        effects.push(Effect::Measure { at, measures });
    }
    if wrong.is_none() && verdict_is_due(facts, at) {
        tags.insert(0, (VERDICT, "good".to_owned()));
    }
    if !tags.is_empty() {
        effects.push(Effect::Tag(tags));
    }
    effects.push(Effect::Newest);
    Decision::of(outcome, facts.ours_only(effects))
}

/// What serves beside what was asked for: expected and found. What was started later may serve
/// something else.
fn wrong_image(facts: &Facts<'_>) -> Option<(String, String)> {
    let (asked, repository) = facts.release.asked.as_ref().filter(|_| !facts.superseded)?;
    let rules = facts.service.images.iter();
    let rules = rules.filter(|rule| rule.repository.starts_with(repository.as_str()));
    let images = |revision: &Revision| -> Vec<Option<Digest>> {
        let of = |container: &str| revision.container(container)?.image.digest.clone();
        rules.clone().map(|rule| of(&rule.container)).collect()
    };
    // Of several containers, those whose tags match take it.
    let wanted = images(&facts.release.revision);
    let found = images(&facts.live);
    let is_asked = |digest: &Option<Digest>| digest.as_ref() == Some(asked);
    let right = wanted.iter().zip(&found).filter(|(wanted, _)| is_asked(wanted));
    let (count, all_right) = right.fold((0, true), |(n, all), (_, found)| (n + 1, all && is_asked(found)));
    if count > 0 && all_right {
        return None;
    }
    let names: Vec<_> =
        found.iter().map(|d| d.as_ref().map_or("no digest", |digest| digest.short())).collect();
    Some((asked.short().to_owned(), format!("{} ({})", names.join(", "), facts.live.short())))
}

/// The watch has passed, and no alarm went red until then, is red, or cannot be read.
fn verdict_is_due(facts: &Facts<'_>, ended: Timestamp) -> bool {
    let watch = SignedDuration::try_from(facts.service.watch).unwrap_or(SignedDuration::MAX);
    // The clock has whole seconds.
    let over = facts.now.max(ended).duration_since(ended) >= watch;
    let quiet = |alarm: &Alarm| matches!(alarm.state, AlarmState::Ok | AlarmState::InsufficientData);
    let until = ended.checked_add(watch).unwrap_or(Timestamp::MAX);
    let judged = facts.release.revision.release.verdict.is_some();
    over && !judged && facts.alarm(until).is_none() && facts.alarms.iter().all(quiet)
}

/// Failed or stopped. Its rollback, if there is one, is still under way.
fn failed(facts: &Facts<'_>, how: &str) -> Decision {
    let release = &facts.release;
    let (at, reason) = (release.ended.unwrap_or(facts.now), facts.why(how));
    let takes_traffic = release.serves || facts.live.arn == release.revision.arn;
    let needs_rollback = facts.rollback.is_none() && !facts.superseded && takes_traffic;
    let mut effects = Vec::new();
    if needs_rollback {
        effects.push(Effect::RollBack { reason: format!("{}: {reason}", release.id) });
    }
    if facts.done().is_none() {
        effects.extend(facts.rejected(&reason));
        effects.push(Effect::Tell { at, news: News::Failed { reason: reason.clone() } });
        effects.push(Effect::Measure { at, measures: failure() });
        effects.push(Effect::Tag(vec![(ENDED, Ended { how: How::Failed, at }.to_string())]));
    }
    if !needs_rollback && facts.rollback.is_none() {
        effects.push(Effect::Newest);
    }
    Decision::of(Outcome::Failed(reason), facts.ours_only(effects))
}

fn rolled_back(facts: &Facts<'_>, rollback: &Rollback) -> Decision {
    let reason = facts.why_taken_back();
    let at = rollback.ended.unwrap_or(facts.now);
    if !facts.superseded && facts.live.arn == facts.release.revision.arn {
        let why = format!("{} has succeeded, and {} still serves", rollback.id, facts.live.short());
        return rollback_failed(facts, rollback, &why);
    }
    let is_target = |target: &&String| facts.superseded || **target == facts.live.arn;
    let elsewhere = rollback.target.as_ref().filter(|target| !is_target(target));
    let mut effects = Vec::new();
    if !matches!(facts.done(), Some(How::RolledBack | How::RollbackFailed)) {
        effects.extend(facts.rejected(&reason));
        if let Some(target) = elsewhere {
            let (expected, found) = (short_arn(target).to_owned(), facts.live.short().to_owned());
            effects.push(Effect::Tell { at, news: News::WrongImageLive { expected, found } });
        }
        let times = facts.times(rollback);
        let to = rollback.target.clone().or_else(|| Some(facts.live.arn.clone()));
        let measures = facts.taken_back(&times, at);
        let news = News::RolledBack { reason: reason.clone(), to, times };
        effects.push(Effect::Tell { at, news });
        effects.push(Effect::Measure { at, measures });
        effects.push(Effect::Tag(vec![(ENDED, Ended { how: How::RolledBack, at }.to_string())]));
    }
    effects.push(Effect::Newest);
    Decision::of(Outcome::RolledBack(reason), facts.ours_only(effects))
}

/// A person is needed: neither another rollback nor the next image is started.
fn rollback_failed(facts: &Facts<'_>, rollback: &Rollback, how: &str) -> Decision {
    let at = rollback.ended.unwrap_or(facts.now);
    let error = rollback.error.as_ref().map_or(String::new(), |error| format!(": {error}"));
    let reason = format!("{} {how}{error}", rollback.id);
    let mut effects = Vec::new();
    if !matches!(facts.done(), Some(How::RolledBack | How::RollbackFailed)) {
        effects.extend(facts.rejected(&facts.why_taken_back()));
        effects.push(Effect::Tell { at, news: News::RollbackFailed { reason: reason.clone() } });
        let measures = facts.not_counted();
        if !measures.is_empty() {
            effects.push(Effect::Measure { at, measures });
        }
        effects.push(Effect::Tag(vec![(ENDED, Ended { how: How::RollbackFailed, at }.to_string())]));
    }
    Decision::of(Outcome::RollbackFailed(reason), facts.ours_only(effects))
}

fn failure() -> Vec<Measure> {
    vec![Measure::one("Deployments"), Measure::one("ChangeFailures")]
}

impl Facts<'_> {
    /// What was told and counted of this deployment, not of an earlier one of its revision.
    fn done(&self) -> Option<How> {
        let ended = self.release.revision.release.ended?;
        self.release.ended.is_none_or(|at| ended.at >= at).then_some(ended.how)
    }

    /// What others deploy is told of, but neither judged, counted nor taken back: its revision
    /// may be a good one that is deployed again.
    fn ours_only(&self, effects: Vec<Effect>) -> Vec<Effect> {
        let ours = self.release.asked.is_some();
        let for_all = |effect: &Effect| match effect {
            // That it was told is noted nowhere, so what is found is not told again and again.
            Effect::Tell { .. } => self.change != Change::Unheard,
            Effect::Newest => true,
            Effect::RollBack { .. } | Effect::Measure { .. } | Effect::Tag(_) => false,
        };
        effects.into_iter().filter(|effect| ours || for_all(effect)).collect()
    }

    fn live_at(&self) -> Timestamp {
        self.release.live_at.or(self.release.ended).unwrap_or(self.now)
    }

    fn lead_time(&self) -> Option<SignedDuration> {
        Some(self.live_at().duration_since(self.release.pushed_at()?))
    }

    /// The verdict and its reason, if it is still to be written.
    fn rejected(&self, reason: &str) -> Option<Effect> {
        let tags = vec![(VERDICT, "rejected".to_owned()), (REASON, reason.to_owned())];
        (self.release.revision.release.verdict != Some(Verdict::Rejected)).then_some(Effect::Tag(tags))
    }

    /// Why it was rejected: whoever stopped it knows better than CodeDeploy does.
    fn known_reason(&self) -> Option<String> {
        let tags = &self.release.revision.release;
        tags.reason.clone().filter(|_| tags.verdict == Some(Verdict::Rejected))
    }

    fn why(&self, how: &str) -> String {
        let in_words =
            || self.release.error.as_ref().map_or(how.to_owned(), |error| format!("{how}: {error}"));
        self.known_reason().unwrap_or_else(in_words)
    }

    fn why_taken_back(&self) -> String {
        match &self.release.state {
            State::Rejected(how) => self.why(how),
            State::Active | State::Succeeded => self.known_reason().unwrap_or_else(|| {
                let red = self.alarm(Timestamp::MAX).map(|(name, _)| format!("the alarm {name} went red"));
                red.unwrap_or_else(|| "it was taken back after it had succeeded".to_owned())
            }),
        }
    }

    /// The alarm that went red first since the release began, and before `until`.
    fn alarm(&self, until: Timestamp) -> Option<(&str, Timestamp)> {
        let reds = self.reds.iter().filter(|red| red.since >= self.release.began && red.since <= until);
        reds.min_by_key(|red| red.since).map(|red| (red.alarm.as_str(), red.since))
    }

    fn times(&self, rollback: &Rollback) -> RollbackTimes {
        let stopped = match self.release.state {
            State::Rejected(_) => self.release.ended.unwrap_or(rollback.began),
            State::Active | State::Succeeded => rollback.began,
        };
        RollbackTimes {
            alarm: self.alarm(stopped).map(|(_, since)| since),
            stopped: Some(stopped),
            traffic_back: rollback.traffic_back.or(rollback.ended),
        }
    }

    /// The release and its failure, as far as they are not counted yet.
    fn not_counted(&self) -> Vec<Measure> {
        match self.done() {
            None => failure(),
            Some(How::Succeeded) => vec![Measure::one("ChangeFailures")],
            Some(How::Failed | How::RolledBack | How::RollbackFailed) => Vec::new(),
        }
    }

    fn taken_back(&self, times: &RollbackTimes, at: Timestamp) -> Vec<Measure> {
        let stopped = times.stopped.unwrap_or(at);
        let back = times.traffic_back.unwrap_or(at);
        let spans = [
            Measure::span("TimeToRestore", times.alarm.unwrap_or(stopped), back),
            times.alarm.and_then(|alarm| Measure::span("AlarmToStop", alarm, stopped)),
            Measure::span("StopToTrafficBack", stopped, back),
        ];
        self.not_counted().into_iter().chain(spans.into_iter().flatten()).collect()
    }
}

impl Release {
    pub fn pushed_at(&self) -> Option<Timestamp> {
        self.asked.as_ref()?;
        self.revision.release.pushed_at
    }
}

impl Decision {
    fn of(outcome: Outcome, effects: Vec<Effect>) -> Self {
        Self { outcome, effects }
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
