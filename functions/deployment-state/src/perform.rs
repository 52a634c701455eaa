//! The effects, one after the other. A crash between two of them is healed by the next
//! delivery, or by the sweep: what was done is either seen, or may be done again.

use anyhow::Context as _;
use futures_util::future::FutureExt as _;
use image_push::Waited;
use jiff::Timestamp;
use shared::aws::Measure;
use shared::config::Service;
use shared::message::{self, Message, News};
use shared::rollback::{Back, roll_back};
use shared::way_back::rollback_target;

use crate::DeploymentState;
use crate::decide::{Decision, Effect, Facts};

impl DeploymentState {
    /// Gives what was done, in words.
    pub(crate) async fn perform(
        &self,
        service: &Service,
        facts: &Facts<'_>,
        decision: &Decision,
    ) -> anyhow::Result<Vec<String>> {
        let mut done = Vec::new();
        for effect in &decision.effects {
            let did = match effect {
                Effect::RollBack { reason } => self.take_back(service, facts, reason).await?,
                Effect::Tell { at, news } => self.tell(service, facts, *at, news.clone()).await,
                Effect::Measure { at, measures } => self.measure(service, *at, measures).await?,
                // ECS takes no tags for what a person deregistered.
                Effect::Tag(_) if !facts.release.revision.active => {
                    format!("no tags: {} is not ACTIVE any more", facts.release.revision.short())
                }
                Effect::Tag(tags) => {
                    self.aws().tag(&facts.release.revision.arn, tags).await?;
                    tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
                }
                Effect::Newest => self.start_newest(service, facts).await?,
            };
            done.push(did);
        }
        Ok(done)
    }

    /// CodeDeploy allows one deployment at a time: of two deliveries one rolls back.
    async fn take_back(&self, service: &Service, facts: &Facts<'_>, reason: &str) -> anyhow::Result<String> {
        let (aws, bad) = (self.aws(), &facts.release.revision);
        let to = match rollback_target(aws, bad, &service.images).await? {
            Ok(to) => to,
            Err(why) => {
                let news = News::NoWayBack { reason: why };
                return Ok(self.tell(service, facts, facts.release.ended.unwrap_or(facts.now), news).await);
            }
        };
        let ecs = aws.service(&service.cluster, &service.service).await?;
        let ecs = ecs.with_context(|| format!("ECS has no {}/{}", service.cluster, service.service))?;
        Ok(match roll_back(aws, service, &ecs, &to, reason).await? {
            Back::Started(id) => format!("rollback {id} to {}", to.short()),
            Back::Busy => "no rollback: another deployment is active".to_owned(),
        })
    }

    async fn tell(&self, service: &Service, facts: &Facts<'_>, at: Timestamp, news: News) -> String {
        let release = &facts.release;
        let (digest, repository) = release.asked.clone().unzip();
        let told = format!("message {}", news.kind());
        let message = Message {
            service: service.name.clone(),
            at,
            release: message::Release {
                deployment: Some(release.id.clone()),
                revision: Some(release.revision.arn.clone()),
                repository,
                digest,
                tag: release.revision.release.tag.clone().filter(|_| release.asked.is_some()),
            },
            news,
        };
        self.push.topic.publish(&message).await;
        told
    }

    async fn measure(
        &self,
        service: &Service,
        at: Timestamp,
        measures: &[Measure],
    ) -> anyhow::Result<String> {
        self.aws().measure(&service.name, at, measures).await?;
        let told: Vec<_> =
            measures.iter().map(|measure| format!("{}={}", measure.name, measure.value)).collect();
        Ok(format!("metrics {}", told.join(" ")))
    }

    async fn start_newest(&self, service: &Service, facts: &Facts<'_>) -> anyhow::Result<String> {
        let waited = Waited { since: facts.release.pushed_at(), ..Waited::default() };
        // Boxed: what starts an image is large, and lies deep.
        let outcome = self.push.newest(service, waited).boxed().await?;
        Ok(match outcome.started {
            Some(started) => format!("started {started}: {}", outcome.decision),
            None => format!("nothing started: {}", outcome.decision),
        })
    }
}
