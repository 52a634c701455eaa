//! What must not be seen: secrets, and others' text as markup.

use std::cell::RefCell;
use std::fmt::Write as _;

use cloud::slack::TOKEN;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::Seen;
use crate::account::{Account, SECRET};

thread_local! {
    /// What functions logged since the last look; each run has a thread of its own.
    static LOGGED: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what functions log, before anything is redacted.
pub struct Logs;

impl Subscriber for Logs {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = ["alarm", "deployment_state", "image_push", "lifecycle_hook", "notify", "shared", "sweep"];
        *metadata.level() <= Level::INFO
            && ours.iter().any(|krate| metadata.target().split("::").next() == Some(krate))
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        attributes.record(&mut Line);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Line);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line;

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        LOGGED.with_borrow_mut(|lines| {
            // Writing to memory cannot fail.
            let _ = writeln!(lines, "{field}={value:?}");
        });
    }
}

pub fn nothing_leaks(seen: &Seen, account: &Account) -> Result<(), String> {
    let secrets = [SECRET, TOKEN];
    let logged = LOGGED.take();
    let leaks = |text: &str| secrets.iter().any(|secret| text.contains(secret));
    if let Some(line) = logged.lines().find(|line| leaks(line)) {
        return Err(format!("a log has a secret in it: {line}"));
    }
    if let Some(done) = seen.fresh().iter().find(|done| leaks(&done.input.to_string())) {
        return Err(format!("{} of {} has a secret in it", done.operation, done.function));
    }
    if !seen.fresh().iter().any(|done| done.function == "notify" || done.operation == "GetSecretValue") {
        // Nothing was posted since the last look.
        return Ok(());
    }
    account.cloud.with(|world| {
        let posts = world.cloud.slack.channels.values().flat_map(|channel| &channel.messages);
        for post in posts {
            let shown = format!("{} {}", post.text, post.blocks);
            if leaks(&shown) || leaks(&post.metadata.to_string()) {
                return Err("a message has a secret in it".to_owned());
            }
            if shown.contains("<!channel") || shown.contains("<http://evil") {
                return Err(format!("text became markup: {shown}"));
            }
        }
        Ok(())
    })
}
