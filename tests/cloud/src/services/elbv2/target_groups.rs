//! Target groups of addresses, checked over HTTP.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{HealthCheck, TargetGroup, actions, page, tags, text, texts, validation};
use crate::cloud::Cloud;
use crate::fault::Fault;

pub fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = text(input, "Name");
    let unlike =
        [("TargetType", "ip"), ("Protocol", "HTTP"), ("IpAddressType", "ipv4"), ("ProtocolVersion", "HTTP1")]
            .into_iter()
            .find(|(member, only)| {
                text(input, member) != *only && !(text(input, member).is_empty() && *member != "TargetType")
            });
    if let Some((member, only)) = unlike {
        let given = if text(input, member).is_empty() { "instance" } else { text(input, member) };
        return Err(Fault::not_modelled(format!("elbv2 target groups with {member} {given}; use {only}")));
    }
    if text(input, "VpcId").is_empty() {
        return Err(validation("A VPC ID must be specified"));
    }
    let port = input["Port"].as_u64().and_then(|p| u16::try_from(p).ok());
    let port = port.ok_or_else(|| validation("A port must be specified"))?;
    if cloud.state.elbv2.target_groups.values().any(|group| group.name == name) {
        let message =
            format!("A target group with the same name '{name}' exists, but with different settings");
        return Err(Fault::new("DuplicateTargetGroupNameException", message));
    }
    let group = TargetGroup {
        name: name.to_owned(),
        port,
        vpc: text(input, "VpcId").to_owned(),
        health_check: health_check(input, None)?,
        attributes: BTreeMap::new(),
        targets: Vec::new(),
    };
    let id = cloud.ids.hex(16);
    let arn = cloud.arn("elasticloadbalancing", &format!("targetgroup/{name}/{id}"));
    cloud.state.elbv2.target_groups.insert(arn.clone(), group);
    tags::put(cloud, &arn, input);
    Ok(json!({ "TargetGroups": [shown(cloud, &arn)] }))
}

pub fn describe(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let (arns, names) = (texts(input, "TargetGroupArns"), texts(input, "Names"));
    let balancer = text(input, "LoadBalancerArn");
    let all = &cloud.state.elbv2.target_groups;
    let missing = arns.iter().find(|arn| !all.contains_key(*arn));
    if let Some(missing) = missing.or_else(|| names.iter().find(|n| !all.values().any(|g| &g.name == *n))) {
        return Err(not_found(missing));
    }
    let wanted = |(arn, group): &(&String, &TargetGroup)| {
        (arns.is_empty() || arns.contains(arn))
            && (names.is_empty() || names.contains(&group.name))
            && (balancer.is_empty() || load_balancers_of(cloud, arn).iter().any(|b| b == balancer))
    };
    let rows = all.iter().filter(wanted).map(|(arn, _)| shown(cloud, arn)).collect();
    page::page(rows, "TargetGroups", input)
}

pub fn modify(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "TargetGroupArn");
    let group = get_mut(cloud, arn)?;
    group.health_check = health_check(input, Some(&group.health_check))?;
    Ok(json!({ "TargetGroups": [shown(cloud, arn)] }))
}

pub fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "TargetGroupArn");
    if !load_balancers_of(cloud, arn).is_empty() {
        let message = format!("Target group '{arn}' is currently in use by a listener or a rule");
        return Err(Fault::new("ResourceInUseException", message));
    }
    cloud.state.elbv2.target_groups.remove(arn);
    cloud.state.elbv2.tags.remove(arn);
    Ok(json!({}))
}

/// What an input asks for, over what there was, over AWS's defaults for HTTP and ip targets.
fn health_check(input: &Value, before: Option<&HealthCheck>) -> Result<HealthCheck, Fault> {
    if input["HealthCheckEnabled"] == false {
        return Err(validation("Health check enabled must be true for target groups with target type 'ip'"));
    }
    if !matches!(text(input, "HealthCheckProtocol"), "" | "HTTP") {
        return Err(Fault::not_modelled("elbv2 health checks over anything but HTTP"));
    }
    if !input["Matcher"]["GrpcCode"].is_null() {
        return Err(Fault::not_modelled("elbv2 health checks by GrpcCode"));
    }
    let words = |member: &Value, before: Option<&String>, default: &str| {
        member.as_str().map(str::to_owned).or_else(|| before.cloned()).unwrap_or_else(|| default.to_owned())
    };
    let number =
        |member: &str, before: Option<u64>, default| input[member].as_u64().or(before).unwrap_or(default);
    let threshold = |member: &str, before: Option<u32>, default| {
        let given = input[member].as_u64().and_then(|n| u32::try_from(n).ok());
        given.or(before).unwrap_or(default)
    };
    let check = HealthCheck {
        path: words(&input["HealthCheckPath"], before.map(|b| &b.path), "/"),
        port: words(&input["HealthCheckPort"], before.map(|b| &b.port), "traffic-port"),
        interval_seconds: number("HealthCheckIntervalSeconds", before.map(|b| b.interval_seconds), 30),
        timeout_seconds: number("HealthCheckTimeoutSeconds", before.map(|b| b.timeout_seconds), 5),
        healthy_threshold: threshold("HealthyThresholdCount", before.map(|b| b.healthy_threshold), 5),
        unhealthy_threshold: threshold("UnhealthyThresholdCount", before.map(|b| b.unhealthy_threshold), 2),
        codes: words(&input["Matcher"]["HttpCode"], before.map(|b| &b.codes), "200"),
    };
    if check.timeout_seconds >= check.interval_seconds {
        return Err(validation(format!(
            "Health check timeout '{}' must be smaller than the interval '{}'",
            check.timeout_seconds, check.interval_seconds
        )));
    }
    if check.port != "traffic-port" && check.port.parse::<u16>().is_err() {
        return Err(validation(format!(
            "Health check port '{}' must be 'traffic-port' or in the range [1-65535]",
            check.port
        )));
    }
    Ok(check)
}

pub fn not_found(what: &str) -> Fault {
    Fault::new("TargetGroupNotFoundException", format!("One or more target groups not found: '{what}'"))
}

pub fn get<'a>(cloud: &'a Cloud, arn: &str) -> Result<&'a TargetGroup, Fault> {
    cloud.state.elbv2.target_groups.get(arn).ok_or_else(|| not_found(arn))
}

pub fn get_mut<'a>(cloud: &'a mut Cloud, arn: &str) -> Result<&'a mut TargetGroup, Fault> {
    cloud.state.elbv2.target_groups.get_mut(arn).ok_or_else(|| not_found(arn))
}

/// The name within an ARN.
pub fn name(arn: &str) -> &str {
    arn.split('/').nth(1).unwrap_or(arn)
}

fn shown(cloud: &Cloud, arn: &str) -> Value {
    let Some(group) = cloud.state.elbv2.target_groups.get(arn) else { return Value::Null };
    let check = &group.health_check;
    json!({
        "TargetGroupArn": arn,
        "TargetGroupName": group.name,
        "Protocol": "HTTP",
        "Port": group.port,
        "VpcId": group.vpc,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": check.port,
        "HealthCheckEnabled": true,
        "HealthCheckIntervalSeconds": check.interval_seconds,
        "HealthCheckTimeoutSeconds": check.timeout_seconds,
        "HealthyThresholdCount": check.healthy_threshold,
        "UnhealthyThresholdCount": check.unhealthy_threshold,
        "HealthCheckPath": check.path,
        "Matcher": { "HttpCode": check.codes },
        "LoadBalancerArns": load_balancers_of(cloud, arn),
        "TargetType": "ip",
        "ProtocolVersion": "HTTP1",
        "IpAddressType": "ipv4",
    })
}

// For the other services.

/// ARN of a target group, by name or ARN.
pub(crate) fn target_group_arn(cloud: &Cloud, name: &str) -> Option<String> {
    let all = &cloud.state.elbv2.target_groups;
    all.iter().find(|(arn, group)| *arn == name || group.name == name).map(|(arn, _)| arn.clone())
}

/// ARNs of the load balancers whose listeners or rules forward to this group, with any weight.
pub(crate) fn load_balancers_of(cloud: &Cloud, target_group: &str) -> Vec<String> {
    let state = &cloud.state.elbv2;
    let uses = |action| actions::groups(action).iter().any(|(group, _)| group == target_group);
    let by_rule = |arn: &String| state.rules.values().any(|rule| &rule.listener == arn && uses(&rule.action));
    let mut balancers: Vec<_> = state
        .listeners
        .iter()
        .filter(|(arn, listener)| uses(&listener.action) || by_rule(arn))
        .map(|(_, listener)| listener.load_balancer.clone())
        .collect();
    balancers.sort();
    balancers.dedup();
    balancers
}
