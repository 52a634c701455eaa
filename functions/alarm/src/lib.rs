//! alarm: from an alarm that went red to the stop, or the rollback, of what it guards.

mod act;
mod decide;
mod facts;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{bail, ensure};
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;
use shared::aws::{Aws, Topic};
use shared::config::{Releases, Service};
use shared::events::alarm::{AlarmEvent, Change};
use shared::start::Invocation;
use tracing::Instrument as _;

pub use act::{Outcome, look};
pub use decide::{AlarmFacts, Decision, Escalate, Nothing};
pub use facts::alarm_facts;

/// So many services are handled side by side: one alarm may guard many.
const SIDE_BY_SIDE: usize = 32;

/// What is kept between events.
pub struct Guard {
    pub aws: Aws,
    pub releases: Releases,
    pub topic: Topic,
}

/// What became of an event.
#[derive(Debug, PartialEq, Serialize)]
pub struct Answer {
    /// Why no service was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    nothing: Option<String>,
    /// By alarm, and by the service's name in `releases.yaml`.
    alarms: BTreeMap<String, BTreeMap<String, Told>>,
}

/// An outcome in words.
#[derive(Debug, PartialEq, Serialize)]
pub struct Told {
    pub decision: &'static str,
    pub reason: String,
    /// The deployment that was stopped, or started to take one back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did: Option<String>,
}

impl Guard {
    /// From the environment: `SLUICE_RELEASES`, `SLUICE_TOPIC` and what Lambda gives.
    pub async fn from_environment() -> anyhow::Result<Self> {
        let releases = shared::start::releases()?;
        let aws = Aws::from_environment()?;
        Ok(Self { topic: Topic::from_environment(&aws), aws, releases })
    }

    /// Handles one event. An error names every service that could not be dealt with: the
    /// event is to be delivered again, and what was done meanwhile is not done twice.
    pub async fn handle(&self, invocation: Invocation) -> anyhow::Result<Answer> {
        let changes = match AlarmEvent::parse(&invocation.event)? {
            AlarmEvent::Changes(changes) => changes,
            AlarmEvent::Other(what) => return Ok(Answer::nothing(format!("{what} stops nothing"))),
        };
        let (mut answer, mut failed) = (Answer::default(), Vec::new());
        for change in changes {
            let told = self.one(&change, invocation.time).await;
            let told = told.into_iter().filter_map(|(service, outcome)| match outcome {
                Ok(outcome) => Some((service, outcome.into())),
                Err(e) => {
                    failed.push(format!("{service}: {e:#}"));
                    None
                }
            });
            answer.alarms.insert(change.alarm.clone(), told.collect());
        }
        failed.sort();
        ensure!(failed.is_empty(), "{}", failed.join("; "));
        Ok(answer)
    }

    /// All services that name the alarm, side by side.
    async fn one(&self, change: &Change, time: Duration) -> Vec<(String, anyhow::Result<Outcome>)> {
        let guarded: Vec<&Service> = self.releases.guarded_by(&change.alarm).collect();
        if guarded.is_empty() {
            tracing::info!(alarm = change.alarm, "no service of releases.yaml names this alarm");
        }
        let deadline = tokio::time::Instant::now() + time;
        let each: Vec<_> =
            guarded.into_iter().map(|service| self.guarded(service, change, deadline)).collect();
        stream::iter(each).buffer_unordered(SIDE_BY_SIDE).collect().await
    }

    async fn guarded(
        &self,
        service: &Service,
        change: &Change,
        deadline: tokio::time::Instant,
    ) -> (String, anyhow::Result<Outcome>) {
        let span = tracing::info_span!("guarded", service = service.name, alarm = change.alarm);
        let work = async {
            let looked = look(&self.aws, &self.topic, service, change);
            let outcome = tokio::time::timeout_at(deadline, looked).await;
            let outcome = outcome.unwrap_or_else(|_| bail!("not finished within the function's time"));
            log(&outcome);
            outcome
        };
        (service.name.clone(), work.instrument(span).await)
    }
}

fn log(outcome: &anyhow::Result<Outcome>) {
    match outcome {
        Ok(Outcome { decision, did }) => {
            let (kind, did) = (decision.kind(), did.as_deref());
            match decision {
                Decision::Escalate(escalate) => tracing::error!(decision = kind, "{escalate}"),
                Decision::Stop { .. } | Decision::TakeBack { .. } => {
                    tracing::warn!(decision = kind, did, "{decision}");
                }
                Decision::Nothing(nothing) => tracing::info!(decision = kind, "{nothing}"),
            }
        }
        Err(e) => tracing::error!("{e:#}"),
    }
}

impl Answer {
    fn default() -> Self {
        Self { nothing: None, alarms: BTreeMap::new() }
    }

    fn nothing(why: String) -> Self {
        tracing::info!(decision = "nothing", "{why}");
        Self { nothing: Some(why), alarms: BTreeMap::new() }
    }
}

impl From<Outcome> for Told {
    fn from(outcome: Outcome) -> Self {
        Self { decision: outcome.decision.kind(), reason: outcome.decision.to_string(), did: outcome.did }
    }
}
