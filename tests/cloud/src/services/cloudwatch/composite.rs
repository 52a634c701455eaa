//! Composite alarms: rules over other alarms' states.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Condition, alarm_arn, alarm_state, change, text, validation};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{Ms, iso_offset};

#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    Is { alarm: String, state: &'static str },
    Constant(bool),
    Not(Box<Rule>),
    And(Box<Rule>, Box<Rule>),
    Or(Box<Rule>, Box<Rule>),
}

impl Rule {
    pub fn parse(rule: &str) -> Result<Self, Fault> {
        let wrong = |at: &str| validation(format!("AlarmRule contains invalid syntax near '{at}'"));
        let (parsed, rest) = either(rule).map_err(wrong)?;
        if rest.trim().is_empty() { Ok(parsed) } else { Err(wrong(rest)) }
    }

    pub fn holds(&self, state_of: &impl Fn(&str) -> Option<String>) -> bool {
        match self {
            Self::Is { alarm, state } => state_of(alarm).as_deref() == Some(*state),
            Self::Constant(value) => *value,
            Self::Not(rule) => !rule.holds(state_of),
            Self::And(a, b) => a.holds(state_of) && b.holds(state_of),
            Self::Or(a, b) => a.holds(state_of) || b.holds(state_of),
        }
    }

    /// The alarms it names.
    pub fn alarms(&self) -> BTreeSet<String> {
        match self {
            Self::Is { alarm, .. } => BTreeSet::from([alarm.clone()]),
            Self::Constant(_) => BTreeSet::new(),
            Self::Not(rule) => rule.alarms(),
            Self::And(a, b) | Self::Or(a, b) => a.alarms().union(&b.alarms()).cloned().collect(),
        }
    }
}

/// What was read and what is left, or where it went wrong.
type Read<'a> = Result<(Rule, &'a str), &'a str>;

fn word<'a>(rest: &'a str, word: &str) -> Option<&'a str> {
    let rest = rest.trim_start();
    let after = rest.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word))?;
    let rest = &rest[after.len()..];
    let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    (ends || word == "(" || word == ")").then_some(rest)
}

fn either(rest: &str) -> Read<'_> {
    let (mut left, mut rest) = both(rest)?;
    while let Some(after) = word(rest, "OR") {
        let (right, after) = both(after)?;
        (left, rest) = (Rule::Or(left.into(), right.into()), after);
    }
    Ok((left, rest))
}

fn both(rest: &str) -> Read<'_> {
    let (mut left, mut rest) = operand(rest)?;
    while let Some(after) = word(rest, "AND") {
        let (right, after) = operand(after)?;
        (left, rest) = (Rule::And(left.into(), right.into()), after);
    }
    Ok((left, rest))
}

fn operand(rest: &str) -> Read<'_> {
    if let Some(after) = word(rest, "NOT") {
        let (rule, after) = operand(after)?;
        return Ok((Rule::Not(rule.into()), after));
    }
    if let Some(after) = word(rest, "(") {
        let (rule, after) = either(after)?;
        return Ok((rule, word(after, ")").ok_or(after)?));
    }
    for (name, value) in [("TRUE", true), ("FALSE", false)] {
        if let Some(after) = word(rest, name) {
            return Ok((Rule::Constant(value), after));
        }
    }
    for state in ["ALARM", "OK", "INSUFFICIENT_DATA"] {
        if let Some(after) = word(rest, state).and_then(|after| word(after, "(")) {
            return named(after, state);
        }
    }
    Err(rest)
}

/// An alarm's name or ARN, quoted if it must, and the parenthesis after it.
fn named<'a>(rest: &'a str, state: &'static str) -> Read<'a> {
    let rest = rest.trim_start();
    let (name, after) = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or(rest)?,
        None => rest.split_at(rest.find(')').ok_or(rest)?),
    };
    let name = name.trim();
    let name = name.split_once(":alarm:").map_or(name, |(_, name)| name);
    let after = word(after, ")").ok_or(after)?;
    if name.is_empty() { Err(rest) } else { Ok((Rule::Is { alarm: name.to_owned(), state }, after)) }
}

/// The rule of a composite alarm that is there.
pub fn rule_of(cloud: &Cloud, name: &str) -> Option<Rule> {
    let alarm = cloud.state.cloudwatch.alarms.get(name).filter(|alarm| alarm.composite)?;
    Rule::parse(text(&alarm.config, "AlarmRule")).ok()
}

/// Composite alarms over this one, by name.
pub fn parents(cloud: &Cloud, name: &str) -> Vec<String> {
    let alarms = cloud.state.cloudwatch.alarms.keys();
    let over = |parent: &&String| rule_of(cloud, parent).is_some_and(|rule| rule.alarms().contains(name));
    alarms.filter(over).cloned().collect()
}

/// Brings composite alarms over a changed one up to date.
pub fn child_changed(cloud: &mut Cloud, child: &str) {
    let arn = alarm_arn(cloud, child);
    let value = alarm_state(cloud, child).unwrap_or("INSUFFICIENT_DATA").to_owned();
    let reason = format!("{arn} transitioned to {value} at {}", spoken(cloud.now));
    for parent in parents(cloud, child) {
        update(cloud, &parent, &[child.to_owned()], |_| reason.clone());
    }
}

/// Works out a composite alarm that was just created or updated.
pub fn put(cloud: &mut Cloud, name: &str, done: &str) {
    let Some(rule) = rule_of(cloud, name) else { return };
    let arn = alarm_arn(cloud, name);
    let children: Vec<String> = rule.alarms().into_iter().collect();
    let reason = |value: &str| format!("{arn} was {done} and its alarm rule evaluates to {value}");
    update(cloud, name, &children, reason);
}

fn update(cloud: &mut Cloud, name: &str, because_of: &[String], reason: impl Fn(&str) -> String) {
    let Some(rule) = rule_of(cloud, name) else { return };
    let red = rule.holds(&|alarm: &str| alarm_state(cloud, alarm).map(str::to_owned));
    let value = if red { "ALARM" } else { "OK" };
    if alarm_state(cloud, name) == Some(value) {
        return;
    }
    let states = &cloud.state.cloudwatch.alarms;
    let triggering = because_of.iter().filter_map(|child| {
        let state = &states.get(child)?.state;
        let state = json!({ "value": state.value, "timestamp": iso_offset(state.since) });
        Some(json!({ "arn": alarm_arn(cloud, child), "state": state }))
    });
    let data = json!({ "triggeringAlarms": triggering.collect::<Vec<_>>() }).to_string();
    let reason_data = (data.len() <= 4_000).then_some(data);
    let condition = Condition { value: value.into(), reason: reason(value), reason_data, since: cloud.now };
    change::change(cloud, name, condition);
}

/// `Friday 22 July, 2022 15:57:45 UTC`
fn spoken(at: Ms) -> String {
    let at = i64::try_from(at).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    let at = at.unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    at.strftime("%A %d %B, %Y %H:%M:%S UTC").to_string()
}
