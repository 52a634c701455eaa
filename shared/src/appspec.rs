//! The AppSpec of a blue/green deployment: which revision, behind which container and port,
//! placed as the service's tasks are placed today, with which hooks.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::Placement;

/// Lifecycle events (`BeforeInstall` …) and the function that answers each.
pub type Hooks<'a> = &'a [(&'a str, &'a str)];

/// JSON text, as `revision.appSpecContent.content` takes it.
pub fn appspec(
    revision: &str,
    container: &str,
    port: u16,
    placement: &Placement,
    hooks: Hooks<'_>,
) -> String {
    let mut properties = json!({
        "TaskDefinition": revision,
        "LoadBalancerInfo": { "ContainerName": container, "ContainerPort": port },
    });
    // What is left out, CodeDeploy fills with the newest platform version and the group's own idea.
    let given = [
        ("PlatformVersion", placement.platform_version.as_ref().map(|version| json!(version))),
        ("NetworkConfiguration", placement.network.as_ref().map(pascal_case)),
        ("CapacityProviderStrategy", placement.capacity_providers.as_ref().map(pascal_case)),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            properties[name] = value;
        }
    }
    let hooks: Vec<_> = hooks.iter().map(|(event, function)| json!({ *event: function })).collect();
    json!({
        "version": 0.0,
        "Resources": [{ "TargetService": { "Type": "AWS::ECS::Service", "Properties": properties } }],
        "Hooks": hooks,
    })
    .to_string()
}

/// The part of an AppSpec that is read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AppSpec {
    resources: Vec<BTreeMap<String, Resource>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    task_definition: String,
}

/// ARN of the revision that an AppSpec, JSON or YAML, deploys.
pub fn task_definition(text: &str) -> anyhow::Result<String> {
    // Nearly all JSON is YAML as well, but not all: YAML has no DEL within quotes.
    let spec: Result<AppSpec, _> = serde_json::from_str(text).or_else(|_| serde_saphyr::from_str(text));
    let spec = spec.context("it names no task definition")?;
    let resource = spec.resources.into_iter().flatten().next().map(|(_, resource)| resource);
    Ok(resource.context("it has no resource")?.properties.task_definition)
}

/// The same members with a capital first letter: the AppSpec's spelling of ECS's own.
fn pascal_case(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let mut letters = name.chars();
                let first = letters.next().map(|letter| letter.to_ascii_uppercase());
                (first.into_iter().chain(letters).collect(), pascal_case(value))
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(pascal_case).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_own_placement_goes_along() {
        let placement = Placement {
            platform_version: Some("1.4.0".into()),
            network: Some(
                json!({ "awsvpcConfiguration": { "subnets": ["s-1"], "assignPublicIp": "DISABLED" } }),
            ),
            capacity_providers: Some(json!([{ "capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0 }])),
        };
        let hooks = [("BeforeInstall", "hook"), ("AfterAllowTraffic", "hook")];
        let spec: Value = serde_json::from_str(&appspec("arn:x", "app", 8080, &placement, &hooks)).unwrap();
        let expected = json!({
            "version": 0.0,
            "Resources": [{ "TargetService": { "Type": "AWS::ECS::Service", "Properties": {
                "TaskDefinition": "arn:x",
                "LoadBalancerInfo": { "ContainerName": "app", "ContainerPort": 8080 },
                "PlatformVersion": "1.4.0",
                "NetworkConfiguration": { "AwsvpcConfiguration": { "Subnets": ["s-1"], "AssignPublicIp": "DISABLED" } },
                "CapacityProviderStrategy": [{ "CapacityProvider": "FARGATE_SPOT", "Weight": 1, "Base": 0 }],
            }}}],
            "Hooks": [{ "BeforeInstall": "hook" }, { "AfterAllowTraffic": "hook" }],
        });
        assert_eq!(spec, expected);
        assert_eq!(task_definition(&spec.to_string()).unwrap(), "arn:x");
        let yaml = "version: 0.0\nResources:\n- TargetService:\n    Type: AWS::ECS::Service\n    Properties:\n      TaskDefinition: arn:y\n";
        assert_eq!(task_definition(yaml).unwrap(), "arn:y");
        assert!(task_definition("version: 0.0\nResources: []").is_err());
        let odd = appspec("arn:\u{7f}", "app", 80, &Placement::default(), &[]);
        assert_eq!(task_definition(&odd).unwrap(), "arn:\u{7f}", "JSON that is no YAML");
        let bare = appspec("arn:x", "app", 80, &Placement::default(), &[]);
        assert!(!bare.contains("PlatformVersion") && bare.contains(r#""Hooks":[]"#), "{bare}");
    }
}
