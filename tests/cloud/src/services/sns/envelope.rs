//! What subscribers get of a message: SNS's JSON, the event of a function.
//!
//! Queues and HTTP subscribers get a text whose layout is SNS's own, space before the
//! colon included. The signature is made up: nobody here holds SNS's key.

use serde_json::{Map, Value, json};

use super::publish::Published;
use super::{Subscription, text};
use crate::cloud::Cloud;
use crate::time::iso;

/// The members in SNS's order; those without a value are left out.
fn members(
    cloud: &Cloud,
    arn: &str,
    subscription: &Subscription,
    published: &Published,
) -> Vec<(&'static str, Value)> {
    let endpoint = &cloud.settings.endpoint;
    let topic = cloud.state.sns.topics.get(published.topic);
    let version =
        topic.and_then(|topic| topic.attributes.get("SignatureVersion")).map_or("1", String::as_str);
    let all = vec![
        ("Type", json!("Notification")),
        ("MessageId", json!(published.id)),
        ("TopicArn", json!(published.topic)),
        ("Subject", json!(published.subject)),
        ("Message", json!(published.text(&subscription.protocol))),
        ("Timestamp", json!(iso(cloud.now))),
        ("SignatureVersion", json!(version)),
        ("Signature", json!("local")),
        ("SigningCertURL", json!(format!("{endpoint}/_cloud/sns.pem"))),
        ("UnsubscribeURL", json!(format!("{endpoint}/?Action=Unsubscribe&SubscriptionArn={arn}"))),
        ("MessageAttributes", attributes(published)),
    ];
    all.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

fn attributes(published: &Published) -> Value {
    let one = |(name, attribute): (&String, &Value)| {
        let value = attribute.get("BinaryValue").unwrap_or(&attribute["StringValue"]);
        (name.clone(), json!({ "Type": text(attribute, "DataType"), "Value": value }))
    };
    let attributes = published.attributes.as_object().filter(|attributes| !attributes.is_empty());
    attributes.map_or(Value::Null, |all| Value::Object(all.iter().map(one).collect()))
}

/// The text that queues and HTTP subscribers get.
pub fn written(cloud: &Cloud, arn: &str, subscription: &Subscription, published: &Published) -> String {
    let line = |(name, value): (&str, Value)| match value.as_object() {
        Some(attributes) => {
            let rows: Vec<_> =
                attributes.iter().map(|(name, value)| format!("    {} : {value}", json!(name))).collect();
            format!("  \"{name}\" : {{\n{}\n  }}", rows.join(",\n"))
        }
        None => format!("  \"{name}\" : {value}"),
    };
    let lines: Vec<_> = members(cloud, arn, subscription, published).into_iter().map(line).collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

/// The event that functions get: `SigningCertUrl` and `UnsubscribeUrl` are what Lambda makes
/// of the names (aws-lambda-go `events.SNSEntity`), and nothing is left out.
pub fn event(cloud: &Cloud, arn: &str, subscription: &Subscription, published: &Published) -> Value {
    let mut sns: Map<String, Value> = members(cloud, arn, subscription, published)
        .into_iter()
        .map(|(name, value)| (name.replace("URL", "Url"), value))
        .collect();
    sns.entry("Subject").or_insert(Value::Null);
    sns.entry("MessageAttributes").or_insert(json!({}));
    json!({ "Records": [{
        "EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": arn, "Sns": sns,
    }] })
}
