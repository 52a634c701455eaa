//! Logs: one JSON object a line, with the fields of all spans around an event at its top
//! level, so that CloudWatch Logs Insights can filter by `request_id`, `service`, `digest`.
//!
//! What a log must never hold is replaced in every value, whoever wrote it.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::OnceLock;

use jiff::Timestamp;
use regex_lite::Regex;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// Makes the JSON log the process's own and sends panics there. To be called once.
pub(crate) fn start() {
    // A second start, as in tests, keeps the first.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(Json));
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic: {}", panic.payload_as_str().unwrap_or("of no text"));
    }));
}

/// Secrets replaced by `[redacted]`: this process's AWS credentials, what signs a link,
/// Slack's tokens and webhooks, authorization headers.
pub fn redact(text: &str) -> String {
    static SECRETS: OnceLock<Vec<Regex>> = OnceLock::new();
    let secrets = SECRETS.get_or_init(|| PATTERNS.iter().filter_map(|p| Regex::new(p).ok()).collect());
    let mut text = text.to_owned();
    for value in credentials() {
        text = text.replace(value, "[redacted]");
    }
    for secret in secrets {
        if secret.is_match(&text) {
            text = secret.replace_all(&text, "$1[redacted]").into_owned();
        }
    }
    text
}

const PATTERNS: [&str; 4] = [
    r#"(?i)(X-Amz-(?:Signature|Security-Token|Credential)=)[^&\s"\\]+"#,
    r"(xox[a-z]-|xapp-)[0-9A-Za-z-]+",
    r#"(hooks\.slack\.com/(?:services|workflows|triggers)/)[^\s"\\]+"#,
    r#"(?i)(authorization\\?"?\s*[:=]\s*\\?"?(?:Basic |Bearer |AWS4-HMAC-SHA256 )?)[^\s"\\]+"#,
];

fn credentials() -> &'static [String] {
    static VALUES: OnceLock<Vec<String>> = OnceLock::new();
    VALUES.get_or_init(|| {
        let values = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].map(std::env::var);
        // A very short one is a placeholder, and would tear the text apart.
        values.into_iter().flatten().filter(|value| value.len() >= 12).collect()
    })
}

/// The crates whose decisions and steps are logged, not their warnings alone.
const OURS: [&str; 7] =
    ["alarm", "deployment_state", "image_push", "lifecycle_hook", "notify", "shared", "sweep"];

struct Json;

/// The fields of a span, kept until its events are written.
struct Fields(Map<String, Value>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Json {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        // The crates below tell their life at every level; of them only warnings count.
        let ours = OURS.iter().any(|krate| metadata.target().split("::").next() == Some(krate));
        // The runtime repeats each error that a function reports, which is logged here already.
        let repeats = metadata.target().starts_with("lambda_runtime::layers");
        !repeats && *metadata.level() <= if ours { Level::INFO } else { Level::WARN }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields(Map::new());
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Map::new();
        line.insert("timestamp".into(), Timestamp::now().to_string().into());
        line.insert("level".into(), event.metadata().level().as_str().into());
        let mut own = Fields(Map::new());
        event.record(&mut own);
        if let Some(message) = own.0.shift_remove("message") {
            line.insert("message".into(), message);
        }
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.extend(fields.0.clone());
            }
        }
        line.extend(own.0);
        line.insert("target".into(), event.metadata().target().into());
        let text = Value::Object(line);
        // A log that cannot be written cannot be reported either.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), redact(value).into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = write!(text, "{value:?}");
        self.0.insert(field.name().to_owned(), redact(&text).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_repository_is_heard() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let names = names.filter(|entry| entry.path().join("src/main.rs").is_file());
        let names: Vec<_> = names.map(|entry| entry.file_name().into_string().unwrap()).collect();
        // `operator` is a command: it has no log.
        let functions = || names.iter().filter(|name| *name != "operator");
        assert!(functions().count() > 3, "{names:?}");
        let unheard: Vec<_> = functions().filter(|name| !OURS.contains(&&*name.replace('-', "_"))).collect();
        assert!(unheard.is_empty(), "their decisions are not logged: {unheard:?}");
    }

    #[test]
    fn secrets_are_replaced_and_the_rest_stays() {
        let cases = [
            ("https://b.s3/x?X-Amz-Signature=abc123&y=1", "https://b.s3/x?X-Amz-Signature=[redacted]&y=1"),
            ("token xoxb-12-ab was refused", "token xoxb-[redacted] was refused"),
            (
                "POST https://hooks.slack.com/services/T0/B0/xyz failed",
                "POST https://hooks.slack.com/services/[redacted] failed",
            ),
            (r#"{"Authorization": "Bearer abc.def"}"#, r#"{"Authorization": "Bearer [redacted]"}"#),
            ("no secret: sha256:abc", "no secret: sha256:abc"),
        ];
        for (text, expected) in cases {
            assert_eq!(redact(text), expected);
        }
    }
}
