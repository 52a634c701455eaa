//! What opens Slack: a bot token or incoming webhooks, from Secrets Manager.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use shared::aws::Secrets;
use tokio::time::Instant;

use crate::failure::Failure;

/// A secret that was changed is used after this, or as soon as Slack refuses the old one.
const KEPT: Duration = Duration::from_secs(300);

#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    Bot(String),
    Webhooks {
        /// By channel, with its `#`.
        by_channel: BTreeMap<String, String>,
        /// For all others.
        rest: Option<String>,
    },
}

/// Never its values: it may reach a log.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bot(_) => "Bot([redacted])",
            Self::Webhooks { .. } => "Webhooks([redacted])",
        })
    }
}

/// How new the credentials must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    Kept,
    Fresh,
}

/// The secret, fetched when it is needed first.
#[derive(Debug)]
pub struct Vault {
    secrets: Secrets,
    name: String,
    kept: Mutex<Option<(Instant, Credentials)>>,
}

impl Vault {
    pub fn new(secrets: Secrets, name: String) -> Self {
        Self { secrets, name, kept: Mutex::default() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub async fn credentials(&self, age: Age) -> Result<Credentials, Failure> {
        if let Some(kept) = self.kept().filter(|_| age == Age::Kept) {
            return Ok(kept);
        }
        let text = self.secrets.value(&self.name, None).await;
        let text = text.map_err(|e| Failure::NotDone { why: format!("{e:#}"), after: None })?;
        let credentials = Credentials::parse(&text);
        let credentials =
            credentials.map_err(|why| Failure::Refused(format!("the secret {} {why}", self.name)))?;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), credentials.clone()));
        Ok(credentials)
    }

    fn kept(&self) -> Option<Credentials> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|(at, _)| at.elapsed() < KEPT).map(|(_, credentials)| credentials.clone())
    }
}

const LIKE: &str = "make it a bot token (xoxb-…), the URL of an incoming webhook, or a JSON object with \"token\", \
                    \"webhook\", or \"webhooks\" by channel";

impl Credentials {
    /// Errors say what is wrong and hold nothing of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with('{') {
            return Self::of_members(text);
        }
        if text.contains("://") {
            Ok(Self::webhooks(BTreeMap::new(), Some(webhook(text)?)))
        } else {
            bot(text)
        }
    }

    fn of_members(text: &str) -> Result<Self, String> {
        let Ok(Value::Object(members)) = serde_json::from_str(text) else {
            return Err(format!("begins like JSON and is none; {LIKE}"));
        };
        let member = |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(token) = member("token") {
            return bot(token);
        }
        let rest = member("webhook").map(webhook).transpose()?;
        let mut by_channel = BTreeMap::new();
        for (channel, url) in members.get("webhooks").and_then(Value::as_object).into_iter().flatten() {
            let url = url.as_str().ok_or_else(|| format!("has a webhook for {channel} that is no text"))?;
            by_channel.insert(format!("#{}", channel.trim_start_matches('#')), webhook(url)?);
        }
        if rest.is_none() && by_channel.is_empty() {
            return Err(format!("holds neither a token nor a webhook; {LIKE}"));
        }
        Ok(Self::webhooks(by_channel, rest))
    }

    fn webhooks(by_channel: BTreeMap<String, String>, rest: Option<String>) -> Self {
        Self::Webhooks { by_channel, rest }
    }
}

fn bot(text: &str) -> Result<Credentials, String> {
    let right = text.strip_prefix("xoxb-").is_some_and(|rest| !rest.is_empty())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if right {
        return Ok(Credentials::Bot(text.to_owned()));
    }
    if text.starts_with("xox") || text.starts_with("xapp-") {
        return Err("is a token of Slack's, but not a bot's, which begins with xoxb-".to_owned());
    }
    Err(format!("is nothing that opens Slack; {LIKE}"))
}

/// Plain HTTP is for the local cloud, whose address is of this machine.
fn webhook(text: &str) -> Result<String, String> {
    let here = ["http://127.0.0.1:", "http://localhost:", "http://localhost/"];
    let right = text.starts_with("https://") || here.iter().any(|here| text.starts_with(here));
    let graphic = text.chars().all(|c| c.is_ascii_graphic());
    if right && graphic {
        Ok(text.to_owned())
    } else {
        Err(format!("has a webhook that is no https URL; {LIKE}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_token_a_webhook_or_an_object_with_them() {
        let bot = Ok(Credentials::Bot("xoxb-1-a".into()));
        assert_eq!(Credentials::parse(" xoxb-1-a\n"), bot);
        assert_eq!(Credentials::parse(r#"{"token":"xoxb-1-a"}"#), bot);
        let url = || "https://hooks.slack.com/services/T/B/x".to_owned();
        let one = Ok(Credentials::webhooks(BTreeMap::new(), Some(url())));
        assert_eq!(Credentials::parse(&url()), one);
        assert_eq!(Credentials::parse(r#"{"webhook":"https://hooks.slack.com/services/T/B/x"}"#), one);
        let by = r##"{"webhooks":{"#ops":"https://hooks.slack.com/services/T/B/x","deploys":"https://hooks.slack.com/services/T/B/x"}}"##;
        let map = BTreeMap::from([("#deploys".to_owned(), url()), ("#ops".to_owned(), url())]);
        assert_eq!(Credentials::parse(by), Ok(Credentials::webhooks(map, None)));
    }

    #[test]
    fn what_opens_nothing_is_refused_without_being_told() {
        for wrong in [
            "",
            "hunter2",
            "xoxp-hunter2",
            "xapp-hunter2",
            "xoxb-",
            "xoxb-hunter2 x",
            "http://evil/hunter2",
            "ftp://hunter2",
            "https://hooks/hunter2 x",
            "{hunter2",
            "{}",
            r#"{"token":"hunter2"}"#,
            r#"{"webhooks":{"a":["hunter2"]}}"#,
        ] {
            let error = Credentials::parse(wrong).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
        let shown = format!("{:?}", Credentials::parse("xoxb-hunter2"));
        assert_eq!(shown, "Ok(Bot([redacted]))");
    }
}
