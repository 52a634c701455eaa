//! Tags of repositories as resources (not of images).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;

use super::{Repository, invalid, no_repository};

const MOST: usize = 50;

pub(super) fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let repository = by_arn(cloud, input)?;
    let tags: Vec<_> =
        repository.resource_tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    Ok(json!({ "tags": tags }))
}

pub(super) fn tag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    add(&mut by_arn(cloud, input)?.resource_tags, &input["tags"])?;
    Ok(json!({}))
}

pub(super) fn untag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let tags = &mut by_arn(cloud, input)?.resource_tags;
    for key in input["tagKeys"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        tags.remove(key);
    }
    Ok(json!({}))
}

/// Adds tags, all of them or, if one is refused, none.
pub(super) fn add(tags: &mut BTreeMap<String, String>, given: &Value) -> Result<(), Fault> {
    let refused = |text: &str| Fault::new("InvalidTagParameterException", text);
    let mut result = tags.clone();
    let mut seen = Vec::new();
    for tag in given.as_array().into_iter().flatten() {
        let (key, value) =
            (tag["Key"].as_str().unwrap_or_default(), tag["Value"].as_str().unwrap_or_default());
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(refused("Tag keys have 1 to 128 characters, tag values at most 256"));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(refused("Tag keys cannot start with 'aws:'"));
        }
        if seen.contains(&key) {
            return Err(refused(&format!("Duplicate tag key '{key}'")));
        }
        seen.push(key);
        result.insert(key.to_owned(), value.to_owned());
    }
    if result.len() > MOST {
        return Err(Fault::new("TooManyTagsException", format!("A repository has at most {MOST} tags")));
    }
    *tags = result;
    Ok(())
}

fn by_arn<'a>(cloud: &'a mut Cloud, input: &Value) -> Result<&'a mut Repository, Fault> {
    let arn = input["resourceArn"].as_str().unwrap_or_default();
    let name = arn
        .strip_prefix(&cloud.arn("ecr", "repository/"))
        .ok_or_else(|| invalid("resourceArn", "Invalid ARN"))?;
    let missing = no_repository(name, &cloud.settings.account);
    cloud.state.ecr.repositories.get_mut(name).ok_or(missing)
}
