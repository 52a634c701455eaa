//! The newest deployment of a service under the ECS controller, and its stop.

use anyhow::Context as _;
use aws_sdk_ecs::error::ProvideErrorMetadata as _;
use aws_sdk_ecs::types::{
    CreatedAt, ServiceDeployment as SdkDeployment, ServiceDeploymentBrief, ServiceDeploymentStatus,
    StopServiceDeploymentStopType,
};
use jiff::Timestamp;

use super::deployment::{Origin, Stop};
use super::ecs::state;
use super::{Aws, Missing, date_time, failed, timestamp};
use crate::release::State;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceDeployment {
    pub arn: String,
    pub state: State,
    /// A rollback only where ECS itself rolls back: what Sluice rolls back is a deployment as
    /// any other to ECS.
    pub origin: Origin,
    pub created: Timestamp,
    pub ended: Option<Timestamp>,
    /// ARN of the service revision that it brings.
    pub target: Option<String>,
}

/// A deployment of a service with all that ECS tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceDeploymentDetail {
    pub brief: ServiceDeployment,
    /// ECS's word for its status.
    pub status: String,
    pub reason: Option<String>,
    /// ARNs of the service revisions that ran before it.
    pub sources: Vec<String>,
    pub rollback: Option<EcsRollback>,
}

/// How ECS itself rolls a deployment back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcsRollback {
    pub reason: Option<String>,
    pub began: Option<Timestamp>,
    /// ARN of the service revision that is to run again.
    pub target: Option<String>,
}

/// What there is when the deployment has ended, or cannot be stopped any more.
const TOO_LATE: [&str; 2] = ["ConflictException", "ServiceDeploymentNotFoundException"];

impl Aws {
    /// The newest deployment that was created since then.
    pub async fn newest_service_deployment(
        &self,
        cluster: &str,
        service: &str,
        since: Timestamp,
    ) -> anyhow::Result<Option<ServiceDeployment>> {
        let all = self.service_deployments_since(cluster, service, since).await?;
        // Their order is not documented.
        Ok(all.into_iter().max_by_key(|deployment| deployment.created))
    }

    /// The deployments that were created since then.
    pub async fn service_deployments_since(
        &self,
        cluster: &str,
        service: &str,
        since: Timestamp,
    ) -> anyhow::Result<Vec<ServiceDeployment>> {
        let what = || format!("listing the deployments of {cluster}/{service}");
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let range = CreatedAt::builder().after(date_time(since)).build();
            let call =
                self.ecs.list_service_deployments().cluster(cluster).service(service).created_at(range);
            let answer = call.set_next_token(token).max_results(100).send().await.map_err(failed(what()))?;
            for brief in answer.service_deployments() {
                all.push(ServiceDeployment::narrowed(brief).with_context(what)?);
            }
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    /// A deployment with its rollback, if ECS rolls it back; none if ECS does not keep it any more.
    pub async fn service_deployment(
        &self,
        brief: &ServiceDeployment,
    ) -> anyhow::Result<Option<ServiceDeploymentDetail>> {
        let call = self.ecs.describe_service_deployments().service_deployment_arns(&brief.arn);
        let what = || format!("describing the deployment {}", brief.arn);
        let answer = call.send().await.map_err(failed(what()))?;
        let Some(found) = answer.service_deployments().first() else { return Ok(None) };
        ServiceDeploymentDetail::narrowed(found, brief).map(Some).with_context(what)
    }

    /// Stops a deployment of a service and rolls it back.
    pub async fn stop_service_deployment(&self, arn: &str) -> anyhow::Result<Stop> {
        let call = self.ecs.stop_service_deployment().service_deployment_arn(arn);
        match call.stop_type(StopServiceDeploymentStopType::Rollback).send().await {
            Err(e) if e.code().is_some_and(|code| TOO_LATE.contains(&code)) => Ok(Stop::Ended),
            other => other.map(|_| Stop::Stopped).map_err(failed(format!("stopping the deployment {arn}"))),
        }
    }
}

impl ServiceDeployment {
    fn narrowed(brief: &ServiceDeploymentBrief) -> Result<Self, Missing> {
        let status = brief.status().ok_or(Missing("status"))?;
        let rolls_back = matches!(
            status,
            ServiceDeploymentStatus::RollbackRequested | ServiceDeploymentStatus::RollbackInProgress
        );
        Ok(Self {
            arn: brief.service_deployment_arn().ok_or(Missing("serviceDeploymentArn"))?.to_owned(),
            state: state(status),
            origin: if rolls_back { Origin::Rollback } else { Origin::Release },
            created: brief.created_at().and_then(timestamp).ok_or(Missing("createdAt"))?,
            ended: brief.finished_at().and_then(timestamp),
            target: brief.target_service_revision_arn().map(str::to_owned),
        })
    }
}

impl ServiceDeploymentDetail {
    /// The newer word of the two counts: `brief` was read before.
    fn narrowed(found: &SdkDeployment, brief: &ServiceDeployment) -> Result<Self, Missing> {
        let status = found.status().ok_or(Missing("status"))?;
        let sources = found.source_service_revisions().iter().filter_map(|revision| revision.arn());
        let rollback = found.rollback().map(|rollback| EcsRollback {
            reason: rollback.reason().map(str::to_owned),
            began: rollback.started_at().and_then(timestamp),
            target: rollback.service_revision_arn().map(str::to_owned),
        });
        let target = found.target_service_revision().and_then(|revision| revision.arn());
        Ok(Self {
            brief: ServiceDeployment {
                state: state(status),
                ended: found.finished_at().and_then(timestamp),
                target: target.map(str::to_owned).or_else(|| brief.target.clone()),
                ..brief.clone()
            },
            status: status.as_str().to_owned(),
            reason: found.status_reason().map(str::to_owned),
            sources: sources.map(str::to_owned).collect(),
            rollback,
        })
    }
}
