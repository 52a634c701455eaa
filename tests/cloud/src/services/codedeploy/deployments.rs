//! CreateDeployment, StopDeployment and ContinueDeployment.

use serde_json::{Value, json};

use super::configurations::routing;
use super::deployment::{Deployment, Phase};
use super::group_settings::{Alarms, AutoRollback, GroupSettings};
use super::groups::Group;
use super::revisions::Revision;
use super::{
    Timer, applications, appspec, deployment_id, ending, no_group, required, revisions, run, text,
    with_deployment,
};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{Ms, SECOND};

/// How long a deployment is Created before it is InProgress.
const START_DELAY: Ms = 2 * SECOND;
/// How long a stop takes that has to interrupt a lifecycle event.
const STOP_DELAY: Ms = SECOND;

pub(super) fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let application = applications::named(cloud, input)?;
    let name = text(input, "deploymentGroupName").ok_or_else(|| {
        Fault::new("DeploymentGroupNameRequiredException", "The deployment group name must be specified")
    })?;
    let group = application.groups.get(name).ok_or_else(|| no_group(name))?;
    refuse_what_is_for_ec2(input)?;
    let description = revisions::check_description(input)?.map(str::to_owned);
    let location = input
        .get("revision")
        .ok_or_else(|| Fault::new("RevisionRequiredException", "The revision must be specified"))?;
    let revision = revisions::resolve(application, location)?;
    let appspec = appspec::parse(&revision.content)?;
    let settings = overridden(&group.settings, input)?;
    let routing = routing(cloud, &settings.configuration)?;
    check_none_is_active(cloud, group)?;
    let deployment = Deployment {
        revision: Some(revision),
        previous_revision: previous_revision(cloud, group),
        override_alarms: input.get("overrideAlarmConfiguration").cloned(),
        description,
        ..Deployment::new(&application.name, group, settings, routing, appspec, cloud.now)
    };
    let id = add(cloud, deployment, START_DELAY);
    Ok(json!({ "deploymentId": id }))
}

/// The group's settings with what CreateDeployment says instead.
fn overridden(settings: &GroupSettings, input: &Value) -> Result<GroupSettings, Fault> {
    let mut settings = settings.clone();
    if let Some(name) = text(input, "deploymentConfigName") {
        settings.configuration = name.to_owned();
    }
    if let Some(alarms) = input.get("overrideAlarmConfiguration") {
        settings.alarms = Alarms::parse(Some(alarms))?;
    }
    if let Some(rollback) = input.get("autoRollbackConfiguration") {
        settings.rollback = AutoRollback::parse(Some(rollback))?;
    }
    Ok(settings)
}

/// Gives a deployment its id, makes it known to application and group, and lets it begin.
pub(super) fn add(cloud: &mut Cloud, mut deployment: Deployment, delay: Ms) -> String {
    let state = &mut cloud.state.codedeploy;
    state.deployment_count += 1;
    deployment.number = state.deployment_count;
    deployment.id = format!("d-{}", cloud.ids.upper(9));
    let id = deployment.id.clone();
    if let Some(group) = cloud.state.codedeploy.group_of(&deployment) {
        group.last_attempted = Some(id.clone());
        if deployment.revision.is_some() {
            group.target_revision.clone_from(&deployment.revision);
        }
    }
    let now = cloud.now;
    if let (Some(revision), Ok(application)) =
        (&deployment.revision, cloud.state.codedeploy.application_mut(&deployment.application))
    {
        application.use_revision(revision, now);
    }
    let text = format!("created for {}/{}", deployment.application, deployment.group);
    deployment.note(cloud, &text, json!({ "status": "Created", "creator": deployment.creator }));
    deployment.enter(cloud, Phase::Created, delay);
    cloud.state.codedeploy.deployments.insert(id.clone(), deployment);
    id
}

/// The revision of the group's last successful deployment.
fn previous_revision(cloud: &Cloud, group: &Group) -> Option<Revision> {
    let last = group.last_successful.as_ref()?;
    cloud.state.codedeploy.deployments.get(last)?.revision.clone()
}

/// The blue termination wait counts as active too.
fn check_none_is_active(cloud: &Cloud, group: &Group) -> Result<(), Fault> {
    let mut deployments = cloud.state.codedeploy.deployments.values();
    match deployments.find(|d| d.group_id == group.id && !d.status.ended()) {
        None => Ok(()),
        Some(active) => Err(Fault::new(
            "DeploymentLimitExceededException",
            format!("The Deployment Group '{}' already has an active Deployment '{}'", group.name, active.id),
        )),
    }
}

fn refuse_what_is_for_ec2(input: &Value) -> Result<(), Fault> {
    let is_true = |member: &str| input[member] == Value::Bool(true);
    let given = |member: &str| input.get(member).is_some();
    let refused = [
        (given("targetInstances"), "targetInstances", "InvalidTargetInstancesException"),
        (given("ec2DeploymentOptions"), "ec2DeploymentOptions", "InvalidInputException"),
        (text(input, "deploymentMode") == Some("RESTART"), "deploymentMode RESTART", "InvalidInputException"),
        (
            text(input, "fileExistsBehavior").is_some_and(|b| b != "DISALLOW"),
            "fileExistsBehavior",
            "InvalidFileExistsBehaviorException",
        ),
        (
            is_true("updateOutdatedInstancesOnly"),
            "updateOutdatedInstancesOnly",
            "InvalidUpdateOutdatedInstancesOnlyValueException",
        ),
        (
            is_true("ignoreApplicationStopFailures"),
            "ignoreApplicationStopFailures",
            "InvalidIgnoreApplicationStopFailuresValueException",
        ),
    ];
    match refused.into_iter().find(|(is_given, ..)| *is_given) {
        None => Ok(()),
        Some((_, member, shape)) => {
            Err(Fault::new(shape, format!("{member} is not for the ECS compute platform")))
        }
    }
}

fn completed(deployment: &Deployment) -> Fault {
    Fault::new(
        "DeploymentAlreadyCompletedException",
        format!(
            "The deployment {} has already completed with status {}",
            deployment.id,
            deployment.status.name()
        ),
    )
}

/// Between two events and in the waits a stop takes effect at once; an event in progress has to
/// be interrupted first.
pub(super) fn stop(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let deployment = cloud.state.codedeploy.deployment(input)?;
    if deployment.status.ended() {
        return Err(completed(deployment));
    }
    let at_once = match deployment.phase {
        Phase::Created
        | Phase::Before(_)
        | Phase::ReadyWait { .. }
        | Phase::TerminationWait
        | Phase::Ended => true,
        Phase::Brief(_) | Phase::Hook(_) | Phase::AwaitTaskSet { .. } | Phase::Shift { .. } => false,
    };
    let rollback = input.get("autoRollbackEnabled").and_then(Value::as_bool);
    let id = deployment_id(input)?.to_owned();
    with_deployment(cloud, &id, |cloud, d| {
        d.stop_requested = Some(rollback);
        if at_once {
            ending::stop_as_requested(cloud, d);
        } else {
            d.note(cloud, "is about to be stopped", json!({}));
            cloud.after(STOP_DELAY, Timer::Stop { deployment: d.id.clone() });
        }
    });
    let status = if at_once { "Succeeded" } else { "Pending" };
    let message = "No more commands will be scheduled for execution in the deployment instances";
    Ok(json!({ "status": status, "statusMessage": message }))
}

/// ContinueDeployment.
pub(super) fn resume(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let deployment = cloud.state.codedeploy.deployment(input)?;
    if deployment.status.ended() {
        return Err(completed(deployment));
    }
    let wait = text(input, "deploymentWaitType").unwrap_or("READY_WAIT");
    match (wait, deployment.phase) {
        ("READY_WAIT", Phase::ReadyWait { .. }) | ("TERMINATION_WAIT", Phase::TerminationWait) => {}
        _ => {
            return Err(Fault::new(
                "DeploymentIsNotInReadyStateException",
                format!("The deployment {} is not in a {wait} and can't continue yet", deployment.id),
            ));
        }
    }
    let id = required(input, "deploymentId").to_owned();
    with_deployment(cloud, &id, run::resume);
    Ok(json!({}))
}
