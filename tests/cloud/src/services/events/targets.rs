//! Targets of rules: functions, queues, topics and log groups.

use serde_json::{Value, json};

use super::{page, rule, transform};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::lambda;

/// Parts of a target that mean something here; others are refused by name.
const PARTS: &[&str] =
    &["Id", "Arn", "Input", "InputPath", "InputTransformer", "RetryPolicy", "DeadLetterConfig", "RoleArn"];

/// Services that an event can be delivered to.
const SERVICES: &[&str] = &["lambda", "sqs", "sns", "logs"];

pub fn put(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = input["Rule"].as_str().unwrap_or_default().to_owned();
    rule(cloud, &name)?;
    let given = input["Targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    for target in given {
        check(target)?;
    }
    let rule = rule(cloud, &name)?;
    let added = given.iter().filter(|target| !rule.targets.iter().any(|t| t["Id"] == target["Id"])).count();
    if rule.targets.len() + added > 5 {
        return Err(Fault::new(
            "LimitExceededException",
            "The requested resource exceeds the maximum number allowed.",
        ));
    }
    for target in given {
        rule.targets.retain(|known| known["Id"] != target["Id"]);
        rule.targets.push(target.clone());
    }
    Ok(json!({ "FailedEntryCount": 0, "FailedEntries": [] }))
}

fn check(target: &Value) -> Result<(), Fault> {
    let id = target["Id"].as_str().unwrap_or_default();
    let unknown =
        target.as_object().into_iter().flat_map(|t| t.keys()).find(|part| !PARTS.contains(&part.as_str()));
    if let Some(part) = unknown {
        return Err(Fault::not_modelled(format!("events:PutTargets with {part} (target {id})")));
    }
    let arn = target["Arn"].as_str().unwrap_or_default();
    let service = arn.split(':').nth(2).unwrap_or_default();
    if !arn.starts_with("arn:") {
        let message = format!("Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.");
        return Err(Fault::new("ValidationException", message));
    }
    if !SERVICES.contains(&service) {
        return Err(Fault::not_modelled(format!(
            "events:PutTargets to {service}; there are {}",
            SERVICES.join(", ")
        )));
    }
    if let Some(queue) = target["DeadLetterConfig"]["Arn"].as_str()
        && queue.split(':').nth(2) != Some("sqs")
    {
        let message = format!(
            "Parameter(s) DeadLetterConfig of target {id} is not valid. Reason: {queue} is no queue."
        );
        return Err(Fault::new("ValidationException", message));
    }
    let inputs =
        ["Input", "InputPath", "InputTransformer"].iter().filter(|part| !target[**part].is_null()).count();
    if inputs > 1 {
        let message =
            format!("Only one of Input, InputPath, or InputTransformer must be provided for target {id}.");
        return Err(Fault::new("ValidationException", message));
    }
    check_resource(service, arn)?;
    transform::check(target)
}

/// What an ARN of its service must look like to be delivered to.
fn check_resource(service: &str, arn: &str) -> Result<(), Fault> {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    match service {
        "lambda" => lambda::name_of(arn).map(drop),
        "logs" if !resource.starts_with("log-group:") => {
            let message = format!("Parameter {arn} is not valid. Reason: it is no log group's ARN.");
            Err(Fault::new("ValidationException", message))
        }
        "sqs" | "sns" if resource.ends_with(".fifo") => {
            Err(Fault::not_modelled(format!("events:PutTargets to the FIFO {service} {resource}")))
        }
        _ => Ok(()),
    }
}

pub fn remove(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let ids: Vec<_> = input["Ids"].as_array().into_iter().flatten().cloned().collect();
    let rule = rule(cloud, input["Rule"].as_str().unwrap_or_default())?;
    let failed: Vec<_> = ids
        .iter()
        .filter(|id| !rule.targets.iter().any(|t| &t["Id"] == *id))
        .map(|id| json!({ "TargetId": id, "ErrorCode": "ResourceNotFoundException", "ErrorMessage": "no such target" }))
        .collect();
    rule.targets.retain(|target| !ids.contains(&target["Id"]));
    Ok(json!({ "FailedEntryCount": failed.len(), "FailedEntries": failed }))
}

pub fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let targets = rule(cloud, input["Rule"].as_str().unwrap_or_default())?.targets.clone();
    page(targets, "Targets", input)
}

pub fn rules_of(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let rules = cloud.state.events.rules.iter();
    let names = rules.filter(|(_, rule)| rule.targets.iter().any(|t| t["Arn"] == input["TargetArn"]));
    page(names.map(|(name, _)| json!(name)).collect(), "RuleNames", input)
}
