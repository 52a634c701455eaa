//! Secrets Manager: secrets, their versions and staging labels.

mod list;
#[cfg(test)]
mod tests;
mod versions;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;
use crate::time::{DAY, Ms, timestamp};

use versions::{CURRENT, Version};

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    /// By name; one that waits for its deletion keeps its name.
    secrets: BTreeMap<String, Secret>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {
    /// The end of a secret's recovery window.
    Delete { arn: String },
}

#[derive(Debug, Clone, Serialize)]
struct Secret {
    arn: String,
    name: String,
    description: Option<String>,
    kms_key: Option<String>,
    tags: Value,
    created: Ms,
    changed: Ms,
    accessed: Option<Ms>,
    /// When the recovery window ends.
    deletion: Option<Ms>,
    versions: BTreeMap<String, Version>,
}

pub(crate) fn call(cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    let input = call.input;
    let answer = match call.operation {
        "CreateSecret" => create(cloud, input),
        "DeleteSecret" => delete(cloud, input),
        "DescribeSecret" => describe(cloud, input),
        "GetSecretValue" => versions::get_value(cloud, input),
        "ListSecrets" => list::list(cloud, input),
        "PutSecretValue" => versions::put_value(cloud, input),
        "UpdateSecret" => update(cloud, input),
        other => return Err(Fault::not_modelled(format!("secretsmanager:{other}"))),
    };
    answer.map(Reply::Now)
}

pub(crate) fn fire(cloud: &mut Cloud, timer: Timer) {
    let Timer::Delete { arn } = timer;
    let now = cloud.now;
    let is_due = |secret: &Secret| secret.arn == arn && secret.deletion.is_some_and(|at| at <= now);
    cloud.state.secretsmanager.secrets.retain(|_, secret| !is_due(secret));
}

fn invalid_request(message: impl Into<String>) -> Fault {
    Fault::new("InvalidRequestException", message)
}

fn invalid_parameter(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterException", message)
}

/// A member that would change what happens, and cannot be honoured.
fn refuse(operation: &str, input: &Value, members: &[&str]) -> Result<(), Fault> {
    match members.iter().find(|member| input.get(member).is_some()) {
        Some(member) => Err(Fault::not_modelled(format!("secretsmanager:{operation} with {member}"))),
        None => Ok(()),
    }
}

/// Secrets are found by name, ARN, or an ARN without its random end.
fn find<'a>(cloud: &'a mut Cloud, input: &Value) -> Result<&'a mut Secret, Fault> {
    let id = input["SecretId"].as_str().unwrap_or_default();
    cloud
        .state
        .secretsmanager
        .secrets
        .values_mut()
        .find(|s| s.name == id || s.arn == id || s.arn.rsplit_once('-').is_some_and(|(start, _)| start == id))
        .ok_or_else(|| {
            Fault::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        })
}

/// One that does not wait for its deletion.
fn find_live<'a>(cloud: &'a mut Cloud, input: &Value) -> Result<&'a mut Secret, Fault> {
    let secret = find(cloud, input)?;
    if secret.deletion.is_some() {
        return Err(invalid_request(
            "You can't perform this operation on the secret because it was marked for deletion.",
        ));
    }
    Ok(secret)
}

fn arn(cloud: &mut Cloud, name: &str) -> String {
    let suffix = cloud.ids.alphanumeric(6);
    cloud.arn("secretsmanager", &format!("secret:{name}-{suffix}"))
}

fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    refuse("CreateSecret", input, &["AddReplicaRegions", "Type", "CrossAccountPrimaryARN"])?;
    let name = input["Name"].as_str().unwrap_or_default();
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "/_+=.@!-".contains(c)) {
        return Err(invalid_parameter(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        ));
    }
    let value = versions::given(input)?;
    if let Some(existing) = cloud.state.secretsmanager.secrets.get(name) {
        return again(existing, value.as_ref());
    }
    let arn = arn(cloud, name);
    let now = cloud.now;
    let mut secret = Secret {
        arn,
        name: name.to_owned(),
        description: input["Description"].as_str().map(str::to_owned),
        kms_key: input["KmsKeyId"].as_str().map(str::to_owned),
        tags: input.get("Tags").cloned().unwrap_or_else(|| json!([])),
        created: now,
        changed: now,
        accessed: None,
        deletion: None,
        versions: BTreeMap::new(),
    };
    let version = value.map(|value| secret.add_version(value, &[CURRENT], now)).transpose()?;
    let answer = json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": version });
    cloud.state.secretsmanager.secrets.insert(secret.name.clone(), secret);
    Ok(answer)
}

/// CreateSecret for a name that is taken: no error if it is the same request again.
fn again(existing: &Secret, value: Option<&versions::Given>) -> Result<Value, Fault> {
    if existing.deletion.is_some() {
        return Err(invalid_request(
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        ));
    }
    if let Some(given) = value
        && existing.versions.get(&given.token).is_some_and(|version| version.value == given.value)
    {
        return Ok(json!({ "ARN": existing.arn, "Name": existing.name, "VersionId": given.token }));
    }
    Err(Fault::new(
        "ResourceExistsException",
        format!("The operation failed because the secret {} already exists.", existing.name),
    ))
}

fn update(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    refuse("UpdateSecret", input, &["Type"])?;
    let value = versions::given(input)?;
    let now = cloud.now;
    let secret = find_live(cloud, input)?;
    let version = value.map(|value| secret.add_version(value, &[CURRENT], now)).transpose()?;
    if let Some(description) = input["Description"].as_str() {
        secret.description = Some(description.to_owned());
    }
    if let Some(key) = input["KmsKeyId"].as_str() {
        secret.kms_key = Some(key.to_owned());
    }
    secret.changed = now;
    Ok(json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": version }))
}

fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let now = cloud.now;
    let is_forced = input["ForceDeleteWithoutRecovery"] == true;
    let window = input["RecoveryWindowInDays"].as_u64();
    if is_forced && window.is_some() {
        return Err(invalid_parameter(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ));
    }
    if input.get("RecoveryWindowInDays").is_some() && !window.is_some_and(|days| (7..=30).contains(&days)) {
        return Err(invalid_parameter(
            "RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
        ));
    }
    if is_forced {
        return force_delete(cloud, input);
    }
    let secret = find_live(cloud, input)?;
    let at = now + window.unwrap_or(30) * DAY;
    secret.deletion = Some(at);
    let answer = json!({ "ARN": secret.arn, "Name": secret.name, "DeletionDate": timestamp(at) });
    let timer = Timer::Delete { arn: secret.arn.clone() };
    cloud.after(at - now, timer);
    Ok(answer)
}

/// Also of a secret that waits for its deletion, or is not there at all.
fn force_delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let now = cloud.now;
    let (arn, name) = match find(cloud, input) {
        Ok(secret) => (secret.arn.clone(), secret.name.clone()),
        Err(_) => {
            let id = input["SecretId"].as_str().unwrap_or_default().to_owned();
            if id.starts_with("arn:") { (id.clone(), id) } else { (arn(cloud, &id), id) }
        }
    };
    cloud.state.secretsmanager.secrets.remove(&name);
    Ok(json!({ "ARN": arn, "Name": name, "DeletionDate": timestamp(now) }))
}

impl Secret {
    /// What DescribeSecret and ListSecrets have in common.
    fn described(&self) -> Value {
        json!({
            "ARN": self.arn,
            "Name": self.name,
            "Description": self.description,
            "KmsKeyId": self.kms_key,
            "LastChangedDate": timestamp(self.changed),
            "LastAccessedDate": self.accessed.map(|at| timestamp(at / DAY * DAY)),
            "DeletedDate": self.deletion.map(timestamp),
            "Tags": self.tags,
            "CreatedDate": timestamp(self.created),
        })
    }
}

fn describe(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let secret = find(cloud, input)?;
    let mut answer = secret.described();
    answer["VersionIdsToStages"] = secret.stages();
    Ok(answer)
}
