//! The Web API's methods. What writes takes JSON; what reads takes a query or a form, as
//! Slack's do.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Channel, Notes, Post, Slack, check, limited, shown, whole};
use crate::http::{Request, Response};
use crate::time::Ms;

type Refusal = Box<Response>;

pub fn call(slack: &mut Slack, method: &str, request: &Request, now: Ms, notes: &mut Notes) -> Response {
    let result = authorized(slack, request).and_then(|()| match method {
        "auth.test" => Ok(json!({
            "url": "https://local.slack.com/", "team": "local", "user": "sluice", "team_id": "T0LOCAL",
            "user_id": "U0SLUICE", "bot_id": "B0SLUICE",
        })),
        "chat.postMessage" => post(slack, &body(request)?, now, notes),
        "chat.update" => update(slack, &body(request)?, notes),
        "conversations.list" => list(slack, &arguments(request)),
        "conversations.history" => history(slack, &arguments(request)),
        "conversations.replies" => replies(slack, &arguments(request)),
        _ => Err(refused("unknown_method")),
    });
    match result {
        Ok(mut value) => {
            value["ok"] = json!(true);
            whole(200, &value)
        }
        Err(response) => *response,
    }
}

fn refused(error: &str) -> Refusal {
    Box::new(whole(200, &json!({ "ok": false, "error": error })))
}

fn authorized(slack: &Slack, request: &Request) -> Result<(), Refusal> {
    let header = request.header("authorization").ok_or_else(|| refused("not_authed"))?;
    let token = header.strip_prefix("Bearer ").unwrap_or_default();
    if slack.tokens.contains(token) { Ok(()) } else { Err(refused("invalid_auth")) }
}

fn scope(slack: &Slack, needed: &str) -> Result<(), Refusal> {
    if slack.scopes.contains(needed) {
        return Ok(());
    }
    let provided: Vec<_> = slack.scopes.iter().map(String::as_str).collect();
    let (error, provided) = ("missing_scope", provided.join(","));
    Err(Box::new(whole(200, &json!({ "ok": false, "error": error, "needed": needed, "provided": provided }))))
}

fn body(request: &Request) -> Result<Value, Refusal> {
    let kind = request.header("content-type").unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(refused("invalid_post_type"));
    }
    let value: Option<Value> = serde_json::from_slice(&request.body).ok();
    value.filter(Value::is_object).ok_or_else(|| refused("invalid_json"))
}

fn arguments(request: &Request) -> BTreeMap<String, String> {
    let form = request.header("content-type").is_some_and(|kind| kind.contains("form-urlencoded"));
    let query = form_urlencoded::parse(request.query().as_bytes());
    let body = form_urlencoded::parse(if form { &request.body } else { b"" });
    query.chain(body).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// By its id, and where people may write so, by its name.
fn channel<'a>(
    slack: &'a mut Slack,
    named: &str,
    by_name: ByName,
) -> Result<(&'a str, &'a mut Channel), Refusal> {
    let name = match by_name {
        ByName::Taken => named.trim_start_matches('#'),
        ByName::Unknown => "",
    };
    let mut all = slack.channels.iter_mut();
    let found = all.find(|(other, channel)| channel.id == named || other.as_str() == name);
    found.map(|(name, channel)| (name.as_str(), channel)).ok_or_else(|| refused("channel_not_found"))
}

#[derive(Clone, Copy)]
enum ByName {
    Taken,
    Unknown,
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn post(slack: &mut Slack, input: &Value, now: Ms, notes: &mut Notes) -> Result<Value, Refusal> {
    scope(slack, "chat:write")?;
    let ts = slack.stamp(now);
    let (name, channel) = channel(slack, text(input, "channel"), ByName::Taken)?;
    if channel.archived {
        return Err(refused("is_archived"));
    }
    if !channel.member {
        return Err(refused("not_in_channel"));
    }
    check::content(text(input, "text"), &input["blocks"]).map_err(refused)?;
    check::metadata(&input["metadata"]).map_err(refused)?;
    let thread_ts = input["thread_ts"].as_str().map(str::to_owned);
    if let Some(parent) = &thread_ts
        && !channel.messages.iter().any(|post| post.ts == *parent)
    {
        return Err(refused("thread_not_found"));
    }
    channel.takes(now).map_err(|seconds| Box::new(limited(seconds)))?;
    let post = Post {
        ts: ts.clone(),
        broadcast: thread_ts.is_some() && input["reply_broadcast"] == true,
        thread_ts,
        text: text(input, "text").to_owned(),
        blocks: input["blocks"].clone(),
        metadata: input["metadata"].clone(),
        edits: 0,
    };
    let place = if post.thread_ts.is_some() { ", in a thread" } else { "" };
    notes.push(format!("slack #{name}{place}: {}", shown(&post.title())));
    let (id, message) = (channel.id.clone(), post.seen(true));
    channel.messages.push(post);
    Ok(json!({ "channel": id, "ts": ts, "message": message }))
}

fn update(slack: &mut Slack, input: &Value, notes: &mut Notes) -> Result<Value, Refusal> {
    scope(slack, "chat:write")?;
    let (name, channel) = channel(slack, text(input, "channel"), ByName::Unknown)?;
    check::content(text(input, "text"), &input["blocks"]).map_err(refused)?;
    check::metadata(&input["metadata"]).map_err(refused)?;
    let ts = text(input, "ts");
    let post = channel.messages.iter_mut().find(|post| post.ts == ts);
    let post = post.ok_or_else(|| refused("message_not_found"))?;
    post.text = text(input, "text").to_owned();
    post.blocks = input["blocks"].clone();
    if !input["metadata"].is_null() {
        post.metadata = input["metadata"].clone();
    }
    post.edits += 1;
    notes.push(format!("slack #{name}, edited: {}", shown(&post.title())));
    Ok(json!({ "channel": channel.id, "ts": ts, "text": post.text }))
}

fn list(slack: &mut Slack, arguments: &BTreeMap<String, String>) -> Result<Value, Refusal> {
    let types = arguments.get("types").map_or("public_channel", String::as_str);
    for (kind, needed) in [("public_channel", "channels:read"), ("private_channel", "groups:read")] {
        if types.split(',').any(|one| one.trim() == kind) {
            scope(slack, needed)?;
        }
    }
    let wanted = |private: bool| types.contains(if private { "private_channel" } else { "public_channel" });
    let all: Vec<_> = slack.channels.iter().filter(|(_, channel)| wanted(channel.private)).collect();
    let shown = |(name, channel): &(&String, &Channel)| json!({ "id": channel.id, "name": name, "is_member": channel.member, "is_archived": channel.archived });
    paged("channels", all.iter().map(shown).collect(), arguments)
}

fn history(slack: &mut Slack, arguments: &BTreeMap<String, String>) -> Result<Value, Refusal> {
    let argument = |name: &str| arguments.get(name).map(String::as_str).unwrap_or_default();
    readable(slack, argument("channel"))?;
    let (_, channel) = channel(slack, argument("channel"), ByName::Unknown)?;
    let posts = channel.messages.iter().rev();
    let posts = posts.filter(|post| post.thread_ts.is_none() || post.broadcast);
    let posts = posts.filter(|post| within(&post.ts, arguments));
    let metadata = argument("include_all_metadata") == "true";
    paged("messages", posts.map(|post| post.seen(metadata)).collect(), arguments)
}

fn replies(slack: &mut Slack, arguments: &BTreeMap<String, String>) -> Result<Value, Refusal> {
    let argument = |name: &str| arguments.get(name).map(String::as_str).unwrap_or_default();
    readable(slack, argument("channel"))?;
    let (_, channel) = channel(slack, argument("channel"), ByName::Unknown)?;
    let ts = argument("ts");
    if !channel.messages.iter().any(|post| post.ts == ts) {
        return Err(refused("thread_not_found"));
    }
    let posts = channel.messages.iter().filter(|p| p.ts == ts || p.thread_ts.as_deref() == Some(ts));
    let metadata = argument("include_all_metadata") == "true";
    paged("messages", posts.map(|post| post.seen(metadata)).collect(), arguments)
}

fn readable(slack: &Slack, id: &str) -> Result<(), Refusal> {
    let found = slack.channels.values().find(|channel| channel.id == id);
    let channel = found.ok_or_else(|| refused("channel_not_found"))?;
    scope(slack, if channel.private { "groups:history" } else { "channels:history" })?;
    if channel.member { Ok(()) } else { Err(refused("not_in_channel")) }
}

/// `oldest` and `latest` are exclusive unless `inclusive` says otherwise.
fn within(ts: &str, arguments: &BTreeMap<String, String>) -> bool {
    let inclusive = arguments.get("inclusive").is_some_and(|value| value == "true");
    let stamp = |text: &str| text.parse::<f64>().unwrap_or_default();
    let at = stamp(ts);
    let beyond = |limit: &str, order: std::cmp::Ordering| {
        let found = at.total_cmp(&stamp(limit));
        found == order || (inclusive && found.is_eq())
    };
    arguments.get("oldest").is_none_or(|oldest| beyond(oldest, std::cmp::Ordering::Greater))
        && arguments.get("latest").is_none_or(|latest| beyond(latest, std::cmp::Ordering::Less))
}

fn paged(name: &str, all: Vec<Value>, arguments: &BTreeMap<String, String>) -> Result<Value, Refusal> {
    let number =
        |name: &str| arguments.get(name).filter(|text| !text.is_empty()).map(|text| text.parse::<usize>());
    let limit = number("limit").unwrap_or(Ok(100)).ok().filter(|n| (1..1_000).contains(n));
    let limit = limit.ok_or_else(|| refused("invalid_limit"))?;
    let from = number("cursor").unwrap_or(Ok(0)).map_err(|_| refused("invalid_cursor"))?;
    let more = from + limit < all.len();
    let next = if more { (from + limit).to_string() } else { String::new() };
    let page: Vec<_> = all.into_iter().skip(from).take(limit).collect();
    Ok(json!({ name: page, "has_more": more, "response_metadata": { "next_cursor": next } }))
}

impl Post {
    /// Its first words.
    pub fn title(&self) -> String {
        let first = self.blocks.get(0).and_then(|block| block["text"]["text"].as_str());
        first.unwrap_or(&self.text).lines().next().unwrap_or_default().to_owned()
    }

    fn seen(&self, with_metadata: bool) -> Value {
        let mut value = json!({
            "type": "message", "user": "U0SLUICE", "bot_id": "B0SLUICE", "ts": self.ts, "text": self.text,
            "blocks": self.blocks,
        });
        if let Some(thread) = &self.thread_ts {
            value["thread_ts"] = json!(thread);
        }
        if self.broadcast {
            value["subtype"] = json!("thread_broadcast");
        }
        if with_metadata && !self.metadata.is_null() {
            value["metadata"] = self.metadata.clone();
        }
        value
    }
}
