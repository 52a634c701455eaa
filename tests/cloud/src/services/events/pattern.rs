//! Event patterns: which events a rule takes.
//!
//! As AWS's own engine does it (github.com/aws/event-ruler): an event is the list of its
//! leaves, each with its path and its place in every array around it. A pattern fits if
//! each of its paths finds a leaf that fits, all of them in the same elements of the
//! arrays that they share. What [`check`](super::pattern_check::check) refuses never gets
//! here.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::wildcard;

/// Which element of which array, the arrays numbered as they come in the event.
type Places = BTreeMap<usize, usize>;

struct Leaf<'a> {
    path: String,
    value: &'a Value,
    places: Places,
}

/// One way to fit a pattern: the choices at each path, in the order of the paths.
type Way<'a> = BTreeMap<String, &'a [Value]>;

/// Whether an event fits a pattern that has been checked.
pub fn matches(pattern: &Value, event: &Value) -> bool {
    let (Some(fields), Some(members)) = (pattern.as_object(), event.as_object()) else { return false };
    if fields.iter().any(|(name, choices)| is_another(choices, members.get(name))) {
        return false;
    }
    let ways = ways(fields, "", vec![Way::new()]);
    let mut leaves = Leaves { ways: &ways, found: Vec::new(), arrays: 0 };
    leaves.object(members, "", &Places::new());
    ways.iter().any(|way| {
        let wanted: Vec<_> = way.iter().map(|(path, choices)| (path.as_str(), *choices)).collect();
        fits(&wanted, &leaves.found, &Places::new())
    })
}

/// Whether a member is none of the texts that are wanted: most events are told apart by that.
fn is_another(choices: &Value, member: Option<&Value>) -> bool {
    let (Some(choices), Some(Value::String(_))) = (choices.as_array(), member) else { return false };
    choices.iter().all(|choice| choice.is_string() && Some(choice) != member)
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Each alternative of an `$or` is a way of its own.
fn ways<'a>(fields: &'a Map<String, Value>, path: &str, mut before: Vec<Way<'a>>) -> Vec<Way<'a>> {
    for (name, wanted) in fields {
        match wanted {
            Value::Array(alternatives) if name == "$or" => {
                let alternatives = alternatives.iter().filter_map(Value::as_object);
                before = alternatives.flat_map(|one| ways(one, path, before.clone())).collect();
            }
            Value::Object(inner) => before = ways(inner, &below(path, name), before),
            Value::Array(choices) => {
                for way in &mut before {
                    way.insert(below(path, name), choices);
                }
            }
            _ => {}
        }
    }
    before
}

/// Leaves at paths that a way asks for.
struct Leaves<'a> {
    ways: &'a [Way<'a>],
    found: Vec<Leaf<'a>>,
    arrays: usize,
}

impl<'a> Leaves<'a> {
    fn object(&mut self, members: &'a Map<String, Value>, path: &str, places: &Places) {
        for (name, value) in members {
            let path = below(path, name);
            if self.leads_to_a_wanted(&path) {
                self.value(value, &path, places);
            }
        }
    }

    fn leads_to_a_wanted(&self, path: &str) -> bool {
        let is_beyond = |wanted: &str| {
            wanted.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.ways.iter().flat_map(BTreeMap::keys).any(|wanted| is_beyond(wanted))
    }

    fn value(&mut self, value: &'a Value, path: &str, places: &Places) {
        match value {
            Value::Object(members) => self.object(members, path, places),
            Value::Array(items) => {
                let array = self.arrays;
                self.arrays += 1;
                for (n, item) in items.iter().enumerate() {
                    let mut places = places.clone();
                    if item.is_object() || item.is_array() {
                        places.insert(array, n);
                    }
                    self.value(item, path, &places);
                }
            }
            _ => self.found.push(Leaf { path: path.to_owned(), value, places: places.clone() }),
        }
    }
}

/// Whether leaves are there for all that is wanted, in array elements that agree with `places`.
fn fits(wanted: &[(&str, &[Value])], leaves: &[Leaf], places: &Places) -> bool {
    let Some(((path, choices), rest)) = wanted.split_first() else { return true };
    let near = |leaf: &&Leaf| leaf.path == *path && agree(places, &leaf.places);
    choices.iter().any(|choice| {
        if choice.get("exists") == Some(&Value::Bool(false)) {
            return !leaves.iter().any(|leaf| near(&leaf)) && fits(rest, leaves, places);
        }
        leaves.iter().filter(near).filter(|leaf| fits_one(choice, leaf.value)).any(|leaf| {
            let mut places = places.clone();
            places.extend(&leaf.places);
            fits(rest, leaves, &places)
        })
    })
}

fn agree(some: &Places, others: &Places) -> bool {
    others.iter().all(|(array, n)| some.get(array).is_none_or(|m| m == n))
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
        "exists" => operand == true,
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
            (json!({ "a": [{ "exists": true }] }), json!({ "a": [] }), false),
            (json!({ "a": [{ "exists": false }] }), json!({ "a": [] }), true),
            (json!({ "a": [{ "anything-but": "x" }] }), json!({ "a": [{ "b": "y" }] }), false),
            (json!({ "a": { "b": [{ "exists": false }] } }), json!({ "a": [{ "b": 1 }, { "c": 2 }] }), false),
            (
                json!({ "a": { "b": ["x"], "c": [{ "exists": false }] } }),
                json!({ "a": [{ "b": "x" }, { "b": "y", "c": 2 }] }),
                true,
            ),
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
            (
                json!({ "a": { "b": ["x"], "$or": [{ "c": ["y"] }, { "d": ["z"] }] } }),
                json!({ "a": [{ "b": "x", "d": "n" }, { "b": "n", "d": "z" }] }),
                false,
            ),
        ];
        for (pattern, event, expected) in table {
            assert_eq!(check(&pattern), Ok(()), "{pattern}");
            assert_eq!(matches(&pattern, &event), expected, "{pattern} {event}");
        }
    }
}
