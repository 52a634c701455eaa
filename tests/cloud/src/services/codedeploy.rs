//! TODO-BY-OWNER

use serde::Serialize;

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {}

pub(crate) fn call(_cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    Err(Fault::not_modelled(format!("codedeploy:{}", call.operation)))
}

pub(crate) fn fire(_cloud: &mut Cloud, timer: Timer) {
    match timer {}
}

/// A deployment's status, `None` if there is no such deployment.
pub fn status<'a>(_cloud: &'a Cloud, _deployment: &str) -> Option<&'a str> {
    None
}
