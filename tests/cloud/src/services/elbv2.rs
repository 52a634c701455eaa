//! TODO-BY-OWNER

use crate::time::Ms;
use serde::Serialize;
use std::net::Ipv4Addr;

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {}

pub(crate) fn call(_cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    Err(Fault::not_modelled(format!("elbv2:{}", call.operation)))
}

pub(crate) fn fire(_cloud: &mut Cloud, timer: Timer) {
    match timer {}
}

/// What the proxy has to know of one listener.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListenerRoutes {
    pub load_balancer: String,
    pub listener: String,
    pub port: u16,
    /// In order of priority; the last one is the default and always matches.
    pub rules: Vec<RouteRule>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RouteRule {
    /// Glob patterns (`*`, `?`) of which one must fit; empty: any.
    pub hosts: Vec<String>,
    pub paths: Vec<String>,
    pub action: RouteAction,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum RouteAction {
    Forward(Vec<RouteTargets>),
    Fixed { status: u16, content_type: String, body: String },
    Redirect { status: u16, location: String },
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RouteTargets {
    pub target_group: String,
    pub weight: u32,
    /// Addresses that may take a request now: healthy ones, or all registered if none is healthy
    /// (an ALB fails open), never draining ones.
    pub targets: Vec<(Ipv4Addr, u16)>,
}

/// Every listener with what it does now.
pub fn routes(_cloud: &Cloud) -> Vec<ListenerRoutes> {
    Vec::new()
}

pub(crate) fn health_checked(
    _cloud: &mut Cloud,
    _target_group: &str,
    _address: Ipv4Addr,
    _port: u16,
    _healthy: bool,
    _detail: &str,
) {
}

/// Registers an ip target; health checks begin if a listener uses the group.
pub(crate) fn register(
    _cloud: &mut Cloud,
    _target_group: &str,
    _address: Ipv4Addr,
    _port: u16,
) -> Result<(), Fault> {
    Ok(())
}

/// Begins draining; gives how long it takes. After that the target is gone.
pub(crate) fn deregister(_cloud: &mut Cloud, _target_group: &str, _address: Ipv4Addr, _port: u16) -> Ms {
    0
}

/// `healthy`, `unhealthy`, `initial`, `draining`, `unused` (no listener uses the group); `None` if not registered.
pub(crate) fn target_state<'a>(
    _cloud: &'a Cloud,
    _target_group: &str,
    _address: Ipv4Addr,
    _port: u16,
) -> Option<&'a str> {
    None
}

/// ARN of a target group, by name or ARN.
pub(crate) fn target_group_arn(_cloud: &Cloud, _name: &str) -> Option<String> {
    None
}

pub(crate) fn listener_exists(_cloud: &Cloud, _listener: &str) -> bool {
    false
}

/// ARNs of the load balancers whose listeners forward to this group (or null weight it).
pub(crate) fn load_balancers_of(_cloud: &Cloud, _target_group: &str) -> Vec<String> {
    Vec::new()
}

/// Target groups and weights that a listener's default action forwards to.
pub(crate) fn forward(_cloud: &Cloud, _listener: &str) -> Vec<(String, u32)> {
    Vec::new()
}

/// Sets them (ARNs), in the default action and in the listener's rules that forward to one of these groups,
/// with an entry in the timeline (`Kind::Traffic`, data {listener, weights: {arn: weight}}) and `Effect::Routes`.
pub(crate) fn set_forward(
    _cloud: &mut Cloud,
    _listener: &str,
    _weights: &[(String, u32)],
) -> Result<(), Fault> {
    Ok(())
}

/// Healthy and unhealthy targets of every group in use, for CloudWatch: (load balancer ARN, target group ARN, healthy, unhealthy).
pub(crate) fn host_counts(_cloud: &Cloud) -> Vec<(String, String, u32, u32)> {
    Vec::new()
}
