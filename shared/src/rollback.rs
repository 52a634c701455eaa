//! Back to the last good revision, all at once.

use anyhow::Context as _;

use crate::appspec::appspec;
use crate::aws::{Aws, Created, EcsService, Order, Pace};
use crate::config::{Engine, Service};
use crate::release::rollback_description;
use crate::revision::{Revision, short_arn};

/// What became of a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Back {
    /// CodeDeploy's id, or the revision that the service is rolled to.
    Started(String),
    /// Another deployment is active in the group.
    Busy,
}

/// Deploys a revision that served before; `reason` is what its deployment carries, and names
/// the deployment that is taken back. No checks run on the way.
pub async fn roll_back(
    aws: &Aws,
    service: &Service,
    ecs: &EcsService,
    to: &Revision,
    reason: &str,
) -> anyhow::Result<Back> {
    let Engine::CodeDeploy { application, group } = &service.engine else {
        aws.roll(&service.cluster, &service.service, ecs, &to.arn).await?;
        return Ok(Back::Started(short_arn(&to.arn).to_owned()));
    };
    let (container, port) = ecs.load_balanced.as_ref().context("the service has no load balancer")?;
    let image = service.images.iter().find_map(|rule| {
        let digest = to.container(&rule.container)?.image.digest.as_ref()?;
        Some((rule.repository.as_str(), digest))
    });
    let order = Order {
        application,
        group,
        content: appspec(&to.arn, container, *port, &ecs.placement, &[]),
        description: rollback_description(image, reason),
        pace: Pace::AtOnce,
    };
    Ok(match aws.create_deployment(&order).await? {
        Created::Deployment(id) => Back::Started(id),
        Created::Busy => Back::Busy,
    })
}
