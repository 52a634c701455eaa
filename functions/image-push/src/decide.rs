//! The decision for one service: start the image, wait, do nothing, or refuse. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::aws::{Alarm, AlarmState, Controller, EcsService, Group, Image, Scan};
use shared::config::{Engine, ImageRule, Service, Severity};
use shared::events::ecr::Cause;
use shared::image::{Digest, Platform, Pushed};
use shared::release::{Deployment, State};
use shared::revision::{Release, Revision, RuntimePlatform, Verdict, short_arn};
use shared::way_back::{LiveImage, WayBack};

/// What is known when a decision is due.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    pub now: Timestamp,
    pub cause: Cause,
    pub service: &'a Service,
    /// The rules of this service for the image's repository; at least one.
    pub rules: &'a [&'a ImageRule],
    /// None if ECR has no such image (any more).
    pub image: Option<(&'a Image, &'a Pushed)>,
    /// Only asked for where the service has a scan gate.
    pub scan: Option<&'a Scan>,
    /// None if ECS has no such service.
    pub running: Option<Running>,
    /// None as long as it has not been looked for.
    pub way_back: Option<WayBack>,
    /// Of an image for one platform; none as long as it is unknown.
    pub platform: Option<Platform>,
    /// The function that runs the checks.
    pub hook: Option<&'a str>,
}

/// The service as it is.
#[derive(Debug, Clone)]
pub struct Running {
    pub ecs: EcsService,
    pub current: Revision,
    /// The newest revision of its family, which may never have been deployed.
    pub newest: Option<Revision>,
    /// Where CodeDeploy deploys it.
    pub group: Option<Group>,
    pub deployments: Vec<Deployment>,
    pub alarms: Vec<Alarm>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    Start(Start),
    Wait(Wait),
    Nothing(Nothing),
    Refuse(Refuse),
}

/// Deploy this image in these containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub release: Release,
    pub containers: Vec<String>,
    /// The service's first release through Sluice, and why there is no way back from it.
    pub without_way_back: Option<String>,
}

/// Nothing starts now; the end of what is waited for, or the sweep, brings it up again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    Scan { until: Timestamp },
    ActiveDeployment { id: String },
    Hold { text: String },
    Freeze { until: Timestamp, window: String },
}

/// All is well, and there is nothing to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nothing {
    NotAPush(String),
    NotOurs { repository: String },
    Untagged,
    TagDoesNotMatch { tags: Vec<String>, patterns: Vec<String> },
    Artifact(String),
    AlreadyLive { revision: String },
    AlreadyInProgress { deployment: String },
    RejectedBefore { by: String, how: String },
    DeployedBefore { deployment: String },
    NoScanGate { repository: String },
    ScannedLater { pushed_at: Timestamp },
    OlderThanLive { pushed_at: Timestamp, live_pushed_at: Timestamp },
    WrongPlatform { image: Vec<Platform>, service: RuntimePlatform },
    NothingNewer { since: Timestamp },
    NoBaseline,
    EventFirst { pushed_at: Timestamp },
}

/// Something is wrong that a person has to put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refuse {
    ImageGone,
    NoService,
    OtherController {
        found: Controller,
    },
    OtherGroup {
        deploys_to: Option<(String, String)>,
    },
    NoLoadBalancer,
    /// ECS would not call the checks of these lifecycle events.
    NoHook {
        events: Vec<&'static str>,
    },
    NoContainer {
        container: String,
        known: Vec<String>,
    },
    ScanFindings(BTreeMap<Severity, u64>),
    ScanImpossible(String),
    ScanLate {
        since: Timestamp,
    },
    AlarmRed {
        alarms: Vec<String>,
    },
    AlarmMissing {
        alarms: Vec<String>,
    },
    NoWayBack(String),
    Unrenderable(String),
}

impl From<Wait> for Decision {
    fn from(wait: Wait) -> Self {
        Self::Wait(wait)
    }
}

impl From<Nothing> for Decision {
    fn from(nothing: Nothing) -> Self {
        Self::Nothing(nothing)
    }
}

impl From<Refuse> for Decision {
    fn from(refuse: Refuse) -> Self {
        Self::Refuse(refuse)
    }
}

/// Facts that are still unknown (way back, platform, the group's own alarms, old history) count
/// as favourable: decide once to know whether to go on, and again when they are read.
pub fn decide(facts: &Facts<'_>) -> Decision {
    judge(facts).map_or_else(|reason| reason, Decision::Start)
}

/// Whether the image now serving must be looked up before anything is written: only ECR
/// knows which of the two is the newer.
pub fn order_is_open(facts: &Facts<'_>) -> bool {
    let (Some((image, _)), Some(running)) = (facts.image, &facts.running) else { return false };
    facts.way_back.is_none()
        && facts.rules.iter().any(|rule| matches!(order(facts, running, image, rule), Order::Open))
}

fn judge(facts: &Facts<'_>) -> Result<Start, Decision> {
    let (image, pushed) = facts.image.ok_or(Refuse::ImageGone)?;
    let rules = taking(facts, image, pushed)?;
    let running = facts.running.as_ref().ok_or(Refuse::NoService)?;
    fits(facts, running, &rules)?;
    is_new(facts, running, image, &rules)?;
    is_awaited(facts, image)?;
    runs_there(facts, running, pushed)?;
    scanned(facts, image)?;
    is_free(facts, running)?;
    is_watched(running)?;
    let without_way_back = way_back(facts, running)?;
    let tag = image.tags.iter().find(|tag| rules.iter().any(|rule| rule.tags.matches(tag)));
    Ok(Start {
        release: Release {
            digest: image.digest.clone(),
            tag: tag.cloned().unwrap_or_default(),
            pushed_at: image.pushed_at,
        },
        containers: rules.iter().map(|rule| rule.container.clone()).collect(),
        without_way_back,
    })
}

/// The rules that one of the image's tags matches.
fn taking<'a>(facts: &Facts<'a>, image: &Image, pushed: &Pushed) -> Result<Vec<&'a ImageRule>, Nothing> {
    if let Pushed::Artifact(kind) = pushed {
        return Err(Nothing::Artifact(kind.clone()));
    }
    if image.tags.is_empty() {
        return Err(Nothing::Untagged);
    }
    let matches = |rule: &&&ImageRule| image.tags.iter().any(|tag| rule.tags.matches(tag));
    let rules: Vec<_> = facts.rules.iter().filter(matches).copied().collect();
    if rules.is_empty() {
        let patterns = facts.rules.iter().map(|rule| rule.tags.as_str().to_owned()).collect();
        return Err(Nothing::TagDoesNotMatch { tags: image.tags.clone(), patterns });
    }
    Ok(rules)
}

/// Whether what runs is what the configuration says.
fn fits(facts: &Facts<'_>, running: &Running, rules: &[&ImageRule]) -> Result<(), Refuse> {
    if !running.ecs.active {
        return Err(Refuse::NoService);
    }
    let (service, found) = (facts.service, running.ecs.controller);
    match (&service.engine, found) {
        (Engine::CodeDeploy { .. }, Controller::CodeDeploy) => {
            let deploys_to = running.group.as_ref().and_then(|group| group.deploys_to.clone());
            let theirs =
                deploys_to.as_ref().map(|(cluster, service)| (short_arn(cluster), short_arn(service)));
            // The configuration may name either by its ARN.
            if theirs != Some((short_arn(&service.cluster), short_arn(&service.service))) {
                return Err(Refuse::OtherGroup { deploys_to });
            }
            if running.ecs.load_balanced.is_none() {
                return Err(Refuse::NoLoadBalancer);
            }
        }
        (Engine::Ecs, Controller::Ecs) => is_checked(facts, running)?,
        (Engine::CodeDeploy { .. } | Engine::Ecs, _) => return Err(Refuse::OtherController { found }),
    }
    let missing = rules.iter().find(|rule| running.current.container(&rule.container).is_none());
    missing.map_or(Ok(()), |rule| {
        let known = running.current.containers.iter().map(|container| container.name.clone()).collect();
        Err(Refuse::NoContainer { container: rule.container.clone(), known })
    })
}

/// Whether ECS calls each of the checks. CodeDeploy is told to, with each deployment; what ECS
/// calls is in the service's own configuration, which we do not change.
fn is_checked(facts: &Facts<'_>, running: &Running) -> Result<(), Refuse> {
    let answered = |event: &&'static str| {
        let mut hooks = running.ecs.hooks.iter();
        facts.hook.is_some_and(|function| hooks.any(|hook| hook.answers(function, event)))
    };
    let mut events = facts.service.checks.lifecycle_events();
    events.retain(|event| !answered(event));
    if events.is_empty() { Ok(()) } else { Err(Refuse::NoHook { events }) }
}

/// Whether this image has not had its turn, and is not behind what is live.
fn is_new(facts: &Facts<'_>, running: &Running, image: &Image, rules: &[&ImageRule]) -> Result<(), Nothing> {
    let of_this =
        |deployment: &&Deployment| rules.iter().any(|rule| deployment.is_of(&rule.repository, &image.digest));
    let tried: Vec<_> = running.deployments.iter().filter(of_this).collect();
    if let Some(active) = tried.iter().find(|deployment| deployment.state == State::Active) {
        return Err(Nothing::AlreadyInProgress { deployment: active.id.clone() });
    }
    let orders: Vec<_> = rules.iter().map(|rule| order(facts, running, image, rule)).collect();
    if orders.iter().all(|order| matches!(order, Order::Live)) {
        return Err(Nothing::AlreadyLive { revision: running.current.short().to_owned() });
    }
    tried.iter().try_for_each(|deployment| had_its_turn(deployment))?;
    was_rejected(running, &image.digest)?;
    orders.into_iter().try_for_each(|order| match order {
        Order::Older(live_pushed_at) => {
            Err(Nothing::OlderThanLive { pushed_at: image.pushed_at, live_pushed_at })
        }
        Order::Newer | Order::Open | Order::Live => Ok(()),
    })
}

fn had_its_turn(deployment: &Deployment) -> Result<(), Nothing> {
    match &deployment.state {
        State::Active => Ok(()),
        State::Succeeded => Err(Nothing::DeployedBefore { deployment: deployment.id.clone() }),
        State::Rejected(how) => Err(Nothing::RejectedBefore { by: deployment.id.clone(), how: how.clone() }),
    }
}

/// By the verdict on a revision that was made for this image.
fn was_rejected(running: &Running, digest: &Digest) -> Result<(), Nothing> {
    let revisions = running.newest.iter().chain([&running.current]);
    let mut of_this = revisions.filter(|revision| revision.release.digest.as_ref() == Some(digest));
    of_this.find(|revision| revision.release.verdict == Some(Verdict::Rejected)).map_or(Ok(()), |revision| {
        let how = revision.release.reason.clone().unwrap_or_else(|| "rejected".to_owned());
        Err(Nothing::RejectedBefore { by: revision.short().to_owned(), how })
    })
}

/// An image beside the one that a container runs now.
enum Order {
    Live,
    Newer,
    Older(Timestamp),
    /// Only ECR's description of the live image can tell.
    Open,
}

fn order(facts: &Facts<'_>, running: &Running, image: &Image, rule: &ImageRule) -> Order {
    let Some(live) = running.current.container(&rule.container).map(|container| &container.image) else {
        return Order::Newer;
    };
    if live.digest.as_ref() == Some(&image.digest) {
        return Order::Live;
    }
    if !live.is_of(&rule.repository) {
        return Order::Newer;
    }
    let compared = |live_pushed_at| {
        if image.pushed_at < live_pushed_at { Order::Older(live_pushed_at) } else { Order::Newer }
    };
    let release = &running.current.release;
    if let (Some(pushed_at), true) =
        (release.pushed_at, live.digest.is_some() && release.digest == live.digest)
    {
        return compared(pushed_at);
    }
    // A tag may have moved since the tasks were started: then they run what it was before.
    if live.digest.is_none() && live.tag.as_ref().is_some_and(|tag| image.tags.contains(tag)) {
        let started_after = running.ecs.serving_since.is_some_and(|since| image.pushed_at <= since);
        return if started_after { Order::Live } else { Order::Newer };
    }
    match facts.way_back.as_ref().map(|way| &way.live) {
        Some(LiveImage::Known(live)) => compared(live.pushed_at),
        Some(LiveImage::Gone | LiveImage::Elsewhere) => Order::Newer,
        None if running.current.registered_at.is_some_and(|at| at < image.pushed_at) => Order::Newer,
        None => Order::Open,
    }
}

/// Whether the service's tasks can run the image. What is unknown will show in the canary.
fn runs_there(facts: &Facts<'_>, running: &Running, pushed: &Pushed) -> Result<(), Nothing> {
    let Some(wanted) = &running.current.platform else { return Ok(()) };
    let offered: Vec<_> = match pushed {
        Pushed::Index { platforms } => platforms.iter().map(|image| image.platform.clone()).collect(),
        Pushed::Image { .. } | Pushed::Artifact(_) => facts.platform.iter().cloned().collect(),
    };
    if offered.is_empty() || offered.iter().any(|platform| wanted.runs(platform)) {
        return Ok(());
    }
    Err(Nothing::WrongPlatform { image: offered, service: wanted.clone() })
}

fn scanned(facts: &Facts<'_>, image: &Image) -> Result<(), Decision> {
    let (Some(gate), Some(scan)) = (&facts.service.scan, facts.scan) else { return Ok(()) };
    match scan {
        Scan::Done(counts) => {
            let blocking = |(severity, n): &(&Severity, &u64)| **n > 0 && gate.block.contains(severity);
            let found: BTreeMap<_, _> = counts.iter().filter(blocking).map(|(s, n)| (*s, *n)).collect();
            if found.is_empty() { Ok(()) } else { Err(Refuse::ScanFindings(found).into()) }
        }
        Scan::Impossible(why) => Err(Refuse::ScanImpossible(why.clone()).into()),
        Scan::Pending => match image.pushed_at.checked_add(gate.wait) {
            Ok(until) if facts.now < until => Err(Wait::Scan { until }.into()),
            _ => Err(Refuse::ScanLate { since: image.pushed_at }.into()),
        },
    }
}

/// Scanning goes on for as long as an image exists. Only the end of the scan that a push
/// waits for may start something; what was never started before is left to people.
fn is_awaited(facts: &Facts<'_>, image: &Image) -> Result<(), Nothing> {
    let awaited = match (facts.cause, &facts.service.scan) {
        (Cause::Push, _) => true,
        (Cause::Scanned, None) => false,
        (Cause::Scanned, Some(gate)) => {
            image.pushed_at.checked_add(gate.wait).is_ok_and(|until| facts.now < until)
        }
    };
    if awaited { Ok(()) } else { Err(Nothing::ScannedLater { pushed_at: image.pushed_at }) }
}

/// Whether nothing and nobody holds the service.
fn is_free(facts: &Facts<'_>, running: &Running) -> Result<(), Wait> {
    if let Some(active) = running.deployments.iter().find(|deployment| deployment.state == State::Active) {
        return Err(Wait::ActiveDeployment { id: active.id.clone() });
    }
    if let Some(hold) = running.ecs.hold.as_ref().filter(|hold| hold.is_on(facts.now)) {
        return Err(Wait::Hold { text: hold.text.clone() });
    }
    let mut frozen = facts.service.freeze.iter();
    frozen
        .find_map(|window| Some((window.until(facts.now)?, window.text.clone())))
        .map_or(Ok(()), |(until, window)| Err(Wait::Freeze { until, window }))
}

/// An alarm that is red, or that nobody can read, is no ground to release on. One without
/// data is: before traffic comes, a target group has none.
fn is_watched(running: &Running) -> Result<(), Refuse> {
    let names = |wanted: fn(&AlarmState) -> bool| -> Vec<String> {
        running.alarms.iter().filter(|alarm| wanted(&alarm.state)).map(|alarm| alarm.name.clone()).collect()
    };
    let missing = names(|state| *state == AlarmState::Missing);
    if !missing.is_empty() {
        return Err(Refuse::AlarmMissing { alarms: missing });
    }
    let red = names(|state| *state == AlarmState::Alarm);
    if red.is_empty() { Ok(()) } else { Err(Refuse::AlarmRed { alarms: red }) }
}

/// Only the first release of a service may go without a way back; gives why it has none.
fn way_back(facts: &Facts<'_>, running: &Running) -> Result<Option<String>, Refuse> {
    let Some(Err(why)) = facts.way_back.as_ref().map(|way| &way.target) else { return Ok(None) };
    match running.current.release.digest {
        None => Ok(Some(why.clone())),
        Some(_) => Err(Refuse::NoWayBack(why.clone())),
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
