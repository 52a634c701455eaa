//! Concurrency, asynchronous invocation, tags.

use serde_json::{Value, json};

use super::{Function, arn, function, invalid, missing, name_of, named, text};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::tags;
use crate::time::timestamp;

pub fn put_concurrency(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    let reserved = input["ReservedConcurrentExecutions"].as_u64();
    function(cloud, &name)?.reserved_concurrency = reserved;
    Ok(json!({ "ReservedConcurrentExecutions": reserved }))
}

pub fn concurrency(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    Ok(json!({ "ReservedConcurrentExecutions": function(cloud, &name)?.reserved_concurrency }))
}

pub fn delete_concurrency(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    function(cloud, &name)?.reserved_concurrency = None;
    Ok(json!({}))
}

pub fn put_invoke_config(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    for outcome in ["OnSuccess", "OnFailure"] {
        let to = text(&input["DestinationConfig"][outcome], "Destination");
        let service = to.split(':').nth(2).unwrap_or_default();
        if !to.is_empty() && !["sqs", "sns", "lambda"].contains(&service) {
            return Err(match service {
                "events" | "s3" => Fault::not_modelled(format!("lambda destinations on {service}")),
                _ => invalid(format!("The destination ARN {to} is invalid.")),
            });
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

fn tagged<'a>(cloud: &'a mut Cloud, input: &Value) -> Result<&'a mut Function, Fault> {
    let name = name_of(text(input, "Resource"))?;
    let fault = missing(cloud, &name);
    cloud.state.lambda.functions.get_mut(&name).ok_or(fault)
}

pub fn tag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    tagged(cloud, input)?.tags.extend(tags::from_map(&input["Tags"]));
    Ok(json!({}))
}

pub fn untag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    tags::remove(&mut tagged(cloud, input)?.tags, &input["TagKeys"]);
    Ok(json!({}))
}

pub fn list_tags(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    Ok(json!({ "Tags": tagged(cloud, input)?.tags }))
}
