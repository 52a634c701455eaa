//! TODO-BY-OWNER

use serde::Serialize;

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {}

pub(crate) fn call(_cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    Err(Fault::not_modelled(format!("sns:{}", call.operation)))
}

pub(crate) fn fire(_cloud: &mut Cloud, timer: Timer) {
    match timer {}
}

/// Publishes; `Err` if there is no such topic. Gives the message id. Subscribers: sqs, lambda, http(s), email (noted only).
pub(crate) fn publish(
    _cloud: &mut Cloud,
    _topic: &str,
    _subject: Option<&str>,
    _message: &str,
) -> Result<String, Fault> {
    Err(Fault::new("NotFoundException", "topic does not exist"))
}
