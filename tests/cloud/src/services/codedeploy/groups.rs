//! Deployment groups: one ECS service, the two target groups it moves between, and how.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::deployment::Deployment;
use super::group_settings::GroupSettings;
use super::page::page;
use super::revisions::Revision;
use super::{applications, no_group, required, tags, text, texts};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::timestamp;

/// Members that a group keeps as it was given them.
const KEPT: [&str; 11] = [
    "deploymentConfigName",
    "serviceRoleArn",
    "triggerConfigurations",
    "alarmConfiguration",
    "autoRollbackConfiguration",
    "outdatedInstancesStrategy",
    "deploymentStyle",
    "blueGreenDeploymentConfiguration",
    "loadBalancerInfo",
    "ecsServices",
    "terminationHookEnabled",
];

#[derive(Debug, Clone, Serialize)]
pub(super) struct Group {
    pub id: String,
    pub name: String,
    pub settings: GroupSettings,
    /// What the settings were read from.
    pub given: Map<String, Value>,
    pub tags: BTreeMap<String, String>,
    pub target_revision: Option<Revision>,
    /// Ids of deployments.
    pub last_successful: Option<String>,
    pub last_attempted: Option<String>,
}

/// What a group keeps of an input, with the waits that AWS fills in: clients read them
/// without looking whether they are there.
fn kept(input: &Value) -> Map<String, Value> {
    let given = KEPT.iter().filter_map(|name| Some(((*name).to_owned(), input.get(*name)?.clone())));
    let mut kept: Map<String, Value> = given.collect();
    if let Some(config) = kept.get_mut("blueGreenDeploymentConfiguration") {
        let ready = &mut config["deploymentReadyOption"];
        fill_in(ready, "actionOnTimeout", json!("CONTINUE_DEPLOYMENT"));
        fill_in(ready, "waitTimeInMinutes", json!(0));
        fill_in(
            &mut config["terminateBlueInstancesOnDeploymentSuccess"],
            "terminationWaitTimeInMinutes",
            json!(0),
        );
    }
    kept
}

fn fill_in(config: &mut Value, member: &str, default: Value) {
    if config[member].is_null() {
        config[member] = default;
    }
}

fn check_service_is_free(cloud: &Cloud, settings: &GroupSettings, own: Option<&str>) -> Result<(), Fault> {
    let mut groups = cloud.state.codedeploy.applications.values().flat_map(|a| a.groups.values());
    match groups.find(|g| g.settings.service == settings.service && Some(g.id.as_str()) != own) {
        None => Ok(()),
        Some(group) => Err(Fault::new(
            "ECSServiceMappingLimitExceededException",
            format!(
                "The ECS service {} already belongs to deployment group {}",
                settings.service.name, group.name
            ),
        )),
    }
}

pub(super) fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let application = applications::named(cloud, input)?;
    let name = required(input, "deploymentGroupName");
    if application.groups.contains_key(name) {
        return Err(exists(name));
    }
    let settings = GroupSettings::parse(cloud, input)?;
    check_service_is_free(cloud, &settings, None)?;
    let group = Group {
        id: cloud.ids.uuid(),
        name: name.to_owned(),
        settings,
        given: kept(input),
        tags: tags::checked(&BTreeMap::new(), input.get("tags"))?,
        target_revision: None,
        last_successful: None,
        last_attempted: None,
    };
    let id = group.id.clone();
    cloud
        .state
        .codedeploy
        .application_mut(required(input, "applicationName"))?
        .groups
        .insert(name.to_owned(), group);
    Ok(json!({ "deploymentGroupId": id }))
}

fn exists(name: &str) -> Fault {
    Fault::new("DeploymentGroupAlreadyExistsException", format!("Deployment Group already exists: {name}"))
}

/// Members that the update names replace those of the group; a running deployment keeps what it
/// was created with.
pub(super) fn update(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let application = required(input, "applicationName");
    let name = required(input, "currentDeploymentGroupName");
    let mut group = cloud.state.codedeploy.group(application, name)?.clone();
    let new_name = text(input, "newDeploymentGroupName").unwrap_or(name);
    if new_name != name && cloud.state.codedeploy.group(application, new_name).is_ok() {
        return Err(exists(new_name));
    }
    group.given.extend(kept(input));
    let mut merged = group.given.clone();
    for (member, value) in input.as_object().into_iter().flatten() {
        merged.insert(member.clone(), value.clone());
    }
    group.settings = GroupSettings::parse(cloud, &Value::Object(merged))?;
    check_service_is_free(cloud, &group.settings, Some(&group.id))?;
    group.name = new_name.to_owned();
    for deployment in cloud.state.codedeploy.deployments.values_mut().filter(|d| d.group_id == group.id) {
        deployment.group = new_name.to_owned();
    }
    let groups = &mut cloud.state.codedeploy.application_mut(application)?.groups;
    groups.remove(name);
    groups.insert(new_name.to_owned(), group);
    Ok(json!({}))
}

pub(super) fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    if let Ok(application) = cloud.state.codedeploy.application_mut(required(input, "applicationName")) {
        application.groups.remove(required(input, "deploymentGroupName"));
    }
    Ok(json!({ "hooksNotCleanedUp": [] }))
}

pub(super) fn get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let application = required(input, "applicationName");
    let group = cloud.state.codedeploy.group(application, required(input, "deploymentGroupName"))?;
    Ok(json!({ "deploymentGroupInfo": info(cloud, application, group) }))
}

/// Groups that do not exist are left out, and the error message names them.
pub(super) fn batch_get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let application = applications::named(cloud, input)?;
    let names = texts(input, "deploymentGroupNames");
    if names.is_empty() {
        return Err(Fault::new(
            "DeploymentGroupNameRequiredException",
            "At least one deployment group name is required",
        ));
    }
    if names.len() > 100 {
        return Err(Fault::new("BatchLimitExceededException", "The batch limit of 100 names was exceeded"));
    }
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for name in names {
        match application.groups.get(name) {
            Some(group) => found.push(info(cloud, &application.name, group)),
            None => errors.push(no_group(name).message),
        }
    }
    let error = (!errors.is_empty()).then(|| errors.join("; "));
    Ok(json!({ "deploymentGroupsInfo": found, "errorMessage": error }))
}

pub(super) fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let application = applications::named(cloud, input)?;
    let rows = application.groups.keys().map(|name| (name.clone(), name.clone())).collect();
    let (names, next) = page(cloud, rows, input)?;
    Ok(json!({ "applicationName": application.name, "deploymentGroups": names, "nextToken": next }))
}

fn info(cloud: &Cloud, application: &str, group: &Group) -> Value {
    let mut info = group.given.clone();
    let last = |id: &Option<String>| {
        let deployment = cloud.state.codedeploy.deployments.get(id.as_ref()?)?;
        Some(last_deployment(deployment))
    };
    let more = json!({
        "applicationName": application,
        "deploymentGroupId": group.id,
        "deploymentGroupName": group.name,
        "deploymentConfigName": group.settings.configuration,
        "computePlatform": "ECS",
        "targetRevision": group.target_revision.as_ref().map(Revision::location),
        "lastSuccessfulDeployment": last(&group.last_successful),
        "lastAttemptedDeployment": last(&group.last_attempted),
    });
    let defaults = json!({
        "ec2TagFilters": [],
        "onPremisesInstanceTagFilters": [],
        "autoScalingGroups": [],
        "triggerConfigurations": [],
        "outdatedInstancesStrategy": "UPDATE",
    });
    for (name, value) in defaults.as_object().into_iter().flatten() {
        info.entry(name.clone()).or_insert_with(|| value.clone());
    }
    for (name, value) in more.as_object().into_iter().flatten() {
        info.insert(name.clone(), value.clone());
    }
    Value::Object(info)
}

fn last_deployment(deployment: &Deployment) -> Value {
    json!({
        "deploymentId": deployment.id,
        "status": deployment.status.name(),
        "createTime": timestamp(deployment.created),
        "endTime": deployment.completed.map(timestamp),
    })
}
