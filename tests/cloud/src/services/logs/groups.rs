//! Log groups and streams themselves.

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;

use super::{Group, Stream, group, invalid, page};

/// Days that a retention policy may name.
const RETENTIONS: [u64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

pub(super) fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = input["logGroupName"].as_str().unwrap_or_default();
    if let Some(class) = input["logGroupClass"].as_str().filter(|class| *class != "STANDARD") {
        return Err(Fault::not_modelled(format!("logs:CreateLogGroup with logGroupClass {class}")));
    }
    if name.starts_with("aws/") {
        return Err(invalid("Log groups starting with AWS/ are reserved for AWS."));
    }
    if cloud.state.logs.groups.contains_key(name) {
        return Err(Fault::new(
            "ResourceAlreadyExistsException",
            format!("The specified log group already exists: {name}"),
        ));
    }
    let mut group = Group::new(name, cloud.now);
    group.kms_key = input["kmsKeyId"].as_str().map(str::to_owned);
    group.tags = input.get("tags").cloned().unwrap_or_else(|| json!({}));
    group.deletion_protection = input["deletionProtectionEnabled"] == true;
    cloud.state.logs.groups.insert(name.to_owned(), group);
    Ok(json!({}))
}

pub(super) fn create_stream(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let created = cloud.now;
    let name = input["logStreamName"].as_str().unwrap_or_default();
    let group = group(cloud, input)?;
    if group.streams.contains_key(name) {
        return Err(Fault::new(
            "ResourceAlreadyExistsException",
            format!("The specified log stream already exists: {name}"),
        ));
    }
    group.streams.insert(name.to_owned(), Stream { created, ..Stream::default() });
    Ok(json!({}))
}

pub(super) fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let group = group(cloud, input)?;
    if group.deletion_protection {
        let text = format!("Log group {} has deletion protection enabled", group.name);
        return Err(Fault::new("ValidationException", text));
    }
    let name = group.name.clone();
    cloud.state.logs.groups.remove(&name);
    Ok(json!({}))
}

pub(super) fn put_retention(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let days = input["retentionInDays"].as_u64().filter(|days| RETENTIONS.contains(days));
    let days = days.ok_or_else(|| invalid("retentionInDays must be one of the values that the API names"))?;
    group(cloud, input)?.retention_days = Some(days);
    Ok(json!({}))
}

pub(super) fn describe(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    if input["includeLinkedAccounts"] == true || input.get("accountIdentifiers").is_some() {
        return Err(Fault::not_modelled("logs:DescribeLogGroups of linked accounts"));
    }
    let (prefix, pattern) = (input["logGroupNamePrefix"].as_str(), input["logGroupNamePattern"].as_str());
    if prefix.is_some() && pattern.is_some() {
        return Err(invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let base = cloud.arn("logs", "log-group:");
    let identifiers: Option<Vec<String>> = input["logGroupIdentifiers"].as_array().map(|ids| {
        let names = ids.iter().filter_map(Value::as_str);
        names.map(|id| id.strip_prefix(&base).unwrap_or(id).trim_end_matches(":*").to_owned()).collect()
    });
    let is_standard = matches!(input["logGroupClass"].as_str(), None | Some("STANDARD"));
    let now = cloud.now;
    let mut groups = Vec::new();
    for (name, group) in &mut cloud.state.logs.groups {
        let wanted = is_standard
            && prefix.is_none_or(|prefix| name.starts_with(prefix))
            && pattern.is_none_or(|pattern| name.contains(pattern))
            && identifiers.as_ref().is_none_or(|names| names.contains(name));
        if wanted {
            group.drop_expired(now);
            groups.push(described(group, &format!("{base}{name}")));
        }
    }
    let (groups, next) = page(groups, input)?;
    Ok(json!({ "logGroups": groups, "nextToken": next }))
}

fn described(group: &Group, arn: &str) -> Value {
    let bytes: usize =
        group.streams.values().flat_map(|stream| &stream.events).map(|event| event.message.len() + 26).sum();
    json!({
        "logGroupName": group.name,
        "creationTime": group.created,
        "retentionInDays": group.retention_days,
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "storedBytes": bytes,
        "kmsKeyId": group.kms_key,
        "logGroupClass": "STANDARD",
        "logGroupArn": arn,
        "deletionProtectionEnabled": group.deletion_protection,
    })
}

pub(super) fn describe_streams(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let prefix = input["logStreamNamePrefix"].as_str();
    let by_time = input["orderBy"] == "LastEventTime";
    if by_time && prefix.is_some() {
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let base = cloud.arn("logs", "log-group:");
    let group = group(cloud, input)?;
    let mut streams: Vec<(&String, &Stream)> = group
        .streams
        .iter()
        .filter(|(name, _)| prefix.is_none_or(|prefix| name.starts_with(prefix)))
        .collect();
    if by_time {
        // One without events counts as old as it is.
        streams
            .sort_by_key(|(_, stream)| stream.events.last().map_or(stream.created, |event| event.timestamp));
    }
    if input["descending"] == true {
        streams.reverse();
    }
    let arn = |name: &str| format!("{base}{}:log-stream:{name}", group.name);
    let streams =
        streams.into_iter().map(|(name, stream)| described_stream(name, stream, &arn(name))).collect();
    let (streams, next) = page(streams, input)?;
    Ok(json!({ "logStreams": streams, "nextToken": next }))
}

fn described_stream(name: &str, stream: &Stream, arn: &str) -> Value {
    json!({
        "logStreamName": name,
        "creationTime": stream.created,
        "firstEventTimestamp": stream.events.first().map(|event| event.timestamp),
        "lastEventTimestamp": stream.events.last().map(|event| event.timestamp),
        "lastIngestionTime": stream.last_ingestion,
        "uploadSequenceToken": stream.sequence_token,
        "arn": arn,
        "storedBytes": 0,
    })
}
