//! Tags on clusters, services, tasks, task definitions and task sets, by ARN.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::names::{self, invalid, items, text, texts};
use super::service::Status;
use crate::cloud::Cloud;
use crate::fault::Fault;

pub(super) type Tags = BTreeMap<String, String>;

const MOST: usize = 50;

/// The tags of a request's `tags` member, if AWS takes them.
pub(super) fn read(input: &Value) -> Result<Tags, Fault> {
    let mut tags = Tags::new();
    for tag in items(input, "tags") {
        let Some(key) = text(tag, "key") else { return Err(invalid("Tag key must not be null")) };
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid("Tags with the reserved prefix 'aws:' cannot be added or removed"));
        }
        if tags.insert(key.to_owned(), text(tag, "value").unwrap_or_default().to_owned()).is_some() {
            return Err(invalid(format!("Duplicate tag keys found: {key}")));
        }
    }
    Ok(tags)
}

pub(super) fn put(cloud: &mut Cloud, arn: &str, tags: Tags) {
    if !tags.is_empty() {
        cloud.state.ecs.tags.entry(arn.to_owned()).or_default().extend(tags);
    }
}

pub(super) fn of<'a>(cloud: &'a Cloud, arn: &str) -> Option<&'a Tags> {
    cloud.state.ecs.tags.get(arn)
}

pub(super) fn json(cloud: &Cloud, arn: &str) -> Value {
    of(cloud, arn).into_iter().flatten().map(|(k, v)| json!({ "key": k, "value": v })).collect()
}

pub(super) fn tag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = existing(cloud, input, "ResourceNotFoundException")?;
    let new = read(input)?;
    let old = of(cloud, &arn).cloned().unwrap_or_default();
    let added = new.keys().filter(|k| !old.contains_key(*k)).count();
    if old.keys().filter(|k| !k.starts_with("aws:")).count() + added > MOST {
        return Err(invalid(format!("a resource can have at most {MOST} tags")));
    }
    put(cloud, &arn, new);
    Ok(json!({}))
}

pub(super) fn untag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = existing(cloud, input, "ResourceNotFoundException")?;
    let keys = texts(input, "tagKeys");
    if keys.iter().any(|k| k.to_ascii_lowercase().starts_with("aws:")) {
        return Err(invalid("Tags with the reserved prefix 'aws:' cannot be added or removed"));
    }
    if let Some(tags) = cloud.state.ecs.tags.get_mut(&arn) {
        tags.retain(|key, _| !keys.contains(key));
    }
    Ok(json!({}))
}

pub(super) fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    // ListTagsForResource declares no ResourceNotFoundException.
    let arn = existing(cloud, input, "InvalidParameterException")?;
    Ok(json!({ "tags": json(cloud, &arn) }))
}

fn inactive(what: &str) -> Fault {
    invalid(format!("The specified {what} is inactive. Specify an active {what} and try again."))
}

/// The ARN that a request names, of something that is there to be tagged.
fn existing(cloud: &Cloud, input: &Value, missing: &str) -> Result<String, Fault> {
    let arn = text(input, "resourceArn").unwrap_or_default();
    let prefix = cloud.arn("ecs", "");
    let Some((kind, name)) = arn.strip_prefix(&prefix).and_then(|r| r.split_once('/')) else {
        return Err(invalid("Invalid arn syntax"));
    };
    let ecs = &cloud.state.ecs;
    let not_found = || Fault::new(missing, format!("The specified {kind} was not found: {arn}"));
    match kind {
        "cluster" => {
            let cluster = ecs
                .clusters
                .get(name)
                .ok_or_else(|| Fault::new("ClusterNotFoundException", "Cluster not found."))?;
            if !cluster.active {
                return Err(inactive("cluster"));
            }
        }
        "service" => {
            let service = ecs.services.get(name).ok_or_else(not_found)?;
            if service.status == Status::Inactive {
                return Err(inactive("service"));
            }
        }
        "task" => {
            let cluster = name.split('/').next().unwrap_or_default();
            names::task_id(cloud, cluster, arn).ok_or_else(not_found)?;
        }
        "task-definition" => {
            let known = ecs.families.values().flatten().find(|d| d.arn == arn);
            if !known.ok_or_else(not_found)?.active() {
                return Err(inactive("task definition"));
            }
        }
        "task-set" => {
            let known = ecs.services.values().flat_map(|s| &s.task_sets).any(|s| s.arn == arn);
            known.then_some(()).ok_or_else(not_found)?;
        }
        other => return Err(Fault::not_modelled(format!("ecs tags of a {other}"))),
    }
    Ok(arn.to_owned())
}
