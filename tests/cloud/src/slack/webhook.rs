//! Incoming webhooks: a message in, `ok` out, and no id.

use serde_json::Value;

use super::{Notes, Post, Slack, WEBHOOK_SECRET, check, limited, plain, shown};
use crate::http::{Request, Response};
use crate::time::Ms;

pub fn post(slack: &mut Slack, path: &str, request: &Request, now: Ms, notes: &mut Notes) -> Response {
    let ts = slack.stamp(now);
    let parts: Vec<_> = path.split('/').collect();
    let id = match parts.as_slice() {
        ["", "services", "T0LOCAL", hook, WEBHOOK_SECRET] => hook.strip_prefix('B').unwrap_or_default(),
        ["", "services", ..] => return plain(403, "invalid_token"),
        _ => return plain(404, "here are api/<method>, services/T…/B…/… and setup"),
    };
    let Some((name, channel)) = slack.channels.iter_mut().find(|(_, channel)| channel.id == id) else {
        return plain(404, "no_service");
    };
    if channel.archived {
        return plain(410, "channel_is_archived");
    }
    let Ok(Value::Object(input)) = serde_json::from_slice(&request.body) else {
        return plain(400, "invalid_payload");
    };
    let (text, blocks) = (input.get("text").and_then(Value::as_str).unwrap_or_default(), input.get("blocks"));
    let blocks = blocks.cloned().unwrap_or_default();
    if let Err(error) = check::content(text, &blocks) {
        return plain(400, error);
    }
    if let Err(seconds) = channel.takes(now) {
        return limited(seconds);
    }
    let post = Post {
        ts,
        thread_ts: None,
        broadcast: false,
        text: text.to_owned(),
        blocks,
        metadata: Value::Null,
        edits: 0,
    };
    notes.push(format!("slack #{name}: {}", shown(&post.title())));
    channel.messages.push(post);
    plain(200, "ok")
}
