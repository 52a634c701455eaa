//! The services' published models, condensed by `models/condense.py`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub api_version: String,
    pub protocol: String,
    #[serde(default)]
    pub protocols: Vec<String>,
    pub json_version: Option<String>,
    pub endpoint_prefix: String,
    pub signing_name: Option<String>,
    pub target_prefix: Option<String>,
    pub xml_namespace: Option<String>,
    pub aws_query_compatible: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    pub method: String,
    pub request_uri: String,
    pub response_code: Option<u16>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    pub http: Http,
    pub input: Option<String>,
    pub output: Option<String>,
    pub result_wrapper: Option<String>,
    #[serde(default)]
    pub errors: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    Structure,
    List,
    Map,
    String,
    Character,
    Boolean,
    Integer,
    Long,
    Float,
    Double,
    Timestamp,
    Blob,
}

/// A use of a shape: a member, a list's element, a map's key or value.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    pub shape: String,
    pub location: Option<String>,
    pub location_name: Option<String>,
    #[serde(default)]
    pub flattened: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorTrait {
    pub code: Option<String>,
    pub http_status_code: Option<u16>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    #[serde(rename = "type")]
    pub kind: Type,
    #[serde(default)]
    pub members: BTreeMap<String, Member>,
    #[serde(default)]
    pub required: Vec<String>,
    #[serde(rename = "enum", default)]
    pub values: Vec<String>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub pattern: Option<String>,
    pub member: Option<Member>,
    pub key: Option<Member>,
    pub value: Option<Member>,
    #[serde(default)]
    pub flattened: bool,
    pub payload: Option<String>,
    #[serde(default)]
    pub exception: bool,
    #[serde(default)]
    pub fault: bool,
    pub error: Option<ErrorTrait>,
    #[serde(skip)]
    pub regex: Option<Regex>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    #[serde(skip)]
    pub service: &'static str,
    pub metadata: Metadata,
    pub operations: BTreeMap<String, Operation>,
    pub not_modelled: BTreeMap<String, Http>,
    pub shapes: BTreeMap<String, Shape>,
}

impl Model {
    pub fn shape(&self, name: &str) -> &Shape {
        &self.shapes[name]
    }

    pub fn signing_name(&self) -> &str {
        self.metadata.signing_name.as_deref().unwrap_or(&self.metadata.endpoint_prefix)
    }

    pub fn speaks(&self, protocol: &str) -> bool {
        self.metadata.protocol == protocol || self.metadata.protocols.iter().any(|p| p == protocol)
    }
}

macro_rules! models {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("../models/", $name, ".json")))),*]
    };
}

static MODELS: LazyLock<Vec<Model>> = LazyLock::new(|| {
    models![
        "cloudwatch",
        "codedeploy",
        "ecr",
        "ecs",
        "elbv2",
        "events",
        "lambda",
        "logs",
        "rds",
        "secretsmanager",
        "sns",
        "sqs",
        "sts"
    ]
    .into_iter()
    .map(|(service, text)| {
        let mut model: Model = serde_json::from_str(text)
            .unwrap_or_else(|e| panic!("models/{service}.json is not as condense.py writes it: {e}"));
        model.service = service;
        for shape in model.shapes.values_mut() {
            // The published patterns are Java's; the few that use look-around are not
            // checked (the test below names them).
            shape.regex = shape.pattern.as_ref().and_then(|p| Regex::new(&format!("^(?s:{p})$")).ok());
        }
        model
    })
    .collect()
});

pub fn models() -> &'static [Model] {
    &MODELS
}

/// The model of a service by botocore's name for it. Panics on a name that has none.
pub fn model(service: &str) -> &'static Model {
    MODELS.iter().find(|m| m.service == service).unwrap_or_else(|| panic!("no model of {service}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_names_every_operation_that_is_modelled() {
        let readme = include_str!("../README.md");
        let named = |name: &str| readme.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name);
        let operations = || models().iter().flat_map(|m| m.operations.keys());
        let missing: Vec<_> = operations().filter(|name| !named(name)).collect();
        assert_eq!(missing, Vec::<&String>::new());
        assert!(readme.contains(&format!("answers {} operations", operations().count())));
    }

    #[test]
    fn patterns_that_are_not_checked_are_few_and_known() {
        let mut unchecked: Vec<_> = models()
            .iter()
            .flat_map(|m| m.shapes.iter().map(move |(name, s)| (m.service, name, s)))
            .filter(|(_, _, s)| s.pattern.is_some() && s.regex.is_none())
            .map(|(service, name, _)| format!("{service}.{name}"))
            .collect();
        unchecked.sort();
        assert_eq!(unchecked, ["events.PathParameter", "lambda.CollectionName", "lambda.S3Bucket"]);
    }
}
