//! The newest deployment of a service under the ECS controller, and its stop.

use anyhow::Context as _;
use aws_sdk_ecs::error::ProvideErrorMetadata as _;
use aws_sdk_ecs::types::{
    CreatedAt, ServiceDeploymentBrief, ServiceDeploymentStatus, StopServiceDeploymentStopType,
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
        let what = || format!("listing the deployments of {cluster}/{service}");
        let (mut newest, mut token) = (None::<ServiceDeployment>, None);
        loop {
            let range = CreatedAt::builder().after(date_time(since)).build();
            let call =
                self.ecs.list_service_deployments().cluster(cluster).service(service).created_at(range);
            let answer = call.set_next_token(token).max_results(100).send().await.map_err(failed(what()))?;
            for brief in answer.service_deployments() {
                let one = ServiceDeployment::narrowed(brief).with_context(what)?;
                // Their order is not documented.
                newest = newest.filter(|newest| newest.created > one.created).or(Some(one));
            }
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(newest);
            }
        }
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
        })
    }
}
