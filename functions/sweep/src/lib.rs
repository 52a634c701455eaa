//! sweep: what no event told. On a schedule, each service is looked at from facts alone, and
//! what an event would have brought about is done by the same decisions.

mod decide;
mod facts;
mod hook;
mod one_off;
mod perform;
mod text;
mod together;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{bail, ensure};
use deployment_state::DeploymentState;
use futures_util::future::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use serde::Serialize;
use shared::aws::{Aws, Functions, Snapshots};
use shared::config::Service;
use shared::start::Invocation;
use tokio::time::Instant;
use tracing::Instrument as _;

pub use decide::{By, Facts, Last, Nothing, Step, Unsettled, decide};
pub use hook::{Carrier, Hook};

use facts::{Found, gather};
use together::Images;

/// So many services, or calls for several, are dealt with side by side; more would only meet
/// AWS's rate limits.
const SIDE_BY_SIDE: usize = 8;

/// So many services are read together before anything is done for them.
const TOGETHER: usize = 100;

/// With less time left, no more services are begun with.
const ENOUGH: Duration = Duration::from_secs(10);

/// What is kept between events.
pub struct Sweep {
    /// Settles deployments, and starts images.
    pub state: DeploymentState,
    functions: Functions,
    snapshots: Snapshots,
}

/// What became of all services.
#[derive(Debug, PartialEq, Serialize)]
pub struct Answer {
    /// By the service's name in `releases.yaml`.
    pub services: BTreeMap<String, Vec<Told>>,
}

/// A step in words.
#[derive(Debug, PartialEq, Serialize)]
pub struct Told {
    pub step: &'static str,
    pub reason: String,
    /// What came of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub outcome: String,
}

impl Sweep {
    /// From the environment: `SLUICE_RELEASES`, `SLUICE_TOPIC`, `SLUICE_HOOK_FUNCTION` and what
    /// Lambda gives.
    pub async fn from_environment() -> anyhow::Result<Self> {
        Ok(Self::new(DeploymentState::from_environment().await?))
    }

    pub fn new(state: DeploymentState) -> Self {
        let (functions, snapshots) = (Functions::new(state.aws()), Snapshots::new(state.aws()));
        Self { state, functions, snapshots }
    }

    fn aws(&self) -> &Aws {
        self.state.aws()
    }

    /// Handles one event, of a schedule: what it says is not looked at. An error names every
    /// service that could not be dealt with, or not in time; the next sweep looks again.
    pub async fn handle(&self, invocation: Invocation) -> anyhow::Result<Answer> {
        ensure!(invocation.event.is_object(), "this is no event of a schedule: {}", invocation.event);
        let deadline = Instant::now() + invocation.time;
        let services = rotated(self.state.push.releases.services(), self.aws().now());
        let (mut answer, mut failed) = (Answer { services: BTreeMap::new() }, Vec::new());
        let mut images = Images::new();
        for together in services.chunks(TOGETHER) {
            if deadline.saturating_duration_since(Instant::now()) < ENOUGH {
                failed.extend(together.iter().map(|service| format!("{}: no time was left", service.name)));
                continue;
            }
            for (name, told, wrong) in self.sweep(together, &mut images, deadline).boxed().await {
                failed.extend(wrong.into_iter().map(|why| format!("{name}: {why}")));
                answer.services.insert(name, told);
            }
        }
        failed.sort();
        let busy = answer.services.values().flatten().filter(|told| told.step != "nothing").count();
        tracing::info!(services = answer.services.len(), steps = busy, failed = failed.len(), "swept");
        ensure!(failed.is_empty(), "{}", failed.join("; "));
        Ok(answer)
    }

    /// What was done for each of these services, and what went wrong.
    async fn sweep(
        &self,
        services: &[&Service],
        images: &mut Images,
        deadline: Instant,
    ) -> Vec<(String, Vec<Told>, Vec<String>)> {
        let gathered = gather(self.aws(), &self.snapshots, services, images).boxed();
        let Ok(found) = tokio::time::timeout_at(deadline, gathered).await else {
            let late = |service: &&Service| {
                (service.name.clone(), Vec::new(), vec!["not read within the function's time".to_owned()])
            };
            return services.iter().map(late).collect();
        };
        let each: Vec<_> =
            found.into_iter().map(|(service, found)| self.one(service, found, deadline).boxed()).collect();
        stream::iter(each).buffer_unordered(SIDE_BY_SIDE).collect().await
    }

    async fn one(
        &self,
        service: &Service,
        found: anyhow::Result<Found<'_>>,
        deadline: Instant,
    ) -> (String, Vec<Told>, Vec<String>) {
        let span = tracing::info_span!("swept", service = service.name);
        let work = async {
            let (told, wrong) = match found {
                Ok(found) => self.steps(found, deadline).await,
                Err(e) => (Vec::new(), vec![format!("{e:#}")]),
            };
            wrong.iter().for_each(|why| tracing::error!("{why}"));
            (service.name.clone(), told, wrong)
        };
        work.instrument(span).await
    }

    /// One step that fails keeps back those after it.
    async fn steps(&self, found: Found<'_>, deadline: Instant) -> (Vec<Told>, Vec<String>) {
        let Found { facts, mut troubles } = found;
        let mut all = Vec::new();
        for step in decide(&facts) {
            let work = self.perform(&facts, &step, deadline).boxed();
            let outcome = tokio::time::timeout_at(deadline, work).await;
            let outcome = outcome.unwrap_or_else(|_| bail!("not finished within the function's time"));
            let (step, reason) = (step.kind(), step.to_string());
            match outcome {
                Ok(outcome) => {
                    if step != "nothing" {
                        tracing::warn!(step, outcome, "{reason}");
                    }
                    all.push(Told { step, reason, outcome });
                }
                Err(e) => {
                    troubles.push(format!("{reason}: {e:#}"));
                    break;
                }
            }
        }
        (all, troubles)
    }
}

/// Where a sweep has no time for all services, the next ones begin elsewhere: the beginning
/// moves on by the golden ratio each minute, which comes near every place soon, whatever the
/// period of the schedule.
fn rotated(services: &[Service], now: Timestamp) -> Vec<&Service> {
    const RATIO: u128 = 618_034;
    const WHOLE: u128 = 1_000_000;
    let minute = u128::try_from(now.as_second() / 60).unwrap_or_default();
    let first = minute * RATIO % WHOLE * services.len() as u128 / WHOLE;
    let (before, after) = services.split_at(usize::try_from(first).unwrap_or_default());
    after.iter().chain(before).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use shared::config::{Checks, Engine, Notify};

    use super::*;

    #[test]
    fn a_sweep_that_gets_through_a_tenth_of_the_services_has_seen_all_of_them_soon() {
        let service = |n: usize| Service {
            name: n.to_string(),
            cluster: String::new(),
            service: String::new(),
            images: Vec::new(),
            engine: Engine::Ecs,
            checks: Checks::default(),
            alarms: Vec::new(),
            watch: Duration::ZERO,
            scan: None,
            freeze: Vec::new(),
            notify: Notify::default(),
        };
        let services: Vec<_> = (0..1_000).map(service).collect();
        for period in [1, 2, 5, 10, 15, 60] {
            let mut seen = BTreeSet::new();
            let sweeps = (0..25).take_while(|n| {
                let now = Timestamp::from_second(1_767_225_600 + n * period * 60).unwrap();
                let all = rotated(&services, now);
                assert_eq!(all.len(), 1_000);
                seen.extend(all.iter().take(100).map(|service| service.name.clone()));
                seen.len() < 1_000
            });
            assert!(sweeps.count() < 24, "every {period} minutes: {} of 1,000", seen.len());
        }
        assert_eq!(rotated(&[], Timestamp::UNIX_EPOCH), Vec::<&Service>::new());
    }
}
