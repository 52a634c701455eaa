//! Values of the file as JSON.

use serde_json::Value as Json;

use super::Value;
use crate::config::tree::Data;

impl Value<'_> {
    /// The value as JSON.
    pub fn json(&self) -> Option<Json> {
        self.json_of(&|_| Ok(()))
    }

    /// The value as JSON, whose every text `check` takes. Its error is the fault.
    pub fn json_of(&self, check: &dyn Fn(&str) -> Result<(), String>) -> Option<Json> {
        Some(match &self.node.data {
            Data::Null => Json::Null,
            Data::Bool(truth) => Json::Bool(*truth),
            Data::Number { value: Some(number), .. } => Json::Number(number.clone()),
            Data::Number { value: None, written } => {
                self.not_in_json(written);
                return None;
            }
            Data::Text(text) => {
                check(text).map_err(|what| self.fault(what)).ok()?;
                Json::String(text.clone())
            }
            Data::List(_) => Json::Array(self.list(|item| item.json_of(check))?),
            Data::Map(_) => {
                let members =
                    self.mapping()?.each(|key, value| Some((key.to_owned(), value.json_of(check)?)))?;
                Json::Object(members.into_iter().collect())
            }
            Data::Refused(why) => {
                self.fault(why);
                return None;
            }
        })
    }

    /// Any number that JSON has.
    pub fn float(&self) -> Option<f64> {
        let Data::Number { value, written } = &self.node.data else {
            self.expected("a number");
            return None;
        };
        if value.is_none() {
            self.not_in_json(written);
        }
        value.as_ref()?.as_f64()
    }

    fn not_in_json(&self, written: &str) {
        self.fault(format_args!("is {written}, which JSON does not have; write another value"));
    }
}
