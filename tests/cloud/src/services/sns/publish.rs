//! Publishing: which subscribers a message reaches, and in what form.

use serde_json::{Map, Value, json};

use super::{Subscription, envelope, invalid, not_found, text};
use crate::cloud::Cloud;
use crate::effect::Effect;
use crate::fault::Fault;
use crate::services::{events, lambda, sqs};
use crate::timeline::Kind;
use crate::wire::entry_code;

/// What a message may have, unless its topic says otherwise.
const MOST_BYTES: usize = 262_144;

/// A message on its way.
pub struct Published<'a> {
    pub id: String,
    pub topic: &'a str,
    pub subject: Option<&'a str>,
    /// By protocol, with `default` for the rest.
    texts: Map<String, Value>,
    pub attributes: Value,
}

impl Published<'_> {
    pub fn text(&self, protocol: &str) -> &str {
        self.texts
            .get(protocol)
            .or_else(|| self.texts.get("default"))
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

pub fn one(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    if !input["PhoneNumber"].is_null() {
        return Err(Fault::not_modelled("sns:Publish to a phone number"));
    }
    let topic = input["TopicArn"].as_str().or_else(|| input["TargetArn"].as_str());
    let topic = topic.ok_or_else(|| {
        invalid("Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter")
    })?;
    let id = send(cloud, topic, input)?;
    Ok(json!({ "MessageId": id }))
}

pub fn batch(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let topic = text(input, "TopicArn");
    if !cloud.state.sns.topics.contains_key(topic) {
        return Err(not_found("Topic"));
    }
    let entries = input["PublishBatchRequestEntries"].as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.is_empty() {
        return Err(Fault::new(
            "EmptyBatchRequestException",
            "The batch request doesn't contain any entries.",
        ));
    }
    if entries.len() > 10 {
        return Err(Fault::new(
            "TooManyEntriesInBatchRequestException",
            "The batch request contains more entries than permissible (10).",
        ));
    }
    let distinct = entries
        .iter()
        .enumerate()
        .all(|(n, entry)| entries[..n].iter().all(|other| other["Id"] != entry["Id"]));
    if !distinct {
        return Err(Fault::new(
            "BatchEntryIdsNotDistinctException",
            "Two or more batch entries in the request have the same Id.",
        ));
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match send(cloud, topic, entry) {
            Ok(id) => successful.push(json!({ "Id": entry["Id"], "MessageId": id })),
            Err(fault) => failed.push(json!({
                "Id": entry["Id"], "Code": entry_code("sns", &fault), "Message": fault.message, "SenderFault": true,
            })),
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}

/// Publishes from a service; `Err` if there is no such topic. Gives the message id.
pub(crate) fn publish(
    cloud: &mut Cloud,
    topic: &str,
    subject: Option<&str>,
    message: &str,
) -> Result<String, Fault> {
    send(cloud, topic, &json!({ "Message": message, "Subject": subject }))
}

/// The same with message attributes, as Publish takes them.
pub(crate) fn publish_with(
    cloud: &mut Cloud,
    topic: &str,
    message: &str,
    attributes: Value,
) -> Result<String, Fault> {
    send(cloud, topic, &json!({ "Message": message, "MessageAttributes": attributes }))
}

fn send(cloud: &mut Cloud, topic: &str, input: &Value) -> Result<String, Fault> {
    if !cloud.state.sns.topics.contains_key(topic) {
        return Err(not_found("Topic"));
    }
    check(cloud, topic, input)?;
    let (message, subject) = (text(input, "Message"), input["Subject"].as_str());
    let texts = texts(message, text(input, "MessageStructure"))?;
    let attributes = input["MessageAttributes"].clone();
    let published = Published { id: cloud.ids.uuid(), topic, subject, texts, attributes };
    let name = topic.rsplit(':').next().unwrap_or(topic);
    let line = published.text("email").lines().next().unwrap_or_default();
    let shown = format!("topic {name}: {}", subject.unwrap_or(line));
    let data = json!({ "topic": topic, "id": published.id, "subject": subject, "message": published.text("default") });
    cloud.note(Kind::Message, shown, data);
    let subscribers: Vec<_> = cloud
        .state
        .sns
        .subscriptions
        .iter()
        .filter(|(_, s)| s.topic == topic)
        .map(|(arn, s)| (arn.clone(), s.clone()))
        .collect();
    for (arn, subscription) in subscribers {
        if wants(&subscription, &published) {
            deliver(cloud, &arn, &subscription, &published);
        }
    }
    Ok(published.id)
}

/// The message by protocol.
fn texts(message: &str, structure: &str) -> Result<Map<String, Value>, Fault> {
    match structure {
        "" => Ok(Map::from_iter([("default".to_owned(), json!(message))])),
        "json" => {
            let parsed: Option<Map<String, Value>> = serde_json::from_str(message).ok();
            parsed.filter(|texts| texts.get("default").is_some_and(Value::is_string)).ok_or_else(|| {
                invalid("Invalid parameter: Message Structure - No default entry in JSON message body")
            })
        }
        other => Err(invalid(format!("Invalid parameter: MessageStructure {other}"))),
    }
}

fn check(cloud: &Cloud, topic: &str, input: &Value) -> Result<(), Fault> {
    let (message, subject) = (text(input, "Message"), input["Subject"].as_str());
    if !input["MessageDeduplicationId"].is_null() {
        return Err(invalid(
            "Invalid parameter: MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type",
        ));
    }
    if !input["MessageGroupId"].is_null() {
        return Err(Fault::not_modelled("sns:Publish with MessageGroupId"));
    }
    if message.is_empty() {
        return Err(invalid("Invalid parameter: Empty message"));
    }
    if subject.is_some_and(|s| s.is_empty() || s.chars().count() > 100 || s.contains(char::is_control)) {
        return Err(invalid("Invalid parameter: Subject"));
    }
    let attributes = input["MessageAttributes"].as_object().into_iter().flatten();
    let mut size = message.len();
    for (name, attribute) in attributes {
        let kind = text_type(attribute);
        let value = attribute["BinaryValue"].as_str().unwrap_or(text(attribute, "StringValue"));
        if !["String", "Number", "Binary"].contains(&kind.split('.').next().unwrap_or_default()) {
            return Err(invalid(format!(
                "Invalid parameter: The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
            )));
        }
        if value.is_empty() {
            return Err(invalid(format!(
                "Invalid parameter: The message attribute '{name}' must contain non-empty message attribute value for message attribute type '{kind}'."
            )));
        }
        size += name.len() + kind.len() + value.len();
    }
    let most =
        cloud.state.sns.topics.get(topic).and_then(|t| t.attributes.get("MaximumMessageSize")?.parse().ok());
    if size > most.unwrap_or(MOST_BYTES) {
        return Err(invalid("Invalid parameter: Message too long"));
    }
    Ok(())
}

/// Whether the filter policy lets the message through.
fn wants(subscription: &Subscription, published: &Published) -> bool {
    let policy =
        subscription.attributes.get("FilterPolicy").and_then(|p| serde_json::from_str::<Value>(p).ok());
    let Some(policy) = policy else { return true };
    if subscription.attributes.get("FilterPolicyScope").is_some_and(|scope| scope == "MessageBody") {
        let body: Option<Value> = serde_json::from_str(published.text(&subscription.protocol)).ok();
        return body.is_some_and(|body| events::pattern::matches(&policy, &body));
    }
    let value = |attribute: &Value| {
        let text = text(attribute, "StringValue");
        match text_type(attribute) {
            "Number" | "String.Array" => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
            _ => json!(text),
        }
    };
    let attributes = published.attributes.as_object().into_iter().flatten();
    let flat: Map<String, Value> =
        attributes.map(|(name, attribute)| (name.clone(), value(attribute))).collect();
    events::pattern::matches(&policy, &Value::Object(flat))
}

fn text_type(attribute: &Value) -> &str {
    text(attribute, "DataType")
}

fn deliver(cloud: &mut Cloud, arn: &str, subscription: &Subscription, published: &Published) {
    let raw = subscription.attributes.get("RawMessageDelivery").is_some_and(|raw| raw == "true");
    let body = if raw {
        published.text(&subscription.protocol).to_owned()
    } else {
        envelope::written(cloud, arn, subscription, published)
    };
    let outcome = match subscription.protocol.as_str() {
        "sqs" => {
            let attributes = if raw { published.attributes.clone() } else { Value::Null };
            sqs::send_with(cloud, &subscription.endpoint, &body, attributes).map(drop)
        }
        "lambda" => {
            let event = envelope::event(cloud, arn, subscription, published);
            lambda::invoke_async(
                cloud,
                &subscription.endpoint,
                "sns.amazonaws.com",
                Some(published.topic),
                event,
            )
        }
        "http" | "https" => {
            let headers = [
                ("content-type", "text/plain; charset=UTF-8"),
                ("x-amz-sns-message-type", "Notification"),
                ("x-amz-sns-message-id", &published.id),
                ("x-amz-sns-topic-arn", published.topic),
                ("x-amz-sns-subscription-arn", arn),
            ];
            let mut headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
            if raw {
                headers.push(("x-amz-sns-rawdelivery".into(), "true".into()));
            }
            cloud.effect(Effect::Post { url: subscription.endpoint.clone(), headers, body: body.clone() });
            Ok(())
        }
        _ => {
            let subject = published.subject.unwrap_or("AWS Notification Message");
            let data =
                json!({ "to": subscription.endpoint, "subject": subject, "text": published.text("email") });
            cloud.note(Kind::Message, format!("mail to {}: {subject}", subscription.endpoint), data);
            Ok(())
        }
    };
    if let Err(fault) = outcome {
        undelivered(cloud, subscription, &body, &fault);
    }
}

/// To the subscription's dead-letter queue, if it has one.
fn undelivered(cloud: &mut Cloud, subscription: &Subscription, body: &str, fault: &Fault) {
    let policy =
        subscription.attributes.get("RedrivePolicy").and_then(|p| serde_json::from_str::<Value>(p).ok());
    let queue = policy.and_then(|policy| policy["deadLetterTargetArn"].as_str().map(str::to_owned));
    let kept = queue.as_ref().is_some_and(|queue| sqs::send(cloud, queue, body).is_ok());
    let fate = if kept { "in the dead-letter queue" } else { "lost" };
    let text = format!("not delivered to {}: {fault}; {fate}", subscription.endpoint);
    cloud.note(
        Kind::Message,
        text,
        json!({ "to": subscription.endpoint, "error": fault.shape, "kept": kept }),
    );
}
