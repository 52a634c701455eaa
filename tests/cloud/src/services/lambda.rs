//! TODO-BY-OWNER

use crate::effect::FunctionError;
use serde::Serialize;
use serde_json::Value;

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {}

pub(crate) fn call(_cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    Err(Fault::not_modelled(format!("lambda:{}", call.operation)))
}

pub(crate) fn fire(_cloud: &mut Cloud, timer: Timer) {
    match timer {}
}

/// Invokes asynchronously, with Lambda's retries and failure destinations. `function` is a name or ARN.
/// `principal` (`events.amazonaws.com`, `sns.amazonaws.com`, `codedeploy.amazonaws.com`) and `source_arn` are held
/// against the function's policy unless `source_arn` is `None`. `Err` if there is no such function or no permission.
pub(crate) fn invoke_async(
    _cloud: &mut Cloud,
    function: &str,
    _principal: &str,
    _source_arn: Option<&str>,
    _payload: Value,
) -> Result<(), Fault> {
    Err(Fault::new("ResourceNotFoundException", format!("function not found: {function}")))
}

pub(crate) fn invoked(_cloud: &mut Cloud, _invocation: &str, _outcome: Result<Value, FunctionError>) {}

/// The deployment package (zip) whose base64 sha256 an `Effect::Invoke` names.
pub fn package<'a>(_cloud: &'a Cloud, _code_sha256: &str) -> Option<&'a [u8]> {
    None
}
