//! Messages: sent, received and hidden, deleted, moved to a dead-letter queue.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

use super::{Message, Poll, Queue, Timer, arn, by_arn, missing, named, queue};
use crate::cloud::{Cloud, Reply, Ticket};
use crate::fault::Fault;
use crate::services::lambda;
use crate::time::SECOND;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn md5_of(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

/// MD5 of message attributes as the developer guide defines it; `None` without any.
fn md5_of_attributes(attributes: &Value) -> Option<String> {
    let attributes = attributes.as_object().filter(|a| !a.is_empty())?;
    let mut names: Vec<_> = attributes.keys().collect();
    names.sort();
    let mut hash = Md5::new();
    for name in names {
        let attribute = &attributes[name];
        let kind = attribute["DataType"].as_str().unwrap_or_default();
        let binary = attribute["BinaryValue"].as_str().map(|text| STANDARD.decode(text).unwrap_or_default());
        let value = binary.as_deref().or_else(|| attribute["StringValue"].as_str().map(str::as_bytes));
        part(&mut hash, name.as_bytes());
        part(&mut hash, kind.as_bytes());
        hash.update([if binary.is_some() { 2 } else { 1 }]);
        part(&mut hash, value.unwrap_or_default());
    }
    Some(hex(&hash.finalize()))
}

fn part(hash: &mut Md5, bytes: &[u8]) {
    hash.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    hash.update(bytes);
}

pub fn send_one(cloud: &mut Cloud, input: &Value, caller: &str) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    if !input["MessageDeduplicationId"].is_null() {
        return Err(Fault::not_modelled("sqs FIFO messages"));
    }
    let body = input["MessageBody"].as_str().unwrap_or_default();
    let most = queue(cloud, &name)?.number("MaximumMessageSize");
    if body.is_empty() || body.len() as u64 > most {
        let message = format!("The message must be from 1 to {most} bytes long.");
        return Err(Fault::new("InvalidParameterValueException", message));
    }
    let attributes = input["MessageAttributes"].clone();
    let delay = input["DelaySeconds"].as_u64();
    let id = put(cloud, &name, body, attributes.clone(), delay, caller, None);
    Ok(json!({
        "MessageId": id,
        "MD5OfMessageBody": md5_of(body),
        "MD5OfMessageAttributes": md5_of_attributes(&attributes),
    }))
}

fn put(
    cloud: &mut Cloud,
    name: &str,
    body: &str,
    attributes: Value,
    delay: Option<u64>,
    sender: &str,
    source: Option<String>,
) -> String {
    let (id, now) = (cloud.ids.uuid(), cloud.now);
    let Some(queue) = cloud.state.sqs.queues.get_mut(name) else { return id };
    let delay = delay.unwrap_or_else(|| queue.number("DelaySeconds")) * SECOND;
    queue.messages.push(Message {
        id: id.clone(),
        body: body.to_owned(),
        attributes,
        sent: now,
        sender: sender.to_owned(),
        visible_at: now + delay,
        receives: 0,
        first_received: None,
        dead_letter_source: source,
    });
    cloud.after(delay, Timer::Visible { queue: name.to_owned() });
    id
}

pub fn receive_call(cloud: &mut Cloud, input: &Value) -> Result<Reply, Fault> {
    let name = named(cloud, input)?;
    let most = input["MaxNumberOfMessages"].as_u64().unwrap_or(1);
    if !(1..=10).contains(&most) {
        let message = format!(
            "Value {most} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
        );
        return Err(Fault::new("InvalidParameterValueException", message));
    }
    let messages = asked(cloud, &name, input);
    let wait = input["WaitTimeSeconds"].as_u64();
    let wait = wait.unwrap_or_else(|| cloud.state.sqs.queues[&name].number("ReceiveMessageWaitTimeSeconds"));
    if wait > 20 {
        let message = format!(
            "Value {wait} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."
        );
        return Err(Fault::new("InvalidParameterValueException", message));
    }
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
    let Some(queue) = cloud.state.sqs.queues.get_mut(name) else { return Vec::new() };
    let retention = queue.span("MessageRetentionPeriod");
    queue.messages.retain(|message| message.sent + retention > now);
    let hidden = visibility.map_or_else(|| queue.span("VisibilityTimeout"), |seconds| seconds * SECOND);
    let redrive = queue.redrive();
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

/// Moves messages to a dead-letter queue; without one they are lost, as on AWS.
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
        "MessageId": message.id, "ReceiptHandle": handle, "Body": message.body, "MD5OfBody": md5_of(&message.body),
        "MD5OfMessageAttributes": md5_of_attributes(&own),
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
    let pairs = [
        ("SenderId", Some(message.sender.clone())),
        ("SentTimestamp", Some(message.sent.to_string())),
        ("ApproximateReceiveCount", Some(message.receives.to_string())),
        ("ApproximateFirstReceiveTimestamp", Some(first.to_string())),
        ("DeadLetterQueueSourceArn", message.dead_letter_source.clone()),
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
    let (now, seconds) = (cloud.now, input["VisibilityTimeout"].as_u64().unwrap_or_default());
    if seconds > 43_200 {
        let message = format!(
            "Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200."
        );
        return Err(Fault::new("InvalidParameterValueException", message));
    }
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
    Ok(put(cloud, &name, body, attributes, None, "AIDALOCALCLOUD", None))
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
        "md5OfBody": md5_of(&message.body),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{md5_of, md5_of_attributes};

    #[test]
    fn digests_are_those_that_clients_verify() {
        assert_eq!(md5_of("hello"), "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(md5_of_attributes(&json!({})), None);
        // By a second implementation of the developer guide's description.
        let attributes = json!({
            "b": { "DataType": "Binary", "BinaryValue": "AQI=" }, "a": { "DataType": "String", "StringValue": "x" },
        });
        assert_eq!(md5_of_attributes(&attributes).unwrap(), "3e9b4c785db2deb306cf4009ae214dab");
    }
}
