//! What notify reads: the queue's messages, which people are told, Slack's answers, and the
//! secret that opens Slack.

use std::time::Duration;

use notify::api::{self, Waits};
use notify::credentials::Credentials;
use notify::event::items;
use notify::failure::Failure;
use serde_json::{Value, json};
use shared::aws::WebAnswer;
use shared::message::Message;
use shared::message::slack::Blocks;
use tokio::time::Instant;

/// An event of a queue, or the body of one of its messages, bare and in SNS's envelope.
pub fn message(input: &[u8]) -> bool {
    let whole = serde_json::from_slice::<Value>(input).is_ok_and(|event| told(&event));
    let Ok(body) = str::from_utf8(input) else { return whole };
    let record = |body: String| json!({ "Records": [{ "messageId": "1", "body": body }] });
    let envelope = json!({ "Type": "Notification", "Message": body }).to_string();
    let bare = told(&record(body.to_owned()));
    assert!(!bare || told(&record(envelope)), "an envelope changes nothing");
    whole || bare
}

fn told(event: &Value) -> bool {
    let messages: Vec<_> = items(event).into_iter().flatten().filter_map(|item| item.message.ok()).collect();
    messages.iter().for_each(is_told_well);
    !messages.is_empty()
}

fn is_told_well(message: &Message) {
    let json = message.to_json().expect("what was read can be written");
    let again = Message::from_json(&json).expect("what was written can be read");
    assert_eq!((again.id(), again.key(), again.state()), (message.id(), message.key(), message.state()));
    let text = message.text();
    let subject = text.subject();
    assert!((1..100).contains(&subject.len()) && subject.chars().all(|c| c.is_ascii_graphic() || c == ' '));
    assert!(text.plain().starts_with(&text.sentence));
    for blocks in [message.headline(), message.in_thread(), message.whole()] {
        fits(&blocks);
        is_no_markup(&blocks);
    }
}

/// Slack's limits.
fn fits(blocks: &Blocks) {
    let list = blocks.blocks.as_array().expect("blocks are a list");
    assert!(list.len() <= 50, "{} blocks", list.len());
    let sizes = list.iter().map(|block| {
        let text =
            block["elements"][0]["text"].as_str().or(block["text"]["text"].as_str()).unwrap_or_default();
        let longest = if block["type"] == "header" { 150 } else { 3_000 };
        let size = text.chars().count();
        assert!(!text.trim().is_empty() && size <= longest, "{} of {size}: {text}", block["type"]);
        size
    });
    let all: usize = sizes.sum();
    assert!(all <= 13_000 && blocks.text.chars().count() <= 4_000, "{all} in all");
}

/// No text of others calls anybody, links anywhere or looks like Sluice's own.
fn is_no_markup(blocks: &Blocks) {
    let json = blocks.blocks.to_string();
    assert!(!json.contains(['<', '>']) && !json.contains("\"mrkdwn\""), "{json}");
    let text = &blocks.text;
    assert!(!text.contains(['<', '>', '\n', '\r']), "{text}");
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        assert!(!"*_~`@#:".contains(letter) || letters.peek() == Some(&'\u{200b}'), "{text}");
    }
    let bare = ["&amp;", "&lt;", "&gt;"].iter().fold(text.clone(), |text, escape| text.replace(escape, ""));
    assert!(!bare.contains('&'), "{text}");
}

const STATUSES: [u16; 8] = [200, 201, 302, 403, 404, 429, 500, 503];

/// A letter for the status, the rest of the line for `Retry-After`, and the body.
pub fn answer(input: &[u8]) -> bool {
    let Some((letter, rest)) = input.split_first() else { return false };
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (after, body) = rest.split_at(end);
    let after = String::from_utf8_lossy(after).into_owned();
    let answer = WebAnswer {
        status: STATUSES[usize::from(*letter) % STATUSES.len()],
        headers: vec![("retry-after".to_owned(), after)],
        body: body.get(1..).unwrap_or_default().to_vec(),
        took: Duration::ZERO,
    };
    let read = api::read(&answer, "#ops");
    assert!(read.as_ref().is_ok_and(|body| body["ok"] == true) || read.is_err());
    let taken = read.is_ok();
    for failure in read.err().into_iter().chain(Failure::of_webhook(&answer, "#ops")) {
        assert!(!failure.to_string().is_empty());
        is_waited_for(failure);
    }
    taken
}

/// However long, or short, Slack wants to be left alone: it is not asked after the end, nor
/// again and again.
fn is_waited_for(failure: Failure) {
    thread_local! {
        static VIRTUAL: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime needs nothing");
    }
    VIRTUAL.with(|runtime| {
        runtime.block_on(async {
            let end = Instant::now() + Duration::from_secs(60);
            let (mut waits, mut asked) = (Waits::new(end), 0);
            while waits.next(failure.clone()).await.is_ok() {
                asked += 1;
                assert!(Instant::now() < end && asked <= 120, "{asked} times");
            }
        });
    });
}

pub fn secret(input: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(input) else { return false };
    match Credentials::parse(text) {
        Ok(credentials) => {
            assert!(format!("{credentials:?}").ends_with("([redacted])"));
            true
        }
        Err(why) => {
            assert!(!why.is_empty());
            false
        }
    }
}
