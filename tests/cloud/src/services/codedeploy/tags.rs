//! Tags of applications and deployment groups, by ARN.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::page::page;
use super::{no_application, no_group, required, text, texts};
use crate::cloud::Cloud;
use crate::fault::Fault;

type Tags = BTreeMap<String, String>;

/// `present` with the tags in `added`, a model's `TagList`.
pub(super) fn checked(present: &Tags, added: Option<&Value>) -> Result<Tags, Fault> {
    let invalid = |text: String| Fault::new("InvalidTagsToAddException", text);
    let mut tags = present.clone();
    for tag in added.and_then(Value::as_array).into_iter().flatten() {
        let key = text(tag, "Key").unwrap_or_default();
        let value = text(tag, "Value").unwrap_or_default();
        if key.is_empty() || key.chars().count() > 128 || key.to_lowercase().starts_with("aws:") {
            return Err(invalid(format!(
                "Tag key '{key}' must have 1 to 128 characters and must not begin with aws:"
            )));
        }
        if value.chars().count() > 256 {
            return Err(invalid(format!("The value of tag '{key}' must have at most 256 characters")));
        }
        tags.insert(key.to_owned(), value.to_owned());
    }
    if tags.len() > 50 {
        return Err(invalid("A resource can have at most 50 tags".into()));
    }
    Ok(tags)
}

pub(super) fn tag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    if input["Tags"].as_array().is_none_or(Vec::is_empty) {
        return Err(Fault::new("TagRequiredException", "At least one tag is required"));
    }
    let tags = tags_of(cloud, required(input, "ResourceArn"))?;
    *tags = checked(tags, input.get("Tags"))?;
    Ok(json!({}))
}

pub(super) fn untag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let keys = texts(input, "TagKeys");
    if keys.is_empty() {
        return Err(Fault::new("TagRequiredException", "At least one tag key is required"));
    }
    let tags = tags_of(cloud, required(input, "ResourceArn"))?;
    for key in keys {
        tags.remove(key);
    }
    Ok(json!({}))
}

pub(super) fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let tags = tags_of(cloud, required(input, "ResourceArn"))?;
    let rows = tags.iter().map(|(key, value)| (key.clone(), json!({ "Key": key, "Value": value }))).collect();
    let (tags, next) = page(cloud, rows, input)?;
    Ok(json!({ "Tags": tags, "NextToken": next }))
}

fn tags_of<'a>(cloud: &'a mut Cloud, arn: &str) -> Result<&'a mut Tags, Fault> {
    let prefix = cloud.arn("codedeploy", "");
    let resource = arn.strip_prefix(&prefix).ok_or_else(|| {
        Fault::new(
            "InvalidArnException",
            format!("{arn} is not the ARN of a CodeDeploy resource of this account"),
        )
    })?;
    match resource.split_once(':') {
        Some(("application", name)) => {
            let application = cloud.state.codedeploy.applications.get_mut(name);
            application.map(|a| &mut a.tags).ok_or_else(|| no_application(name))
        }
        Some(("deploymentgroup", path)) => {
            let (application, group) = path.split_once('/').unwrap_or((path, ""));
            let groups = &mut cloud.state.codedeploy.application_mut(application)?.groups;
            groups.get_mut(group).map(|g| &mut g.tags).ok_or_else(|| no_group(group))
        }
        _ => Err(Fault::new("ArnNotSupportedException", format!("The ARN {arn} is not supported for tags"))),
    }
}
