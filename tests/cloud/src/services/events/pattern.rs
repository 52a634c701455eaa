//! Event patterns: which events a rule takes.
//!
//! As the EventBridge user guide describes them: every leaf is a list of which one
//! element must fit; a list in the event fits if one of its elements does. What
//! [`check`](super::pattern_check::check) refuses never gets here.

use serde_json::{Map, Value};

use super::wildcard;

/// Whether an event fits a pattern that has been checked.
pub fn matches(pattern: &Value, event: &Value) -> bool {
    let Some(fields) = pattern.as_object() else { return false };
    fields.iter().all(|(name, wanted)| match (name.as_str(), wanted) {
        ("$or", Value::Array(alternatives)) => alternatives.iter().any(|one| matches(one, event)),
        (_, Value::Object(_)) => match event.get(name) {
            Some(Value::Array(items)) if !items.is_empty() => items.iter().any(|item| matches(wanted, item)),
            Some(inner) => matches(wanted, inner),
            None => absent(wanted),
        },
        (_, Value::Array(choices)) => {
            let found = event.get(name);
            choices.iter().any(|choice| fits(choice, found))
        }
        _ => false,
    })
}

/// A nested pattern fits what is not there if all it asks is that things are not there.
fn absent(pattern: &Value) -> bool {
    matches(pattern, &Value::Object(Map::new()))
}

fn fits(choice: &Value, found: Option<&Value>) -> bool {
    if let Some(exists) = choice.get("exists").and_then(Value::as_bool) {
        return found.is_some_and(is_leaf) == exists;
    }
    match found {
        None => false,
        Some(Value::Array(items)) => items.iter().any(|item| fits_one(choice, item)),
        Some(value) => fits_one(choice, value),
    }
}

/// `exists` works on leaves only: an object is none, whatever it holds.
fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Object(_) => false,
        Value::Array(items) => items.is_empty() || items.iter().any(is_leaf),
        _ => true,
    }
}

fn fits_one(choice: &Value, value: &Value) -> bool {
    let Some(operator) = choice.as_object() else { return choice == value };
    operator.iter().all(|(name, operand)| fits_operator(name, operand, value))
}

fn fits_operator(name: &str, operand: &Value, value: &Value) -> bool {
    match name {
        "prefix" => text_test(operand, value, |text, part| text.starts_with(part)),
        "suffix" => text_test(operand, value, |text, part| text.ends_with(part)),
        "equals-ignore-case" => {
            text_test(operand, value, |text, part| text.to_lowercase() == part.to_lowercase())
        }
        "wildcard" => text_test(operand, value, |text, part| wildcard::fits(part, text)),
        "numeric" => value.as_f64().is_some_and(|number| numeric(operand, number)),
        "cidr" => cidr(operand, value),
        "anything-but" => !but(operand, value),
        _ => false,
    }
}

/// An operand is a text, or for prefix and suffix `{"equals-ignore-case": text}`.
fn text_test(operand: &Value, value: &Value, test: impl Fn(&str, &str) -> bool) -> bool {
    let Some(text) = value.as_str() else { return false };
    match (operand.as_str(), operand.get("equals-ignore-case").and_then(Value::as_str)) {
        (Some(part), _) => test(text, part),
        (None, Some(part)) => test(&text.to_lowercase(), &part.to_lowercase()),
        _ => false,
    }
}

fn numeric(operand: &Value, number: f64) -> bool {
    let parts = operand.as_array().map(Vec::as_slice).unwrap_or_default();
    parts.chunks(2).all(|pair| {
        let (Some(sign), Some(bound)) = (pair[0].as_str(), pair.get(1).and_then(Value::as_f64)) else {
            return false;
        };
        match sign {
            "=" => (number - bound).abs() < f64::EPSILON,
            "<" => number < bound,
            "<=" => number <= bound,
            ">" => number > bound,
            ">=" => number >= bound,
            _ => false,
        }
    })
}

/// What `anything-but` refuses: a value, a list of them, or an operator over one or several.
fn but(operand: &Value, value: &Value) -> bool {
    match operand {
        Value::Array(items) => items.contains(value),
        Value::Object(operator) => operator.iter().any(|(name, operand)| match operand {
            Value::Array(items) => items.iter().any(|item| fits_operator(name, item, value)),
            single => fits_operator(name, single, value),
        }),
        single => single == value,
    }
}

fn cidr(operand: &Value, value: &Value) -> bool {
    use std::net::IpAddr;
    let parsed = operand.as_str().and_then(|text| text.split_once('/'));
    let Some((network, bits)) = parsed else { return false };
    let address = value.as_str().and_then(|text| text.parse::<IpAddr>().ok());
    match (network.parse::<IpAddr>(), bits.parse::<u32>(), address) {
        (Ok(IpAddr::V4(network)), Ok(bits @ 0..=32), Some(IpAddr::V4(address))) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(network) & mask == u32::from(address) & mask
        }
        (Ok(IpAddr::V6(network)), Ok(bits @ 0..=128), Some(IpAddr::V6(address))) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(network) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::super::pattern_check::check;
    use super::matches;

    /// Every sample of `tests/events`, by name.
    fn samples() -> BTreeMap<String, Value> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let read = |path: std::path::PathBuf| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap())
        };
        files.filter(|path| path.extension().is_some_and(|e| e == "json")).map(read).collect()
    }

    fn table() -> Vec<(Value, Vec<&'static str>)> {
        vec![
            (
                json!({ "source": ["aws.ecr"], "detail-type": ["ECR Image Action"],
                    "detail": { "action-type": ["PUSH"], "result": ["SUCCESS"], "image-tag": [{ "anything-but": "" }] } }),
                vec!["ecr-image-action-push-media-types", "ecr-image-action-push-tag"],
            ),
            (
                json!({ "source": ["aws.ecr"], "detail": { "image-tag": ["", { "exists": false }] } }),
                vec![
                    "ecr-image-action-push-empty-tag",
                    "ecr-image-scan-basic",
                    "ecr-referrer-action-restore",
                ],
            ),
            (
                json!({ "detail": { "finding-severity-counts": { "CRITICAL": [{ "numeric": [">", 7] }] } } }),
                vec!["ecr-image-scan-basic"],
            ),
            (
                json!({ "detail-type": [{ "suffix": " Scan" }], "detail": { "scan-status": [{ "wildcard": "*COMPLETE" }] } }),
                vec!["ecr-image-scan-basic", "inspector2-scan-complete"],
            ),
            (
                json!({ "detail-type": ["CloudWatch Alarm State Change"], "detail": { "state": { "value": ["ALARM"] } } }),
                vec![
                    "cloudwatch-alarm-state-composite",
                    "cloudwatch-alarm-state-metric",
                    "cloudwatch-alarm-state-metric-math",
                ],
            ),
            (
                json!({ "source": ["aws.cloudwatch"], "detail": { "configuration": { "alarmRule": [{ "exists": true }] } } }),
                vec!["cloudwatch-alarm-configuration-change-create", "cloudwatch-alarm-state-composite"],
            ),
            (
                json!({ "detail": { "configuration": { "metrics": { "metricStat": { "metric": { "name": ["NetworkOut"] } } } } } }),
                vec!["cloudwatch-alarm-state-metric-math"],
            ),
            (
                json!({ "source": ["aws.codedeploy"], "detail": { "state": [{ "anything-but": ["START", "READY"] }] },
                    "resources": [{ "suffix": ":todolist-codeDeploy" }] }),
                vec!["codedeploy-deployment-success-seoul"],
            ),
            (
                json!({ "detail": { "eventName": [{ "prefix": "SERVICE_DEPLOYMENT_" }], "reason": [{ "wildcard": "*circuit breaker*" }] } }),
                vec!["ecs-deployment-failed"],
            ),
            (
                json!({ "detail": { "containers": { "exitCode": [0], "lastStatus": ["STOPPED"] }, "startedBy": [{ "prefix": "ecs-svc/" }] } }),
                vec!["ecs-task-state-stopped-fargate-observed"],
            ),
            (
                json!({ "source": ["aws.events"], "resources": [{ "wildcard": "*:rule/my-*" }] }),
                vec!["eventbridge-rule-schedule"],
            ),
            (
                json!({ "$or": [{ "source": ["aws.events"] }, { "detail": { "action-type": ["DELETE"] } }] }),
                vec!["ecr-image-action-delete", "eventbridge-rule-schedule"],
            ),
            (json!({ "detail": { "source-region": ["us-west-2"] } }), vec!["ecr-replication-action-success"]),
            (
                json!({ "detail-type": [{ "equals-ignore-case": "ecr image action" }], "region": ["eu-central-1"] }),
                vec!["ecr-image-action-push-media-types"],
            ),
            (json!({ "detail-type": ["ECR image action"] }), vec![]),
        ]
    }

    #[test]
    fn patterns_take_the_real_events_they_mean_and_no_others() {
        let samples = samples();
        assert!(samples.len() >= 27, "{} samples", samples.len());
        for (pattern, expected) in table() {
            assert_eq!(check(&pattern), Ok(()), "{pattern}");
            let taken: Vec<_> = samples
                .iter()
                .filter(|(_, event)| matches(&pattern, event))
                .map(|(name, _)| name.as_str())
                .collect();
            assert_eq!(taken, expected, "{pattern}");
        }
    }

    #[test]
    fn every_real_event_fits_a_pattern_made_of_its_own_fields() {
        for (name, event) in samples().iter().filter(|(_, event)| event.get("detail-type").is_some()) {
            let own = json!({
                "source": [event["source"]], "detail-type": [event["detail-type"]], "account": [event["account"]],
                "region": [event["region"]], "time": [event["time"]],
            });
            assert!(check(&own).is_ok() && matches(&own, event), "{name}");
        }
    }

    #[test]
    fn each_operator_fits_and_refuses() {
        let table = [
            (json!({ "a": [{ "prefix": "x" }] }), json!({ "a": "xy" }), true),
            (json!({ "a": [{ "prefix": { "equals-ignore-case": "X" } }] }), json!({ "a": "xy" }), true),
            (json!({ "a": [{ "suffix": ".png" }] }), json!({ "a": "b.jpg" }), false),
            (json!({ "a": [{ "equals-ignore-case": "ALARM" }] }), json!({ "a": "alarm" }), true),
            (json!({ "a": [{ "wildcard": "b*c" }] }), json!({ "a": "bxxc" }), true),
            (json!({ "a": [{ "wildcard": "b?c" }] }), json!({ "a": "bxc" }), false),
            (json!({ "a": [{ "wildcard": "b\\*c" }] }), json!({ "a": "bxc" }), false),
            (json!({ "a": [{ "wildcard": "b\\*c" }] }), json!({ "a": "b*c" }), true),
            (json!({ "a": [{ "numeric": [">", 0, "<=", 5] }] }), json!({ "a": 5 }), true),
            (json!({ "a": [{ "numeric": [">", 0, "<=", 5] }] }), json!({ "a": 5.1 }), false),
            (json!({ "a": [{ "numeric": ["=", 5] }] }), json!({ "a": "5" }), false),
            (json!({ "a": [{ "cidr": "10.0.0.0/24" }] }), json!({ "a": "10.0.0.255" }), true),
            (json!({ "a": [{ "cidr": "10.0.0.0/24" }] }), json!({ "a": "10.0.1.0" }), false),
            (json!({ "a": [{ "cidr": "2001:db8::/32" }] }), json!({ "a": "2001:db8::1" }), true),
            (json!({ "a": [{ "exists": false }] }), json!({}), true),
            (json!({ "a": { "b": [{ "exists": false }] } }), json!({}), true),
            (json!({ "a": { "b": [{ "exists": false }] } }), json!({ "a": [] }), true),
            (json!({ "a": [{ "exists": true }] }), json!({ "b": 1 }), false),
            (json!({ "a": [{ "exists": true }] }), json!({ "a": null }), true),
            (json!({ "a": [{ "exists": true }] }), json!({ "a": { "b": 1 } }), false),
            (json!({ "a": [{ "anything-but": { "prefix": "x" } }] }), json!({ "a": "xy" }), false),
            (json!({ "a": [{ "anything-but": { "suffix": ["x", "y"] } }] }), json!({ "a": "xy" }), false),
            (json!({ "a": [{ "anything-but": "x" }] }), json!({}), false),
            (json!({ "a": [{ "anything-but": ["x", "y"] }] }), json!({ "a": ["x", "z"] }), true),
            (json!({ "a": [{ "anything-but": 1 }] }), json!({ "a": "1" }), true),
            (json!({ "a": [{ "anything-but": { "wildcard": ["x*", "y*"] } }] }), json!({ "a": "z" }), true),
            (json!({ "a": [1, "2", null] }), json!({ "a": null }), true),
            (json!({ "a": [300] }), json!({ "a": 300.0 }), false),
            (json!({ "a": ["x"] }), json!({ "a": ["y", "x"] }), true),
            (json!({ "a": { "b": ["x"], "c": ["y"] } }), json!({ "a": [{ "b": "x" }, { "c": "y" }] }), false),
            (json!({ "$or": [{ "a": ["x"] }, { "b": ["y"] }] }), json!({ "b": "y" }), true),
            (json!({ "$or": [{ "a": ["x"] }, { "b": ["y"] }] }), json!({ "b": "z" }), false),
        ];
        for (pattern, event, expected) in table {
            assert_eq!(check(&pattern), Ok(()), "{pattern}");
            assert_eq!(matches(&pattern, &event), expected, "{pattern} {event}");
        }
    }
}
