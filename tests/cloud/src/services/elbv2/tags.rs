//! Tags of everything that has an ARN here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{load_balancers, text, texts};
use crate::cloud::Cloud;
use crate::fault::Fault;

/// Adds an input's `Tags` to a resource.
pub fn put(cloud: &mut Cloud, arn: &str, input: &Value) {
    let given = input["Tags"].as_array().map(Vec::as_slice).unwrap_or_default();
    let tags = cloud.state.elbv2.tags.entry(arn.to_owned()).or_default();
    tags.extend(given.iter().map(|tag| (text(tag, "Key").to_owned(), text(tag, "Value").to_owned())));
}

pub fn add(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    for arn in known(cloud, input)? {
        put(cloud, &arn, input);
    }
    Ok(json!({}))
}

pub fn remove(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let keys = texts(input, "TagKeys");
    for arn in known(cloud, input)? {
        if let Some(tags) = cloud.state.elbv2.tags.get_mut(&arn) {
            tags.retain(|key, _| !keys.contains(key));
        }
    }
    Ok(json!({}))
}

pub fn describe(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let none = BTreeMap::new();
    let described = known(cloud, input)?.into_iter().map(|arn| {
        let tags = cloud.state.elbv2.tags.get(&arn).unwrap_or(&none);
        let tags: Vec<_> = tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        json!({ "ResourceArn": arn, "Tags": tags })
    });
    Ok(json!({ "TagDescriptions": described.collect::<Vec<_>>() }))
}

/// The resources that an input names, if all exist.
fn known(cloud: &Cloud, input: &Value) -> Result<Vec<String>, Fault> {
    let state = &cloud.state.elbv2;
    let arns = texts(input, "ResourceArns");
    for arn in &arns {
        let (exists, fault) = match arn.split(':').next_back().and_then(|r| r.split('/').next()) {
            Some("targetgroup") => (state.target_groups.contains_key(arn), "TargetGroupNotFoundException"),
            Some("listener") => (state.listeners.contains_key(arn), "ListenerNotFoundException"),
            Some("listener-rule") => (state.rules.contains_key(arn), "RuleNotFoundException"),
            _ if state.load_balancers.contains_key(arn) => continue,
            _ => return Err(load_balancers::not_found(arn)),
        };
        if !exists {
            return Err(Fault::new(fault, format!("'{arn}' not found")));
        }
    }
    Ok(arns)
}
