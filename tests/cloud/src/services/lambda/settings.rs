//! Concurrency, asynchronous invocation, tags.

use serde_json::{Value, json};

use super::{arn, function, invalid, local, mappings, named, text};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::tags;
use crate::time::timestamp;

/// Concurrent executions that an account has, and those that no function may reserve.
const ACCOUNT: u64 = 1_000;
const UNRESERVED: u64 = 100;

pub fn put_concurrency(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    let reserved = input["ReservedConcurrentExecutions"].as_u64().unwrap_or_default();
    let others = cloud.state.lambda.functions.iter().filter(|(other, _)| **other != name);
    let others: u64 = others.filter_map(|(_, function)| function.reserved_concurrency).sum();
    if reserved + others > ACCOUNT - UNRESERVED {
        return Err(invalid(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
        )));
    }
    function(cloud, &name)?.reserved_concurrency = Some(reserved);
    mappings::function_has_room(cloud, &name);
    Ok(json!({ "ReservedConcurrentExecutions": reserved }))
}

pub fn concurrency(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    Ok(json!({ "ReservedConcurrentExecutions": function(cloud, &name)?.reserved_concurrency }))
}

pub fn delete_concurrency(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    function(cloud, &name)?.reserved_concurrency = None;
    mappings::function_has_room(cloud, &name);
    Ok(json!({}))
}

pub fn put_invoke_config(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    for outcome in ["OnSuccess", "OnFailure"] {
        let to = text(&input["DestinationConfig"][outcome], "Destination");
        let service = to.split(':').nth(2).unwrap_or_default();
        match service {
            "sqs" | "sns" | "lambda" => {}
            "events" if to.ends_with(":event-bus/default") => {}
            "events" | "s3" => return Err(Fault::not_modelled(format!("lambda destination {to}"))),
            _ if to.is_empty() => {}
            _ => return Err(invalid(format!("The destination ARN {to} is invalid."))),
        }
    }
    let mut config = input.clone();
    if let Some(config) = config.as_object_mut() {
        config.retain(|member, _| member != "FunctionName" && member != "Qualifier");
    }
    let now = cloud.now;
    function(cloud, &name)?.invoke_config = Some((config, now));
    invoke_config(cloud, input)
}

pub fn invoke_config(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    let arn = format!("{}:$LATEST", arn(cloud, &name));
    let none = || {
        let message = format!("The function {arn} doesn't have an EventInvokeConfig");
        Fault::new("ResourceNotFoundException", message)
    };
    let (config, at) = function(cloud, &name)?.invoke_config.clone().ok_or_else(none)?;
    let destinations = config.get("DestinationConfig").cloned();
    Ok(json!({
        "LastModified": timestamp(at), "FunctionArn": arn,
        "MaximumRetryAttempts": config["MaximumRetryAttempts"],
        "MaximumEventAgeInSeconds": config["MaximumEventAgeInSeconds"],
        "DestinationConfig": destinations.unwrap_or_else(|| json!({ "OnSuccess": {}, "OnFailure": {} })),
    }))
}

pub fn delete_invoke_config(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    invoke_config(cloud, input)?;
    let name = named(cloud, input)?;
    function(cloud, &name)?.invoke_config = None;
    Ok(json!({}))
}

/// The tags of a function or an event source mapping, by its ARN.
fn tagged<'a>(cloud: &'a mut Cloud, input: &Value) -> Result<&'a mut tags::Tags, Fault> {
    let resource = text(input, "Resource");
    if let Some((_, uuid)) = resource.split_once(":event-source-mapping:") {
        let mapping = cloud.state.lambda.mappings.get_mut(uuid);
        return mapping.map(|mapping| &mut mapping.tags).ok_or_else(mappings::missing);
    }
    let name = local(cloud, resource)?;
    function(cloud, &name).map(|function| &mut function.tags)
}

pub fn tag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    tagged(cloud, input)?.extend(tags::from_map(&input["Tags"]));
    Ok(json!({}))
}

pub fn untag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    tags::remove(tagged(cloud, input)?, &input["TagKeys"]);
    Ok(json!({}))
}

pub fn list_tags(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    Ok(json!({ "Tags": tagged(cloud, input)? }))
}
