//! The JSON Schema of `releases.yaml`, for editors: completion, descriptions, first faults.
//!
//! These types only describe. The reader beside them decides, and says more than a schema
//! can; the tests hold the two together.

mod checks;

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

pub use checks::Checks;

/// The schema, as it is published.
pub fn text() -> String {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(without_null));
    let schema = settings.into_generator().into_root_schema_for::<Releases>();
    format!("{:#}\n", schema.as_value())
}

/// A key may be absent, but not empty: `slack: #deploys` is a comment, not a channel.
fn without_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
        if let [Value::Object(only)] = &choices[..] {
            let only = only.clone();
            object.remove("anyOf");
            object.extend(only);
        }
    }
}

/// Which image releases which service on Amazon ECS, and under which conditions.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Releases {
    /// The services that Sluice may touch, each under the name that messages call it.
    #[schemars(extend("minProperties" = 1, "propertyNames" = { "minLength": 1 }))]
    pub services: BTreeMap<String, Service>,
}

/// One ECS service.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Service {
    /// The ECS cluster's name.
    #[schemars(length(min = 1))]
    pub cluster: String,
    /// The ECS service's name. No two entries share cluster and service.
    #[schemars(length(min = 1))]
    pub service: String,
    /// Which repository's pushes replace which container's image; each container once.
    #[schemars(length(min = 1))]
    pub images: Vec<Image>,
    /// What runs the service's deployments.
    pub deploy: Deploy,
    /// What is checked in which lifecycle event.
    pub checks: Option<Checks>,
    /// Names of CloudWatch alarms, metric or composite, that stop a deployment and roll it back.
    #[schemars(length(max = 100), inner(length(min = 1)))]
    pub alarms: Option<Vec<String>>,
    /// How long after success an alarm still rolls back, such as 30m; not at all unless given.
    #[schemars(length(min = 1))]
    pub watch: Option<String>,
    /// What keeps an image from being released, for now or for good.
    pub gates: Option<Gates>,
    /// Where people read of it.
    pub notify: Option<Notify>,
}

/// Pushes of a repository that replace the image of a container.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Image {
    /// The ECR repository's name, without registry or tag.
    #[schemars(length(min = 1))]
    pub repository: String,
    /// The container's name in the task definition.
    #[schemars(length(min = 1))]
    pub container: String,
    /// A regular expression that the whole tag must match, such as '[0-9a-f]{40}'.
    #[schemars(length(min = 1))]
    pub tags: String,
}

/// What runs the service's deployments: CodeDeploy or ECS itself.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Deploy {
    /// Blue/green through CodeDeploy.
    CodeDeploy(CodeDeploy),
    /// The service's own deployment controller: write ecs: {}.
    Ecs(Ecs),
}

/// The deployment group of a service. No two services share one.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CodeDeploy {
    /// The CodeDeploy application's name.
    #[schemars(length(min = 1))]
    pub application: String,
    /// The deployment group's name.
    #[schemars(length(min = 1))]
    pub group: String,
}

/// Nothing to set.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Ecs {}

/// What keeps an image from being released.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Gates {
    /// Findings of the image's scan.
    pub scan: Option<Scan>,
    /// Times in which no deployment starts, such as 'fri 16:00 - mon 08:00 Europe/Dublin' or
    /// '2026-12-20 - 2027-01-04 Europe/Dublin'.
    #[schemars(inner(length(min = 1)))]
    pub freeze: Option<Vec<String>>,
}

/// Findings that keep an image from being released.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Scan {
    /// An image with a finding of one of these severities is refused.
    #[schemars(length(min = 1))]
    pub block: Vec<Severity>,
    /// How long after the push the scan may take before the image is refused; 10m unless given.
    #[schemars(length(min = 1))]
    pub wait: Option<String>,
}

/// A severity as ECR and Inspector name it.
#[derive(JsonSchema)]
#[schemars(rename_all = "UPPERCASE")]
pub enum Severity {
    Critical,
    High,
    Medium,
    Low,
    Informational,
    Untriaged,
    Undefined,
}

/// Slack channels, with their # and in quotes.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Notify {
    /// Where deployments are told, such as '#deploys'.
    #[schemars(regex(pattern = r"^#[^\s#]+$"))]
    pub slack: Option<String>,
    /// Where people are called, such as '#ops'.
    #[schemars(regex(pattern = r"^#[^\s#]+$"))]
    pub alarms: Option<String>,
    /// Tells of alarms as well that go red when no deployment is watched.
    #[schemars(rename = "unwatched-alarms")]
    pub unwatched: Option<bool>,
}
