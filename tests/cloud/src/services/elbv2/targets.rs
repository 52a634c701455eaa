//! Targets: registration, health, draining.
//!
//! A new target is `initial` until one check passes, or as many fail in a row as the
//! group's unhealthy threshold says; after that it takes the thresholds to change. Checks run while a listener uses the group.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{Health, Target, TargetGroup, Timer, attributes, target_groups, text, validation};
use crate::cloud::Cloud;
use crate::effect::Effect;
use crate::fault::Fault;
use crate::services::ecs;
use crate::time::{Ms, SECOND};
use crate::timeline::Kind;

/// How long a load balancer takes to take note of a target, before its first check: an
/// assumption, for AWS says only that it is a matter of seconds.
const REGISTRATION: Ms = 3 * SECOND;

pub fn register_all(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "TargetGroupArn");
    for (address, port) in given(cloud, input)? {
        register(cloud, arn, address, port)?;
    }
    Ok(json!({}))
}

pub fn deregister_all(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "TargetGroupArn");
    for (address, port) in given(cloud, input)? {
        deregister(cloud, arn, address, port);
    }
    Ok(json!({}))
}

/// The targets that an input lists, with the group's port where it names none.
fn given(cloud: &Cloud, input: &Value) -> Result<Vec<(Ipv4Addr, u16)>, Fault> {
    let group = target_groups::get(cloud, text(input, "TargetGroupArn"))?;
    let targets = input["Targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let parsed = targets.iter().map(|target| {
        let id = text(target, "Id");
        let address = id
            .parse()
            .map_err(|_| Fault::new("InvalidTargetException", format!("'{id}' is not an IPv4 address")))?;
        let port = match target["Port"].as_u64() {
            Some(port) => {
                u16::try_from(port).map_err(|_| validation(format!("port {port} is not from 1 to 65535")))?
            }
            None => group.port,
        };
        Ok((address, port))
    });
    parsed.collect()
}

pub fn describe(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "TargetGroupArn");
    let group = target_groups::get(cloud, arn)?;
    let row = |target: &Target| {
        let (reason, description) = reason(cloud, arn, target);
        json!({
            "Target": { "Id": target.address.to_string(), "Port": target.port },
            "HealthCheckPort": check_port(group, target).to_string(),
            "TargetHealth": { "State": state(cloud, arn, target), "Reason": reason, "Description": description },
        })
    };
    if input["Targets"].is_null() {
        return Ok(json!({ "TargetHealthDescriptions": group.targets.iter().map(row).collect::<Vec<_>>() }));
    }
    let rows = given(cloud, input)?.into_iter().map(|(address, port)| match find(group, address, port) {
        Some(target) => row(target),
        None => json!({
            "Target": { "Id": address.to_string(), "Port": port },
            "TargetHealth": {
                "State": "unused", "Reason": "Target.NotRegistered", "Description": "Target is not registered",
            },
        }),
    });
    Ok(json!({ "TargetHealthDescriptions": rows.collect::<Vec<_>>() }))
}

fn find(group: &TargetGroup, address: Ipv4Addr, port: u16) -> Option<&Target> {
    group.targets.iter().find(|t| t.address == address && t.port == port)
}

fn find_mut<'a>(cloud: &'a mut Cloud, group: &str, address: Ipv4Addr, port: u16) -> Option<&'a mut Target> {
    let group = cloud.state.elbv2.target_groups.get_mut(group)?;
    group.targets.iter_mut().find(|t| t.address == address && t.port == port)
}

fn used(cloud: &Cloud, group: &str) -> bool {
    !target_groups::load_balancers_of(cloud, group).is_empty()
}

fn state(cloud: &Cloud, group: &str, target: &Target) -> &'static str {
    if target.draining_until.is_some() {
        return "draining";
    }
    if !used(cloud, group) {
        return "unused";
    }
    match target.health {
        Health::Initial => "initial",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
    }
}

fn reason(cloud: &Cloud, group: &str, target: &Target) -> (Option<&'static str>, Option<String>) {
    let (reason, description) = match state(cloud, group, target) {
        "healthy" => return (None, None),
        "draining" => ("Target.DeregistrationInProgress", "Target deregistration is in progress".to_owned()),
        "unused" => (
            "Target.NotInUse",
            "Target group is not configured to receive traffic from the load balancer".into(),
        ),
        "initial" => ("Elb.RegistrationInProgress", "Target registration is in progress".into()),
        _ if target.detail.contains("codes") => ("Target.ResponseCodeMismatch", target.detail.clone()),
        _ if target.detail.contains("timed out") => ("Target.Timeout", target.detail.clone()),
        _ => ("Target.FailedHealthChecks", target.detail.clone()),
    };
    (Some(reason), Some(description))
}

fn check_port(group: &TargetGroup, target: &Target) -> u16 {
    group.health_check.port.parse().unwrap_or(target.port)
}

/// Begins the checks of a group's targets that are not checked yet, if it is used.
pub fn check_all(cloud: &mut Cloud, target_group: &str) {
    if !used(cloud, target_group) {
        return;
    }
    let Some(group) = cloud.state.elbv2.target_groups.get_mut(target_group) else { return };
    let fresh = group.targets.iter_mut().filter(|t| !t.checked && t.draining_until.is_none());
    let registrations: Vec<_> = fresh
        .map(|target| {
            target.checked = true;
            target.registration
        })
        .collect();
    for registration in registrations {
        cloud.after(REGISTRATION, Timer::Check { target_group: target_group.to_owned(), registration });
    }
}

pub fn check(cloud: &mut Cloud, target_group: &str, registration: u64) {
    let in_use = used(cloud, target_group);
    let Some(group) = cloud.state.elbv2.target_groups.get_mut(target_group) else { return };
    let Some(n) = group.targets.iter().position(|t| t.registration == registration) else { return };
    if group.targets[n].draining_until.is_some() {
        return;
    }
    if !in_use {
        group.targets[n].checked = false;
        group.targets[n].health = Health::Initial;
        return;
    }
    let (target, health_check) = (&group.targets[n], &group.health_check);
    let (interval, effect) = (
        health_check.interval_seconds * SECOND,
        Effect::CheckHealth {
            target_group: target_group.to_owned(),
            address: target.address,
            port: check_port(group, target),
            path: health_check.path.clone(),
            timeout: health_check.timeout_seconds * SECOND,
            codes: health_check.codes.clone(),
        },
    );
    cloud.effect(effect);
    cloud.after(interval, Timer::Check { target_group: target_group.to_owned(), registration });
}

pub fn drained(cloud: &mut Cloud, target_group: &str, registration: u64) {
    let now = cloud.now;
    if let Some(group) = cloud.state.elbv2.target_groups.get_mut(target_group) {
        group
            .targets
            .retain(|t| t.registration != registration || t.draining_until.is_none_or(|end| end > now));
    }
    cloud.effect(Effect::Routes);
}

// For the other services.

pub(crate) fn health_checked(
    cloud: &mut Cloud,
    target_group: &str,
    address: Ipv4Addr,
    checked_port: u16,
    healthy: bool,
    detail: &str,
) {
    let Some(group) = cloud.state.elbv2.target_groups.get_mut(target_group) else { return };
    let (up, down) = (group.health_check.healthy_threshold, group.health_check.unhealthy_threshold);
    let own: Option<u16> = group.health_check.port.parse().ok();
    let target = group.targets.iter_mut().find(|t| {
        t.address == address && t.draining_until.is_none() && own.unwrap_or(t.port) == checked_port
    });
    let Some(target) = target else { return };
    target.detail = detail.to_owned();
    let agrees = match target.health {
        Health::Initial => false,
        Health::Healthy => healthy,
        Health::Unhealthy => !healthy,
    };
    if agrees {
        target.against = 0;
        return;
    }
    target.against += 1;
    let needed = match target.health {
        Health::Initial => {
            if healthy {
                1
            } else {
                down
            }
        }
        Health::Healthy => down,
        Health::Unhealthy => up,
    };
    if target.against < needed {
        return;
    }
    target.health = if healthy { Health::Healthy } else { Health::Unhealthy };
    target.against = 0;
    let port = target.port;
    changed(cloud, target_group, address, port, if healthy { "healthy" } else { "unhealthy" });
}

fn changed(cloud: &mut Cloud, target_group: &str, address: Ipv4Addr, port: u16, state: &str) {
    let text = format!("target {address}:{port} of {} is {state}", target_groups::name(target_group));
    let data = json!({ "targetGroup": target_group, "address": address, "port": port, "state": state });
    cloud.note(Kind::Traffic, text, data);
    cloud.effect(Effect::Routes);
    ecs::target_health_changed(cloud, target_group, address, port, state);
}

/// Registers a target; its checks begin if a listener uses the group. One that drains
/// is registered anew.
pub(crate) fn register(
    cloud: &mut Cloud,
    target_group: &str,
    address: Ipv4Addr,
    port: u16,
) -> Result<(), Fault> {
    target_groups::get(cloud, target_group)?;
    let registration = cloud.ids.between(1, u64::MAX);
    let group = target_groups::get_mut(cloud, target_group)?;
    group.targets.retain(|t| t.address != address || t.port != port || t.draining_until.is_none());
    if find(group, address, port).is_none() {
        group.targets.push(Target {
            address,
            port,
            health: Health::Initial,
            detail: String::new(),
            against: 0,
            draining_until: None,
            registration,
            checked: false,
        });
    }
    check_all(cloud, target_group);
    cloud.effect(Effect::Routes);
    Ok(())
}

/// Begins draining; gives how long it takes. After that the target is gone.
pub(crate) fn deregister(cloud: &mut Cloud, target_group: &str, address: Ipv4Addr, port: u16) -> Ms {
    let now = cloud.now;
    let Some(group) = cloud.state.elbv2.target_groups.get(target_group) else { return 0 };
    let drain = attributes::drain(&group.attributes);
    let Some(target) = find_mut(cloud, target_group, address, port) else { return 0 };
    if let Some(end) = target.draining_until {
        return end.saturating_sub(now);
    }
    target.draining_until = Some(now + drain);
    let registration = target.registration;
    cloud.after(drain, Timer::Drained { target_group: target_group.to_owned(), registration });
    cloud.effect(Effect::Routes);
    drain
}

/// `healthy`, `unhealthy`, `initial`, `draining`, `unused`; `None` if not registered.
pub(crate) fn target_state<'a>(
    cloud: &'a Cloud,
    target_group: &str,
    address: Ipv4Addr,
    port: u16,
) -> Option<&'a str> {
    let group = cloud.state.elbv2.target_groups.get(target_group)?;
    find(group, address, port).map(|target| state(cloud, target_group, target))
}

/// Healthy and unhealthy targets of every group in use: (load balancer ARN, target group
/// ARN, healthy, unhealthy).
pub(crate) fn host_counts(cloud: &Cloud) -> Vec<(String, String, u32, u32)> {
    let mut rows = Vec::new();
    for (arn, group) in &cloud.state.elbv2.target_groups {
        let count = |health| {
            let fits = group.targets.iter().filter(|t| t.draining_until.is_none() && t.health == health);
            u32::try_from(fits.count()).unwrap_or(u32::MAX)
        };
        let (healthy, unhealthy) = (count(Health::Healthy), count(Health::Unhealthy));
        if !group.targets.is_empty() {
            let balancers = target_groups::load_balancers_of(cloud, arn).into_iter();
            rows.extend(balancers.map(|balancer| (balancer, arn.clone(), healthy, unhealthy)));
        }
    }
    rows
}
