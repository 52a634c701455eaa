//! What a target gets of an event: all, a part, a constant, or a template filled in.

use serde_json::Value;

/// Whether a target's input settings can be honoured. `Err` says why not.
pub fn check(target: &Value) -> Result<(), String> {
    if let Some(path) = target["InputPath"].as_str() {
        steps(path)?;
    }
    if let Some(input) = target["Input"].as_str() {
        serde_json::from_str::<Value>(input).map_err(|e| format!("Input is not JSON: {e}"))?;
    }
    let mut paths = target["InputTransformer"]["InputPathsMap"].as_object().into_iter().flatten();
    paths.try_for_each(|(_, path)| steps(path.as_str().unwrap_or_default()).map(drop))
}

/// The members that a path such as `$.detail.state` goes through.
fn steps(path: &str) -> Result<Vec<&str>, String> {
    let rest = path.strip_prefix('$').ok_or_else(|| format!("'{path}' does not start with $"))?;
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    let rest = rest.strip_prefix('.').ok_or_else(|| format!("'{path}' is no path of the form $.a.b"))?;
    let steps: Vec<_> = rest.split('.').collect();
    if steps.iter().any(|step| step.is_empty() || step.contains(['[', ']', '*', '\''])) {
        return Err(format!(
            "'{path}' is not modelled by the local cloud: paths go through members only, $.a.b"
        ));
    }
    Ok(steps)
}

fn at<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    steps(path).ok()?.into_iter().try_fold(event, |value, step| value.get(step))
}

/// The text that goes to a target.
pub fn input(target: &Value, event: &Value) -> String {
    if let Some(constant) = target["Input"].as_str() {
        return constant.to_owned();
    }
    if let Some(path) = target["InputPath"].as_str() {
        return at(event, path).map_or_else(|| "null".into(), Value::to_string);
    }
    match target["InputTransformer"]["InputTemplate"].as_str() {
        Some(template) => filled(template, &target["InputTransformer"]["InputPathsMap"], event),
        None => event.to_string(),
    }
}

/// Fills in `<name>`: within quotes a text goes in bare, elsewhere as JSON.
fn filled(template: &str, paths: &Value, event: &Value) -> String {
    let (mut out, mut rest, mut quoted) = (String::new(), template, false);
    while let Some(open) = rest.find('<') {
        let (before, tail) = rest.split_at(open);
        quoted ^= before.replace("\\\"", "").matches('"').count() % 2 == 1;
        out.push_str(before);
        let name = tail.find('>').map(|close| &tail[1..close]);
        let Some(value) = name.and_then(|name| named(name, paths, event)) else {
            out.push('<');
            rest = &tail[1..];
            continue;
        };
        let json = value.to_string();
        match &value {
            Value::String(_) if quoted => out.push_str(json.trim_matches('"')),
            _ if quoted => out.push_str(&json.replace('"', "\\\"")),
            _ => out.push_str(&json),
        }
        rest = &tail[name.map_or(1, |name| name.len() + 2)..];
    }
    out + rest
}

fn named(name: &str, paths: &Value, event: &Value) -> Option<Value> {
    match name {
        "aws.events.event" | "aws.events.event.json" => Some(event.clone()),
        "aws.events.event.ingestion-time" => Some(event["time"].clone()),
        _ => {
            let path = paths.get(name)?.as_str()?;
            Some(at(event, path).cloned().unwrap_or_else(|| Value::String(String::new())))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{check, input};

    #[test]
    fn a_target_gets_what_its_settings_say() {
        let event = json!({ "time": "t", "detail": { "state": "STOP", "n": 2, "quote": "a\"b" } });
        let template = |text: &str| {
            json!({ "InputTransformer": {
                "InputPathsMap": { "state": "$.detail.state", "n": "$.detail.n", "q": "$.detail.quote", "no": "$.x" },
                "InputTemplate": text,
            }})
        };
        let table = [
            (json!({}), event.to_string()),
            (json!({ "Input": "{\"a\": 1}" }), "{\"a\": 1}".to_owned()),
            (json!({ "InputPath": "$.detail.state" }), "\"STOP\"".to_owned()),
            (template("{\"s\": <state>, \"n\": <n>}"), "{\"s\": \"STOP\", \"n\": 2}".to_owned()),
            (template("\"ended with <state>, <n>: <q>\""), "\"ended with STOP, 2: a\\\"b\"".to_owned()),
            (template("\"<no>|\""), "\"|\"".to_owned()),
        ];
        for (target, expected) in table {
            assert_eq!(check(&target), Ok(()));
            assert_eq!(input(&target, &event), expected, "{target}");
        }
        assert!(check(&json!({ "InputPath": "$.resources[0]" })).is_err());
    }
}
