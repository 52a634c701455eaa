//! What happened, in order: every API call, event, traffic weight and alarm
//! change, readable as text and complete as data.

use serde::Serialize;
use serde_json::Value;

use crate::time::{Ms, iso};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An API call.
    Call,
    /// An HTTP request that is no API call.
    Http,
    Event,
    Traffic,
    Alarm,
    Task,
    Deployment,
    Function,
    Message,
    Scan,
    Database,
    Host,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    pub at: Ms,
    pub kind: Kind,
    pub text: String,
    /// What a test asserts on; for a call `{service, operation, caller, input, error}`.
    pub data: Value,
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = format!("{:?}", self.kind).to_lowercase();
        write!(f, "{}  {kind:<10} {}", iso(self.at), self.text)
    }
}
