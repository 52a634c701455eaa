//! TODO-BY-OWNER

use serde::Serialize;

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {}

pub(crate) fn call(_cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    Err(Fault::not_modelled(format!("sqs:{}", call.operation)))
}

pub(crate) fn fire(_cloud: &mut Cloud, timer: Timer) {
    match timer {}
}

/// Sends a message to a queue by ARN; `Err` if there is none. Gives the message id.
pub(crate) fn send(_cloud: &mut Cloud, _queue_arn: &str, _body: &str) -> Result<String, Fault> {
    Err(Fault::new("QueueDoesNotExist", "the specified queue does not exist"))
}
