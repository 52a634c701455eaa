//! image-push: from the push of an image, or the end of its scan, to its deployment on every
//! service that takes it.

mod decide;
mod history;
mod image;
mod newest;
mod start;
mod target;
mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{bail, ensure};
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;
use shared::aws::{Aws, Topic};
use shared::config::{ImageRule, Releases, Service};
use shared::events::ecr::{Cause, EcrEvent, ImageEvent};
use shared::image::{is_companion_tag, is_image_media_type};
use shared::message::{Message, News, Release};
use shared::start::Invocation;
use tracing::Instrument as _;

pub use decide::{Decision, Nothing, Refuse, Wait};
pub use newest::{Waited, Waiting, waiting};
pub use target::Outcome;

use image::PushedImage;
use target::Target;

/// So many services are handled side by side; more would only meet AWS's rate limits.
const SIDE_BY_SIDE: usize = 8;

/// What is kept between events.
pub struct ImagePush {
    pub aws: Aws,
    pub releases: Releases,
    /// The function that CodeDeploy is to call at each lifecycle event with checks.
    pub hook: Option<String>,
    /// Where it is told what waits and what is refused.
    pub topic: Topic,
}

/// What became of an event.
#[derive(Debug, PartialEq, Serialize)]
pub struct Answer {
    /// `repository@digest`, where the event names an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    /// Why no service was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    nothing: Option<String>,
    /// By the service's name in `releases.yaml`.
    services: BTreeMap<String, Told>,
}

/// An outcome in words.
#[derive(Debug, PartialEq, Serialize)]
pub struct Told {
    pub decision: &'static str,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
}

impl ImagePush {
    /// From the environment: `SLUICE_RELEASES`, `SLUICE_HOOK_FUNCTION`, `SLUICE_TOPIC` and what
    /// Lambda gives.
    pub async fn from_environment() -> anyhow::Result<Self> {
        let releases = shared::start::releases()?;
        let hook = std::env::var("SLUICE_HOOK_FUNCTION").ok().filter(|name| !name.is_empty());
        let has_checks = |service: &&Service| !service.checks.lifecycle_events().is_empty();
        let with_checks = releases.services().iter().find(has_checks);
        if let (Some(service), None) = (with_checks, &hook) {
            bail!(
                "SLUICE_HOOK_FUNCTION is not set, and {} asks for checks; set it to the name of the \
                 lifecycle-hook function",
                service.name
            );
        }
        let aws = Aws::from_environment()?;
        Ok(Self { topic: Topic::from_environment(&aws), aws, releases, hook })
    }

    /// Handles one event. An error names every service that could not be dealt with: the
    /// event is to be delivered again, and what was done meanwhile is not done twice.
    pub async fn handle(&self, invocation: Invocation) -> anyhow::Result<Answer> {
        let event = match EcrEvent::parse(&invocation.event)? {
            EcrEvent::Image(event) => event,
            EcrEvent::Other(what) => return Ok(Answer::nothing(None, &Nothing::NotAPush(what))),
        };
        match self.takers(&event) {
            Err(nothing) => Ok(Answer::nothing(Some(&event), &nothing)),
            Ok(takers) => self.release(&event, takers, invocation.time).await,
        }
    }

    /// The services that may take the image, by the event alone: most pushes cost no call.
    fn takers(&self, event: &ImageEvent) -> Result<Vec<Taker<'_>>, Nothing> {
        let mut takers: Vec<Taker<'_>> = Vec::new();
        for (service, rule) in self.releases.taking(&event.repository) {
            match takers.iter_mut().find(|(taker, _)| taker.name == service.name) {
                Some((_, rules)) => rules.push(rule),
                None => takers.push((service, vec![rule])),
            }
        }
        let repository = || event.repository.clone();
        if takers.is_empty() {
            return Err(Nothing::NotOurs { repository: repository() });
        }
        if event.cause == Cause::Scanned {
            takers.retain(|(service, _)| service.scan.is_some());
            // Which tags it has is asked of ECR: an event of a scan need not name them.
            let none = Nothing::NoScanGate { repository: repository() };
            return if takers.is_empty() { Err(none) } else { Ok(takers) };
        }
        let rules = || takers.iter().flat_map(|(_, rules)| rules);
        if !is_image_media_type(event.artifact_media_type.as_deref()) {
            return Err(Nothing::Artifact(event.artifact_media_type.clone().unwrap_or_default()));
        }
        if event.tags.is_empty() {
            return Err(Nothing::Untagged);
        }
        if event.tags.iter().all(|tag| is_companion_tag(tag)) {
            return Err(Nothing::Artifact(format!(
                "what belongs to another image ({})",
                event.tags.join(", ")
            )));
        }
        if !event.tags.iter().any(|tag| rules().any(|rule| rule.tags.matches(tag))) {
            let patterns = rules().map(|rule| rule.tags.as_str().to_owned()).collect();
            return Err(Nothing::TagDoesNotMatch { tags: event.tags.clone(), patterns });
        }
        Ok(takers)
    }

    async fn release(
        &self,
        event: &ImageEvent,
        takers: Vec<Taker<'_>>,
        time: Duration,
    ) -> anyhow::Result<Answer> {
        let image = PushedImage::new(&self.aws, event)?;
        let machine = self.aws.machine_time();
        let happened = event.time.map_or(machine, |time| time.min(machine));
        let targets = takers.into_iter().map(|(service, rules)| Target {
            aws: &self.aws,
            service,
            rules,
            image: &image,
            cause: event.cause,
            time: happened,
            hook: self.hook.as_deref(),
        });
        let deadline = tokio::time::Instant::now() + time;
        let each: Vec<_> = targets.map(|target| self.one(target, event, deadline)).collect();
        let outcomes: Vec<_> = stream::iter(each).buffer_unordered(SIDE_BY_SIDE).collect().await;
        let digest = image.digest().map_or(event.digest.as_str(), |digest| digest.as_str());
        let name = format!("{}@{digest}", event.repository);
        let mut answer = Answer { image: Some(name), nothing: None, services: BTreeMap::new() };
        let mut failed = Vec::new();
        for (service, outcome) in outcomes {
            match outcome {
                Ok(outcome) => drop(answer.services.insert(service, outcome.into())),
                Err(e) => failed.push(format!("{service}: {e:#}")),
            }
        }
        failed.sort();
        let done: Vec<_> =
            answer.services.iter().map(|(service, told)| format!("{service}: {told}")).collect();
        ensure!(failed.is_empty(), "{}{}", failed.join("; "), others(&done));
        Ok(answer)
    }

    async fn one(
        &self,
        target: Target<'_>,
        event: &ImageEvent,
        deadline: tokio::time::Instant,
    ) -> (String, anyhow::Result<Outcome>) {
        let service = target.service.name.clone();
        let span = tracing::info_span!("target", service, digest = tracing::field::Empty);
        let work = async {
            let outcome = tokio::time::timeout_at(deadline, target.release()).await;
            let outcome = outcome.unwrap_or_else(|_| bail!("not finished within the function's time"));
            let digest = target.image.digest().map_or(event.digest.as_str(), |digest| digest.as_str());
            tracing::Span::current().record("digest", digest);
            log(&outcome);
            if let Ok(outcome) = &outcome {
                self.tell(&target, event, &outcome.decision).await;
            }
            outcome
        };
        (service, work.instrument(span).await)
    }

    /// What waits and what is refused, people hear; what starts is told by its deployment.
    async fn tell(&self, target: &Target<'_>, event: &ImageEvent, decision: &Decision) {
        let news = match decision {
            Decision::Wait(wait) => News::Waiting { reason: wait.to_string() },
            Decision::Refuse(refuse) => News::Refused { reason: refuse.to_string() },
            Decision::Start(_) | Decision::Nothing(_) => return,
        };
        let release = Release {
            repository: Some(event.repository.clone()),
            digest: target.image.digest().cloned(),
            tag: event.tags.first().cloned(),
            ..Release::default()
        };
        let service = target.service.name.clone();
        self.topic.publish(&Message { service, at: target.time, release, news }).await;
    }
}

type Taker<'a> = (&'a Service, Vec<&'a ImageRule>);

fn others(done: &[String]) -> String {
    if done.is_empty() { String::new() } else { format!(" (done: {})", done.join("; ")) }
}

fn log(outcome: &anyhow::Result<Outcome>) {
    match outcome {
        Ok(outcome) => {
            let (decision, started) = (outcome.decision.kind(), outcome.started.as_deref());
            match &outcome.decision {
                Decision::Refuse(refuse) => tracing::warn!(decision, "{refuse}"),
                other => tracing::info!(decision, started, "{other}"),
            }
        }
        Err(e) => tracing::error!("{e:#}"),
    }
}

impl Answer {
    fn nothing(event: Option<&ImageEvent>, nothing: &Nothing) -> Self {
        let image = event.map(|event| format!("{}@{}", event.repository, event.digest));
        tracing::info!(image, decision = "nothing", "{nothing}");
        Self { image, nothing: Some(nothing.to_string()), services: BTreeMap::new() }
    }
}

impl From<Outcome> for Told {
    fn from(outcome: Outcome) -> Self {
        Self {
            decision: outcome.decision.kind(),
            reason: outcome.decision.to_string(),
            started: outcome.started,
        }
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.decision, self.reason)
    }
}
