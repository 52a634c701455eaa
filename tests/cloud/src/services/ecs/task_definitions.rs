//! Task definitions: raw JSON, so that every member that a client sends comes back.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::names::{self, client_error, includes_tags, invalid, items, text};
use super::paging::page;
use super::task_definition_rules as rules;
use super::{events, tags};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::timestamp;

#[derive(Debug, Clone, Serialize)]
pub(super) struct TaskDefinition {
    pub arn: String,
    pub family: String,
    pub revision: usize,
    /// As DescribeTaskDefinition gives it.
    pub json: Map<String, Value>,
}

impl TaskDefinition {
    pub fn active(&self) -> bool {
        self.json.get("status").is_some_and(|s| s == "ACTIVE")
    }

    pub fn member(&self, name: &str) -> Option<&str> {
        self.json.get(name).and_then(Value::as_str)
    }

    pub fn containers(&self) -> &[Value] {
        self.json.get("containerDefinitions").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub fn container(&self, name: &str) -> Option<&Value> {
        self.containers().iter().find(|c| text(c, "name") == Some(name))
    }

    pub fn runs_on_fargate(&self) -> bool {
        self.json
            .get("compatibilities")
            .and_then(Value::as_array)
            .is_some_and(|c| c.iter().any(|c| c == "FARGATE"))
    }
}

const LARGEST: usize = 65_536;

pub(super) fn register(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let length = input.to_string().len();
    if length > LARGEST {
        return Err(client_error(format!(
            "Actual length: '{length}'. Max allowed length is '{LARGEST}' bytes."
        )));
    }
    let new_tags = tags::read(input)?;
    let family = text(input, "family").unwrap_or_default().to_owned();
    let mut json = input.as_object().cloned().unwrap_or_default();
    json.shift_remove("tags");
    rules::check(&family, &mut json)?;
    rules::add_defaults(&mut json);

    let revision = cloud.state.ecs.families.get(&family).map_or(0, Vec::len) + 1;
    let arn = cloud.arn("ecs", &format!("task-definition/{family}:{revision}"));
    let by = events::principal(cloud);
    json.insert("taskDefinitionArn".into(), json!(arn));
    json.insert("revision".into(), json!(revision));
    json.insert("status".into(), json!("ACTIVE"));
    json.insert("requiresAttributes".into(), rules::required_attributes(cloud, &json));
    json.insert("compatibilities".into(), rules::compatibilities(&json));
    json.insert("registeredAt".into(), timestamp(cloud.now));
    json.insert("registeredBy".into(), json!(by));

    tags::put(cloud, &arn, new_tags);
    let answer = json!({ "taskDefinition": json, "tags": tags::json(cloud, &arn) });
    let definition = TaskDefinition { arn, family: family.clone(), revision, json };
    cloud.state.ecs.families.entry(family).or_default().push(definition);
    Ok(answer)
}

/// By family (its latest ACTIVE revision), `family:revision` or ARN, whatever its status.
pub(super) fn find<'a>(cloud: &'a Cloud, reference: &str) -> Option<&'a TaskDefinition> {
    let name = names::resource(cloud, "task-definition", reference)?;
    let families = &cloud.state.ecs.families;
    match name.rsplit_once(':') {
        Some((family, revision)) => {
            let revision: usize = revision.parse().ok()?;
            families.get(family)?.get(revision.checked_sub(1)?)
        }
        None => families.get(name)?.iter().rev().find(|d| d.active()),
    }
}

/// For starting tasks with it: it must be ACTIVE.
pub(super) fn active<'a>(cloud: &'a Cloud, reference: &str) -> Result<&'a TaskDefinition, Fault> {
    let found = find(cloud, reference).ok_or_else(|| client_error("TaskDefinition not found."))?;
    if found.active() { Ok(found) } else { Err(client_error("TaskDefinition is inactive")) }
}

pub(super) fn describe(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let found = find(cloud, text(input, "taskDefinition").unwrap_or_default())
        .ok_or_else(|| client_error("Unable to describe task definition."))?;
    let mut answer = json!({ "taskDefinition": found.json });
    if includes_tags(input) {
        answer["tags"] = tags::json(cloud, &found.arn);
    }
    Ok(answer)
}

/// A deregistered revision stays describable, and services go on using it.
pub(super) fn deregister(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let reference = text(input, "taskDefinition").unwrap_or_default();
    if names::resource(cloud, "task-definition", reference).is_some_and(|name| !name.contains(':')) {
        return Err(invalid("Invalid revision number. Number: null"));
    }
    let found = find(cloud, reference)
        .ok_or_else(|| client_error("The specified task definition does not exist."))?;
    if !found.active() {
        return Err(client_error("The specified task definition is inactive."));
    }
    let (family, index, now) = (found.family.clone(), found.revision - 1, cloud.now);
    let Some(definition) = cloud.state.ecs.families.get_mut(&family).and_then(|f| f.get_mut(index)) else {
        return Err(client_error("The specified task definition does not exist."));
    };
    definition.json.insert("status".into(), json!("INACTIVE"));
    definition.json.insert("deregisteredAt".into(), timestamp(now));
    Ok(json!({ "taskDefinition": definition.json }))
}

pub(super) fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let family = text(input, "familyPrefix");
    let status = text(input, "status").unwrap_or("ACTIVE");
    // In spite of its name, `familyPrefix` is the whole name here.
    let mut arns: Vec<Value> = cloud
        .state
        .ecs
        .families
        .values()
        .flatten()
        .filter(|d| family.is_none_or(|f| d.family == f) && d.member("status") == Some(status))
        .map(|d| json!(d.arn))
        .collect();
    if text(input, "sort") == Some("DESC") {
        arns.reverse();
    }
    page(cloud, input, "taskDefinitionArns", 100, arns)
}

pub(super) fn families(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let prefix = text(input, "familyPrefix").unwrap_or_default();
    let wanted = text(input, "status").unwrap_or("ALL");
    let families = cloud.state.ecs.families.iter().filter(|(name, revisions)| {
        let status = if revisions.iter().any(TaskDefinition::active) { "ACTIVE" } else { "INACTIVE" };
        name.starts_with(prefix) && (wanted == "ALL" || wanted == status)
    });
    page(cloud, input, "families", 100, families.map(|(name, _)| json!(name)))
}

/// Whether the definition names this container with this port.
pub(super) fn has_port(definition: &TaskDefinition, container: &str, port: u64) -> bool {
    definition.container(container).is_some_and(|c| {
        items(c, "portMappings").iter().any(|m| m.get("containerPort").and_then(Value::as_u64) == Some(port))
    })
}
