//! What was deployed to the service before: whether this image has had its turn.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use shared::aws::{Aws, Group, Page};
use shared::config::{Engine, Service};
use shared::release::Deployment;

/// How far back is looked in any case: ECS keeps no more. An image pushed before that is
/// looked for since its push.
const LENGTH: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Clocks differ; what was created a moment ago must not be left out.
const SLACK: SignedDuration = SignedDuration::from_hours(24);

pub struct History<'a> {
    pub aws: &'a Aws,
    pub service: &'a Service,
    /// Whose image tells what an ECS deployment deployed.
    pub container: &'a str,
    /// When the event happened.
    pub time: Timestamp,
}

impl History<'_> {
    fn range(&self) -> Range<Timestamp> {
        let now = self.time.max(self.aws.now());
        let start = self.time.checked_sub(LENGTH).unwrap_or(Timestamp::MIN);
        start..now.checked_add(SLACK).unwrap_or(Timestamp::MAX)
    }

    /// The first page of CodeDeploy's record.
    pub async fn newest(&self) -> anyhow::Result<Page> {
        match &self.service.engine {
            Engine::CodeDeploy { application, group } => {
                self.aws.deployment_ids(application, group, &self.range(), None).await
            }
            Engine::Ecs => Ok(Page::default()),
        }
    }

    /// The deployments of the first page and the last one of the group, which the list may
    /// lag behind; or all that ECS keeps.
    pub async fn read(&self, mut ids: Vec<String>, group: Option<&Group>) -> anyhow::Result<Vec<Deployment>> {
        let (cluster, service) = (&self.service.cluster, &self.service.service);
        match &self.service.engine {
            Engine::Ecs => {
                let since = self.range().start;
                self.aws.service_deployments(cluster, service, self.container, since).await
            }
            Engine::CodeDeploy { .. } => {
                let last = group.and_then(|group| group.last_attempted.clone());
                let unlisted = last.filter(|last| !ids.contains(last));
                ids.extend(unlisted);
                self.aws.deployments(&ids).await
            }
        }
    }

    /// The pages after the first, and what is older where the image is: read beside other
    /// calls, since a service deployed several times a day has many.
    pub async fn rest(&self, next: Option<String>, pushed_at: Timestamp) -> anyhow::Result<Vec<Deployment>> {
        let Engine::CodeDeploy { application, group } = &self.service.engine else { return Ok(Vec::new()) };
        let mut ids = Vec::new();
        let range = self.range();
        let older = pushed_at..range.start;
        let parts = [(next.is_some(), range, next), (older.start < older.end, older, None)];
        for (wanted, range, mut token) in parts {
            let mut more = wanted;
            while more {
                let page = self.aws.deployment_ids(application, group, &range, token).await?;
                ids.extend(page.ids);
                token = page.next;
                more = token.is_some();
            }
        }
        self.aws.deployments(&ids).await
    }
}
