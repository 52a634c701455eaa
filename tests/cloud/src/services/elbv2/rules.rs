//! Rules of listeners, by path and host.

use serde_json::{Value, json};

use super::{Listener, Rule, actions, listeners, page, tags, targets, text, texts, validation};
use crate::cloud::Cloud;
use crate::effect::Effect;
use crate::fault::Fault;

pub fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let listener = text(input, "ListenerArn");
    if !cloud.state.elbv2.listeners.contains_key(listener) {
        return Err(listeners::not_found(listener));
    }
    let priority = input["Priority"].as_u64().and_then(|p| u32::try_from(p).ok()).unwrap_or_default();
    if cloud.state.elbv2.rules.values().any(|r| r.listener == listener && r.priority == priority) {
        let message = format!("Priority '{priority}' is currently in use");
        return Err(Fault::new("PriorityInUseException", message));
    }
    let (hosts, paths) = conditions(input)?;
    let action = actions::parse(cloud, &input["Actions"])?;
    let id = format!("{}/{}", listener.replace(":listener/", ":listener-rule/"), cloud.ids.hex(16));
    let rule = Rule { listener: listener.to_owned(), priority, hosts, paths, action };
    cloud.state.elbv2.rules.insert(id.clone(), rule);
    tags::put(cloud, &id, input);
    changed(cloud, &id);
    Ok(json!({ "Rules": [shown(cloud, &id)] }))
}

pub fn describe(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let (listener, arns) = (text(input, "ListenerArn"), texts(input, "RuleArns"));
    let state = &cloud.state.elbv2;
    if listener.is_empty() && arns.is_empty() {
        return Err(validation("Either a listener or a rule must be specified"));
    }
    if let Some(missing) = arns.iter().find(|arn| !state.rules.contains_key(*arn)) {
        return Err(not_found(missing));
    }
    let mut rules: Vec<_> = state
        .rules
        .iter()
        .filter(|(arn, rule)| if arns.is_empty() { rule.listener == listener } else { arns.contains(arn) })
        .collect();
    rules.sort_by_key(|(_, rule)| rule.priority);
    let mut rows: Vec<_> = rules.into_iter().map(|(arn, _)| shown(cloud, arn)).collect();
    if !listener.is_empty() {
        let found = state.listeners.get(listener).ok_or_else(|| listeners::not_found(listener))?;
        rows.push(default_rule(listener, found));
    }
    page::page(rows, "Rules", input)
}

pub fn modify(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "RuleArn");
    let mut rule = cloud.state.elbv2.rules.get(arn).ok_or_else(|| not_found(arn))?.clone();
    if !input["Conditions"].is_null() {
        (rule.hosts, rule.paths) = conditions(input)?;
    }
    if !input["Actions"].is_null() {
        rule.action = actions::parse(cloud, &input["Actions"])?;
    }
    cloud.state.elbv2.rules.insert(arn.to_owned(), rule);
    changed(cloud, arn);
    Ok(json!({ "Rules": [shown(cloud, arn)] }))
}

pub fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let arn = text(input, "RuleArn");
    cloud.state.elbv2.rules.remove(arn).ok_or_else(|| not_found(arn))?;
    cloud.state.elbv2.tags.remove(arn);
    cloud.effect(Effect::Routes);
    Ok(json!({}))
}

fn not_found(arn: &str) -> Fault {
    Fault::new("RuleNotFoundException", format!("One or more rules not found: '{arn}'"))
}

/// Patterns of hosts and of paths.
fn conditions(input: &Value) -> Result<(Vec<String>, Vec<String>), Fault> {
    let (mut hosts, mut paths) = (Vec::new(), Vec::new());
    for condition in input["Conditions"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let (into, config) = match text(condition, "Field") {
            "host-header" => (&mut hosts, "HostHeaderConfig"),
            "path-pattern" => (&mut paths, "PathPatternConfig"),
            other => return Err(Fault::not_modelled(format!("elbv2 rule conditions on '{other}'"))),
        };
        into.extend(texts(condition, "Values"));
        into.extend(texts(&condition[config], "Values"));
        if into.is_empty() {
            return Err(validation("A condition value must be specified"));
        }
    }
    if hosts.is_empty() && paths.is_empty() {
        return Err(validation("A condition must be specified"));
    }
    Ok((hosts.iter().map(|host| host.to_lowercase()).collect(), paths))
}

fn changed(cloud: &mut Cloud, arn: &str) {
    let groups = cloud.state.elbv2.rules.get(arn).map(|rule| actions::groups(&rule.action).to_vec());
    for (group, _) in groups.unwrap_or_default() {
        targets::check_all(cloud, &group);
    }
    cloud.effect(Effect::Routes);
}

fn shown(cloud: &Cloud, arn: &str) -> Value {
    let Some(rule) = cloud.state.elbv2.rules.get(arn) else { return Value::Null };
    let condition = |field: &str, config: &str, values: &[String]| {
        (!values.is_empty())
            .then(|| json!({ "Field": field, "Values": values, config: { "Values": values } }))
    };
    let conditions: Vec<_> = [
        condition("host-header", "HostHeaderConfig", &rule.hosts),
        condition("path-pattern", "PathPatternConfig", &rule.paths),
    ]
    .into_iter()
    .flatten()
    .collect();
    json!({
        "RuleArn": arn, "Priority": rule.priority.to_string(), "Conditions": conditions,
        "Actions": actions::shown(&rule.action), "IsDefault": false,
    })
}

fn default_rule(arn: &str, listener: &Listener) -> Value {
    json!({
        "RuleArn": format!("{}/default", arn.replace(":listener/", ":listener-rule/")),
        "Priority": "default", "Conditions": [], "Actions": actions::shown(&listener.action), "IsDefault": true,
    })
}
