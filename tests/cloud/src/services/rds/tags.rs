//! Tags of all that has an ARN here, and those that say how snapshots go.

use serde_json::{Value, json};

use super::form::Form;
use super::{invalid, text};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::tags::{self, Tags};

const SECONDS: &str = "sluice.cloud/snapshot-seconds";
const FAILS: &str = "sluice.cloud/snapshot-fails";

/// How long a snapshot takes of which nothing else is said.
const USUAL_SECONDS: u64 = 180;

/// A snapshot takes a week at most.
const MOST_SECONDS: u64 = 7 * 24 * 3_600;

const MOST_TAGS: usize = 50;

/// An input's `Tags`, if RDS takes them.
pub fn checked(input: &Value) -> Result<Tags, Fault> {
    let tags = tags::from_list(&input["Tags"]);
    if tags.len() > MOST_TAGS {
        return Err(invalid(format!("There can be at most {MOST_TAGS} tags on a resource")));
    }
    tags.iter().try_for_each(|(key, value)| check(key, value))?;
    Ok(tags)
}

fn check(key: &str, value: &str) -> Result<(), Fault> {
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    let fits = |text: &str| text.chars().all(allowed);
    let lower = key.to_lowercase();
    if key.is_empty() || key.chars().count() > 128 || !fits(key) {
        return Err(invalid(format!("Invalid tag key: '{key}'")));
    }
    if lower.starts_with("aws:") || lower.starts_with("rds:") {
        return Err(invalid(format!("The tag key '{key}' has a prefix that is reserved")));
    }
    if value.chars().count() > 256 || !fits(value) {
        return Err(invalid(format!("Invalid tag value: '{value}'")));
    }
    let understood = match key {
        SECONDS => value.parse::<u64>().is_ok_and(|seconds| seconds <= MOST_SECONDS),
        FAILS => value == "true" || value == "false",
        _ => true,
    };
    if understood {
        return Ok(());
    }
    Err(invalid(format!("the local cloud does not understand '{value}' as {key}: seconds, or true or false")))
}

/// How many seconds a database's snapshots take, and whether they fail.
pub fn steering(tags: &Tags) -> (u64, bool) {
    let seconds = tags.get(SECONDS).and_then(|value| value.parse().ok()).unwrap_or(USUAL_SECONDS);
    (seconds, tags.get(FAILS).is_some_and(|value| value == "true"))
}

pub fn add(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let given = checked(input)?;
    let tags = of(cloud, text(input, "ResourceName"))?;
    let new = given.keys().filter(|key| !tags.contains_key(*key)).count();
    if tags.len() + new > MOST_TAGS {
        return Err(invalid(format!("There can be at most {MOST_TAGS} tags on a resource")));
    }
    tags.extend(given);
    Ok(json!({}))
}

pub fn remove(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    tags::remove(of(cloud, text(input, "ResourceName"))?, &input["TagKeys"]);
    Ok(json!({}))
}

pub fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    if !input["Filters"].is_null() {
        return Err(Fault::not_modelled("rds:ListTagsForResource with Filters"));
    }
    Ok(json!({ "TagList": tags::to_list(of(cloud, text(input, "ResourceName"))?) }))
}

/// The tags of what an ARN names.
fn of<'a>(cloud: &'a mut Cloud, arn: &str) -> Result<&'a mut Tags, Fault> {
    let mut parts = arn.splitn(7, ':');
    let (is_arn, kind, name) = (parts.next() == Some("arn"), parts.nth(4), parts.next().unwrap_or_default());
    let state = &mut cloud.state.rds;
    let (found, fault) = match kind.filter(|_| is_arn) {
        Some("db") => (state.databases.get_mut(arn).map(|d| &mut d.tags), Form::Instance.not_found(name)),
        Some("cluster") => (state.databases.get_mut(arn).map(|d| &mut d.tags), Form::Cluster.not_found(name)),
        Some("snapshot") => {
            (state.snapshots.get_mut(arn).map(|s| &mut s.tags), Form::Instance.snapshot_not_found(name))
        }
        Some("cluster-snapshot") => {
            (state.snapshots.get_mut(arn).map(|s| &mut s.tags), Form::Cluster.snapshot_not_found(name))
        }
        _ => return Err(invalid(format!("Invalid resource name: {arn}"))),
    };
    found.ok_or(fault)
}
