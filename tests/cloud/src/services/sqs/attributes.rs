//! Attributes of queues: which there are, their bounds and defaults.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Queue, arn, named, queue};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::tags;
use crate::time::{Ms, SECOND};

/// Name, default and bounds of the numeric ones.
const NUMBERS: &[(&str, u64, u64, u64)] = &[
    ("DelaySeconds", 0, 0, 900),
    ("MaximumMessageSize", 1_048_576, 1_024, 1_048_576),
    ("MessageRetentionPeriod", 345_600, 60, 1_209_600),
    ("ReceiveMessageWaitTimeSeconds", 0, 0, 20),
    ("VisibilityTimeout", 30, 0, 43_200),
    ("KmsDataKeyReusePeriodSeconds", 300, 60, 86_400),
];

/// Kept and given back; only `RedrivePolicy` changes what happens here.
const TEXTS: &[&str] =
    &["Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "SqsManagedSseEnabled"];

/// Refuses what a queue cannot have.
pub fn check(attributes: &BTreeMap<String, String>) -> Result<(), Fault> {
    for (name, value) in attributes {
        let invalid = || {
            Fault::new("InvalidAttributeValue", format!("Invalid value for the parameter {name}: '{value}'."))
        };
        if let Some((_, _, least, most)) = NUMBERS.iter().find(|(known, ..)| known == name) {
            value.parse::<u64>().ok().filter(|n| (least..=most).contains(&n)).ok_or_else(invalid)?;
        } else if name == "RedrivePolicy" {
            if !value.is_empty() {
                redrive(value).ok_or_else(invalid)?;
            }
        } else if name.starts_with("Fifo")
            || name == "ContentBasedDeduplication"
            || name == "DeduplicationScope"
        {
            return Err(Fault::not_modelled(format!("sqs FIFO queues ({name})")));
        } else if !TEXTS.contains(&name.as_str()) {
            return Err(Fault::new("InvalidAttributeName", format!("Unknown Attribute {name}.")));
        }
    }
    Ok(())
}

/// Dead-letter queue's ARN and the receives that a message may have, of a `RedrivePolicy`.
fn redrive(policy: &str) -> Option<(String, u64)> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let most = &policy["maxReceiveCount"];
    let most = most.as_u64().or_else(|| most.as_str()?.parse().ok()).filter(|n| (1..=1_000).contains(n))?;
    Some((policy["deadLetterTargetArn"].as_str()?.to_owned(), most))
}

impl Queue {
    pub fn number(&self, name: &str) -> u64 {
        let default =
            NUMBERS.iter().find(|(known, ..)| *known == name).map_or(0, |(_, default, ..)| *default);
        self.attributes.get(name).and_then(|value| value.parse().ok()).unwrap_or(default)
    }

    pub fn span(&self, name: &str) -> Ms {
        self.number(name) * SECOND
    }

    pub fn redrive(&self) -> Option<(String, u64)> {
        self.attributes.get("RedrivePolicy").and_then(|policy| redrive(policy))
    }
}

pub fn get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    let (now, arn) = (cloud.now, arn(cloud, &name));
    let queue = queue(cloud, &name)?;
    let mut all: Map<String, Value> = NUMBERS
        .iter()
        .take(5)
        .map(|(name, ..)| ((*name).to_owned(), json!(queue.number(name).to_string())))
        .collect();
    all.extend(queue.attributes.iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k.clone(), json!(v))));
    all.entry("SqsManagedSseEnabled")
        .or_insert_with(|| json!((!queue.attributes.contains_key("KmsMasterKeyId")).to_string()));
    let count = |fits: &dyn Fn(&super::Message) -> bool| {
        json!(queue.messages.iter().filter(|m| fits(m)).count().to_string())
    };
    let facts = [
        ("QueueArn", json!(arn)),
        ("CreatedTimestamp", json!((queue.created / SECOND).to_string())),
        ("LastModifiedTimestamp", json!((queue.modified / SECOND).to_string())),
        ("ApproximateNumberOfMessages", count(&|m| m.visible_at <= now)),
        ("ApproximateNumberOfMessagesNotVisible", count(&|m| m.visible_at > now && m.receives > 0)),
        ("ApproximateNumberOfMessagesDelayed", count(&|m| m.visible_at > now && m.receives == 0)),
    ];
    all.extend(facts.map(|(name, value)| (name.to_owned(), value)));
    let asked: Vec<_> =
        input["AttributeNames"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !asked.contains(&"All") {
        all.retain(|name, _| asked.contains(&name.as_str()));
    }
    Ok(json!({ "Attributes": all }))
}

pub fn set(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    let given = tags::from_map(&input["Attributes"]);
    check(&given)?;
    let now = cloud.now;
    let queue = queue(cloud, &name)?;
    queue.attributes.extend(given);
    queue.modified = now;
    Ok(json!({}))
}
