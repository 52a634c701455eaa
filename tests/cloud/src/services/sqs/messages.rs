//! Messages: sent, received and hidden, deleted, moved to a dead-letter queue.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Message, Poll, Queue, Timer, arn, by_arn, check, digest, missing, named, queue};
use crate::cloud::{Cloud, Reply, Ticket};
use crate::fault::Fault;
use crate::services::lambda;
use crate::time::SECOND;

/// A message on its way into a queue.
#[derive(Default)]
struct Outgoing<'a> {
    body: &'a str,
    /// `MessageAttributes` and `MessageSystemAttributes`.
    attributes: Value,
    system: Value,
    group: Option<String>,
    /// Seconds; `None`: the queue's own.
    delay: Option<u64>,
    sender: &'a str,
}

pub fn send_one(cloud: &mut Cloud, input: &Value, caller: &str) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    check::message(input, queue(cloud, &name)?.number("MaximumMessageSize"))?;
    let delay = check::number(input, "DelaySeconds", 0, 900)?;
    let body = input["MessageBody"].as_str().unwrap_or_default();
    let (attributes, system) = (input["MessageAttributes"].clone(), input["MessageSystemAttributes"].clone());
    let digests = (digest::of_attributes(&attributes), digest::of_attributes(&system));
    let group = input["MessageGroupId"].as_str().map(str::to_owned);
    let id = put(cloud, &name, Outgoing { body, attributes, system, group, delay, sender: caller });
    Ok(json!({
        "MessageId": id,
        "MD5OfMessageBody": digest::of_body(body),
        "MD5OfMessageAttributes": digests.0,
        "MD5OfMessageSystemAttributes": digests.1,
    }))
}

fn put(cloud: &mut Cloud, name: &str, message: Outgoing) -> String {
    let (id, now) = (cloud.ids.uuid(), cloud.now);
    let Some(queue) = cloud.state.sqs.queues.get_mut(name) else { return id };
    let delay = message.delay.unwrap_or_else(|| queue.number("DelaySeconds")) * SECOND;
    queue.messages.push(Message {
        id: id.clone(),
        body: message.body.to_owned(),
        attributes: message.attributes,
        system: message.system,
        group: message.group,
        sent: now,
        sender: message.sender.to_owned(),
        visible_at: now + delay,
        receives: 0,
        first_received: None,
        dead_letter_source: None,
    });
    cloud.after(delay, Timer::Visible { queue: name.to_owned() });
    id
}

pub fn receive_call(cloud: &mut Cloud, input: &Value) -> Result<Reply, Fault> {
    let name = named(cloud, input)?;
    check::number(input, "MaxNumberOfMessages", 1, 10)?;
    check::number(input, "VisibilityTimeout", 0, 43_200)?;
    let wait = check::number(input, "WaitTimeSeconds", 0, 20)?;
    let wait = wait.unwrap_or(queue(cloud, &name)?.number("ReceiveMessageWaitTimeSeconds"));
    let messages = asked(cloud, &name, input);
    if !messages.is_empty() || wait == 0 {
        return Ok(answer(messages).into());
    }
    let ticket = cloud.ticket();
    queue(cloud, &name)?.polls.push(Poll { ticket, input: input.clone() });
    cloud.after(wait * SECOND, Timer::PollEnds { queue: name, ticket });
    Ok(Reply::Later(ticket))
}

fn answer(messages: Vec<Value>) -> Value {
    if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) }
}

/// What one ReceiveMessage gets now.
fn asked(cloud: &mut Cloud, name: &str, input: &Value) -> Vec<Value> {
    let most = input["MaxNumberOfMessages"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
    let taken = take(cloud, name, most, input["VisibilityTimeout"].as_u64());
    taken.into_iter().map(|(message, handle)| shown(cloud, &message, &handle, input)).collect()
}

/// Takes visible messages, hides them, and moves to the dead-letter queue what was
/// received too often. Gives each with its receipt handle.
fn take(cloud: &mut Cloud, name: &str, most: usize, visibility: Option<u64>) -> Vec<(Message, String)> {
    let now = cloud.now;
    // A dead-letter queue that is gone takes nothing: messages stay, and are received again.
    let redrive = cloud.state.sqs.queues.get(name).and_then(Queue::redrive);
    let redrive = redrive.filter(|(target, _)| by_arn(cloud, target).is_some());
    let Some(queue) = cloud.state.sqs.queues.get_mut(name) else { return Vec::new() };
    queue.expire(now);
    let hidden = visibility.map_or_else(|| queue.span("VisibilityTimeout"), |seconds| seconds * SECOND);
    let (mut taken, mut dead) = (Vec::new(), Vec::new());
    queue.messages.retain_mut(|message| {
        if taken.len() >= most || message.visible_at > now {
            return true;
        }
        if redrive.as_ref().is_some_and(|(_, most)| message.receives >= *most) {
            dead.push(message.clone());
            return false;
        }
        message.receives += 1;
        message.first_received.get_or_insert(now);
        message.visible_at = now + hidden;
        let handle = STANDARD.encode(format!("{name} {} {}", message.id, message.receives));
        taken.push((message.clone(), handle));
        true
    });
    if !taken.is_empty() {
        cloud.after(hidden, Timer::Visible { queue: name.to_owned() });
    }
    if let Some((target, _)) = redrive {
        bury(cloud, name, &target, dead);
    }
    taken
}

/// Moves messages to a dead-letter queue.
fn bury(cloud: &mut Cloud, from: &str, target: &str, dead: Vec<Message>) {
    let (source, Some(target)) = (arn(cloud, from), by_arn(cloud, target)) else { return };
    for message in dead {
        let text = format!(
            "queue {from}: message {} received {} times, moved to {target}",
            message.id, message.receives
        );
        cloud.note(
            crate::timeline::Kind::Message,
            text,
            json!({ "queue": from, "deadLetterQueue": target, "body": message.body }),
        );
        let Some(queue) = cloud.state.sqs.queues.get_mut(&target) else { return };
        queue.messages.push(Message {
            dead_letter_source: Some(source.clone()),
            visible_at: cloud.now,
            ..message
        });
        cloud.after(0, Timer::Visible { queue: target.clone() });
    }
}

/// A message as ReceiveMessage gives it, with the attributes that were asked for.
fn shown(cloud: &Cloud, message: &Message, handle: &str, input: &Value) -> Value {
    let list = |member: &str| input[member].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut system = system_attributes(cloud, message);
    let wanted: Vec<_> = list("AttributeNames")
        .iter()
        .chain(list("MessageSystemAttributeNames"))
        .filter_map(Value::as_str)
        .collect();
    if !wanted.contains(&"All") {
        system.retain(|name, _| wanted.contains(&name.as_str()));
    }
    let names: Vec<_> = list("MessageAttributeNames").iter().filter_map(Value::as_str).collect();
    let mut own = message.attributes.as_object().cloned().unwrap_or_default();
    own.retain(|name, _| {
        names.iter().any(|wanted| {
            let prefix = wanted.strip_suffix(".*").or_else(|| wanted.strip_suffix('*'));
            *wanted == "All" || wanted == name || prefix.is_some_and(|prefix| name.starts_with(prefix))
        })
    });
    let own = Value::Object(own);
    let mut shown = json!({
        "MessageId": message.id, "ReceiptHandle": handle, "Body": message.body, "MD5OfBody": digest::of_body(&message.body),
        "MD5OfMessageAttributes": digest::of_attributes(&own),
    });
    if !system.is_empty() {
        shown["Attributes"] = Value::Object(system);
    }
    if own.as_object().is_some_and(|own| !own.is_empty()) {
        shown["MessageAttributes"] = own;
    }
    shown
}

fn system_attributes(cloud: &Cloud, message: &Message) -> Map<String, Value> {
    let first = message.first_received.unwrap_or(cloud.now);
    let trace = message.system["AWSTraceHeader"]["StringValue"].as_str().map(str::to_owned);
    let pairs = [
        ("SenderId", Some(message.sender.clone())),
        ("SentTimestamp", Some(message.sent.to_string())),
        ("ApproximateReceiveCount", Some(message.receives.to_string())),
        ("ApproximateFirstReceiveTimestamp", Some(first.to_string())),
        ("DeadLetterQueueSourceArn", message.dead_letter_source.clone()),
        ("MessageGroupId", message.group.clone()),
        ("AWSTraceHeader", trace),
    ];
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))).collect()
}

/// Queue, message and number of the receive that a handle was given out for.
fn opened(handle: &str) -> Option<(String, String, u64)> {
    let text = String::from_utf8(STANDARD.decode(handle).ok()?).ok()?;
    let mut parts = text.split(' ');
    Some((parts.next()?.to_owned(), parts.next()?.to_owned(), parts.next()?.parse().ok()?))
}

fn handle_of(input: &Value, name: &str) -> Result<(String, u64), Fault> {
    let handle = input["ReceiptHandle"].as_str().unwrap_or_default();
    match opened(handle) {
        Some((queue, id, receive)) if queue == name => Ok((id, receive)),
        _ => {
            let message = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
            Err(Fault::new("ReceiptHandleIsInvalid", message))
        }
    }
}

/// Deletes by the newest handle; an older one deletes nothing, and says nothing.
pub fn delete_one(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    let (id, receive) = handle_of(input, &name)?;
    queue(cloud, &name)?.messages.retain(|m| m.id != id || m.receives != receive);
    Ok(json!({}))
}

pub fn change_visibility(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    let (id, receive) = handle_of(input, &name)?;
    let seconds = check::number(input, "VisibilityTimeout", 0, 43_200)?.unwrap_or_default();
    let now = cloud.now;
    let in_flight = queue(cloud, &name)?
        .messages
        .iter_mut()
        .find(|m| m.id == id && m.receives == receive && m.visible_at > now);
    let message = in_flight
        .ok_or_else(|| Fault::new("MessageNotInflight", "The specified message isn't in flight."))?;
    message.visible_at = now + seconds * SECOND;
    cloud.after(seconds * SECOND, Timer::Visible { queue: name });
    Ok(json!({}))
}

fn has_visible(queue: &Queue, now: crate::Ms) -> bool {
    queue.messages.iter().any(|message| message.visible_at <= now)
}

/// Answers polls that wait, oldest first, then tells functions that take from the queue.
pub fn became_visible(cloud: &mut Cloud, name: &str) {
    loop {
        let now = cloud.now;
        let Some(queue) = cloud.state.sqs.queues.get_mut(name) else { return };
        if !has_visible(queue, now) || queue.polls.is_empty() {
            break;
        }
        let Poll { ticket, input } = queue.polls.remove(0);
        let messages = asked(cloud, name, &input);
        if messages.is_empty() {
            // What was visible went to the dead-letter queue; the poll goes on waiting.
            if let Some(queue) = cloud.state.sqs.queues.get_mut(name) {
                queue.polls.insert(0, Poll { ticket, input });
            }
            continue;
        }
        cloud.complete(ticket, Ok(answer(messages)));
    }
    let now = cloud.now;
    if cloud.state.sqs.queues.get(name).is_some_and(|queue| has_visible(queue, now)) {
        let arn = arn(cloud, name);
        lambda::queue_has_messages(cloud, &arn);
    }
}

pub fn poll_ends(cloud: &mut Cloud, name: &str, ticket: Ticket) {
    let Some(queue) = cloud.state.sqs.queues.get_mut(name) else { return };
    if let Some(n) = queue.polls.iter().position(|poll| poll.ticket == ticket) {
        queue.polls.remove(n);
        cloud.complete(ticket, Ok(json!({})));
    }
}

// For the other services.

/// Sends a message to a queue by ARN; `Err` if there is none. Gives the message id.
pub(crate) fn send(cloud: &mut Cloud, queue_arn: &str, body: &str) -> Result<String, Fault> {
    send_with(cloud, queue_arn, body, Value::Null)
}

/// The same with message attributes, as SendMessage takes them.
pub(crate) fn send_with(
    cloud: &mut Cloud,
    queue_arn: &str,
    body: &str,
    attributes: Value,
) -> Result<String, Fault> {
    let name = by_arn(cloud, queue_arn).ok_or_else(missing)?;
    let message = Outgoing { body, attributes, sender: "AIDALOCALCLOUD", ..Outgoing::default() };
    Ok(put(cloud, &name, message))
}

/// How many messages of a queue could be taken now.
pub(crate) fn visible(cloud: &Cloud, queue_arn: &str) -> usize {
    let queue = by_arn(cloud, queue_arn).and_then(|name| cloud.state.sqs.queues.get(&name));
    queue.map_or(0, |queue| queue.messages.iter().filter(|m| m.visible_at <= cloud.now).count())
}

/// `VisibilityTimeout` of a queue in seconds; `None` if there is no such queue.
pub(crate) fn visibility_timeout(cloud: &Cloud, queue_arn: &str) -> Option<u64> {
    let name = by_arn(cloud, queue_arn)?;
    cloud.state.sqs.queues.get(&name).map(|queue| queue.number("VisibilityTimeout"))
}

/// Takes up to `most` messages for a function, as records of its event.
pub(crate) fn receive(cloud: &mut Cloud, queue_arn: &str, most: usize) -> Vec<Value> {
    let Some(name) = by_arn(cloud, queue_arn) else { return Vec::new() };
    let taken = take(cloud, &name, most, None);
    taken.into_iter().map(|(message, handle)| record(cloud, queue_arn, &message, &handle)).collect()
}

fn record(cloud: &Cloud, queue_arn: &str, message: &Message, handle: &str) -> Value {
    let lower = |(name, attribute): (&String, &Value)| {
        let record = json!({
            "stringValue": attribute["StringValue"], "binaryValue": attribute["BinaryValue"],
            "stringListValues": [], "binaryListValues": [], "dataType": attribute["DataType"],
        });
        (name.clone(), crate::wire::without_nulls(record))
    };
    let own: Map<String, Value> = message.attributes.as_object().into_iter().flatten().map(lower).collect();
    json!({
        "messageId": message.id,
        "receiptHandle": handle,
        "body": message.body,
        "attributes": system_attributes(cloud, message),
        "messageAttributes": own,
        "md5OfBody": digest::of_body(&message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": cloud.region(),
    })
}

/// Deletes a message that a function has dealt with.
pub(crate) fn delete(cloud: &mut Cloud, queue_arn: &str, receipt_handle: &str) {
    let (Some(name), Some((_, id, receive))) = (by_arn(cloud, queue_arn), opened(receipt_handle)) else {
        return;
    };
    if let Some(queue) = cloud.state.sqs.queues.get_mut(&name) {
        queue.messages.retain(|m| m.id != id || m.receives != receive);
    }
}
