//! No secret reaches a log, whatever goes wrong.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use cloud::slack::{Slack, TOKEN, Trouble, WEBHOOK_SECRET};
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::scene::{Environment, Stage, rolled_back};

/// Keeps all that anyone logs at any level, before anything is redacted.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<String>>);

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        attributes.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        // What others log is theirs: the function's own log passes on their warnings only.
        if ["notify", "shared"].iter().any(|krate| event.metadata().target().starts_with(krate)) {
            event.record(&mut self.clone());
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Lines {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn neither_a_token_nor_a_webhook_is_ever_logged() {
    let webhook = |slack: &Slack| format!("https://hooks.slack.com{}", slack.webhook("ops"));
    let webhook = webhook(&Slack::default());
    let secrets = [
        TOKEN.to_owned(),
        webhook.clone(),
        json!({ "token": TOKEN }).to_string(),
        json!({ "webhooks": { "#ops": webhook } }).to_string(),
        json!({ "webhook": "https://hooks.slack.com/\u{7f}/hunter2" }).to_string(),
        "https://127.0.0.1:1/hunter2".to_owned(),
        "https://169.254.169.254/hunter2".to_owned(),
        "xoxp-hunter2".to_owned(),
        "{hunter2".to_owned(),
    ];
    for secret in secrets {
        for trouble in [
            None,
            Some(Trouble::Refused),
            Some(Trouble::ServerError),
            Some(Trouble::Hangs),
            Some(Trouble::Error("invalid_auth".into())),
            Some(Trouble::Error("not_in_channel".into())),
        ] {
            let lines = Lines::default();
            let guard = tracing::subscriber::set_default(lines.clone());
            let stage = Stage::with_secret(Environment::Warm, &secret);
            stage.slack(|slack| slack.script(std::iter::repeat_n(trouble.clone(), 12)));
            stage.say(0, rolled_back()).await;
            drop(guard);
            let lines = lines.0.lock().unwrap().clone();
            assert!(lines.contains("api:v2"), "the log says what it is about: {lines}");
            for hidden in [TOKEN, WEBHOOK_SECRET, "hunter2"] {
                assert!(!lines.contains(hidden), "{trouble:?}: {lines}");
            }
        }
    }
}
