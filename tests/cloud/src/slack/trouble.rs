//! What befalls requests to Slack, and how a test arranges it.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::json;

use super::{Outcome, Slack, answer, plain};
use crate::time::{Ms, SECOND};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// 429 with `Retry-After` of so many seconds.
    RateLimited(u64),
    /// 200 with `ok: false` and this error.
    Error(String),
    /// 503; nothing was done.
    ServerError,
    /// 502, but it was done.
    ServerErrorAfter,
    /// No connection.
    Refused,
    /// Done, but the connection breaks before the answer.
    AnswerLost,
    /// Neither done nor answered.
    Hangs,
    /// Done and never answered.
    HangsAfter,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Troubles {
    pub script: VecDeque<Option<Trouble>>,
    pub outage_until: Option<Ms>,
}

/// What `POST /_cloud/slack/setup` takes; each part may be missing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    #[serde(default)]
    channels: Vec<String>,
    /// `null` lets a request pass.
    #[serde(default)]
    troubles: Vec<Option<Trouble>>,
    outage_seconds: Option<u64>,
    scopes: Option<Vec<String>>,
    tokens: Option<Vec<String>>,
}

impl Troubles {
    pub fn next(&mut self, now: Ms) -> Option<Trouble> {
        if self.outage_until.is_some_and(|end| now < end) {
            return Some(Trouble::Refused);
        }
        self.script.pop_front().flatten()
    }
}

pub(super) fn setup(slack: &mut Slack, body: &[u8], now: Ms) -> Outcome {
    let setup: Setup = match serde_json::from_slice(body) {
        Ok(setup) => setup,
        Err(e) => return Outcome::Answer(plain(400, &format!("not a setup: {e}"))),
    };
    for name in &setup.channels {
        slack.add_channel(name.trim_start_matches('#'));
    }
    slack.troubles.script.extend(setup.troubles);
    if let Some(seconds) = setup.outage_seconds {
        slack.outage_until(now + seconds * SECOND);
    }
    if let Some(scopes) = setup.scopes {
        slack.scopes = scopes.into_iter().collect();
    }
    if let Some(tokens) = setup.tokens {
        slack.tokens = tokens.into_iter().collect();
    }
    answer(200, &json!({ "ok": true }))
}
