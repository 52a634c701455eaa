//! What differs between two task definition revisions, path by path.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Every revision has its own of these.
const IDENTITY: [&str; 4] = ["taskDefinitionArn", "revision", "registeredAt", "registeredBy"];

/// Lines `path: old → new` for two answers of DescribeTaskDefinition with tags.
pub fn differences(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", &plain(old), &plain(new), &mut found);
    found
}

/// The revision without what it is called, its tags by their keys.
fn plain(answer: &Value) -> Value {
    let mut revision = answer["taskDefinition"].as_object().cloned().unwrap_or_default();
    revision.retain(|name, _| !IDENTITY.contains(&name.as_str()));
    let tags = answer["tags"].as_array().into_iter().flatten();
    let tags: Map<_, _> =
        tags.filter_map(|tag| Some((tag["key"].as_str()?.to_owned(), tag["value"].clone()))).collect();
    revision.insert("tags".into(), tags.into());
    revision.into()
}

fn compare(path: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
                let path = match path {
                    "" => name.clone(),
                    "tags" => format!("tags[{name}]"),
                    path => format!("{path}.{name}"),
                };
                let member = |members: &Map<String, Value>| members.get(name).cloned().unwrap_or_default();
                compare(&path, &member(old), &member(new), found);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for n in 0..old.len().max(new.len()) {
                let item = |items: &[Value]| items.get(n).cloned().unwrap_or_default();
                compare(&format!("{path}[{n}]"), &item(old), &item(new), found);
            }
        }
        (old, new) if old == new => {}
        (Value::Null, new) => found.push(format!("{path}: added {}", text(new))),
        (old, Value::Null) => found.push(format!("{path}: {} removed", text(old))),
        (old, new) => found.push(format!("{path}: {} → {}", text(old), text(new))),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_paths_that_differ_are_told_and_never_the_identity() {
        let old = json!({
            "taskDefinition": {
                "taskDefinitionArn": "a:1", "revision": 1, "family": "a", "cpu": "256",
                "containerDefinitions": [{ "name": "app", "image": "x" }, { "name": "side", "image": "s" }],
            },
        });
        let new = json!({
            "taskDefinition": {
                "taskDefinitionArn": "a:2", "revision": 2, "family": "a",
                "containerDefinitions": [{ "name": "app", "image": "y" }, { "name": "side", "image": "s" }],
            },
            "tags": [{ "key": "sluice:by", "value": "me" }],
        });
        let expected =
            ["containerDefinitions[0].image: x → y", "cpu: 256 removed", "tags[sluice:by]: added me"];
        assert_eq!(differences(&old, &new), expected);
        assert!(differences(&new, &new).is_empty());
    }
}
