//! Versions of a secret: added with a token that makes it safe to ask twice, and
//! found by id or staging label.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{Ms, timestamp};

use super::{Secret, find_live, invalid_parameter, refuse};

pub(super) const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
const MOST_STAGES: usize = 20;

#[derive(Debug, Clone, Serialize)]
pub(super) struct Version {
    pub created: Ms,
    pub stages: Vec<String>,
    #[serde(skip)]
    pub value: Payload,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Payload {
    Text(String),
    /// Base64.
    Binary(String),
}

/// A value as a request gives it.
pub(super) struct Given {
    /// Becomes the version's id.
    pub token: String,
    pub value: Payload,
}

/// The request's value, if it has one.
pub(super) fn given(input: &Value) -> Result<Option<Given>, Fault> {
    let text = |member: &str| input[member].as_str().map(str::to_owned);
    let value = match (text("SecretString"), text("SecretBinary")) {
        (None, None) => return Ok(None),
        (Some(value), None) => Payload::Text(value),
        (None, Some(value)) => Payload::Binary(value),
        (Some(_), Some(_)) => {
            return Err(invalid_parameter(
                "You can't specify both a binary secret value and a string secret value in the same secret.",
            ));
        }
    };
    let token = text("ClientRequestToken").ok_or_else(|| {
        invalid_parameter("You must provide a ClientRequestToken value. We recommend a UUID-type value.")
    })?;
    Ok(Some(Given { token, value }))
}

impl Secret {
    /// Adds a version and moves the labels to it; gives its id. The same token with
    /// the same value again changes nothing.
    pub(super) fn add_version(&mut self, given: Given, stages: &[&str], now: Ms) -> Result<String, Fault> {
        if let Some(existing) = self.versions.get(&given.token) {
            if existing.value == given.value {
                return Ok(given.token);
            }
            return Err(Fault::new(
                "ResourceExistsException",
                format!(
                    "You can't use ClientRequestToken {} because that value is already in use for a version of secret {}.",
                    given.token, self.arn
                ),
            ));
        }
        let version = Version { created: now, stages: Vec::new(), value: given.value };
        self.versions.insert(given.token.clone(), version);
        for stage in stages {
            self.move_stage(stage, &given.token);
        }
        self.changed = now;
        Ok(given.token)
    }

    fn holder(&self, stage: &str) -> Option<String> {
        let mut versions = self.versions.iter();
        versions.find(|(_, version)| version.stages.iter().any(|s| s == stage)).map(|(id, _)| id.clone())
    }

    /// A label is on one version at a time; the one that loses AWSCURRENT becomes
    /// AWSPREVIOUS.
    fn move_stage(&mut self, stage: &str, to: &str) {
        let from = self.holder(stage).filter(|from| from != to);
        for version in self.versions.values_mut() {
            version.stages.retain(|s| s != stage);
        }
        if let Some(version) = self.versions.get_mut(to) {
            version.stages.push(stage.to_owned());
        }
        if let Some(from) = from.filter(|_| stage == CURRENT) {
            self.move_stage(PREVIOUS, &from);
        }
    }

    /// Version id → labels, of the versions that have any.
    pub(super) fn stages(&self) -> Value {
        let labelled = self.versions.iter().filter(|(_, version)| !version.stages.is_empty());
        Value::Object(
            labelled.map(|(id, version)| (id.clone(), json!(version.stages))).collect::<Map<_, _>>(),
        )
    }
}

pub(super) fn put_value(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    refuse("PutSecretValue", input, &["RotationToken"])?;
    let given = given(input)?
        .ok_or_else(|| invalid_parameter("You must provide either SecretString or SecretBinary."))?;
    let now = cloud.now;
    let secret = find_live(cloud, input)?;
    let mut stages: Vec<&str> = match input["VersionStages"].as_array() {
        Some(stages) => stages.iter().filter_map(Value::as_str).collect(),
        None => vec![CURRENT],
    };
    if stages.len() > MOST_STAGES {
        return Err(invalid_parameter(format!("A version has at most {MOST_STAGES} staging labels.")));
    }
    // The first version is the current one, whatever else it is called.
    if secret.holder(CURRENT).is_none() && !stages.contains(&CURRENT) {
        stages.push(CURRENT);
    }
    let id = secret.add_version(given, &stages, now)?;
    let stages = secret.versions.get(&id).map(|version| version.stages.clone());
    Ok(json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": id, "VersionStages": stages }))
}

pub(super) fn get_value(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let now = cloud.now;
    let secret = find_live(cloud, input)?;
    let (id, stage) = (input["VersionId"].as_str(), input["VersionStage"].as_str());
    let missing = || {
        let what = match (id, stage) {
            (Some(id), _) => format!("VersionId: {id}"),
            (None, stage) => format!("staging label: {}", stage.unwrap_or(CURRENT)),
        };
        let text = format!("Secrets Manager can't find the specified secret value for {what}");
        Fault::new("ResourceNotFoundException", text)
    };
    let id = match id {
        Some(id) => id.to_owned(),
        None => secret.holder(stage.unwrap_or(CURRENT)).ok_or_else(missing)?,
    };
    let version = secret.versions.get(&id).ok_or_else(missing)?;
    if stage.is_some_and(|stage| !version.stages.iter().any(|s| s == stage)) {
        return Err(missing());
    }
    secret.accessed = Some(now);
    let mut answer = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": id,
        "VersionStages": version.stages,
        "CreatedDate": timestamp(version.created),
    });
    match &version.value {
        Payload::Text(text) => answer["SecretString"] = json!(text),
        Payload::Binary(base64) => answer["SecretBinary"] = json!(base64),
    }
    Ok(answer)
}
