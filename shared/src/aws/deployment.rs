//! One deployment of CodeDeploy: what it deploys, how it came about and ended, and its stop.

use anyhow::Context as _;
use aws_sdk_codedeploy::types::{DeploymentCreator, DeploymentInfo, RevisionLocation};
use jiff::Timestamp;

use super::codedeploy::{BATCH, deployment};
use super::{Aws, Missing, failed, timestamp};
use crate::appspec::task_definition;
use crate::release::{Deployment, rolled_back};

/// A deployment with all that GetDeployment tells of it.
#[derive(Debug, Clone)]
pub struct Described {
    pub application: String,
    pub group: String,
    pub deployment: Deployment,
    /// What whoever started it said of it.
    pub description: Option<String>,
    pub created: Timestamp,
    pub ended: Option<Timestamp>,
    pub origin: Origin,
    /// The deployment that rolls this one back, where CodeDeploy has made one.
    pub rolled_back_by: Option<String>,
    /// The deployment that this one rolls back, as far as it says.
    pub rolls_back: Option<String>,
    /// Why it failed or was stopped, in CodeDeploy's words.
    pub error: Option<String>,
    /// Where its AppSpec is; CodeDeploy's own rollbacks may have none.
    revision: Option<RevisionLocation>,
}

/// What a deployment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Something new is to go live.
    Release,
    /// What was live before is to be live again: made by CodeDeploy, or by Sluice.
    Rollback,
}

/// What became of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It is stopped, or will be in a moment.
    Stopped,
    /// It had ended already.
    Ended,
}

impl Aws {
    /// None if there is no such deployment.
    pub async fn described(&self, id: &str) -> anyhow::Result<Option<Described>> {
        let what = || format!("reading the deployment {id}");
        let answer = match self.codedeploy.get_deployment().deployment_id(id).send().await {
            Err(e) if e.as_service_error().is_some_and(|e| e.is_deployment_does_not_exist_exception()) => {
                return Ok(None);
            }
            other => other.map_err(failed(what()))?,
        };
        let info = answer.deployment_info().ok_or(Missing("deploymentInfo")).with_context(what)?;
        Described::narrowed(info).map(Some).with_context(what)
    }

    /// Those of these deployments that there are.
    pub async fn all_described(&self, ids: &[String]) -> anyhow::Result<Vec<Described>> {
        let mut all = Vec::new();
        for chunk in ids.chunks(BATCH) {
            let call = self.codedeploy.batch_get_deployments().set_deployment_ids(Some(chunk.to_vec()));
            let what = || format!("reading the deployments {}", chunk.join(", "));
            let answer = call.send().await.map_err(failed(what()))?;
            for info in answer.deployments_info() {
                all.push(Described::narrowed(info).with_context(what)?);
            }
        }
        Ok(all)
    }

    /// The text of a deployment's AppSpec, in JSON or YAML.
    async fn appspec_of(&self, described: &Described) -> anyhow::Result<String> {
        let call = self.codedeploy.get_application_revision().application_name(&described.application);
        let what = || format!("reading the AppSpec of {}", described.deployment.id);
        let revision = described.revision.clone().ok_or(Missing("revision")).with_context(what)?;
        let answer = call.revision(revision).send().await.map_err(failed(what()))?;
        let revision = answer.revision();
        let content =
            revision.and_then(|revision| revision.app_spec_content()).and_then(|spec| spec.content());
        #[allow(deprecated)]
        let raw = revision.and_then(|revision| revision.string()).and_then(|raw| raw.content());
        Ok(content.or(raw).ok_or(Missing("appSpecContent")).with_context(what)?.to_owned())
    }

    /// ARN of the task definition revision that a deployment brings, by its AppSpec.
    pub async fn deployed_revision(&self, described: &Described) -> anyhow::Result<String> {
        let text = self.appspec_of(described).await?;
        task_definition(&text).with_context(|| format!("in the AppSpec of {}", described.deployment.id))
    }

    /// Stops a deployment; CodeDeploy then starts one that rolls it back.
    pub async fn stop_deployment(&self, id: &str) -> anyhow::Result<Stop> {
        let call = self.codedeploy.stop_deployment().deployment_id(id).auto_rollback_enabled(true);
        match call.send().await {
            Err(e) if e.as_service_error().is_some_and(|e| e.is_deployment_already_completed_exception()) => {
                Ok(Stop::Ended)
            }
            other => other.map(|_| Stop::Stopped).map_err(failed(format!("stopping the deployment {id}"))),
        }
    }
}

impl Described {
    fn narrowed(info: &DeploymentInfo) -> anyhow::Result<Self> {
        let created = info.create_time().and_then(timestamp).ok_or(Missing("createTime"))?;
        let by_codedeploy = info.creator() == Some(&DeploymentCreator::CodeDeployRollback);
        let by_us = info.description().and_then(rolled_back);
        let error = info.error_information();
        Ok(Self {
            application: info.application_name().ok_or(Missing("applicationName"))?.to_owned(),
            group: info.deployment_group_name().ok_or(Missing("deploymentGroupName"))?.to_owned(),
            deployment: deployment(info)?,
            description: info.description().map(str::to_owned),
            created,
            ended: info.complete_time().and_then(timestamp),
            origin: if by_codedeploy || by_us.is_some() { Origin::Rollback } else { Origin::Release },
            rolled_back_by: info
                .rollback_info()
                .and_then(|rollback| rollback.rollback_deployment_id())
                .map(str::to_owned),
            rolls_back: info
                .rollback_info()
                .and_then(|rollback| rollback.rollback_triggering_deployment_id())
                .or(by_us)
                .map(str::to_owned),
            error: error.and_then(|error| error.message()).map(str::to_owned),
            revision: info.revision().cloned(),
        })
    }
}
