//! ListSecrets: filters, order and pages.

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;

use super::Secret;

pub(super) fn list(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let filters =
        input["Filters"].as_array().into_iter().flatten().map(Filter::of).collect::<Result<Vec<_>, _>>()?;
    let mut secrets: Vec<&Secret> = cloud
        .state
        .secretsmanager
        .secrets
        .values()
        .filter(|secret| secret.deletion.is_none() || input["IncludePlannedDeletion"] == true)
        .filter(|secret| filters.iter().all(|filter| filter.fits(secret)))
        .collect();
    // They come by name.
    match input["SortBy"].as_str() {
        Some("name") => {}
        Some("last-accessed-date") => secrets.sort_by_key(|secret| secret.accessed),
        Some("last-changed-date") => secrets.sort_by_key(|secret| secret.changed),
        _ => secrets.sort_by_key(|secret| secret.created),
    }
    if input["SortOrder"] == "desc" {
        secrets.reverse();
    }
    let (entries, next) = page(secrets.into_iter().map(entry).collect(), input)?;
    Ok(json!({ "SecretList": entries, "NextToken": next }))
}

fn entry(secret: &Secret) -> Value {
    let mut entry = secret.described();
    entry["SecretVersionsToStages"] = secret.stages();
    entry
}

fn page(items: Vec<Value>, input: &Value) -> Result<(Vec<Value>, Option<String>), Fault> {
    let start = match input["NextToken"].as_str() {
        None => 0,
        Some(token) => token
            .strip_prefix("from:")
            .and_then(|start| start.parse().ok())
            .filter(|start| *start <= items.len())
            .ok_or_else(|| Fault::new("InvalidNextTokenException", "The NextToken value is invalid."))?,
    };
    let most = input["MaxResults"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(100);
    let end = items.len().min(start + most);
    let next = (end < items.len()).then(|| format!("from:{end}"));
    Ok((items.into_iter().skip(start).take(end - start).collect(), next))
}

struct Filter<'a> {
    key: &'a str,
    values: Vec<&'a str>,
}

impl<'a> Filter<'a> {
    fn of(filter: &'a Value) -> Result<Self, Fault> {
        let key = filter["Key"].as_str().unwrap_or_default();
        let values: Vec<_> =
            filter["Values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !matches!(key, "name" | "description" | "tag-key" | "tag-value") {
            return Err(Fault::not_modelled(format!("secretsmanager:ListSecrets with the filter '{key}'")));
        }
        if values.is_empty() {
            return Err(Fault::new("InvalidParameterException", format!("Filter '{key}' needs Values.")));
        }
        Ok(Self { key, values })
    }

    /// One of the values has to fit: the beginning of the text or, after a `!`, not.
    fn fits(&self, secret: &Secret) -> bool {
        let tags = |member: &str| -> Vec<String> {
            let tags = secret.tags.as_array().into_iter().flatten();
            tags.filter_map(|tag| tag[member].as_str()).map(str::to_owned).collect()
        };
        let (texts, ignore_case) = match self.key {
            "name" => (vec![secret.name.clone()], false),
            "description" => (secret.description.iter().map(|text| text.to_lowercase()).collect(), true),
            "tag-key" => (tags("Key"), false),
            _ => (tags("Value"), false),
        };
        self.values.iter().any(|value| {
            let (wanted, prefix) = value.strip_prefix('!').map_or((true, *value), |prefix| (false, prefix));
            let prefix = if ignore_case { prefix.to_lowercase() } else { prefix.to_owned() };
            texts.iter().any(|text| text.starts_with(&prefix)) == wanted
        })
    }
}
