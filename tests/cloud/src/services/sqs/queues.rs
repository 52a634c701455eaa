//! Queues themselves: made, found, listed, tagged, emptied, deleted.

use serde_json::{Value, json};

use super::{Queue, arn, attributes, check, missing, named, queue, url};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::{paging, tags};
use crate::time::MINUTE;

pub fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = input["QueueName"].as_str().unwrap_or_default();
    if name.ends_with(".fifo") {
        return Err(Fault::not_modelled("sqs FIFO queues"));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 80 || !name.chars().all(allowed) {
        let message = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
        return Err(Fault::new("InvalidParameterValueException", message));
    }
    let given = tags::from_map(&input["Attributes"]);
    attributes::check(&given)?;
    attributes::check_redrive(cloud, &arn(cloud, name), &given)?;
    if let Some(before) = cloud.state.sqs.queues.get(name) {
        let same = |name: &str, given: &String| {
            before.value(name).as_ref().map_or(given.is_empty(), |value| value == given)
        };
        let differs = given.iter().find(|(name, value)| !same(name, value));
        if let Some((attribute, _)) = differs {
            let message = format!(
                "A queue already exists with the same name and a different value for attribute {attribute}"
            );
            return Err(Fault::new("QueueNameExists", message));
        }
        return Ok(json!({ "QueueUrl": url(cloud, name) }));
    }
    let queue = Queue {
        created: cloud.now,
        modified: cloud.now,
        attributes: given,
        tags: tags::from_map(&input["tags"]),
        messages: Vec::new(),
        purged: None,
        polls: Vec::new(),
    };
    cloud.state.sqs.queues.insert(name.to_owned(), queue);
    Ok(json!({ "QueueUrl": url(cloud, name) }))
}

pub fn url_of(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let name = input["QueueName"].as_str().unwrap_or_default();
    let owner = input["QueueOwnerAWSAccountId"].as_str();
    let ours = owner.is_none_or(|owner| owner == cloud.settings.account);
    if ours && cloud.state.sqs.queues.contains_key(name) {
        return Ok(json!({ "QueueUrl": url(cloud, name) }));
    }
    Err(missing())
}

pub fn list(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let prefix = input["QueueNamePrefix"].as_str().unwrap_or_default();
    let names = cloud.state.sqs.queues.keys().filter(|name| name.starts_with(prefix));
    page(names.map(|name| url(cloud, name)).collect(), "QueueUrls", input)
}

pub fn list_sources(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let target = arn(cloud, &named(cloud, input)?);
    let sources =
        cloud.state.sqs.queues.iter().filter(|(_, q)| q.redrive().is_some_and(|(arn, _)| arn == target));
    page(sources.map(|(name, _)| url(cloud, name)).collect(), "queueUrls", input)
}

fn page(rows: Vec<Value>, member: &str, input: &Value) -> Result<Value, Fault> {
    let refused = |_: &str| Fault::new("InvalidParameterValueException", "Invalid or expired next token.");
    check::number(input, "MaxResults", 1, 1_000)?;
    let most = paging::size(&input["MaxResults"], 1_000);
    let (rows, next) = paging::page(rows, input["NextToken"].as_str(), most, refused)?;
    Ok(json!({ member: rows, "NextToken": next }))
}

pub fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    let gone = cloud.state.sqs.queues.remove(&name);
    for poll in gone.into_iter().flat_map(|queue| queue.polls) {
        cloud.complete(poll.ticket, Err(missing()));
    }
    Ok(json!({}))
}

pub fn purge(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let (name, now) = (named(cloud, input)?, cloud.now);
    let queue = queue(cloud, &name)?;
    if queue.purged.is_some_and(|at| now < at + MINUTE) {
        let message = format!("Only one PurgeQueue operation on {name} is allowed every 60 seconds.");
        return Err(Fault::new("PurgeQueueInProgress", message));
    }
    queue.messages.clear();
    queue.purged = Some(now);
    Ok(json!({}))
}

pub fn tag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    queue(cloud, &name)?.tags.extend(tags::from_map(&input["Tags"]));
    Ok(json!({}))
}

pub fn untag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    tags::remove(&mut queue(cloud, &name)?.tags, &input["TagKeys"]);
    Ok(json!({}))
}

pub fn list_tags(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    Ok(json!({ "Tags": queue(cloud, &name)?.tags }))
}
