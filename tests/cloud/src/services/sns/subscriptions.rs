//! Subscriptions. All are confirmed at once: whoever subscribes here owns the machine, and
//! nothing is posted anywhere else.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{Subscription, invalid, not_found, page, text, topics};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::{events, tags};

const PROTOCOLS: &[&str] = &["sqs", "lambda", "http", "https", "email", "email-json"];
const ATTRIBUTES: &[&str] = &["RawMessageDelivery", "FilterPolicy", "FilterPolicyScope", "RedrivePolicy"];

pub fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let (topic, protocol, endpoint) =
        (text(input, "TopicArn"), text(input, "Protocol"), text(input, "Endpoint"));
    topics::get(cloud, topic)?;
    if !PROTOCOLS.contains(&protocol) {
        return match protocol {
            "sms" | "application" | "firehose" => {
                Err(Fault::not_modelled(format!("sns subscriptions by {protocol}")))
            }
            _ => {
                Err(invalid(format!("Invalid parameter: Does not support this protocol string: {protocol}")))
            }
        };
    }
    check_endpoint(protocol, endpoint)?;
    let given = tags::from_map(&input["Attributes"]);
    for (name, value) in &given {
        check(name, value)?;
    }
    check_together(protocol, &given)?;
    let same = |s: &Subscription| s.topic == topic && s.protocol == protocol && s.endpoint == endpoint;
    let before = cloud
        .state
        .sns
        .subscriptions
        .iter()
        .find(|(_, s)| same(s))
        .map(|(arn, s)| (arn.clone(), s.attributes == given));
    match before {
        Some((arn, true)) => return Ok(json!({ "SubscriptionArn": arn })),
        Some((_, false)) => {
            return Err(invalid(
                "Invalid parameter: Attributes Reason: Subscription already exists with different attributes",
            ));
        }
        None => {}
    }
    let arn = format!("{topic}:{}", cloud.ids.uuid());
    let subscription = Subscription {
        topic: topic.to_owned(),
        protocol: protocol.to_owned(),
        endpoint: endpoint.to_owned(),
        attributes: given,
    };
    cloud.state.sns.subscriptions.insert(arn.clone(), subscription);
    Ok(json!({ "SubscriptionArn": arn }))
}

fn check_endpoint(protocol: &str, endpoint: &str) -> Result<(), Fault> {
    let service = endpoint.split(':').nth(2).unwrap_or_default();
    let fits = match protocol {
        "sqs" | "lambda" => endpoint.starts_with("arn:") && service == protocol,
        "http" | "https" => endpoint.starts_with(&format!("{protocol}://")),
        _ => endpoint.contains('@'),
    };
    if !fits {
        return Err(invalid(format!("Invalid parameter: {protocol} endpoint {endpoint}")));
    }
    if protocol.starts_with("http") && !is_loopback(endpoint) {
        return Err(Fault::not_modelled(format!(
            "sns subscriptions by {protocol} to another machine ({endpoint}); there is loopback"
        )));
    }
    Ok(())
}

fn is_loopback(url: &str) -> bool {
    let host =
        url.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// What attributes mean for one another and for the protocol.
fn check_together(protocol: &str, all: &tags::Tags) -> Result<(), Fault> {
    let is = |name: &str, value: &str| all.get(name).is_some_and(|v| v == value);
    if is("RawMessageDelivery", "true") && !["sqs", "http", "https"].contains(&protocol) {
        return Err(invalid(format!(
            "Invalid parameter: Attributes Reason: Delivery protocol [{protocol}] does not support raw message delivery."
        )));
    }
    let policy: Option<Value> = all.get("FilterPolicy").and_then(|policy| serde_json::from_str(policy).ok());
    let nested = policy.iter().filter_map(Value::as_object).flatten().any(|(_, wanted)| wanted.is_object());
    if nested && !is("FilterPolicyScope", "MessageBody") {
        return Err(invalid(
            "Invalid parameter: Filter policy scope MessageAttributes does not support nested filter policy",
        ));
    }
    Ok(())
}

fn check(name: &str, value: &str) -> Result<(), Fault> {
    let wrong = |reason: &str| invalid(format!("Invalid parameter: {name} Reason: {reason}"));
    match name {
        "RawMessageDelivery" if value != "true" && value != "false" => Err(wrong("must be true or false")),
        "FilterPolicyScope" if value != "MessageAttributes" && value != "MessageBody" => {
            Err(wrong("must be MessageAttributes or MessageBody"))
        }
        "FilterPolicy" => {
            let policy: Value = serde_json::from_str(value).map_err(|e| wrong(&e.to_string()))?;
            events::pattern_check::check(&policy).map_err(|reason| wrong(&reason))
        }
        "RedrivePolicy" => {
            let policy: Value = serde_json::from_str(value).map_err(|e| wrong(&e.to_string()))?;
            let queue = policy["deadLetterTargetArn"].as_str();
            queue
                .filter(|arn| arn.split(':').nth(2) == Some("sqs"))
                .map(drop)
                .ok_or_else(|| wrong("deadLetterTargetArn must be the ARN of an SQS queue"))
        }
        name if ATTRIBUTES.contains(&name) => Ok(()),
        "DeliveryPolicy" | "SubscriptionRoleArn" | "ReplayPolicy" => {
            Err(Fault::not_modelled(format!("sns {name}")))
        }
        _ => Err(wrong("unknown attribute")),
    }
}

/// Unsubscribing twice is no error, as on AWS.
pub fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    cloud.state.sns.subscriptions.remove(text(input, "SubscriptionArn"));
    Ok(json!({}))
}

pub fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let topic = input["TopicArn"].as_str();
    if let Some(topic) = topic {
        topics::get(cloud, topic)?;
    }
    let all = cloud.state.sns.subscriptions.iter();
    let rows = all.filter(|(_, s)| topic.is_none_or(|topic| s.topic == topic)).map(|(arn, s)| {
        json!({
            "SubscriptionArn": arn, "Owner": cloud.settings.account, "Protocol": s.protocol,
            "Endpoint": s.endpoint, "TopicArn": s.topic,
        })
    });
    page(rows.collect(), "Subscriptions", input)
}

fn get<'a>(cloud: &'a mut Cloud, input: &Value) -> Result<&'a mut Subscription, Fault> {
    let found = cloud.state.sns.subscriptions.get_mut(text(input, "SubscriptionArn"));
    found.ok_or_else(|| not_found("Subscription"))
}

pub fn attributes(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let owner = cloud.settings.account.clone();
    let subscription = get(cloud, input)?;
    let mut all = subscription.attributes.clone();
    let facts = [
        ("SubscriptionArn", text(input, "SubscriptionArn").to_owned()),
        ("TopicArn", subscription.topic.clone()),
        ("Protocol", subscription.protocol.clone()),
        ("Endpoint", subscription.endpoint.clone()),
        ("Owner", owner),
        ("PendingConfirmation", "false".into()),
        ("ConfirmationWasAuthenticated", "true".into()),
    ];
    all.extend(facts.map(|(name, value)| (name.to_owned(), value)));
    all.entry("RawMessageDelivery".into()).or_insert_with(|| "false".into());
    if all.contains_key("FilterPolicy") {
        all.entry("FilterPolicyScope".into()).or_insert_with(|| "MessageAttributes".into());
    }
    Ok(json!({ "Attributes": all }))
}

pub fn set_attribute(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let (name, value) = (text(input, "AttributeName"), text(input, "AttributeValue"));
    let subscription = get(cloud, input)?;
    let mut changed = subscription.attributes.clone();
    if value.is_empty() && ATTRIBUTES.contains(&name) {
        changed.remove(name);
    } else {
        check(name, value)?;
        changed.insert(name.to_owned(), value.to_owned());
    }
    check_together(&subscription.protocol, &changed)?;
    subscription.attributes = changed;
    Ok(json!({}))
}
