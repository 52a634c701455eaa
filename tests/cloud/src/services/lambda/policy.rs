//! Resource policies: which service may invoke a function, for which resource.

use serde_json::{Value, json};

use super::functions::same_revision;
use super::{arn, function, invalid, named, text};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::glob;

pub fn add(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    if text(input, "Qualifier") == "$LATEST" {
        return Err(invalid("We currently do not support adding policies for $LATEST."));
    }
    same_revision(cloud, &name, input)?;
    for member in ["FunctionUrlAuthType", "InvokedViaFunctionUrl", "EventSourceToken", "PrincipalOrgID"] {
        if !input[member].is_null() {
            return Err(Fault::not_modelled(format!("lambda:AddPermission with {member}")));
        }
    }
    let (sid, principal, resource) =
        (text(input, "StatementId"), text(input, "Principal"), arn(cloud, &name));
    let mut condition = json!({});
    if let Some(source) = input["SourceArn"].as_str() {
        condition["ArnLike"] = json!({ "AWS:SourceArn": source });
    }
    if let Some(account) = input["SourceAccount"].as_str() {
        condition["StringEquals"] = json!({ "AWS:SourceAccount": account });
    }
    let who = match principal {
        "*" => json!("*"),
        service if service.contains(".amazonaws.com") => json!({ "Service": service }),
        account if account.bytes().all(|b| b.is_ascii_digit()) => {
            json!({ "AWS": format!("arn:{}:iam::{account}:root", cloud.settings.partition) })
        }
        arn => json!({ "AWS": arn }),
    };
    let mut statement = json!({
        "Sid": sid, "Effect": "Allow", "Principal": who, "Action": input["Action"], "Resource": resource,
    });
    if condition.as_object().is_some_and(|c| !c.is_empty()) {
        statement["Condition"] = condition;
    }
    let policy = &mut function(cloud, &name)?.policy;
    if policy.iter().any(|s| s["Sid"] == sid) {
        let message = format!(
            "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing statement."
        );
        return Err(Fault::new("ResourceConflictException", message).with("Type", "User"));
    }
    policy.push(statement.clone());
    changed(cloud, &name)?;
    Ok(json!({ "Statement": statement.to_string() }))
}

pub fn remove(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let (name, sid) = (named(cloud, input)?, text(input, "StatementId").to_owned());
    same_revision(cloud, &name, input)?;
    let policy = &mut function(cloud, &name)?.policy;
    let before = policy.len();
    policy.retain(|statement| statement["Sid"] != sid.as_str());
    if policy.len() == before {
        let message = format!("Statement {sid} is not found in resource policy.");
        return Err(Fault::new("ResourceNotFoundException", message).with("Type", "User"));
    }
    changed(cloud, &name)?;
    Ok(json!({}))
}

fn changed(cloud: &mut Cloud, name: &str) -> Result<(), Fault> {
    let revision = cloud.ids.uuid();
    function(cloud, name)?.revision = revision;
    Ok(())
}

/// IAM's `ArnLike`: part by part, so that a star does not reach over a colon; only in the
/// last part may it stand for more of them.
fn arn_like(pattern: &str, arn: &str) -> bool {
    let (pattern, arn): (Vec<_>, Vec<_>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    pattern.len() == arn.len() && pattern.iter().zip(arn).all(|(pattern, part)| glob::fits(pattern, part))
}

pub fn get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    let found = function(cloud, &name)?;
    if found.policy.is_empty() {
        let message = "The resource you requested does not exist.";
        return Err(Fault::new("ResourceNotFoundException", message).with("Type", "User"));
    }
    let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": found.policy });
    Ok(json!({ "Policy": policy.to_string(), "RevisionId": found.revision }))
}

/// Whether a function's policy lets a service invoke it on behalf of a resource of this account.
pub fn allows(cloud: &Cloud, name: &str, principal: &str, source_arn: &str) -> bool {
    let statements = cloud.state.lambda.functions.get(name).map(|f| f.policy.as_slice()).unwrap_or_default();
    statements.iter().any(|statement| {
        let condition = &statement["Condition"];
        let source = condition["ArnLike"]["AWS:SourceArn"].as_str();
        let account = condition["StringEquals"]["AWS:SourceAccount"].as_str();
        let action = text(statement, "Action");
        (statement["Principal"]["Service"] == principal || statement["Principal"] == "*")
            && ["lambda:InvokeFunction", "lambda:*", "*"].contains(&action)
            && source.is_none_or(|pattern| arn_like(pattern, source_arn))
            && account.is_none_or(|account| account == cloud.settings.account)
    })
}
