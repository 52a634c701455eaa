//! Hooks: a Lambda function at a lifecycle event, which has an hour to report.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use super::deployment::{Deployment, Diagnostics, Error, EventStatus, Phase};
use super::lifecycle::Event;
use super::run::{BRIEF, fail_event, succeed_event};
use super::{deployment_id, text, with_deployment};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::lambda;
use crate::time::{HOUR, Ms};

/// A function that throws does not report: the deployment waits all the same.
const PATIENCE: Ms = HOUR;

/// Functions whose names begin so are the only ones that AWS's managed role for CodeDeploy may invoke.
const MANAGED_PREFIX: &str = "CodeDeployHook_";

pub(super) fn start(cloud: &mut Cloud, d: &mut Deployment, event: Event) {
    let function = d.event_mut(event).and_then(|e| e.function.clone());
    let Some(function) = function else { return d.enter(cloud, Phase::Brief(event), BRIEF) };
    let execution = execution_id(cloud);
    let payload = json!({ "DeploymentId": d.id, "LifecycleEventHookExecutionId": execution });
    if let Some(started) = d.event_mut(event) {
        started.execution = Some(execution);
    }
    if !short_name(&function).starts_with(MANAGED_PREFIX) {
        let text = format!(
            "invokes {function}, which AWS's managed role could not: its name does not begin with {MANAGED_PREFIX}"
        );
        d.note(cloud, &text, json!({ "event": event.name(), "function": function }));
    }
    match lambda::invoke_async(cloud, &function, "codedeploy.amazonaws.com", None, payload) {
        Ok(()) => d.enter(cloud, Phase::Hook(event), PATIENCE),
        Err(fault) => {
            let message = format!("The hook {} could not be invoked: {}", event.name(), fault.message);
            let why = Diagnostics { code: "UnknownError", message: message.clone() };
            fail_event(cloud, d, event, why, Error::new("HOOK_EXECUTION_FAILURE", message));
        }
    }
}

/// The function's name, from a name or ARN with or without a qualifier.
fn short_name(function: &str) -> &str {
    let name = function.split_once(":function:").map_or(function, |(_, rest)| rest);
    name.split(':').next().unwrap_or(name)
}

/// An opaque id in the form of AWS's.
fn execution_id(cloud: &mut Cloud) -> String {
    let id = json!({
        "encryptedData": cloud.ids.alphanumeric(152),
        "ivParameterSpec": cloud.ids.alphanumeric(16),
        "materialSetSerial": 1,
    });
    BASE64_STANDARD.encode(id.to_string())
}

pub(super) fn time_out(cloud: &mut Cloud, d: &mut Deployment, event: Event) {
    let text = "The deployment timed out while waiting for a status callback. CodeDeploy expects a status \
                callback within one hour after a deployment hook is invoked.";
    let why = Diagnostics { code: "ScriptTimedOut", message: text.into() };
    fail_event(cloud, d, event, why, Error::new("HOOK_EXECUTION_FAILURE", text));
}

/// PutLifecycleEventHookExecutionStatus.
pub(super) fn put_status(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let deployment = cloud.state.codedeploy.deployment(input)?;
    let succeeded = match text(input, "status") {
        Some("Succeeded") => true,
        Some("Failed") => false,
        other => {
            return Err(Fault::new(
                "InvalidLifecycleEventHookExecutionStatusException",
                format!("The status must be Succeeded or Failed, not {}", other.unwrap_or("missing")),
            ));
        }
    };
    let execution = text(input, "lifecycleEventHookExecutionId");
    let of_hook =
        deployment.events.iter().find(|e| execution.is_some() && e.execution.as_deref() == execution);
    let event = of_hook.ok_or_else(|| {
        Fault::new(
            "InvalidLifecycleEventHookExecutionIdException",
            format!("The deployment {} has no hook execution with this id", deployment.id),
        )
    })?;
    if event.status != EventStatus::InProgress {
        return Err(Fault::new(
            "LifecycleEventAlreadyCompletedException",
            format!("The lifecycle event {} has already completed", event.event.name()),
        ));
    }
    let (event, function) = (event.event, event.function.clone().unwrap_or_default());
    let id = deployment_id(input)?.to_owned();
    with_deployment(cloud, &id, |cloud, d| report(cloud, d, event, &function, succeeded));
    Ok(json!({ "lifecycleEventHookExecutionId": execution }))
}

fn report(cloud: &mut Cloud, d: &mut Deployment, event: Event, function: &str, succeeded: bool) {
    if succeeded {
        return succeed_event(cloud, d, event);
    }
    let why =
        Diagnostics { code: "ScriptFailed", message: format!("The function {function} reported Failed") };
    let text =
        "The deployment failed because one or more of the lifecycle event validation functions failed.";
    fail_event(cloud, d, event, why, Error::new("HOOK_EXECUTION_FAILURE", text));
}
