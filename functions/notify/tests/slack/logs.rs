//! No secret reaches a log, whatever goes wrong.

use std::cell::RefCell;
use std::fmt::Write as _;

use cloud::slack::{Slack, TOKEN, Trouble, WEBHOOK_SECRET};
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::scene::{Environment, Stage, rolled_back};

/// Keeps all that anyone logs at any level, before anything is redacted, by thread: each test
/// has one of its own.
struct Lines;

thread_local! {
    static LINES: RefCell<String> = const { RefCell::new(String::new()) };
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        attributes.record(&mut Self);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Self);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        // What others log is theirs: the function's own log passes on their warnings only.
        if ["notify", "shared"].iter().any(|krate| event.metadata().target().starts_with(krate)) {
            event.record(&mut Self);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Lines {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        LINES.with_borrow_mut(|lines| writeln!(lines, "{field}={value:?}").unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn neither_a_token_nor_a_webhook_is_ever_logged() {
    tracing::subscriber::set_global_default(Lines).unwrap();
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
            LINES.take();
            let stage = Stage::with_secret(Environment::Warm, &secret);
            stage.slack(|slack| slack.script(std::iter::repeat_n(trouble.clone(), 12)));
            stage.say(0, rolled_back()).await;
            let lines = LINES.take();
            assert!(lines.contains("api:v2"), "the log says what it is about: {lines}");
            for hidden in [TOKEN, WEBHOOK_SECRET, "hunter2"] {
                assert!(!lines.contains(hidden), "{trouble:?}: {lines}");
            }
        }
    }
}
