//! What a target gets of an event: all, a part, a constant, or a template filled in.

use serde_json::Value;

use crate::fault::Fault;

/// The rule on whose behalf an event goes out.
pub struct Rule<'a> {
    pub name: &'a str,
    pub arn: &'a str,
}

fn invalid(target: &Value, reason: &str) -> Fault {
    let id = target["Id"].as_str().unwrap_or_default();
    Fault::new("ValidationException", format!("Parameter Target {id} is not valid. Reason: {reason}"))
}

/// Whether a target's input settings can be honoured.
pub fn check(target: &Value) -> Result<(), Fault> {
    let transformer = target["InputTransformer"]["InputPathsMap"].as_object().into_iter().flatten();
    let paths = transformer.map(|(_, path)| path).chain(target.get("InputPath"));
    for path in paths.filter_map(Value::as_str) {
        if path.contains(['*', '?', '\'', '"']) || path.contains("..") {
            return Err(Fault::not_modelled(format!(
                "events:PutTargets with the path {path}; there are members and indices, $.a.b[0]"
            )));
        }
        steps(path).ok_or_else(|| invalid(target, &format!("Invalid JSON path {path}")))?;
    }
    check_template(target)?;
    match target["Input"].as_str().map(serde_json::from_str::<Value>) {
        Some(Err(e)) => Err(invalid(target, &format!("Input is not JSON: {e}"))),
        _ => Ok(()),
    }
}

/// Placeholders that EventBridge fills in itself.
const OWN: &[&str] = &[
    "aws.events.event",
    "aws.events.event.json",
    "aws.events.event.ingestion-time",
    "aws.events.rule-name",
    "aws.events.rule-arn",
];

/// A misspelt placeholder is refused, as on AWS, and not delivered as it is written.
fn check_template(target: &Value) -> Result<(), Fault> {
    let transformer = &target["InputTransformer"];
    let known = |name: &str| OWN.contains(&name) || !transformer["InputPathsMap"][name].is_null();
    let is_name = |name: &&str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || ['_', '-', '.'].contains(&c))
    };
    let template = transformer["InputTemplate"].as_str().unwrap_or_default();
    let names = template.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(name, _)| name));
    match names.filter(is_name).find(|name| !known(name)) {
        Some(name) => Err(Fault::new(
            "ValidationException",
            format!(
                "InputTemplate for target {} contains invalid placeholder {name}.",
                target["Id"].as_str().unwrap_or_default()
            ),
        )),
        None => Ok(()),
    }
}

enum Step<'a> {
    Member(&'a str),
    Index(usize),
}

/// The members and indices that a path such as `$.resources[0]` goes through.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(member) = rest.strip_prefix('.') {
            let end = member.find(['.', '[']).unwrap_or(member.len());
            if end == 0 {
                return None;
            }
            steps.push(Step::Member(&member[..end]));
            rest = &member[end..];
        } else {
            let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
            steps.push(Step::Index(index.parse().ok()?));
            rest = after;
        }
    }
    Some(steps)
}

fn at<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    steps(path)?.into_iter().try_fold(event, |value, step| match step {
        Step::Member(name) => value.get(name),
        Step::Index(index) => value.get(index),
    })
}

/// The text that goes to a target.
pub fn input(target: &Value, event: &Value, rule: &Rule) -> String {
    if let Some(constant) = target["Input"].as_str() {
        return constant.to_owned();
    }
    if let Some(path) = target["InputPath"].as_str() {
        return at(event, path).map_or_else(|| "null".into(), Value::to_string);
    }
    match target["InputTransformer"]["InputTemplate"].as_str() {
        Some(template) => {
            let paths = &target["InputTransformer"]["InputPathsMap"];
            filled(template, |name| named(name, paths, event, rule))
        }
        None => event.to_string(),
    }
}

/// Fills in `<name>`: within quotes a text goes in bare, elsewhere as JSON.
fn filled(template: &str, named: impl Fn(&str) -> Option<Value>) -> String {
    let (mut out, mut rest, mut quoted) = (String::new(), template, false);
    while let Some(open) = rest.find('<') {
        let (before, tail) = rest.split_at(open);
        quoted ^= quotes(before) % 2 == 1;
        out.push_str(before);
        let name = tail.find('>').map(|close| &tail[1..close]);
        let Some((name, value)) = name.and_then(|name| Some((name, named(name)?))) else {
            out.push('<');
            rest = &tail[1..];
            continue;
        };
        let json = value.to_string();
        let bare = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
        match bare {
            Some(bare) if quoted => out.push_str(bare),
            None if quoted => out.push_str(&json.replace('\\', "\\\\").replace('"', "\\\"")),
            _ => out.push_str(&json),
        }
        rest = &tail[name.len() + 2..];
    }
    out + rest
}

/// Quotes that open or close a string.
fn quotes(text: &str) -> usize {
    let mut escaped = false;
    let opens = |c: char| {
        let counts = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        counts
    };
    text.chars().map(opens).filter(|counts| *counts).count()
}

fn named(name: &str, paths: &Value, event: &Value, rule: &Rule) -> Option<Value> {
    Some(match name {
        "aws.events.event" => event.clone(),
        "aws.events.event.json" => Value::String(event.to_string()),
        "aws.events.event.ingestion-time" => event["time"].clone(),
        "aws.events.rule-name" => Value::from(rule.name),
        "aws.events.rule-arn" => Value::from(rule.arn),
        _ => {
            let path = paths.get(name)?.as_str()?;
            at(event, path).cloned().unwrap_or_else(|| Value::from(""))
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Rule, check, input};

    fn template(text: &str) -> Value {
        json!({ "InputTransformer": {
            "InputPathsMap": {
                "state": "$.detail.state", "n": "$.detail.n", "q": "$.detail.quote", "no": "$.x",
                "arn": "$.resources[1]", "deep": "$.detail.list[0].name", "type": "$.detail-type",
            },
            "InputTemplate": text,
        }})
    }

    #[test]
    fn a_target_gets_what_its_settings_say() {
        let event = json!({
            "time": "t", "detail-type": "Kind", "resources": ["r0", "r1"],
            "detail": { "state": "STOP", "n": 2, "quote": "say \"hi\"", "list": [{ "name": "first" }] },
        });
        let table = [
            (json!({}), event.to_string()),
            (json!({ "Input": "{\"a\": 1}" }), "{\"a\": 1}".to_owned()),
            (json!({ "InputPath": "$.detail.state" }), "\"STOP\"".to_owned()),
            (json!({ "InputPath": "$.resources[0]" }), "\"r0\"".to_owned()),
            (json!({ "InputPath": "$" }), event.to_string()),
            (template("{\"s\": <state>, \"n\": <n>}"), "{\"s\": \"STOP\", \"n\": 2}".to_owned()),
            (template("\"ended with <state>, <n>: <q>\""), r#""ended with STOP, 2: say \"hi\"""#.to_owned()),
            (template("\"a \\\"<state>\\\" of <type>\""), r#""a \"STOP\" of Kind""#.to_owned()),
            (template("[<arn>, <deep>]"), "[\"r1\", \"first\"]".to_owned()),
            (template("\"<no>|\""), "\"|\"".to_owned()),
            (template("\"<aws.events.rule-name> a < b\""), "\"rule a < b\"".to_owned()),
            (template("{\"by\": <aws.events.rule-arn>}"), "{\"by\": \"arn:rule\"}".to_owned()),
            (template("<aws.events.event>"), event.to_string()),
        ];
        for (target, expected) in table {
            assert_eq!(check(&target), Ok(()));
            assert_eq!(input(&target, &event, &Rule { name: "rule", arn: "arn:rule" }), expected, "{target}");
        }
    }

    #[test]
    fn a_placeholder_that_nothing_fills_in_is_refused() {
        for wrong in ["{\"s\": <stat>}", "\"<State>\"", "<aws.events.rule>"] {
            let refused = check(&template(wrong)).unwrap_err();
            assert_eq!(refused.shape, "ValidationException", "{wrong}");
            assert!(refused.message.contains("invalid placeholder"), "{refused}");
        }
        assert_eq!(check(&template("\"<state> if 1 < 2 and 3 > 2\"")), Ok(()));
    }

    #[test]
    fn a_path_that_leads_nowhere_certain_is_refused() {
        let shape = |path: &str| check(&json!({ "InputPath": path })).unwrap_err().shape;
        assert_eq!(shape("$.resources[*]"), "NotModelled");
        for path in ["detail", "$detail", "$.", "$.a[x]", "$.a[0"] {
            assert_eq!(shape(path), "ValidationException", "{path}");
        }
        assert_eq!(check(&json!({ "Input": "not JSON" })).unwrap_err().shape, "ValidationException");
    }
}
