//! Event patterns: which events a rule takes.
//!
//! As the EventBridge user guide describes them: every leaf is a list of which one
//! element must fit; a list in the event fits if one of its elements does.

use serde_json::{Map, Value};

use crate::glob;

/// Whether an event fits a pattern that [`check`] accepts.
pub fn matches(pattern: &Value, event: &Value) -> bool {
    let Some(fields) = pattern.as_object() else { return false };
    fields.iter().all(|(name, wanted)| match (name.as_str(), wanted) {
        ("$or", Value::Array(alternatives)) => alternatives.iter().any(|one| matches(one, event)),
        (_, Value::Object(_)) => match event.get(name) {
            Some(Value::Array(items)) => items.iter().any(|item| matches(wanted, item)),
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
        return found.is_some() == exists;
    }
    match found {
        None => false,
        Some(Value::Array(items)) => items.iter().any(|item| fits_one(choice, item)),
        Some(value) => fits_one(choice, value),
    }
}

fn fits_one(choice: &Value, value: &Value) -> bool {
    let Some(operator) = choice.as_object() else { return same(choice, value) };
    operator.iter().all(|(name, operand)| match name.as_str() {
        "prefix" => text_test(operand, value, |text, part| text.starts_with(part)),
        "suffix" => text_test(operand, value, |text, part| text.ends_with(part)),
        "equals-ignore-case" => {
            text_test(operand, value, |text, part| text.to_lowercase() == part.to_lowercase())
        }
        "wildcard" => text_test(operand, value, |text, part| {
            glob::fits(&part.replace('?', "\u{fffd}"), &text.replace('?', "\u{fffd}"))
        }),
        "numeric" => value.as_f64().is_some_and(|number| numeric(operand, number)),
        "cidr" => cidr(operand, value),
        "anything-but" => !but(operand, value),
        _ => false,
    })
}

fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() < f64::EPSILON,
        _ => a == b,
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
        Value::Array(items) => items.iter().any(|item| same(item, value)),
        Value::Object(operator) => operator.iter().any(|(name, operand)| {
            let one = |operand: &Value| {
                fits_one(&Value::Object(Map::from_iter([(name.clone(), operand.clone())])), value)
            };
            match operand {
                Value::Array(items) => items.iter().any(one),
                single => one(single),
            }
        }),
        single => same(single, value),
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

const OPERATORS: &[&str] =
    &["prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "cidr", "anything-but", "exists"];

/// Whether a pattern is one. `Err` says what is wrong where.
pub fn check(pattern: &Value) -> Result<(), String> {
    match pattern.as_object() {
        Some(fields) if !fields.is_empty() => check_fields(fields, ""),
        Some(_) => Err("empty patterns are not allowed".into()),
        None => Err("a pattern must be a JSON object".into()),
    }
}

fn check_fields(fields: &Map<String, Value>, path: &str) -> Result<(), String> {
    for (name, wanted) in fields {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match wanted {
            Value::Array(alternatives) if name == "$or" => {
                for one in alternatives {
                    check_fields(
                        one.as_object().ok_or(format!("'{path}' must be a list of objects"))?,
                        &path,
                    )?;
                }
            }
            Value::Object(inner) if !inner.is_empty() => check_fields(inner, &path)?,
            Value::Array(choices) if !choices.is_empty() => {
                choices.iter().try_for_each(|choice| check_choice(choice, &path))?;
            }
            Value::Array(_) => return Err(format!("empty arrays are not allowed, at '{path}'")),
            _ => return Err(format!("'{path}' must be an object or an array")),
        }
    }
    Ok(())
}

fn check_choice(choice: &Value, path: &str) -> Result<(), String> {
    let Some(operator) = choice.as_object() else {
        return if choice.is_array() {
            Err(format!("'{path}' has an array within an array"))
        } else {
            Ok(())
        };
    };
    for (name, operand) in operator {
        let fits = match name.as_str() {
            "exists" => operand.is_boolean(),
            "numeric" => is_numeric(operand),
            "wildcard" | "equals-ignore-case" | "cidr" => operand.is_string(),
            "prefix" | "suffix" => operand.is_string() || operand.get("equals-ignore-case").is_some(),
            "anything-but" => !operand.is_null(),
            _ => {
                return Err(format!(
                    "unrecognized match type '{name}' at '{path}'; there are {}",
                    OPERATORS.join(", ")
                ));
            }
        };
        if !fits {
            return Err(format!("'{name}' at '{path}' has an operand that it cannot take: {operand}"));
        }
    }
    Ok(())
}

fn is_numeric(operand: &Value) -> bool {
    let parts = operand.as_array().map(Vec::as_slice).unwrap_or_default();
    let pair = |pair: &[Value]| {
        let sign = pair[0].as_str().is_some_and(|sign| ["=", "<", "<=", ">", ">="].contains(&sign));
        sign && pair.get(1).is_some_and(Value::is_number)
    };
    !parts.is_empty() && parts.chunks(2).all(pair)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{check, matches};

    fn sample(name: &str) -> Value {
        let path = format!("{}/../events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn patterns_take_the_real_events_they_mean_and_no_others() {
        let push = json!({
            "source": ["aws.ecr"], "detail-type": ["ECR Image Action"],
            "detail": { "action-type": ["PUSH"], "result": ["SUCCESS"], "image-tag": [{ "anything-but": "" }] },
        });
        let alarm = json!({
            "detail-type": ["CloudWatch Alarm State Change"], "detail": { "state": { "value": ["ALARM"] } },
        });
        let ended = json!({
            "source": ["aws.codedeploy"], "detail": { "state": [{ "anything-but": ["START", "READY"] }] },
            "resources": [{ "suffix": ":todolist-codeDeploy" }],
        });
        let table = [
            (&push, "ecr-image-action-push-tag", true),
            (&push, "ecr-image-action-push-media-types", true),
            (&push, "ecr-image-action-push-empty-tag", false),
            (&push, "ecr-image-action-delete", false),
            (&push, "ecr-referrer-action-restore", false),
            (&alarm, "cloudwatch-alarm-state-metric", true),
            (&alarm, "cloudwatch-alarm-state-composite", true),
            (&alarm, "cloudwatch-alarm-configuration-change-create", false),
            (&ended, "codedeploy-deployment-success-seoul", true),
            (&ended, "codedeploy-deployment-start-seoul", false),
        ];
        for (pattern, event, expected) in table {
            assert_eq!(check(pattern), Ok(()));
            assert_eq!(matches(pattern, &sample(event)), expected, "{event} and {pattern}");
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
            (json!({ "a": [{ "numeric": [">", 0, "<=", 5] }] }), json!({ "a": 5 }), true),
            (json!({ "a": [{ "numeric": [">", 0, "<=", 5] }] }), json!({ "a": 5.1 }), false),
            (json!({ "a": [{ "cidr": "10.0.0.0/24" }] }), json!({ "a": "10.0.0.255" }), true),
            (json!({ "a": [{ "cidr": "10.0.0.0/24" }] }), json!({ "a": "10.0.1.0" }), false),
            (json!({ "a": [{ "exists": false }] }), json!({}), true),
            (json!({ "a": { "b": [{ "exists": false }] } }), json!({}), true),
            (json!({ "a": [{ "exists": true }] }), json!({ "b": 1 }), false),
            (json!({ "a": [{ "anything-but": { "prefix": "x" } }] }), json!({ "a": "xy" }), false),
            (json!({ "a": [{ "anything-but": "x" }] }), json!({}), false),
            (json!({ "a": [{ "anything-but": { "wildcard": ["x*", "y*"] } }] }), json!({ "a": "z" }), true),
            (json!({ "a": [1, "2", null] }), json!({ "a": null }), true),
            (json!({ "a": ["x"] }), json!({ "a": ["y", "x"] }), true),
            (json!({ "$or": [{ "a": ["x"] }, { "b": ["y"] }] }), json!({ "b": "y" }), true),
            (json!({ "$or": [{ "a": ["x"] }, { "b": ["y"] }] }), json!({ "b": "z" }), false),
        ];
        for (pattern, event, expected) in table {
            assert_eq!(check(&pattern), Ok(()), "{pattern}");
            assert_eq!(matches(&pattern, &event), expected, "{pattern} {event}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_its_place() {
        let table = [
            (json!({}), "empty patterns"),
            (json!({ "a": "x" }), "'a' must be"),
            (json!({ "a": { "b": [] } }), "'a.b'"),
            (json!({ "a": [{ "prefixx": "x" }] }), "'prefixx' at 'a'"),
            (json!({ "a": [{ "numeric": [">"] }] }), "'numeric' at 'a'"),
        ];
        for (pattern, expected) in table {
            let refused = check(&pattern).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
