//! TODO-BY-OWNER

use serde::Serialize;
use serde_json::Value;

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {}

pub(crate) fn call(_cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    Err(Fault::not_modelled(format!("events:{}", call.operation)))
}

pub(crate) fn fire(_cloud: &mut Cloud, timer: Timer) {
    match timer {}
}

/// Puts an event on the default bus, from a service. It reaches the targets of matching rules after
/// `settings.event_delay`; noted as `Kind::Event` with the whole event as data.
pub(crate) fn publish(
    _cloud: &mut Cloud,
    _source: &str,
    _detail_type: &str,
    _resources: &[String],
    _detail: Value,
) {
}
