//! CodeDeploy: a deployment group, what was deployed in it, and a new deployment.

use std::ops::Range;

use anyhow::Context as _;
use aws_sdk_codedeploy::types::{
    AppSpecContent, AutoRollbackConfiguration, AutoRollbackEvent, DeploymentGroupInfo, DeploymentInfo,
    DeploymentStatus, ErrorCode, LastDeploymentInfo, RevisionLocation, RevisionLocationType, TimeRange,
};
use futures_util::future::{try_join, try_join_all};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{Aws, Missing, date_time, failed, timestamp};
use crate::release::{Deployment, State, described};

/// A deployment group, as far as a release depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Cluster and service that it deploys to; none if it is not for ECS.
    pub deploys_to: Option<(String, String)>,
    /// Alarms that stop its deployments.
    pub alarms: Vec<String>,
    /// The last deployment that was started in it.
    pub last_attempted: Option<Attempt>,
    /// The last one that succeeded.
    pub last_succeeded: Option<Attempt>,
}

/// A deployment, as its group remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub id: String,
    pub state: State,
    pub created: Timestamp,
    pub ended: Option<Timestamp>,
}

/// What CreateDeployment is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order<'a> {
    pub application: &'a str,
    pub group: &'a str,
    /// An AppSpec, as JSON.
    pub content: String,
    pub description: String,
    pub pace: Pace,
}

/// How traffic moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As the deployment group says.
    Group,
    /// All of it at once: what is deployed was live before.
    AtOnce,
}

/// Ids of deployments, and what asks for the next ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    pub ids: Vec<String>,
    pub next: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    Deployment(String),
    /// Another deployment is active in the group: CodeDeploy allows one.
    Busy,
}

/// BatchGetDeployments takes so many ids.
pub(super) const BATCH: usize = 25;

impl Aws {
    pub async fn deployment_group(&self, application: &str, group: &str) -> anyhow::Result<Group> {
        let call = self.codedeploy.get_deployment_group().application_name(application);
        let what = || format!("reading the deployment group {application}/{group}");
        let answer = call.deployment_group_name(group).send().await.map_err(failed(what()))?;
        let info = answer.deployment_group_info().ok_or(Missing("deploymentGroupInfo")).with_context(what)?;
        Ok(Group::narrowed(info))
    }

    /// Those of these groups of an application that there are, by name; a hundred at most.
    pub async fn deployment_groups(
        &self,
        application: &str,
        names: &[&str],
    ) -> anyhow::Result<Vec<(String, Group)>> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let what = format!("reading the deployment groups {application}/{}", names.join(", "));
        let call = self.codedeploy.batch_get_deployment_groups().application_name(application);
        let answer = call.set_deployment_group_names(Some(names)).send().await.map_err(failed(what))?;
        let named = |info: &DeploymentGroupInfo| {
            Some((info.deployment_group_name()?.to_owned(), Group::narrowed(info)))
        };
        Ok(answer.deployment_groups_info().iter().filter_map(named).collect())
    }

    /// One page of the ids of the deployments created in a group within `range`, the first or
    /// the one that the token of another names. May lag behind a creation.
    pub async fn deployment_ids(
        &self,
        application: &str,
        group: &str,
        range: &Range<Timestamp>,
        token: Option<String>,
    ) -> anyhow::Result<Page> {
        let times = TimeRange::builder().start(date_time(range.start)).end(date_time(range.end)).build();
        let call = self.codedeploy.list_deployments().application_name(application);
        let call = call.deployment_group_name(group).create_time_range(times).set_next_token(token);
        let answer = call.send().await.map_err(failed(listing(application, group)))?;
        Ok(Page { ids: answer.deployments().to_vec(), next: answer.next_token().map(str::to_owned) })
    }

    /// The deployment that is active in a group now. The list may lag behind, so the group
    /// is asked for its last one as well.
    pub async fn active_deployment(
        &self,
        application: &str,
        group: &str,
    ) -> anyhow::Result<Option<Deployment>> {
        let listed = self.active_ids(application, group);
        let (mut ids, group) = try_join(listed, self.deployment_group(application, group)).await?;
        let unlisted = group.last_attempted.map(|last| last.id).filter(|last| !ids.contains(last));
        ids.extend(unlisted);
        let deployments = self.deployments(&ids).await?;
        Ok(deployments.into_iter().find(|deployment| deployment.state == State::Active))
    }

    /// Ids of the deployments that are active in a group, as the list tells, which may lag.
    pub async fn active_ids(&self, application: &str, group: &str) -> anyhow::Result<Vec<String>> {
        let call = self.codedeploy.list_deployments().application_name(application);
        let call = call.deployment_group_name(group).set_include_only_statuses(Some(ACTIVE.to_vec()));
        let answer = call.send().await.map_err(failed(listing(application, group)))?;
        Ok(answer.deployments().to_vec())
    }

    pub async fn deployments(&self, ids: &[String]) -> anyhow::Result<Vec<Deployment>> {
        let batches = ids.chunks(BATCH).map(|chunk| async {
            let call = self.codedeploy.batch_get_deployments().set_deployment_ids(Some(chunk.to_vec()));
            let what = || format!("reading the deployments {}", chunk.join(", "));
            let answer = call.send().await.map_err(failed(what()))?;
            let read = answer.deployments_info().iter().map(deployment);
            read.collect::<Result<Vec<_>, _>>().with_context(what)
        });
        Ok(try_join_all(batches).await?.concat())
    }

    /// Starts a deployment that rolls back by itself on failure, alarm and stop; what is to
    /// move at once is itself a rollback, and is not rolled back further.
    pub async fn create_deployment(&self, order: &Order<'_>) -> anyhow::Result<Created> {
        let hash: String = Sha256::digest(&order.content).iter().map(|byte| format!("{byte:02x}")).collect();
        let content = AppSpecContent::builder().content(&order.content).sha256(hash).build();
        let revision = RevisionLocation::builder()
            .revision_type(RevisionLocationType::AppSpecContent)
            .app_spec_content(content)
            .build();
        let rollback = match order.pace {
            Pace::Group => AutoRollbackConfiguration::builder()
                .enabled(true)
                .events(AutoRollbackEvent::DeploymentFailure)
                .events(AutoRollbackEvent::DeploymentStopOnAlarm)
                .events(AutoRollbackEvent::DeploymentStopOnRequest)
                .build(),
            Pace::AtOnce => AutoRollbackConfiguration::builder().enabled(false).build(),
        };
        let call = self.codedeploy.create_deployment().application_name(order.application);
        let call = call.deployment_group_name(order.group).description(&order.description);
        let call = match order.pace {
            Pace::Group => call,
            Pace::AtOnce => call.deployment_config_name(AT_ONCE),
        };
        let answer = match call.revision(revision).auto_rollback_configuration(rollback).send().await {
            Err(e) if e.as_service_error().is_some_and(|e| e.is_deployment_limit_exceeded_exception()) => {
                return Ok(Created::Busy);
            }
            other => other
                .map_err(failed(format!("starting a deployment in {}/{}", order.application, order.group)))?,
        };
        Ok(Created::Deployment(answer.deployment_id().ok_or(Missing("deploymentId"))?.to_owned()))
    }
}

const AT_ONCE: &str = "CodeDeployDefault.ECSAllAtOnce";

impl Group {
    fn narrowed(info: &DeploymentGroupInfo) -> Self {
        let service = info.ecs_services().first();
        let alarms = info.alarm_configuration().filter(|configuration| configuration.enabled());
        let alarms = alarms.map(|configuration| configuration.alarms()).unwrap_or_default();
        Self {
            deploys_to: service
                .and_then(|s| Some((s.cluster_name()?.to_owned(), s.service_name()?.to_owned()))),
            alarms: alarms.iter().filter_map(|alarm| alarm.name()).map(str::to_owned).collect(),
            last_attempted: info.last_attempted_deployment().and_then(Attempt::narrowed),
            last_succeeded: info.last_successful_deployment().and_then(Attempt::narrowed),
        }
    }
}

impl Attempt {
    fn narrowed(last: &LastDeploymentInfo) -> Option<Self> {
        Some(Self {
            id: last.deployment_id()?.to_owned(),
            state: state(last.status()?, None),
            created: last.create_time().and_then(timestamp)?,
            ended: last.end_time().and_then(timestamp),
        })
    }
}

fn listing(application: &str, group: &str) -> String {
    format!("listing the deployments of {application}/{group}")
}

const ACTIVE: [DeploymentStatus; 5] = [
    DeploymentStatus::Created,
    DeploymentStatus::Queued,
    DeploymentStatus::InProgress,
    DeploymentStatus::Baking,
    DeploymentStatus::Ready,
];

pub(super) fn deployment(info: &DeploymentInfo) -> anyhow::Result<Deployment> {
    let id = info.deployment_id().ok_or(Missing("deploymentId"))?;
    let code = info.error_information().and_then(|error| error.code());
    let state = state(info.status().ok_or(Missing("status"))?, code.map(ErrorCode::as_str));
    let (digest, repository) = info.description().and_then(described).unzip();
    Ok(Deployment { id: id.to_owned(), digest, repository, state })
}

fn state(status: &DeploymentStatus, code: Option<&str>) -> State {
    match status {
        DeploymentStatus::Succeeded => State::Succeeded,
        DeploymentStatus::Failed | DeploymentStatus::Stopped => {
            let code = code.map_or(String::new(), |code| format!(" with {code}"));
            State::Rejected(format!("{}{code}", status.as_str().to_lowercase()))
        }
        // A status that is not known yet is not an end either: it blocks, it is not retried.
        _ => State::Active,
    }
}
