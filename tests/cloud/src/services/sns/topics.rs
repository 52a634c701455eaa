//! Topics, their attributes and tags.

use serde_json::{Value, json};

use super::{Topic, invalid, not_found, page, text};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::tags;

/// Kept and given back. `MaximumMessageSize` and `SignatureVersion` are honoured; the others
/// change nothing of what is delivered here.
const ATTRIBUTES: &[&str] =
    &["DisplayName", "Policy", "KmsMasterKeyId", "TracingConfig", "SignatureVersion", "MaximumMessageSize"];

/// What AWS has and nothing here does.
const NOT_HERE: &[&str] = &[
    "FifoTopic",
    "ContentBasedDeduplication",
    "FifoThroughputScope",
    "ArchivePolicy",
    "DeliveryPolicy",
    "DataProtectionPolicy",
];

/// How HTTP deliveries are retried on AWS, as it shows it.
const DELIVERY: &str = "{\"http\":{\"defaultHealthyRetryPolicy\":{\"minDelayTarget\":20,\"maxDelayTarget\":20,\"numRetries\":3,\"numMaxDelayRetries\":0,\"numNoDelayRetries\":0,\"numMinDelayRetries\":0,\"backoffFunction\":\"linear\"},\"disableSubscriptionOverrides\":false,\"defaultRequestPolicy\":{\"headerContentType\":\"text/plain; charset=UTF-8\"}}}";

fn check(name: &str, value: &str) -> Result<(), Fault> {
    let wrong = |reason: String| Err(invalid(format!("Invalid parameter: {name} Reason: {reason}")));
    let number = || value.parse::<u64>().ok();
    match name {
        _ if NOT_HERE.contains(&name)
            || name.contains("FeedbackRoleArn")
            || name.contains("FeedbackSampleRate") =>
        {
            Err(Fault::not_modelled(format!("sns topics with {name}")))
        }
        _ if !ATTRIBUTES.contains(&name) => wrong("unknown attribute".into()),
        "SignatureVersion" if value != "1" && value != "2" => wrong("must be 1 or 2".into()),
        "MaximumMessageSize" if !number().is_some_and(|n| (1_024..=1_048_576).contains(&n)) => {
            wrong("must be from 1024 to 1048576".into())
        }
        _ => Ok(()),
    }
}

pub fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = text(input, "Name");
    if name.ends_with(".fifo") {
        return Err(Fault::not_modelled("sns FIFO topics"));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 256 || !name.chars().all(allowed) {
        return Err(invalid("Invalid parameter: Topic Name"));
    }
    let given = tags::from_map(&input["Attributes"]);
    given.iter().try_for_each(|(name, value)| check(name, value))?;
    if !input["DataProtectionPolicy"].is_null() {
        return Err(Fault::not_modelled("sns topics with DataProtectionPolicy"));
    }
    let arn = cloud.arn("sns", name);
    let tags = tags::from_list(&input["Tags"]);
    if let Some(topic) = cloud.state.sns.topics.get(&arn) {
        let same = given.iter().all(|(name, value)| topic.attributes.get(name) == Some(value));
        if !same {
            let message =
                "Invalid parameter: Attributes Reason: Topic already exists with different attributes";
            return Err(invalid(message));
        }
        if tags.iter().any(|(key, value)| topic.tags.get(key) != Some(value)) {
            return Err(invalid("Invalid parameter: Tags Reason: Topic already exists with different tags"));
        }
    } else {
        cloud.state.sns.topics.insert(arn.clone(), Topic { attributes: given, tags });
    }
    Ok(json!({ "TopicArn": arn }))
}

pub fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "TopicArn");
    cloud.state.sns.topics.remove(arn);
    cloud.state.sns.subscriptions.retain(|_, subscription| subscription.topic != arn);
    Ok(json!({}))
}

pub fn list(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let rows = cloud.state.sns.topics.keys().map(|arn| json!({ "TopicArn": arn })).collect();
    page(rows, "Topics", input)
}

pub fn get<'a>(cloud: &'a mut Cloud, arn: &str) -> Result<&'a mut Topic, Fault> {
    cloud.state.sns.topics.get_mut(arn).ok_or_else(|| not_found("Topic"))
}

pub fn attributes(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "TopicArn");
    let (owner, mut all) = (cloud.settings.account.clone(), get(cloud, arn)?.attributes.clone());
    let confirmed = cloud.state.sns.subscriptions.values().filter(|s| s.topic == arn).count();
    let facts = [
        ("TopicArn", arn.to_owned()),
        ("Owner", owner),
        ("SubscriptionsConfirmed", confirmed.to_string()),
        ("SubscriptionsPending", "0".into()),
        ("SubscriptionsDeleted", "0".into()),
    ];
    all.extend(facts.map(|(name, value)| (name.to_owned(), value)));
    all.entry("DisplayName".into()).or_default();
    all.entry("EffectiveDeliveryPolicy".into()).or_insert_with(|| DELIVERY.into());
    all.entry("Policy".into()).or_insert_with(|| default_policy(arn, &cloud.settings.account));
    Ok(json!({ "Attributes": all }))
}

/// The owner may do everything with it.
fn default_policy(arn: &str, account: &str) -> String {
    let actions = [
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    ];
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID", "Effect": "Allow", "Principal": { "AWS": "*" },
            "Action": actions.map(|action| format!("SNS:{action}")), "Resource": arn,
            "Condition": { "StringEquals": { "AWS:SourceOwner": account } },
        }],
    })
    .to_string()
}

pub fn set_attribute(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let (name, value) = (text(input, "AttributeName"), text(input, "AttributeValue"));
    let topic = get(cloud, text(input, "TopicArn"))?;
    check(name, value)?;
    topic.attributes.insert(name.to_owned(), value.to_owned());
    Ok(json!({}))
}

fn tagged<'a>(cloud: &'a mut Cloud, input: &Value) -> Result<&'a mut Topic, Fault> {
    let topic = cloud.state.sns.topics.get_mut(text(input, "ResourceArn"));
    topic.ok_or_else(|| Fault::new("ResourceNotFoundException", "Resource does not exist"))
}

pub fn tag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    tagged(cloud, input)?.tags.extend(tags::from_list(&input["Tags"]));
    Ok(json!({}))
}

pub fn untag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    tags::remove(&mut tagged(cloud, input)?.tags, &input["TagKeys"]);
    Ok(json!({}))
}

pub fn list_tags(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    Ok(json!({ "Tags": tags::to_list(&tagged(cloud, input)?.tags) }))
}
