//! What was deployed to the service before: whether this image has had its turn.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use shared::aws::{Aws, Page};
use shared::config::{Engine, Service};
use shared::release::Deployment;

use crate::image::PushedImage;

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

    /// The deployments of the first page; or all that ECS keeps.
    pub async fn read(&self, ids: &[String]) -> anyhow::Result<Vec<Deployment>> {
        let (cluster, service) = (&self.service.cluster, &self.service.service);
        match &self.service.engine {
            Engine::Ecs => {
                let since = self.range().start;
                self.aws.service_deployments(cluster, service, self.container, since).await
            }
            Engine::CodeDeploy { .. } => self.aws.deployments(ids).await,
        }
    }

    /// The pages after the first, and what is older where the image is: read beside other
    /// calls, since a service deployed several times a day has many.
    pub async fn rest(
        &self,
        next: Option<String>,
        image: &PushedImage<'_>,
    ) -> anyhow::Result<Vec<Deployment>> {
        let range = self.range();
        let mut ids = if next.is_some() { self.pages(&range, next).await? } else { Vec::new() };
        if let Some(image) = image.described().await?
            && image.pushed_at < range.start
        {
            ids.extend(self.pages(&(image.pushed_at..range.start), None).await?);
        }
        self.aws.deployments(&ids).await
    }

    /// All pages from the one that `token` names.
    async fn pages(
        &self,
        range: &Range<Timestamp>,
        mut token: Option<String>,
    ) -> anyhow::Result<Vec<String>> {
        let Engine::CodeDeploy { application, group } = &self.service.engine else { return Ok(Vec::new()) };
        let mut ids = Vec::new();
        loop {
            let page = self.aws.deployment_ids(application, group, range, token).await?;
            ids.extend(page.ids);
            token = page.next;
            if token.is_none() {
                return Ok(ids);
            }
        }
    }
}
