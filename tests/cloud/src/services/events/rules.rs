//! Rules: patterns and rates.

use serde_json::{Value, json};

use super::{Rule, Timer, arn, page, parsed, rule};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::tags;
use crate::time::{DAY, HOUR, MINUTE, Ms};

fn text<'a>(input: &'a Value, member: &str) -> &'a str {
    input[member].as_str().unwrap_or_default()
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message)
}

pub fn put(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = text(input, "Name");
    let pattern_text = input["EventPattern"].as_str().map(str::to_owned);
    let schedule = input["ScheduleExpression"].as_str().map(str::to_owned);
    if pattern_text.is_none() && schedule.is_none() {
        return Err(invalid("Parameter(s) EventPattern or ScheduleExpression must be specified."));
    }
    let pattern = pattern_text.as_deref().map(parsed).transpose()?;
    let period = schedule.as_deref().map(rate).transpose()?;
    let enabled = match text(input, "State") {
        "" | "ENABLED" => true,
        "DISABLED" => false,
        other => return Err(Fault::not_modelled(format!("events:PutRule with state {other}"))),
    };
    let before = cloud.state.events.rules.remove(name);
    let version = cloud.ids.between(1, u64::MAX);
    let rule = Rule {
        pattern,
        pattern_text,
        schedule,
        period,
        enabled,
        description: input["Description"].as_str().map(str::to_owned),
        role: input["RoleArn"].as_str().map(str::to_owned),
        tags: before.as_ref().map_or_else(|| tags::from_list(&input["Tags"]), |rule| rule.tags.clone()),
        targets: before.map(|rule| rule.targets).unwrap_or_default(),
        version,
    };
    cloud.state.events.rules.insert(name.to_owned(), rule);
    schedule_next(cloud, name);
    Ok(json!({ "RuleArn": arn(cloud, name) }))
}

/// The period of `rate(5 minutes)`.
fn rate(expression: &str) -> Result<Ms, Fault> {
    if expression.starts_with("cron(") {
        return Err(Fault::not_modelled("events:PutRule with a cron() schedule; use rate()"));
    }
    let wrong = || invalid("Parameter ScheduleExpression is not valid.");
    let inner = expression.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')')).ok_or_else(wrong)?;
    let (count, unit) = inner.split_once(' ').ok_or_else(wrong)?;
    let count: u64 = count.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
    let unit = match (unit, count) {
        ("minute", 1) | ("minutes", 2..) => MINUTE,
        ("hour", 1) | ("hours", 2..) => HOUR,
        ("day", 1) | ("days", 2..) => DAY,
        _ => return Err(wrong()),
    };
    Ok(count * unit)
}

pub fn schedule_next(cloud: &mut Cloud, name: &str) {
    let Some(rule) = cloud.state.events.rules.get(name).filter(|rule| rule.enabled) else { return };
    if let Some(period) = rule.period {
        let version = rule.version;
        cloud.after(period, Timer::Due { rule: name.to_owned(), version });
    }
}

pub fn describe(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = text(input, "Name").to_owned();
    let (arn, owner) = (arn(cloud, &name), cloud.settings.account.clone());
    let mut shown = shown(&name, &arn, rule(cloud, &name)?);
    shown["CreatedBy"] = json!(owner);
    Ok(shown)
}

pub fn list(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let prefix = text(input, "NamePrefix");
    let rules = cloud.state.events.rules.iter().filter(|(name, _)| name.starts_with(prefix));
    page(rules.map(|(name, rule)| shown(name, &arn(cloud, name), rule)).collect(), "Rules", input)
}

fn shown(name: &str, arn: &str, rule: &Rule) -> Value {
    json!({
        "Name": name, "Arn": arn, "EventPattern": rule.pattern_text, "ScheduleExpression": rule.schedule,
        "State": if rule.enabled { "ENABLED" } else { "DISABLED" }, "Description": rule.description,
        "RoleArn": rule.role, "EventBusName": "default",
    })
}

pub fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = text(input, "Name");
    if cloud.state.events.rules.get(name).is_some_and(|rule| !rule.targets.is_empty()) {
        return Err(invalid("Rule can't be deleted since it has targets."));
    }
    cloud.state.events.rules.remove(name);
    Ok(json!({}))
}

pub fn enable(cloud: &mut Cloud, input: &Value, enabled: bool) -> Result<Value, Fault> {
    let name = text(input, "Name").to_owned();
    let version = cloud.ids.between(1, u64::MAX);
    let rule = rule(cloud, &name)?;
    (rule.enabled, rule.version) = (enabled, version);
    schedule_next(cloud, &name);
    Ok(json!({}))
}

fn tagged<'a>(cloud: &'a mut Cloud, input: &Value) -> Result<&'a mut Rule, Fault> {
    let resource = text(input, "ResourceARN");
    rule(cloud, resource.rsplit('/').next().unwrap_or(resource))
}

pub fn tag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    tagged(cloud, input)?.tags.extend(tags::from_list(&input["Tags"]));
    Ok(json!({}))
}

pub fn untag(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    tags::remove(&mut tagged(cloud, input)?.tags, &input["TagKeys"]);
    Ok(json!({}))
}

pub fn list_tags(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    Ok(json!({ "Tags": tags::to_list(&tagged(cloud, input)?.tags) }))
}
