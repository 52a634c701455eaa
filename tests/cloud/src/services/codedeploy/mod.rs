//! CodeDeploy for the ECS compute platform: blue/green deployments that create a
//! replacement task set, run hooks, shift traffic and roll back.
//!
//! `lifecycle` and `traffic` say what comes next, `run` performs it, `ending`
//! closes a deployment and `rollback` starts the one that undoes it. Everything
//! else is the API around them.

mod alarms;
mod applications;
mod appspec;
mod configurations;
mod deployment;
#[cfg(test)]
mod deployment_tests;
mod deployments;
mod describe;
mod ending;
mod group_settings;
mod groups;
mod hooks;
mod install;
mod lifecycle;
mod list;
mod notify;
mod page;
mod revisions;
mod rollback;
mod run;
mod tags;
mod targets;
#[cfg(test)]
mod tests;
mod traffic;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;

use applications::Application;
use configurations::Configuration;
use deployment::Deployment;
use groups::Group;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    applications: BTreeMap<String, Application>,
    /// The custom ones.
    configurations: BTreeMap<String, Configuration>,
    deployments: BTreeMap<String, Deployment>,
    deployment_count: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {
    /// The next step of a deployment, if it has not taken another one since.
    Step {
        deployment: String,
        step: u64,
    },
    PollAlarms {
        deployment: String,
    },
    /// A requested stop takes effect.
    Stop {
        deployment: String,
    },
}

pub(crate) fn call(cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    let input = call.input;
    match call.operation {
        "BatchGetApplicationRevisions" => revisions::batch_get(cloud, input),
        "BatchGetApplications" => applications::batch_get(cloud, input),
        "BatchGetDeploymentGroups" => groups::batch_get(cloud, input),
        "BatchGetDeploymentTargets" => targets::batch_get(cloud, input),
        "BatchGetDeployments" => describe::batch_get(cloud, input),
        "ContinueDeployment" => deployments::resume(cloud, input),
        "CreateApplication" => applications::create(cloud, input),
        "CreateDeployment" => deployments::create(cloud, input),
        "CreateDeploymentConfig" => configurations::create(cloud, input),
        "CreateDeploymentGroup" => groups::create(cloud, input),
        "DeleteApplication" => applications::delete(cloud, input),
        "DeleteDeploymentConfig" => configurations::delete(cloud, input),
        "DeleteDeploymentGroup" => groups::delete(cloud, input),
        "GetApplication" => applications::get(cloud, input),
        "GetApplicationRevision" => revisions::get(cloud, input),
        "GetDeployment" => describe::get(cloud, input),
        "GetDeploymentConfig" => configurations::get(cloud, input),
        "GetDeploymentGroup" => groups::get(cloud, input),
        "GetDeploymentTarget" => targets::get(cloud, input),
        "ListApplicationRevisions" => revisions::list(cloud, input),
        "ListApplications" => applications::list(cloud, input),
        "ListDeploymentConfigs" => configurations::list(cloud, input),
        "ListDeploymentGroups" => groups::list(cloud, input),
        "ListDeploymentTargets" => targets::list(cloud, input),
        "ListDeployments" => list::list(cloud, input),
        "ListTagsForResource" => tags::list(cloud, input),
        "PutLifecycleEventHookExecutionStatus" => hooks::put_status(cloud, input),
        "RegisterApplicationRevision" => revisions::register(cloud, input),
        "StopDeployment" => deployments::stop(cloud, input),
        "TagResource" => tags::tag(cloud, input),
        "UntagResource" => tags::untag(cloud, input),
        "UpdateDeploymentGroup" => groups::update(cloud, input),
        other => Err(Fault::not_modelled(format!("codedeploy:{other}"))),
    }
    .map(Reply::Now)
}

pub(crate) fn fire(cloud: &mut Cloud, timer: Timer) {
    match timer {
        Timer::Step { deployment, step } => {
            with_deployment(cloud, &deployment, |cloud, d| run::step(cloud, d, step));
        }
        Timer::PollAlarms { deployment } => {
            with_deployment(cloud, &deployment, alarms::poll_again);
        }
        Timer::Stop { deployment } => {
            with_deployment(cloud, &deployment, ending::stop_as_requested);
        }
    }
}

/// A deployment's status, `None` if there is no such deployment.
pub fn status<'a>(cloud: &'a Cloud, deployment: &str) -> Option<&'a str> {
    cloud.state.codedeploy.deployments.get(deployment).map(|d| d.status.name())
}

/// Id of a deployment of this group that has not ended.
pub fn active<'a>(cloud: &'a Cloud, application: &str, group: &str) -> Option<&'a str> {
    let group = cloud.state.codedeploy.applications.get(application)?.groups.get(group)?;
    let mut deployments = cloud.state.codedeploy.deployments.values();
    deployments.find(|d| d.group_id == group.id && !d.status.ended()).map(|d| d.id.as_str())
}

/// What the modules here look up.
impl State {
    fn application(&self, name: &str) -> Result<&Application, Fault> {
        self.applications.get(name).ok_or_else(|| no_application(name))
    }

    fn application_mut(&mut self, name: &str) -> Result<&mut Application, Fault> {
        self.applications.get_mut(name).ok_or_else(|| no_application(name))
    }

    fn group(&self, application: &str, name: &str) -> Result<&Group, Fault> {
        self.application(application)?.groups.get(name).ok_or_else(|| no_group(name))
    }

    /// The group that a deployment belongs to, if it still exists.
    fn group_of(&mut self, deployment: &Deployment) -> Option<&mut Group> {
        let application = self.applications.get_mut(&deployment.application)?;
        application.groups.values_mut().find(|g| g.id == deployment.group_id)
    }

    fn deployment(&self, input: &Value) -> Result<&Deployment, Fault> {
        let id = deployment_id(input)?;
        self.deployments.get(id).ok_or_else(|| {
            Fault::new("DeploymentDoesNotExistException", format!("The deployment {id} could not be found"))
        })
    }
}

/// Works on a deployment with the whole cloud at hand; `None` if there is no such deployment.
fn with_deployment<T>(
    cloud: &mut Cloud,
    id: &str,
    work: impl FnOnce(&mut Cloud, &mut Deployment) -> T,
) -> Option<T> {
    let mut deployment = cloud.state.codedeploy.deployments.remove(id)?;
    let result = work(cloud, &mut deployment);
    cloud.state.codedeploy.deployments.insert(id.to_owned(), deployment);
    Some(result)
}

fn no_application(name: &str) -> Fault {
    Fault::new("ApplicationDoesNotExistException", format!("No application found for name: {name}"))
}

fn no_group(name: &str) -> Fault {
    Fault::new("DeploymentGroupDoesNotExistException", format!("No Deployment Group found for name: {name}"))
}

/// A member that the model leaves optional and CodeDeploy wants.
fn deployment_id(input: &Value) -> Result<&str, Fault> {
    let id = text(input, "deploymentId")
        .ok_or_else(|| Fault::new("DeploymentIdRequiredException", "The deployment ID must be specified"))?;
    let well_formed = id.strip_prefix("d-").is_some_and(|rest| {
        rest.len() == 9 && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    });
    if well_formed {
        return Ok(id);
    }
    Err(Fault::new(
        "InvalidDeploymentIdException",
        format!("Specified DeploymentId is not in the valid format: {id}"),
    ))
}

fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str)
}

/// A required string, which the model has checked to be there.
fn required<'a>(value: &'a Value, member: &str) -> &'a str {
    text(value, member).unwrap_or_default()
}

fn items<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn texts<'a>(value: &'a Value, member: &str) -> Vec<&'a str> {
    items(value, member).iter().filter_map(Value::as_str).collect()
}
