//! Tags of alarms.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{alarm_arn, items, text, texts};
use crate::cloud::Cloud;
use crate::fault::Fault;

/// Tags of an input, by key.
pub fn read(input: &Value) -> BTreeMap<String, String> {
    let tags = items(input, "Tags").iter();
    tags.map(|tag| (text(tag, "Key").to_owned(), text(tag, "Value").to_owned())).collect()
}

fn of<'a>(cloud: &'a mut Cloud, input: &Value) -> Result<&'a mut BTreeMap<String, String>, Fault> {
    let arn = text(input, "ResourceARN");
    let name = arn.split_once(":alarm:").map(|(_, name)| name.to_owned()).unwrap_or_default();
    let known = alarm_arn(cloud, &name) == arn;
    let alarm = cloud.state.cloudwatch.alarms.get_mut(&name).filter(|_| known);
    let tags = alarm.map(|alarm| &mut alarm.tags);
    tags.ok_or_else(|| {
        Fault::new("ResourceNotFoundException", format!("{arn} does not exist"))
            .with("ResourceType", "cloudwatch")
            .with("ResourceId", arn)
    })
}

pub fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let tags: Vec<Value> =
        of(cloud, input)?.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    Ok(json!({ "Tags": tags }))
}

pub fn add(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    of(cloud, input)?.extend(read(input));
    Ok(json!({}))
}

pub fn remove(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let keys = texts(input, "TagKeys");
    of(cloud, input)?.retain(|key, _| !keys.contains(key));
    Ok(json!({}))
}
