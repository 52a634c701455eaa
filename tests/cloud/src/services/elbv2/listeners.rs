//! Listeners: each is a port of this machine.

use serde_json::{Value, json};

use super::{
    Action, Listener, actions, load_balancers, page, tags, target_groups, targets, text, texts, validation,
};
use crate::cloud::Cloud;
use crate::effect::Effect;
use crate::fault::Fault;
use crate::timeline::Kind;

pub fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let balancer = text(input, "LoadBalancerArn");
    if !cloud.state.elbv2.load_balancers.contains_key(balancer) {
        return Err(load_balancers::not_found(balancer));
    }
    http_only(input)?;
    let port = port(input)?.ok_or_else(|| validation("A port must be specified"))?;
    free(cloud, port, None)?;
    let action = actions::parse(cloud, &input["DefaultActions"])?;
    let id = format!("listener/{}/{}", load_balancers::id(balancer), cloud.ids.hex(16));
    let arn = cloud.arn("elasticloadbalancing", &id);
    let listener = Listener { load_balancer: balancer.to_owned(), port, action };
    cloud.state.elbv2.listeners.insert(arn.clone(), listener);
    tags::put(cloud, &arn, input);
    changed(cloud, &arn, None);
    Ok(json!({ "Listeners": [shown(cloud, &arn)] }))
}

pub fn describe(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let (balancer, arns) = (text(input, "LoadBalancerArn"), texts(input, "ListenerArns"));
    if balancer.is_empty() && arns.is_empty() {
        return Err(validation("You must specify either listener ARNs or a load balancer ARN"));
    }
    let state = &cloud.state.elbv2;
    if !balancer.is_empty() && !state.load_balancers.contains_key(balancer) {
        return Err(load_balancers::not_found(balancer));
    }
    if let Some(missing) = arns.iter().find(|arn| !state.listeners.contains_key(*arn)) {
        return Err(not_found(missing));
    }
    let wanted = |(arn, listener): &(&String, &Listener)| {
        if arns.is_empty() { listener.load_balancer == balancer } else { arns.contains(arn) }
    };
    let rows = state.listeners.iter().filter(wanted).map(|(arn, _)| shown(cloud, arn)).collect();
    page::page(rows, "Listeners", input)
}

pub fn modify(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "ListenerArn");
    http_only(input)?;
    let before = cloud.state.elbv2.listeners.get(arn).ok_or_else(|| not_found(arn))?.clone();
    let mut listener = before.clone();
    if let Some(port) = port(input)? {
        free(cloud, port, Some(arn))?;
        listener.port = port;
    }
    if !input["DefaultActions"].is_null() {
        listener.action = actions::parse(cloud, &input["DefaultActions"])?;
    }
    cloud.state.elbv2.listeners.insert(arn.to_owned(), listener);
    changed(cloud, arn, Some(&before.action));
    Ok(json!({ "Listeners": [shown(cloud, arn)] }))
}

pub fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "ListenerArn");
    let state = &mut cloud.state.elbv2;
    state.listeners.remove(arn).ok_or_else(|| not_found(arn))?;
    state.rules.retain(|_, rule| rule.listener != arn);
    state.tags.remove(arn);
    cloud.effect(Effect::Routes);
    Ok(json!({}))
}

pub fn not_found(arn: &str) -> Fault {
    Fault::new("ListenerNotFoundException", format!("One or more listeners not found: '{arn}'"))
}

fn http_only(input: &Value) -> Result<(), Fault> {
    match text(input, "Protocol") {
        "" | "HTTP" => Ok(()),
        other => Err(Fault::not_modelled(format!("elbv2 listeners with protocol {other}; use HTTP"))),
    }
}

fn port(input: &Value) -> Result<Option<u16>, Fault> {
    let Some(port) = input["Port"].as_u64() else { return Ok(None) };
    u16::try_from(port).map(Some).map_err(|_| validation(format!("port {port} is not from 1 to 65535")))
}

/// A listener's port is one of this machine: it can be had once.
fn free(cloud: &Cloud, port: u16, except: Option<&str>) -> Result<(), Fault> {
    let taken = cloud.state.elbv2.listeners.iter().find(|(_, listener)| listener.port == port);
    match taken {
        Some((arn, _)) if Some(arn.as_str()) == except => Ok(()),
        Some((arn, _)) => {
            let message =
                format!("A listener already exists on this port: {arn} (one machine, one port {port})");
            Err(Fault::new("DuplicateListenerException", message))
        }
        None if (cloud.settings.port_is_free)(port) => Ok(()),
        None => {
            let message =
                format!("port {port} of this machine is in use by another program; choose another one");
            Err(Fault::new("InvalidConfigurationRequestException", message))
        }
    }
}

fn shown(cloud: &Cloud, arn: &str) -> Value {
    let Some(listener) = cloud.state.elbv2.listeners.get(arn) else { return Value::Null };
    json!({
        "ListenerArn": arn,
        "LoadBalancerArn": listener.load_balancer,
        "Port": listener.port,
        "Protocol": "HTTP",
        "DefaultActions": actions::shown(&listener.action),
    })
}

/// After each change of where requests go: the timeline, the proxy, and the health
/// checks of groups that are used now.
pub fn changed(cloud: &mut Cloud, arn: &str, before: Option<&Action>) {
    let Some(listener) = cloud.state.elbv2.listeners.get(arn) else { return };
    let (port, action) = (listener.port, listener.action.clone());
    let groups = actions::groups(&action).to_vec();
    if before != Some(&action) {
        let parts: Vec<_> =
            groups.iter().map(|(group, weight)| format!("{} {weight}", target_groups::name(group))).collect();
        let text = format!(
            "listener :{port} → {}",
            if parts.is_empty() { "a response of its own".into() } else { parts.join(", ") }
        );
        let weights: serde_json::Map<_, _> = groups.iter().map(|(g, w)| (g.clone(), json!(w))).collect();
        cloud.note(Kind::Traffic, text, json!({ "listener": arn, "port": port, "weights": weights }));
    }
    for (group, _) in &groups {
        targets::check_all(cloud, group);
    }
    cloud.effect(Effect::Routes);
}

// For the other services.

pub(crate) fn listener_exists(cloud: &Cloud, listener: &str) -> bool {
    cloud.state.elbv2.listeners.contains_key(listener)
}

/// Target groups and weights that a listener's default action forwards to.
pub(crate) fn forward(cloud: &Cloud, listener: &str) -> Vec<(String, u32)> {
    let listener = cloud.state.elbv2.listeners.get(listener);
    listener.map(|l| actions::groups(&l.action).to_vec()).unwrap_or_default()
}

/// Sets them, in the default action and in the listener's rules that forward to one of
/// these groups. Errors: no such listener or group.
pub(crate) fn set_forward(cloud: &mut Cloud, listener: &str, weights: &[(String, u32)]) -> Result<(), Fault> {
    for (group, _) in weights {
        target_groups::get(cloud, group)?;
    }
    let state = &mut cloud.state.elbv2;
    let action = Action::Forward(weights.to_vec());
    let found = state.listeners.get_mut(listener).ok_or_else(|| not_found(listener))?;
    let before = std::mem::replace(&mut found.action, action.clone());
    for rule in state.rules.values_mut().filter(|rule| rule.listener == listener) {
        if actions::groups(&rule.action).iter().any(|(g, _)| weights.iter().any(|(group, _)| group == g)) {
            rule.action = action.clone();
        }
    }
    changed(cloud, listener, Some(&before));
    Ok(())
}
