//! The small texts in which AWS keeps things for Sluice, and which a person may have written as
//! well: tags, descriptions, references.

use jiff::Timestamp;
use notify::thread::Thread;
use shared::aws::tag_value;
use shared::config::{SecretRef, Text};
use shared::ended::Ended;
use shared::image::{Digest, ImageRef, is_companion_tag};
use shared::message::order::State;
use shared::release::{Hold, described, description, reason, rollback_description, rolled_back};
use shared::revision::short_arn;

use crate::events::snapshot_is_named;

pub fn tags(input: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(input) else { return false };
    snapshot_is_named(text, text);
    is_a_tags_value(&tag_value(text));
    let _ = (Hold::parse(text).is_on(Timestamp::UNIX_EPOCH), short_arn(text));
    let read = [ended(text), state(text), thread(text), deployment(text), secret(text), image(text)];
    read.contains(&true)
}

/// ECS takes up to 256 characters, and not all.
fn is_a_tags_value(value: &str) {
    assert!(value.chars().count() <= 256);
    assert!(value.chars().all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c)), "{value}");
}

/// What is written reads back as what was read.
fn ended(text: &str) -> bool {
    let Ok(ended) = text.parse::<Ended>() else { return false };
    is_a_tags_value(&ended.to_string());
    assert_eq!(ended.to_string().parse(), Ok(ended));
    true
}

fn state(text: &str) -> bool {
    let Ok(state) = text.parse::<State>() else { return false };
    assert_eq!(state.to_string().parse(), Ok(state));
    true
}

fn thread(text: &str) -> bool {
    let deployment = text.split_whitespace().next().unwrap_or_default();
    let thread = Thread::read(Some(text), deployment);
    assert_eq!(Thread::read(Some(&thread.to_string()), deployment), thread, "{thread}");
    thread != Thread::read(None, deployment)
}

fn deployment(text: &str) -> bool {
    let back = rollback_description(None, text);
    assert!(back.chars().count() <= 256 && rolled_back(&back).is_some(), "{back}");
    let _ = (reason(text), rolled_back(text));
    let Some((digest, repository)) = described(text) else { return false };
    let ours = description(&repository, &digest, text);
    assert!(ours.chars().count() <= 256, "{ours}");
    let (again, start) = described(&ours).expect("its beginning is kept");
    assert!(again == digest && repository.starts_with(&start), "{ours}");
    true
}

fn secret(text: &str) -> bool {
    if let Ok(Text { plain, secret: Some(secret) }) = Text::parse(text) {
        assert_eq!(format!("{plain}{secret}"), text);
    }
    let Some(secret) = SecretRef::parse(text) else { return false };
    assert_eq!(secret.to_string(), text);
    true
}

fn image(text: &str) -> bool {
    let image = ImageRef::parse(text);
    assert!(text.contains(&image.repository));
    let _ = is_companion_tag(text);
    text.parse::<Digest>().is_ok_and(|digest| digest.to_string() == text) || image.digest.is_some()
}
