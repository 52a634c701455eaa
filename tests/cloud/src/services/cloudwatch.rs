//! TODO-BY-OWNER

use serde::Serialize;

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {}

pub(crate) fn call(_cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    Err(Fault::not_modelled(format!("cloudwatch:{}", call.operation)))
}

pub(crate) fn fire(_cloud: &mut Cloud, timer: Timer) {
    match timer {}
}

/// Starts the minute's tick: alarms are evaluated after each full minute.
pub(crate) fn start(_cloud: &mut Cloud) {}

/// Counts requests that a load balancer served, with ALB's rules. Both ids are ARNs.
pub(crate) fn served(
    _cloud: &mut Cloud,
    _load_balancer: &str,
    _target_group: Option<&str>,
    _status: u16,
    _latency_ms: f64,
    _count: u64,
) {
}

/// Records HealthyHostCount and UnHealthyHostCount is done here at each minute's tick, from `elbv2`.
/// State of an alarm, metric or composite, by name: `OK`, `ALARM`, `INSUFFICIENT_DATA`; `None` if there is none.
pub(crate) fn alarm_state<'a>(_cloud: &'a Cloud, _name: &str) -> Option<&'a str> {
    None
}
