//! SQS: standard queues, with visibility, long polling, retention and redrive.

mod attributes;
mod batch;
mod check;
mod digest;
mod messages;
mod queues;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::cloud::{Call, Cloud, Reply, Ticket};
use crate::fault::Fault;
use crate::time::Ms;

pub(crate) use messages::{delete, receive, send, send_with, visibility_timeout, visible};

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    /// By name.
    queues: BTreeMap<String, Queue>,
}

#[derive(Debug, Clone, Serialize)]
struct Queue {
    created: Ms,
    modified: Ms,
    /// As set; what is not here has AWS's default.
    attributes: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    messages: Vec<Message>,
    purged: Option<Ms>,
    /// Long polls that wait, oldest first.
    #[serde(skip)]
    polls: Vec<Poll>,
}

#[derive(Debug, Clone, Serialize)]
struct Message {
    id: String,
    body: String,
    /// `MessageAttributes` and `MessageSystemAttributes` as sent.
    attributes: Value,
    system: Value,
    group: Option<String>,
    sent: Ms,
    sender: String,
    visible_at: Ms,
    receives: u64,
    first_received: Option<Ms>,
    /// ARN of the queue that it was moved from.
    dead_letter_source: Option<String>,
}

#[derive(Debug, Clone)]
struct Poll {
    ticket: Ticket,
    input: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {
    /// A message may have become visible.
    Visible { queue: String },
    /// A long poll's time is over.
    PollEnds { queue: String, ticket: Ticket },
}

pub(crate) fn call(cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    let input = call.input;
    let answer = match call.operation {
        "CreateQueue" => queues::create(cloud, input),
        "GetQueueUrl" => queues::url_of(cloud, input),
        "ListQueues" => queues::list(cloud, input),
        "ListDeadLetterSourceQueues" => queues::list_sources(cloud, input),
        "DeleteQueue" => queues::delete(cloud, input),
        "PurgeQueue" => queues::purge(cloud, input),
        "TagQueue" => queues::tag(cloud, input),
        "UntagQueue" => queues::untag(cloud, input),
        "ListQueueTags" => queues::list_tags(cloud, input),
        "GetQueueAttributes" => attributes::get(cloud, input),
        "SetQueueAttributes" => attributes::set(cloud, input),
        "SendMessage" => messages::send_one(cloud, input, call.caller),
        "ReceiveMessage" => return messages::receive_call(cloud, input),
        "DeleteMessage" => messages::delete_one(cloud, input),
        "ChangeMessageVisibility" => messages::change_visibility(cloud, input),
        "SendMessageBatch" => {
            batch::each(cloud, input, |cloud, entry| messages::send_one(cloud, entry, call.caller))
        }
        "DeleteMessageBatch" => batch::each(cloud, input, messages::delete_one),
        "ChangeMessageVisibilityBatch" => batch::each(cloud, input, messages::change_visibility),
        other => Err(Fault::not_modelled(format!("sqs:{other}"))),
    };
    Ok(answer?.into())
}

pub(crate) fn fire(cloud: &mut Cloud, timer: Timer) {
    match timer {
        Timer::Visible { queue } => messages::became_visible(cloud, &queue),
        Timer::PollEnds { queue, ticket } => messages::poll_ends(cloud, &queue, ticket),
    }
}

/// The name of the queue that a `QueueUrl` means, if it exists. The host does not
/// matter: a queue may be reached by several.
fn named(cloud: &Cloud, input: &Value) -> Result<String, Fault> {
    let mut parts = input["QueueUrl"].as_str().unwrap_or_default().rsplit('/');
    let (name, account) = (parts.next().unwrap_or_default(), parts.next());
    if account.is_some_and(|account| account != cloud.settings.account) {
        return Err(missing());
    }
    if cloud.state.sqs.queues.contains_key(name) { Ok(name.to_owned()) } else { Err(missing()) }
}

fn queue<'a>(cloud: &'a mut Cloud, name: &str) -> Result<&'a mut Queue, Fault> {
    cloud.state.sqs.queues.get_mut(name).ok_or_else(missing)
}

fn missing() -> Fault {
    Fault::new("QueueDoesNotExist", "The specified queue does not exist.")
}

fn url(cloud: &Cloud, name: &str) -> Value {
    json!(format!("{}/{}/{name}", cloud.settings.endpoint, cloud.settings.account))
}

fn arn(cloud: &Cloud, name: &str) -> String {
    cloud.arn("sqs", name)
}

/// The name of a queue of this account, by ARN.
fn by_arn(cloud: &Cloud, queue_arn: &str) -> Option<String> {
    let name = queue_arn.rsplit(':').next()?;
    (cloud.state.sqs.queues.contains_key(name) && arn(cloud, name) == queue_arn).then(|| name.to_owned())
}
