//! Applications: a name, the deployment groups under it, and the revisions known to it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::groups::Group;
use super::page::page;
use super::revisions::Registered;
use super::{no_application, required, tags, text, texts};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{Ms, timestamp};

#[derive(Debug, Clone, Serialize)]
pub(super) struct Application {
    pub id: String,
    pub name: String,
    pub created: Ms,
    pub tags: BTreeMap<String, String>,
    pub groups: BTreeMap<String, Group>,
    pub revisions: Vec<Registered>,
}

impl Application {
    fn info(&self) -> Value {
        json!({
            "applicationId": self.id,
            "applicationName": self.name,
            "createTime": timestamp(self.created),
            "linkedToGitHub": false,
            "computePlatform": "ECS",
        })
    }
}

pub(super) fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = required(input, "applicationName");
    let platform = text(input, "computePlatform").unwrap_or("Server");
    if platform != "ECS" {
        return Err(Fault::not_modelled(format!(
            "codedeploy:CreateApplication with computePlatform {platform}"
        )));
    }
    let tags = tags::checked(&BTreeMap::new(), input.get("tags"))?;
    if cloud.state.codedeploy.applications.contains_key(name) {
        return Err(Fault::new(
            "ApplicationAlreadyExistsException",
            format!("Application already exists: {name}"),
        ));
    }
    let application = Application {
        id: cloud.ids.uuid(),
        name: name.to_owned(),
        created: cloud.now,
        tags,
        groups: BTreeMap::new(),
        revisions: Vec::new(),
    };
    let id = application.id.clone();
    cloud.state.codedeploy.applications.insert(name.to_owned(), application);
    Ok(json!({ "applicationId": id }))
}

pub(super) fn get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let application = cloud.state.codedeploy.application(required(input, "applicationName"))?;
    Ok(json!({ "application": application.info() }))
}

pub(super) fn batch_get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let names = texts(input, "applicationNames");
    if names.is_empty() {
        return Err(Fault::new(
            "ApplicationNameRequiredException",
            "At least one application name is required",
        ));
    }
    if names.len() > 100 {
        return Err(Fault::new("BatchLimitExceededException", "The batch limit of 100 names was exceeded"));
    }
    let found: Result<Vec<_>, Fault> = names
        .into_iter()
        .map(|name| cloud.state.codedeploy.application(name).map(Application::info))
        .collect();
    Ok(json!({ "applicationsInfo": found? }))
}

pub(super) fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let rows = cloud.state.codedeploy.applications.keys().map(|name| (name.clone(), name.clone())).collect();
    let (names, next) = page(cloud, rows, input)?;
    Ok(json!({ "applications": names, "nextToken": next }))
}

/// Deleting what is not there succeeds, as on AWS. Deployments that run go on.
pub(super) fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    cloud.state.codedeploy.applications.remove(required(input, "applicationName"));
    Ok(json!({}))
}

/// A group by the names in `input`, for reading members that the operation requires.
pub(super) fn named<'a>(cloud: &'a Cloud, input: &'a Value) -> Result<&'a Application, Fault> {
    let name = required(input, "applicationName");
    cloud.state.codedeploy.applications.get(name).ok_or_else(|| no_application(name))
}
