//! The secrets that a hook's requests need: fetched once for the hook, never printed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::Value;
use shared::aws::Secrets;
use shared::config::{SecretRef, Text};

/// Values shorter than this are not replaced in what is told: they would tear any text apart,
/// and give themselves away by it.
const SHORTEST: usize = 4;

/// Each reference with its value, or why there is none.
#[derive(Default)]
pub struct Values(BTreeMap<SecretRef, Result<String, String>>);

impl Values {
    /// Side by side, in one round trip. A secret that cannot be read matters only to the
    /// request that needs it.
    pub async fn fetch(secrets: &Secrets, references: BTreeSet<SecretRef>) -> Self {
        let all = references.into_iter().map(|reference| async {
            let value = secrets.value(&reference.name, reference.field.as_deref()).await;
            (reference, value.map_err(|e| format!("{e:#}")))
        });
        Self(join_all(all).await.into_iter().collect())
    }

    fn value(&self, reference: &SecretRef) -> Result<&str, String> {
        match self.0.get(reference) {
            Some(Ok(value)) => Ok(value),
            Some(Err(why)) => Err(why.clone()),
            None => Err(format!("{reference} was not read")),
        }
    }

    /// Text with the secret in its place.
    pub fn filled(&self, text: &Text) -> Result<String, String> {
        let secret = text.secret.as_ref().map_or(Ok(""), |reference| self.value(reference))?;
        Ok(format!("{}{secret}", text.plain))
    }

    /// JSON in which each string that is a reference is the secret's value.
    pub fn filled_json(&self, json: &Value) -> Result<Value, String> {
        Ok(match json {
            Value::String(text) => match SecretRef::parse(text) {
                Some(reference) => self.value(&reference)?.into(),
                None => json.clone(),
            },
            Value::Array(items) => {
                items.iter().map(|item| self.filled_json(item)).collect::<Result<Vec<_>, _>>()?.into()
            }
            Value::Object(members) => members
                .iter()
                .map(|(name, member)| Ok((name.clone(), self.filled_json(member)?)))
                .collect::<Result<serde_json::Map<_, _>, String>>()?
                .into(),
            Value::Null | Value::Bool(_) | Value::Number(_) => json.clone(),
        })
    }

    /// A text in which none of the secrets stands, as an answer may repeat what it was sent.
    pub fn redacted(&self, text: &str) -> String {
        let values = self.0.values().filter_map(|value| value.as_ref().ok());
        let mut forms: Vec<_> = values.flat_map(|value| forms(value.trim())).collect();
        forms.retain(|form| form.len() >= SHORTEST);
        // One may be a part of another, of which nothing may stay.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.iter().fold(text.to_owned(), |text, form| text.replace(form, "[redacted]"))
    }
}

/// A value as it is, as it stands in JSON, and in JSON that is a string of JSON.
fn forms(value: &str) -> [String; 3] {
    let within = |text: &str| {
        let quoted = Value::from(text).to_string();
        quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
    };
    let once = within(value);
    let twice = within(&once);
    [value.to_owned(), once, twice]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_stand_where_references_stood_and_nowhere_else() {
        let reference = SecretRef::parse("secret:api#token").unwrap();
        let missing = SecretRef::parse("secret:none").unwrap();
        let values =
            Values([(reference, Ok("hunter2!".into())), (missing, Err("no such secret".into()))].into());
        let text = |text: &str| values.filled(&Text::parse(text).unwrap());
        assert_eq!(text("Bearer secret:api#token"), Ok("Bearer hunter2!".into()));
        assert_eq!(text("plain"), Ok("plain".into()));
        assert_eq!(text("secret:none"), Err("no such secret".into()));
        assert!(text("secret:other").is_err());
        let body = json!({ "a": ["secret:api#token", "x secret:api#token", 1], "secret:api#token": null });
        let filled = json!({ "a": ["hunter2!", "x secret:api#token", 1], "secret:api#token": null });
        assert_eq!(values.filled_json(&body), Ok(filled));
        assert_eq!(
            values.redacted("it says hunter2! twice: hunter2!"),
            "it says [redacted] twice: [redacted]"
        );
    }

    #[test]
    fn nothing_of_a_secret_stays_that_holds_another_or_that_json_writes_otherwise() {
        let secret = |name: &str, value: &str| (SecretRef::parse(name).unwrap(), Ok(value.to_owned()));
        let values =
            Values([secret("secret:a", "hunter2"), secret("secret:b", "hunter2-\"quoted\"\\")].into());
        let value = json!({ "b": "hunter2-\"quoted\"\\" });
        let nested = Value::from(value.to_string());
        assert_eq!(values.redacted("hunter2-\"quoted\"\\, hunter2"), "[redacted], [redacted]");
        assert_eq!(values.redacted(&value.to_string()), r#"{"b":"[redacted]"}"#);
        assert_eq!(values.redacted(&nested.to_string()), r#""{\"b\":\"[redacted]\"}""#);
    }
}
