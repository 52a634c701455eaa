//! Attributes of queues: which there are, their bounds and defaults.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Queue, arn, by_arn, named, queue};
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

/// Kept and given back; only the two redrive policies change what happens here.
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

/// Whether the dead-letter queue that `source` asks for exists, and lets it.
pub fn check_redrive(cloud: &Cloud, source: &str, given: &BTreeMap<String, String>) -> Result<(), Fault> {
    let Some(policy) = given.get("RedrivePolicy").filter(|policy| !policy.is_empty()) else { return Ok(()) };
    let refused = |reason: &str| {
        let text = format!("Value {policy} for parameter RedrivePolicy is invalid. Reason: {reason}");
        Err(Fault::new("InvalidParameterValueException", text))
    };
    let target = redrive(policy).and_then(|(target, _)| by_arn(cloud, &target));
    let Some(target) = target.and_then(|name| cloud.state.sqs.queues.get(&name)) else {
        return refused("Dead letter target does not exist.");
    };
    let allowed =
        target.attributes.get("RedriveAllowPolicy").and_then(|text| serde_json::from_str(text).ok());
    let allowed: Value = allowed.unwrap_or_default();
    let named =
        || allowed["sourceQueueArns"].as_array().is_some_and(|arns| arns.iter().any(|arn| arn == source));
    match allowed["redrivePermission"].as_str() {
        Some("denyAll") => refused("Dead letter target does not allow any source queue."),
        Some("byQueue") if !named() => refused("Dead letter target does not allow this source queue."),
        _ => Ok(()),
    }
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

    /// Drops what is older than the retention period.
    pub fn expire(&mut self, now: Ms) {
        let retention = self.span("MessageRetentionPeriod");
        self.messages.retain(|message| message.sent + retention > now);
    }

    /// What an attribute is, set or by default; `None` where it has no default.
    pub fn value(&self, name: &str) -> Option<String> {
        if NUMBERS.iter().any(|(known, ..)| *known == name) {
            return Some(self.number(name).to_string());
        }
        let sse = || (!self.attributes.contains_key("KmsMasterKeyId")).to_string();
        let default = (name == "SqsManagedSseEnabled").then(sse);
        self.attributes.get(name).filter(|value| !value.is_empty()).cloned().or(default)
    }

    pub fn redrive(&self) -> Option<(String, u64)> {
        self.attributes.get("RedrivePolicy").and_then(|policy| redrive(policy))
    }
}

pub fn get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    let (now, arn) = (cloud.now, arn(cloud, &name));
    let queue = queue(cloud, &name)?;
    queue.expire(now);
    let mut all: Map<String, Value> = NUMBERS
        .iter()
        .take(5)
        .map(|(name, ..)| ((*name).to_owned(), json!(queue.number(name).to_string())))
        .collect();
    all.extend(queue.attributes.iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k.clone(), json!(v))));
    all.insert("SqsManagedSseEnabled".into(), json!(queue.value("SqsManagedSseEnabled")));
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
    check_redrive(cloud, &arn(cloud, &name), &given)?;
    let now = cloud.now;
    let queue = queue(cloud, &name)?;
    queue.attributes.extend(given);
    queue.modified = now;
    Ok(json!({}))
}
