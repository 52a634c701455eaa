//! What `releases.yaml` says of the answers to smoke requests.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::cursor::Value;
use super::super::values;
use super::super::{Comparison, JsonPath, JsonTest, Repeat, Test, Version};

/// One status, a range, or a list of these.
pub(super) fn status(value: Value<'_>) -> Option<Vec<RangeInclusive<u16>>> {
    if value.is_list() {
        return value.filled_list(one_status);
    }
    Some(vec![one_status(value)?])
}

fn one_status(value: Value<'_>) -> Option<RangeInclusive<u16>> {
    if value.is_text() {
        return value.parsed(values::statuses);
    }
    value.number(100, 599).map(|status| status..=status)
}

pub(super) fn json(value: Value<'_>) -> Option<Vec<JsonTest>> {
    value.mapping()?.each(|key, value| {
        let path = JsonPath::new(key).map_err(|what| value.fault(what)).ok();
        // What a member must be is always told literally.
        let tests = if key.starts_with('$') && value.is_mapping() {
            comparisons(value)
        } else {
            value.json().map(|literal| vec![Comparison::Equals(literal)])
        };
        Some(JsonTest { path: path?, test: Test { tests: tests? } })
    })
}

fn comparisons(value: Value<'_>) -> Option<Vec<Comparison>> {
    let fields = value.fields(&["equals", "matches", "at-least", "at-most", "above", "below"])?;
    if fields.is_empty() {
        value.fault("compares with nothing; write one like { at-least: 1 }, or { equals: {} }");
        return None;
    }
    fields.each(|key, value| {
        Some(match key {
            "equals" => Comparison::Equals(value.json()?),
            "matches" => Comparison::Matches(value.pattern()?),
            "at-least" => Comparison::AtLeast(value.float()?),
            "at-most" => Comparison::AtMost(value.float()?),
            "above" => Comparison::Above(value.float()?),
            "below" => Comparison::Below(value.float()?),
            _ => return None,
        })
    })
}

/// `max_time` is None if that has a fault of its own.
pub(super) fn repeat(value: Value<'_>, max_time: Option<Duration>) -> Option<Repeat> {
    let fields = value.fields(&["times", "failures", "p95"])?;
    let times = fields.required_as("times", "is missing; write how often, from 2 to 1000");
    let times = times.and_then(|value| value.number(2, 1000));
    let failures = fields.or("failures", 0, |value| {
        let failures = value.number(0, 999)?;
        if times.is_some_and(|times| failures >= times) {
            value.fault("lets all of them fail; write less than times");
        }
        Some(failures)
    });
    let p95 = fields.or("p95", None, |value| {
        let p95 = value.duration_above_zero()?;
        if max_time.is_some_and(|max_time| p95 > max_time) {
            value.fault("is longer than max-time, after which an answer fails; write less, or raise that");
        }
        Some(Some(p95))
    });
    Some(Repeat { times: times?.into(), failures: failures?.into(), p95: p95? })
}

pub(super) fn version(value: Value<'_>) -> Option<Version> {
    const KEYS: [&str; 3] = ["header", "json", "body"];
    let none = "says not where the version stands; write { header: x-version }, { json: $.version } or \
                { body: 'version ([^ ]+)' }";
    let fields = value.fields(&KEYS)?;
    let (key, value) = fields.one_of(&KEYS, none)?;
    match key {
        "header" => {
            let header = value.parsed(|text| values::header_name(text).map(|()| text.to_owned()));
            header.map(Version::Header)
        }
        "json" => value.parsed(JsonPath::new).map(Version::Json),
        _ => value.pattern().map(Version::Body),
    }
}
