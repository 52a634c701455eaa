//! Why a message was not told, and whether trying again can help. The words for people are here.

use std::time::Duration;

use serde_json::Value;
use shared::aws::{WebAnswer, WebError};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It was certainly not done, and may work later.
    #[error("{why}")]
    NotDone {
        why: String,
        /// How long Slack wants to be left alone.
        after: Option<Duration>,
    },
    /// It may have been done: there was no answer that says so.
    #[error("{0}")]
    Unknown(String),
    /// The same, and nothing else will reach that address now either.
    #[error("{0}")]
    Unreached(String),
    /// Slack does not take the credentials.
    #[error("Slack refuses the credentials ({0})")]
    Credentials(String),
    /// The message that was to be edited, or answered, is not there.
    #[error("the message is gone from Slack ({0})")]
    Gone(String),
    /// The app may not do this.
    #[error("the app lacks the scope {0}; add it to the app and install it again")]
    Scope(String),
    /// Trying again does not help; says the way out.
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    /// Of a request that got no answer, or a broken one. Nothing of its URL is told: that of a
    /// webhook is a secret.
    pub fn of_web(error: &WebError) -> Self {
        match error {
            WebError::Url(_, what) => Self::Refused(format!("the URL of Slack cannot be asked: {what}")),
            WebError::Refused(_, address, what) => {
                Self::Refused(format!("the URL of Slack leads to {address}, {what}, which is not asked"))
            }
            WebError::TimedOut(patience) => {
                Self::Unreached(format!("Slack did not answer within {patience:?}"))
            }
            WebError::Connection(what) => {
                Self::Unreached(format!("no connection to Slack, or a broken one: {what}"))
            }
        }
    }

    /// Of a status that is not 200.
    pub fn of_status(answer: &WebAnswer) -> Option<Self> {
        match answer.status {
            200 => None,
            429 => Some(Self::limited(answer.header("retry-after"))),
            status if status >= 500 => Some(Self::Unknown(format!("Slack answered with status {status}"))),
            status => Some(Self::Refused(format!("Slack answered with status {status}"))),
        }
    }

    fn limited(after: Option<&str>) -> Self {
        let after = after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        Self::NotDone { why: "Slack limits how often it is asked".to_owned(), after }
    }

    /// Of an answer with `ok: false`; `what` is a channel, with its `#`.
    pub fn of_answer(answer: &Value, what: &str) -> Self {
        let error = answer["error"].as_str().unwrap_or("no error named");
        match error {
            "ratelimited" | "rate_limited" => Self::limited(None),
            "request_timeout" | "service_unavailable" | "team_added_to_org" | "accesslimited" => {
                Self::NotDone { why: format!("Slack answered with {error}"), after: None }
            }
            "internal_error" | "fatal_error" => Self::Unknown(format!("Slack answered with {error}")),
            "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive" => {
                Self::Credentials(error.to_owned())
            }
            "message_not_found" | "thread_not_found" | "cant_update_message" | "edit_window_closed" => {
                Self::Gone(error.to_owned())
            }
            "missing_scope" => {
                Self::Scope(answer["needed"].as_str().unwrap_or("that Slack asks for").to_owned())
            }
            _ => Self::Refused(format!("Slack refuses it for {what} ({error}): {}", way_out(error))),
        }
    }

    /// Of a webhook's answer.
    pub fn of_webhook(answer: &WebAnswer, channel: &str) -> Option<Self> {
        let said = String::from_utf8_lossy(&answer.body);
        // Only names of errors; anything else is not repeated.
        let name = |c: char| c.is_ascii_lowercase() || c == '_';
        let error = if said.len() < 50 && said.chars().all(name) { said.as_ref() } else { "no error named" };
        match (answer.status, error) {
            (200, _) => None,
            (429, _) => Some(Self::limited(answer.header("retry-after"))),
            (status, _) if status >= 500 => {
                Some(Self::Unknown(format!("Slack answered with status {status}")))
            }
            (403 | 404, "invalid_token" | "no_service" | "no_active_hooks" | "no_team" | "team_disabled") => {
                Some(Self::Credentials(error.to_owned()))
            }
            (status, _) => Some(Self::Refused(format!(
                "Slack refuses it for {channel} (status {status}, {error}): {}",
                way_out(error)
            ))),
        }
    }
}

fn way_out(error: &str) -> &'static str {
    match error {
        "channel_not_found" => {
            "correct 'notify' in releases.yaml; a private channel is there only once the app was invited"
        }
        "not_in_channel" => "invite the app to the channel, or give it the scope chat:write.public",
        "is_archived" | "channel_is_archived" => {
            "unarchive the channel, or name another under 'notify' in releases.yaml"
        }
        "restricted_action" | "restricted_action_read_only_channel" | "posting_to_general_channel_denied" => {
            "let the app post in this channel, in Slack's settings"
        }
        "invalid_blocks"
        | "invalid_blocks_format"
        | "msg_blocks_too_long"
        | "msg_too_long"
        | "no_text"
        | "invalid_metadata_format"
        | "invalid_payload" => "that is a fault of Sluice; please report it",
        _ => "see Slack's documentation of chat.postMessage",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &str) -> WebAnswer {
        let headers = vec![("retry-after".to_owned(), "7".to_owned())];
        WebAnswer { status, headers, body: body.as_bytes().to_vec(), took: Duration::ZERO }
    }

    #[test]
    fn what_slack_refuses_for_good_names_the_way_out() {
        let of = |error: &str| {
            Failure::of_answer(&json!({ "ok": false, "error": error, "needed": "x:y" }), "#ops")
        };
        assert_eq!(
            of("not_in_channel").to_string(),
            "Slack refuses it for #ops (not_in_channel): invite the app to the channel, or give it the scope \
             chat:write.public"
        );
        assert_eq!(
            of("missing_scope").to_string(),
            "the app lacks the scope x:y; add it to the app and install it again"
        );
        assert!(of("invalid_blocks").to_string().ends_with("please report it"));
        assert!(matches!(of("anything"), Failure::Refused(_)));
        assert!(matches!(of("token_revoked"), Failure::Credentials(_)));
        assert!(matches!(of("ratelimited"), Failure::NotDone { after: None, .. }));
        assert!(matches!(of("fatal_error"), Failure::Unknown(_)));
    }

    #[test]
    fn statuses_say_whether_it_was_done() {
        let seven = Some(Duration::from_secs(7));
        for of in [Failure::of_status, |answer: &WebAnswer| Failure::of_webhook(answer, "#ops")] {
            assert_eq!(of(&answer(200, "ok")), None);
            assert!(matches!(of(&answer(429, "")), Some(Failure::NotDone { after, .. }) if after == seven));
            assert!(matches!(of(&answer(503, "")), Some(Failure::Unknown(_))));
            assert!(matches!(of(&answer(400, "")), Some(Failure::Refused(_))));
        }
        let gone = Failure::of_webhook(&answer(404, "no_service"), "#ops");
        assert_eq!(gone, Some(Failure::Credentials("no_service".into())));
        let odd = Failure::of_webhook(&answer(400, "<https://hooks.slack.com/secret>"), "#ops").unwrap();
        assert!(!odd.to_string().contains("secret"), "{odd}");
    }

    #[test]
    fn no_url_is_ever_told() {
        let url = "https://hooks.slack.com/services/T/B/hunter2".to_owned();
        let errors = [
            WebError::Url(url.clone(), "x".into()),
            WebError::Refused(url, "127.0.0.1".into(), "a loopback address"),
        ];
        for error in errors {
            assert!(!Failure::of_web(&error).to_string().contains("hunter2"));
        }
    }
}
