//! A hook of CodeDeploy: which lifecycle event of which service it is, its checks, and the
//! report of one verdict.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use futures_util::future::{FutureExt as _, join, try_join3};
use jiff::Timestamp;
use shared::aws::{Described, EventState, LifecycleEvent, Reported, Succeeded, Target};
use shared::config::{Check, Service};
use shared::message::Release;
use shared::release::State;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

use crate::decide::{Decision, Outcome, decide};
use crate::hook::{Caller, Hook, caught};
use crate::secrets::Values;
use crate::{LifecycleHook, Told, reserve, told};

/// CodeDeploy waits so long for a verdict; a minute of it is ours to report.
const HOUR: Duration = Duration::from_secs(3_600 - 60);

/// What CodeDeploy says of a deployment may lag behind the call of its hook.
const LAG: Duration = Duration::from_secs(15);

/// Said in time: Lambda would end the function with no word of what it tried.
const NOT_TAKEN: &str = "CodeDeploy did not take it in the time that the function has";

/// What is to be reported, and what is told of it.
struct Judged<'a> {
    service: Option<&'a Service>,
    event: Option<String>,
    /// None if the deployment has ended: there is nobody to report to.
    decision: Option<Decision>,
    outcomes: Vec<(&'a str, Outcome)>,
    /// What it is about, for messages.
    release: Release,
}

impl LifecycleHook {
    /// Judges, and reports. An error is a verdict that could not be reported.
    pub(crate) async fn codedeploy(
        &self,
        deployment: &str,
        execution: &str,
        time: Duration,
    ) -> anyhow::Result<Told> {
        let span = tracing::info_span!("hook", deployment, service = tracing::field::Empty);
        let (end, last) = (Instant::now() + time.saturating_sub(reserve(time)), Instant::now() + time);
        let work = async {
            let judged = caught(end, self.judge(deployment, execution, end).boxed()).await;
            // The verdict is Failed until something else is known.
            let judged = judged.unwrap_or_else(Judged::without_facts);
            self.conclude(deployment, execution, judged, last).await
        };
        // Boxed: nested this deep, rustc gives up on the layout of the function's main.
        work.instrument(span).boxed().await
    }

    async fn conclude(
        &self,
        deployment: &str,
        execution: &str,
        judged: Judged<'_>,
        last: Instant,
    ) -> anyhow::Result<Told> {
        let (verdict, mut reason) = match judged.decision {
            None => (None, "the deployment has ended: nobody waits for a verdict".to_owned()),
            Some(Decision::Later(why)) => (None, why),
            Some(Decision::Succeeded(why)) => (Some(Succeeded::Yes), why),
            Some(Decision::Failed(why)) => (Some(Succeeded::No), why),
        };
        let reported = match verdict {
            Some(verdict) => {
                let report = timeout_at(last, self.aws.report(deployment, execution, verdict));
                Some(report.await.unwrap_or_else(|_| Err(anyhow!(NOT_TAKEN))).with_context(|| {
                    format!("the verdict could not be reported: {}: {reason}", verdict.as_str())
                })?)
            }
            None => None,
        };
        // This one, if its answer was lost; to a late delivery, an earlier one, which counts.
        if reported == Some(Reported::Before) {
            reason.push_str("; CodeDeploy has a verdict already");
        }
        let (event, verdict) = (judged.event.as_deref().unwrap_or_default(), verdict.map(Succeeded::as_str));
        match verdict {
            Some("Failed") => tracing::warn!(event, verdict, "{reason}"),
            _ => tracing::info!(event, verdict, "{reason}"),
        }
        if let (Some(service), Some("Failed"), Some(Reported::Now)) = (judged.service, verdict, reported) {
            self.tell(service, event, &reason, judged.release).await;
        }
        Ok(Told {
            deployment: deployment.to_owned(),
            service: judged.service.map(|service| service.name.clone()),
            verdict,
            checks: told(&judged.outcomes),
            event: judged.event,
            reason,
        })
    }

    async fn judge<'a>(
        &'a self,
        deployment: &str,
        execution: &str,
        end: Instant,
    ) -> anyhow::Result<Judged<'a>> {
        let described = self.aws.described(deployment).await?;
        let described = described.with_context(|| format!("CodeDeploy has no deployment {deployment}"))?;
        let Described { application, group, .. } = &described;
        let service = self.releases.deployed_by(application, group);
        tracing::Span::current().record("service", service.map(|service| service.name.as_str()));
        if described.deployment.state != State::Active {
            let release = Release::default();
            return Ok(Judged { service, event: None, decision: None, outcomes: Vec::new(), release });
        }
        let service = service.with_context(|| {
            format!(
                "releases.yaml names no service that {application}/{group} deploys; take the hook out of its \
                 AppSpec, or name the service"
            )
        })?;
        let facts = try_join3(
            self.in_progress(&described, service),
            self.aws.deployed_revision(&described),
            self.ecs(service),
        );
        let secrets = Values::fetch(&self.secrets, service.checks.secrets());
        let (facts, secrets) = join(facts, secrets).await;
        let ((mut event, mut target), revision, ecs) = facts?;
        let (revision, ecs, secrets) = (&revision, &ecs, &secrets);
        loop {
            let checks = checks(service, &event.name);
            let hook = Hook {
                service,
                event: &event.name,
                deployment,
                caller: Caller::CodeDeploy { execution, green: target.green.clone() },
                revision,
                ecs,
                secrets,
                end: end.min(Instant::now() + left(event.began, self.aws.now())),
            };
            let outcomes = self.run(&hook, checks).await;
            let decision = decide(&event.name, checks.len(), &outcomes).map(|why| secrets.redacted(&why));
            // What was read may have lagged behind: then the checks were those of the event before.
            let next = match &decision {
                Decision::Succeeded(_) => self.moved_on(deployment, service, &event).await?,
                Decision::Failed(_) | Decision::Later(_) => None,
            };
            let Some(next) = next else {
                let (service, event, decision) = (Some(service), Some(event.name), Some(decision));
                let release = Release {
                    deployment: Some(deployment.to_owned()),
                    revision: Some(revision.clone()),
                    repository: described.deployment.repository,
                    digest: described.deployment.digest,
                    tag: None,
                };
                return Ok(Judged { service, event, decision, outcomes, release });
            };
            (event, target) = next;
        }
    }

    /// The event with hooks that is under way instead of the one that was judged.
    async fn moved_on(
        &self,
        deployment: &str,
        service: &Service,
        judged: &LifecycleEvent,
    ) -> anyhow::Result<Option<(LifecycleEvent, Target)>> {
        let Some(target) = self.aws.target(deployment, &service.cluster, &service.service).await? else {
            return Ok(None);
        };
        let event = under_way(&target, service).filter(|event| event.name != judged.name);
        Ok(event.map(|event| (event, target)))
    }

    /// The lifecycle event whose hook this is: the one that is under way.
    async fn in_progress(
        &self,
        described: &Described,
        service: &Service,
    ) -> anyhow::Result<(LifecycleEvent, Target)> {
        let (id, end) = (&described.deployment.id, Instant::now() + LAG);
        loop {
            let target = self.aws.target(id, &service.cluster, &service.service).await?;
            let found = target.and_then(|target| Some((under_way(&target, service)?, target)));
            if let Some(found) = found {
                return Ok(found);
            }
            if Instant::now() >= end {
                bail!("no lifecycle event of {id} that has hooks is under way");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn ecs(&self, service: &Service) -> anyhow::Result<shared::aws::EcsService> {
        let (cluster, name) = (&service.cluster, &service.service);
        let ecs = self.aws.service(cluster, name).await?;
        ecs.with_context(|| format!("ECS has no service {cluster}/{name}, which releases.yaml names"))
    }
}

/// The lifecycle event that is under way, if it is one that has hooks.
fn under_way(target: &Target, service: &Service) -> Option<LifecycleEvent> {
    let with_hook = |name: &str| service.checks.by_lifecycle_event().iter().any(|(e, _)| *e == name);
    let mut events = target.events.iter();
    events.find(|event| event.state == EventState::InProgress && with_hook(&event.name)).cloned()
}

/// The checks that the configuration names for a lifecycle event.
pub fn checks<'a>(service: &'a Service, event: &str) -> &'a [Check] {
    let all = service.checks.by_lifecycle_event();
    all.into_iter().find(|(name, _)| *name == event).map_or(&[], |(_, checks)| checks)
}

/// What is left of CodeDeploy's hour.
fn left(began: Option<Timestamp>, now: Timestamp) -> Duration {
    let age = began.map_or(Duration::ZERO, |began| now.duration_since(began).try_into().unwrap_or_default());
    HOUR.saturating_sub(age)
}

impl Judged<'_> {
    /// Nothing was found out: closed.
    fn without_facts(outcome: Outcome) -> Self {
        let decision = Some(Decision::Failed(format!("no check was made: {}", outcome.reason())));
        Self { service: None, event: None, decision, outcomes: Vec::new(), release: Release::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_is_codedeploys_and_a_minute_of_it_ours() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let began = Some(at("2026-01-01T00:00:00Z"));
        assert_eq!(left(began, at("2026-01-01T00:10:00Z")), Duration::from_secs(49 * 60));
        assert_eq!(left(began, at("2026-01-01T02:00:00Z")), Duration::ZERO);
        assert_eq!(left(began, at("2025-12-31T23:59:00Z")), HOUR, "clocks differ");
        assert_eq!(left(None, at("2026-01-01T00:10:00Z")), HOUR);
    }
}
