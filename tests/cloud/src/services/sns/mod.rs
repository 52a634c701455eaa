//! SNS: standard topics, and their subscribers on this machine.

mod envelope;
mod publish;
mod subscriptions;
#[cfg(test)]
mod tests;
mod topics;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;
use crate::services::paging;

pub(crate) use publish::{publish, publish_with};

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    /// By ARN.
    topics: BTreeMap<String, Topic>,
    /// By ARN.
    subscriptions: BTreeMap<String, Subscription>,
}

#[derive(Debug, Clone, Serialize)]
struct Topic {
    attributes: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize)]
struct Subscription {
    topic: String,
    protocol: String,
    endpoint: String,
    attributes: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {}

pub(crate) fn call(cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    let input = call.input;
    let answer = match call.operation {
        "CreateTopic" => topics::create(cloud, input),
        "DeleteTopic" => topics::delete(cloud, input),
        "ListTopics" => topics::list(cloud, input),
        "GetTopicAttributes" => topics::attributes(cloud, input),
        "SetTopicAttributes" => topics::set_attribute(cloud, input),
        "TagResource" => topics::tag(cloud, input),
        "UntagResource" => topics::untag(cloud, input),
        "ListTagsForResource" => topics::list_tags(cloud, input),
        "Subscribe" => subscriptions::create(cloud, input),
        "Unsubscribe" => subscriptions::delete(cloud, input),
        "ListSubscriptions" | "ListSubscriptionsByTopic" => subscriptions::list(cloud, input),
        "GetSubscriptionAttributes" => subscriptions::attributes(cloud, input),
        "SetSubscriptionAttributes" => subscriptions::set_attribute(cloud, input),
        "Publish" => publish::one(cloud, input),
        "PublishBatch" => publish::batch(cloud, input),
        other => Err(Fault::not_modelled(format!("sns:{other}"))),
    };
    Ok(answer?.into())
}

pub(crate) fn fire(_cloud: &mut Cloud, timer: Timer) {
    match timer {}
}

fn text<'a>(input: &'a Value, member: &str) -> &'a str {
    input[member].as_str().unwrap_or_default()
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterException", message)
}

fn not_found(what: &str) -> Fault {
    Fault::new("NotFoundException", format!("{what} does not exist"))
}

/// A hundred rows from a token on.
fn page(rows: Vec<Value>, member: &str, input: &Value) -> Result<Value, Fault> {
    let refused = |_: &str| invalid("Invalid parameter: NextToken");
    let (rows, next) = paging::page(rows, input["NextToken"].as_str(), 100, refused)?;
    Ok(json!({ member: rows, "NextToken": next }))
}
