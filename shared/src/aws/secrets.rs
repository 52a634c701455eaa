//! Secrets Manager: the value behind a reference.

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{Aws, Missing, failed};

#[derive(Debug, Clone)]
pub struct Secrets(aws_sdk_secretsmanager::Client);

impl Secrets {
    pub fn new(aws: &Aws) -> Self {
        Self(aws_sdk_secretsmanager::Client::from_conf(builder!(aws_sdk_secretsmanager, &aws.config).build()))
    }

    /// The text of a secret, or of a field of the JSON object that it is. `name` is a name or
    /// an ARN. Errors never hold any of it.
    pub async fn value(&self, name: &str, field: Option<&str>) -> anyhow::Result<String> {
        let what = || format!("reading the secret {name}");
        let answer = self.0.get_secret_value().secret_id(name).send().await.map_err(failed(what()))?;
        let text = answer.secret_string().ok_or(Missing("SecretString")).with_context(what)?;
        let Some(field) = field else { return Ok(text.to_owned()) };
        let Ok(Value::Object(members)) = serde_json::from_str(text) else {
            bail!("the secret {name} is not a JSON object, so it has no field '{field}'")
        };
        match members.get(field) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(_) => bail!("the field '{field}' of the secret {name} is neither text nor a number"),
            None => {
                let known: Vec<_> = members.keys().map(String::as_str).collect();
                bail!("the secret {name} has no field '{field}'; it has: {}", known.join(", "))
            }
        }
    }
}
