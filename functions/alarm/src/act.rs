//! One service and one alarm: facts, decision, effects. Each effect is safe to repeat.

use shared::aws::{Aws, Stop, Topic};
use shared::config::{Engine, Service};
use shared::escalated;
use shared::events::alarm::Change;
use shared::message::{Message, News, Release};
use shared::revision::Revision;
use shared::rollback::{Back, roll_back};
use shared::way_back::rollback_target;

use crate::decide::{Decision, Escalate, Nothing, decide, origin_is_open};
use crate::facts::{Found, LAG};

/// How often what is to be stopped may have ended meanwhile before the event is left to be
/// delivered again.
const TRIES: u32 = 4;

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub decision: Decision,
    /// The deployment that was stopped, or started to take one back.
    pub did: Option<String>,
}

impl From<Decision> for Outcome {
    fn from(decision: Decision) -> Self {
        Self { decision, did: None }
    }
}

/// Looks at a service that an alarm guards, and does what is to be done.
pub async fn look(aws: &Aws, topic: &Topic, service: &Service, change: &Change) -> anyhow::Result<Outcome> {
    if change.state != "ALARM" {
        return Ok(Decision::from(Nothing::NotRed { state: change.state.clone() }).into());
    }
    let guard = Guarded { aws, topic, service, change };
    for _ in 0..TRIES {
        if let Some(outcome) = guard.attempt().await? {
            return Ok(outcome);
        }
        tokio::time::sleep(LAG).await;
    }
    anyhow::bail!(
        "the deployments of {} change faster than they can be stopped, or ECS's list of them lags",
        service.name
    )
}

struct Guarded<'a> {
    aws: &'a Aws,
    topic: &'a Topic,
    service: &'a Service,
    change: &'a Change,
}

impl Guarded<'_> {
    /// None where the facts changed under it.
    async fn attempt(&self) -> anyhow::Result<Option<Outcome>> {
        let Some(mut found) = Found::look(self.aws, self.service, self.change).await? else {
            anyhow::bail!(
                "ECS has no service {}/{}, which releases.yaml names",
                self.service.cluster,
                self.service.service
            )
        };
        if found.is_behind() {
            return Ok(None);
        }
        if origin_is_open(&found.facts) {
            found.find_origin(self.aws, self.service).await?;
        }
        let decision = decide(&found.facts);
        match &decision {
            Decision::Stop { deployment, .. } => self.stop(&found, deployment, &decision).await,
            Decision::TakeBack { deployment, .. } => self.take_back(&found, deployment, &decision).await,
            Decision::Escalate(_) | Decision::Nothing(_) => {
                self.tell(&found, &decision).await;
                Ok(Some(decision.into()))
            }
        }
    }

    async fn stop(
        &self,
        found: &Found,
        deployment: &str,
        decision: &Decision,
    ) -> anyhow::Result<Option<Outcome>> {
        let stopped = match &self.service.engine {
            Engine::CodeDeploy { .. } => self.aws.stop_deployment(deployment).await?,
            Engine::Ecs => self.aws.stop_service_deployment(deployment).await?,
        };
        if stopped == Stop::Ended {
            return Ok(None);
        }
        if let Some(revision) = found.brought() {
            self.reject(revision, decision).await?;
        }
        self.tell(found, decision).await;
        Ok(Some(Outcome { decision: decision.clone(), did: Some(deployment.to_owned()) }))
    }

    async fn take_back(
        &self,
        found: &Found,
        deployment: &str,
        decision: &Decision,
    ) -> anyhow::Result<Option<Outcome>> {
        let live = self.aws.revision(&found.ecs.revision).await?;
        let Some(live) = live else { anyhow::bail!("ECS does not know {}", found.ecs.revision) };
        let target = rollback_target(self.aws, &live, &self.service.images).await?;
        let to = match target {
            Ok(to) => to,
            Err(why) => {
                let decision = Escalate::NoWayBack { deployment: deployment.to_owned(), why }.into();
                self.tell(found, &decision).await;
                return Ok(Some(decision.into()));
            }
        };
        let reason = format!("rollback of {deployment}: alarm {}", self.change.alarm);
        let did = match roll_back(self.aws, self.service, &found.ecs, &to, &reason).await? {
            Back::Started(did) => did,
            Back::Busy => return Ok(None),
        };
        self.reject(&live.arn, decision).await?;
        if let Some(news) = self.news(decision) {
            self.publish(&live, decision, news).await;
        }
        Ok(Some(Outcome { decision: decision.clone(), did: Some(did) }))
    }

    async fn reject(&self, revision: &str, decision: &Decision) -> anyhow::Result<()> {
        let reason = format!("alarm {}: {decision}", self.change.alarm);
        let tags = [("sluice:verdict", "rejected".to_owned()), ("sluice:reason", reason)];
        self.aws.tag(revision, &tags).await
    }

    async fn tell(&self, found: &Found, decision: &Decision) {
        let Some(news) = self.news(decision) else { return };
        let brought = match (found.brought(), decision) {
            (Some(brought), _) => brought,
            // What serves is not what was stopped.
            (None, Decision::Stop { .. }) => return self.send(Release::default(), decision, news).await,
            (None, _) => &found.ecs.revision,
        };
        match self.aws.revision(brought).await {
            Ok(Some(revision)) if matches!(decision, Decision::Escalate(_)) => {
                self.call_people(found, &revision, decision, news).await;
            }
            Ok(Some(revision)) => self.publish(&revision, decision, news).await,
            // A message is not worth an event's second delivery.
            Ok(None) | Err(_) => {
                let release = Release { revision: Some(brought.to_owned()), ..Release::default() };
                self.send(release, decision, news).await;
            }
        }
    }

    /// What nothing can be done about is told once, however often the alarm is looked at.
    async fn call_people(&self, found: &Found, revision: &Revision, decision: &Decision, news: News) {
        let since = found.facts.alarm.reds.last().copied().unwrap_or(self.change.at);
        let call = escalated::value(&self.change.alarm, since);
        if revision.release.escalated.as_ref() == Some(&call) {
            return;
        }
        self.publish(revision, decision, news).await;
        if let Err(e) = self.aws.tag(&revision.arn, &[("sluice:escalated", call)]).await {
            tracing::warn!("that people were called may be told again: {e:#}");
        }
    }

    /// With what the revision says of the image.
    async fn publish(&self, revision: &Revision, decision: &Decision, news: News) {
        let release = Release {
            deployment: None,
            revision: Some(revision.arn.clone()),
            repository: self.service.images.first().map(|rule| rule.repository.clone()),
            digest: revision.release.digest.clone(),
            tag: revision.release.tag.clone(),
        };
        self.send(release, decision, news).await;
    }

    async fn send(&self, release: Release, decision: &Decision, news: News) {
        let release = Release { deployment: decision.deployment().map(str::to_owned), ..release };
        let (service, at) = (self.service.name.clone(), self.change.at);
        self.topic.publish(&Message { service, at, release, news }).await;
    }

    /// What is worth saying.
    fn news(&self, decision: &Decision) -> Option<News> {
        let alarm = self.change.alarm.clone();
        match decision {
            Decision::Stop { .. } | Decision::TakeBack { .. } => {
                Some(News::AlarmStopped { alarm, reason: decision.to_string() })
            }
            Decision::Escalate(Escalate::RedDuringRollback { .. }) => {
                Some(News::AlarmDuringRollback { alarm })
            }
            Decision::Escalate(Escalate::NoWayBack { why, .. }) => {
                Some(News::NoWayBack { reason: why.clone() })
            }
            Decision::Nothing(Nothing::RedBefore { .. }) => Some(News::AlarmRedBefore { alarm }),
            Decision::Nothing(Nothing::WatchOver { .. } | Nothing::NoDeployment) => {
                self.service.notify.unwatched.then_some(News::AlarmAfterWatch { alarm })
            }
            Decision::Nothing(
                Nothing::NotRed { .. }
                | Nothing::NoSuchAlarm
                | Nothing::Muted(_)
                | Nothing::GreenAgain { .. }
                | Nothing::RollingBack { .. }
                | Nothing::TakenBack { .. },
            ) => None,
        }
    }
}
