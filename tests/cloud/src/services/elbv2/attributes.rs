//! Attributes of load balancers and target groups, with AWS's defaults.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{load_balancers, target_groups, text, validation};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{Ms, SECOND};

const LOAD_BALANCER: &[(&str, &str)] = &[
    ("access_logs.s3.enabled", "false"),
    ("access_logs.s3.bucket", ""),
    ("access_logs.s3.prefix", ""),
    ("deletion_protection.enabled", "false"),
    ("idle_timeout.timeout_seconds", "60"),
    ("routing.http.desync_mitigation_mode", "defensive"),
    ("routing.http.drop_invalid_header_fields.enabled", "false"),
    ("routing.http2.enabled", "true"),
    ("load_balancing.cross_zone.enabled", "true"),
];

const DRAIN: &str = "deregistration_delay.timeout_seconds";

const TARGET_GROUP: &[(&str, &str)] = &[
    (DRAIN, "300"),
    ("stickiness.enabled", "false"),
    ("stickiness.type", "lb_cookie"),
    ("stickiness.lb_cookie.duration_seconds", "86400"),
    ("slow_start.duration_seconds", "0"),
    ("load_balancing.algorithm.type", "round_robin"),
    ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
];

/// Values that would change what the proxy does, and which it can't do: only the
/// default is taken.
const DEFAULT_ONLY: &[&str] = &[
    "access_logs.s3.enabled",
    "stickiness.enabled",
    "slow_start.duration_seconds",
    "load_balancing.algorithm.type",
    "deletion_protection.enabled",
];

pub fn of_load_balancer(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "LoadBalancerArn");
    let all = &cloud.state.elbv2.load_balancers;
    let set = &all.get(arn).ok_or_else(|| load_balancers::not_found(arn))?.attributes;
    Ok(json!({ "Attributes": shown(LOAD_BALANCER, set) }))
}

pub fn modify_load_balancer(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "LoadBalancerArn");
    let all = &mut cloud.state.elbv2.load_balancers;
    let set = &mut all.get_mut(arn).ok_or_else(|| load_balancers::not_found(arn))?.attributes;
    put(LOAD_BALANCER, set, input)?;
    Ok(json!({ "Attributes": shown(LOAD_BALANCER, set) }))
}

pub fn of_target_group(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "TargetGroupArn");
    let set = &target_groups::get(cloud, arn)?.attributes;
    Ok(json!({ "Attributes": shown(TARGET_GROUP, set) }))
}

pub fn modify_target_group(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "TargetGroupArn");
    let set = &mut target_groups::get_mut(cloud, arn)?.attributes;
    put(TARGET_GROUP, set, input)?;
    Ok(json!({ "Attributes": shown(TARGET_GROUP, set) }))
}

/// How long a deregistered target drains.
pub fn drain(set: &BTreeMap<String, String>) -> Ms {
    set.get(DRAIN).and_then(|text| text.parse::<Ms>().ok()).unwrap_or(300) * SECOND
}

fn shown(defaults: &[(&str, &str)], set: &BTreeMap<String, String>) -> Vec<Value> {
    let value = |key: &str, default: &str| set.get(key).cloned().unwrap_or_else(|| default.to_owned());
    defaults.iter().map(|(key, default)| json!({ "Key": key, "Value": value(key, default) })).collect()
}

fn put(defaults: &[(&str, &str)], set: &mut BTreeMap<String, String>, input: &Value) -> Result<(), Fault> {
    let given = input["Attributes"].as_array().map(Vec::as_slice).unwrap_or_default();
    for attribute in given {
        let (key, value) = (text(attribute, "Key"), text(attribute, "Value"));
        let Some((_, default)) = defaults.iter().find(|(known, _)| *known == key) else {
            return Err(validation(format!("Attribute key '{key}' is not recognized")));
        };
        if DEFAULT_ONLY.contains(&key) && value != *default {
            return Err(Fault::not_modelled(format!("elbv2 attribute {key} = {value}")));
        }
        if key == DRAIN && !value.parse::<u32>().is_ok_and(|seconds| seconds <= 3_600) {
            return Err(validation(format!(
                "'{value}' for {DRAIN} is not a number of seconds from 0 to 3600"
            )));
        }
    }
    for attribute in given {
        set.insert(text(attribute, "Key").to_owned(), text(attribute, "Value").to_owned());
    }
    Ok(())
}
