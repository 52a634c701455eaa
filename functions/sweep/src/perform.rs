//! The steps, one after the other. Each is what an event would have brought about, and as safe
//! to repeat.

use std::time::Duration;

use anyhow::Context as _;
use deployment_state::Subject;
use image_push::Waited;
use jiff::Timestamp;
use serde_json::json;
use shared::aws::{Origin, Stop};
use shared::events::alarm;
use shared::events::deployment::Change;
use shared::message::{Message, News, Release};
use shared::release::State;
use shared::revision::Verdict;
use tokio::time::Instant;

use crate::Sweep;
use crate::decide::{Facts, GRACE, Step};

impl Sweep {
    /// Gives what came of it, in words.
    pub(crate) async fn perform(
        &self,
        facts: &Facts<'_>,
        step: &Step,
        deadline: Instant,
    ) -> anyhow::Result<String> {
        let time = deadline.saturating_duration_since(Instant::now());
        match step {
            Step::Guard { alarm, since } => self.guard(facts, alarm, *since).await,
            Step::Settle { deployment, .. } => self.settle(facts, deployment.as_deref(), time).await,
            Step::WakeHook { deployment, execution, .. } => {
                let name = self.state.push.hook.as_ref().context("SLUICE_HOOK_FUNCTION is not set")?;
                // As CodeDeploy itself calls it.
                let event = json!({ "DeploymentId": deployment, "LifecycleEventHookExecutionId": execution });
                self.functions.wake(name, &event).await?;
                Ok(format!("woke {name} for {deployment}"))
            }
            Step::StopOverdue { deployment, event, since } => {
                self.stop(facts, deployment, event, *since).await
            }
            Step::StopTask { task } => {
                let reason = "Sluice: not finished within its timeout, and its deployment has ended";
                self.aws().stop_task(&facts.service.cluster, task, reason).await?;
                Ok(format!("stopped {task}"))
            }
            Step::Baseline => {
                let now = self.aws().now();
                self.aws().tag(&facts.ecs.arn, &[("sluice:baseline", now.to_string())]).await?;
                Ok(format!("baseline {now}"))
            }
            Step::Newest { .. } => {
                let waited = Waited { grace: GRACE, ..Waited::default() };
                let outcome = self.state.push.newest(facts.service, waited).await?;
                let started =
                    outcome.started.map_or("nothing started".to_owned(), |id| format!("started {id}"));
                Ok(format!("{started}: {}", outcome.decision))
            }
            Step::Nothing(_) => Ok(String::new()),
        }
    }

    async fn guard(&self, facts: &Facts<'_>, alarm: &str, since: Timestamp) -> anyhow::Result<String> {
        let change =
            alarm::Change { alarm: alarm.to_owned(), state: "ALARM".to_owned(), at: since, muted: None };
        let outcome = ::alarm::look(self.aws(), &self.state.push.topic, facts.service, &change).await?;
        let did = outcome.did.map(|did| format!(" {did}")).unwrap_or_default();
        Ok(format!("{}{did}: {}", outcome.decision.kind(), outcome.decision))
    }

    async fn settle(
        &self,
        facts: &Facts<'_>,
        deployment: Option<&str>,
        time: Duration,
    ) -> anyhow::Result<String> {
        let subject = deployment.map_or(Subject::Newest, Subject::Deployment);
        let answer = self.state.settle(facts.service, subject, Change::Unheard, time).await?;
        let done = if answer.done.is_empty() { "nothing".to_owned() } else { answer.done.join("; ") };
        Ok(format!("{}: {}: done: {done}", answer.decision, answer.reason))
    }

    /// Nobody knows any more what a verdict is reported by: the deployment itself is stopped.
    async fn stop(
        &self,
        facts: &Facts<'_>,
        deployment: &str,
        event: &str,
        overdue_since: Timestamp,
    ) -> anyhow::Result<String> {
        let (aws, service) = (self.aws(), facts.service);
        let described = aws.described(deployment).await?;
        let described = described.with_context(|| format!("CodeDeploy has no deployment {deployment}"))?;
        if described.origin == Origin::Rollback || described.deployment.state != State::Active {
            return Ok(format!("{deployment} is not a release that is under way (any more)"));
        }
        let revision = aws.deployed_revision(&described).await?;
        let tags = aws.revision(&revision).await?.map(|revision| revision.release).unwrap_or_default();
        if tags.verdict == Some(Verdict::Rejected) {
            return Ok(format!("{deployment} is being stopped already"));
        }
        if aws.stop_deployment(deployment).await? == Stop::Ended {
            return Ok(format!("{deployment} has just ended"));
        }
        let reason = format!("the hook of {event} gave no verdict within almost an hour");
        aws.tag(&revision, &[("sluice:verdict", "rejected".to_owned()), ("sluice:reason", reason)]).await?;
        let news = News::HookOverdue { event: event.to_owned() };
        let release = Release {
            deployment: Some(deployment.to_owned()),
            revision: Some(revision),
            repository: described.deployment.repository,
            digest: described.deployment.digest,
            tag: tags.tag,
        };
        let message = Message { service: service.name.clone(), at: overdue_since, release, news };
        self.state.push.topic.publish(&message).await;
        Ok(format!("stopped {deployment}"))
    }
}
