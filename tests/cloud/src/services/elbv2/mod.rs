//! Elastic Load Balancing: application load balancers on ports of this machine.

mod actions;
mod attributes;
mod codes;
mod listeners;
mod load_balancers;
mod page;
mod routes;
mod rules;
mod tags;
mod target_groups;
mod targets;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;
use serde_json::Value;

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;
use crate::time::Ms;

pub use codes::fits;
pub(crate) use listeners::{forward, listener_exists, set_forward};
pub use routes::{ListenerRoutes, RouteAction, RouteRule, RouteTargets, routes};
pub(crate) use target_groups::{load_balancers_of, target_group_arn};
pub(crate) use targets::{deregister, health_checked, host_counts, register, target_state};

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    /// All by ARN.
    load_balancers: BTreeMap<String, LoadBalancer>,
    listeners: BTreeMap<String, Listener>,
    rules: BTreeMap<String, Rule>,
    target_groups: BTreeMap<String, TargetGroup>,
    tags: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Serialize)]
struct LoadBalancer {
    name: String,
    created: Ms,
    scheme: String,
    subnets: Vec<String>,
    security_groups: Vec<String>,
    attributes: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize)]
struct Listener {
    load_balancer: String,
    port: u16,
    action: Action,
}

#[derive(Debug, Clone, Serialize)]
struct Rule {
    listener: String,
    priority: u32,
    hosts: Vec<String>,
    paths: Vec<String>,
    action: Action,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
enum Action {
    /// Target groups by ARN, with weights.
    Forward(Vec<(String, u32)>),
    Fixed {
        status: u16,
        content_type: String,
        body: String,
    },
    Redirect {
        status: u16,
        location: Redirect,
    },
}

/// Parts of a redirect's location, each with AWS's placeholders (`#{path}` …).
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Redirect {
    protocol: String,
    host: String,
    port: String,
    path: String,
    query: String,
}

#[derive(Debug, Clone, Serialize)]
struct TargetGroup {
    name: String,
    port: u16,
    vpc: String,
    health_check: HealthCheck,
    attributes: BTreeMap<String, String>,
    targets: Vec<Target>,
}

#[derive(Debug, Clone, Serialize)]
struct HealthCheck {
    path: String,
    /// `traffic-port`, or a port's number.
    port: String,
    interval_seconds: u64,
    timeout_seconds: u64,
    healthy_threshold: u32,
    unhealthy_threshold: u32,
    codes: String,
}

#[derive(Debug, Clone, Serialize)]
struct Target {
    address: Ipv4Addr,
    port: u16,
    health: Health,
    detail: String,
    /// Checks in a row that speak against `health`.
    against: u32,
    /// Set while draining, and so for good: the end of the drain.
    draining_until: Option<Ms>,
    /// Tells this registration's timers from those of an earlier one.
    registration: u64,
    /// Whether its checks are scheduled: they are while a listener uses the group.
    checked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Health {
    Initial,
    Healthy,
    Unhealthy,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {
    /// The next health check of a target.
    Check { target_group: String, registration: u64 },
    /// The end of a target's drain.
    Drained { target_group: String, registration: u64 },
}

pub(crate) fn call(cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    let input = call.input;
    let answer: Value = match call.operation {
        "CreateLoadBalancer" => load_balancers::create(cloud, input),
        "DescribeLoadBalancers" => load_balancers::describe(cloud, input),
        "DeleteLoadBalancer" => load_balancers::delete(cloud, input),
        "DescribeLoadBalancerAttributes" => attributes::of_load_balancer(cloud, input),
        "ModifyLoadBalancerAttributes" => attributes::modify_load_balancer(cloud, input),
        "CreateTargetGroup" => target_groups::create(cloud, input),
        "DescribeTargetGroups" => target_groups::describe(cloud, input),
        "ModifyTargetGroup" => target_groups::modify(cloud, input),
        "DeleteTargetGroup" => target_groups::delete(cloud, input),
        "DescribeTargetGroupAttributes" => attributes::of_target_group(cloud, input),
        "ModifyTargetGroupAttributes" => attributes::modify_target_group(cloud, input),
        "RegisterTargets" => targets::register_all(cloud, input),
        "DeregisterTargets" => targets::deregister_all(cloud, input),
        "DescribeTargetHealth" => targets::describe(cloud, input),
        "CreateListener" => listeners::create(cloud, input),
        "DescribeListeners" => listeners::describe(cloud, input),
        "ModifyListener" => listeners::modify(cloud, input),
        "DeleteListener" => listeners::delete(cloud, input),
        "CreateRule" => rules::create(cloud, input),
        "DescribeRules" => rules::describe(cloud, input),
        "ModifyRule" => rules::modify(cloud, input),
        "DeleteRule" => rules::delete(cloud, input),
        "AddTags" => tags::add(cloud, input),
        "RemoveTags" => tags::remove(cloud, input),
        "DescribeTags" => tags::describe(cloud, input),
        other => Err(Fault::not_modelled(format!("elbv2:{other}"))),
    }?;
    Ok(answer.into())
}

pub(crate) fn fire(cloud: &mut Cloud, timer: Timer) {
    match timer {
        Timer::Check { target_group, registration } => targets::check(cloud, &target_group, registration),
        Timer::Drained { target_group, registration } => targets::drained(cloud, &target_group, registration),
    }
}

/// A text member, empty if it is not there.
fn text<'a>(input: &'a Value, member: &str) -> &'a str {
    input[member].as_str().unwrap_or_default()
}

/// The texts of a list member, none if it is not there.
fn texts(input: &Value, member: &str) -> Vec<String> {
    let items = input[member].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn validation(message: impl Into<String>) -> Fault {
    Fault::new("ValidationError", message)
}
