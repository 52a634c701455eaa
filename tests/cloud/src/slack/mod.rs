//! A Slack workspace, as far as Sluice meets it: an app's bot token and incoming webhooks,
//! channels, messages with threads and metadata. It is no part of AWS and no service of the
//! cloud; it lives beside them so that it shares their time and timeline.
//!
//! Under `/_cloud/slack/`: `api/<method>`, `services/T…/B…/…` for webhooks, the page itself,
//! and `setup` for tests.

mod check;
mod methods;
mod page;
mod trouble;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::time::{Ms, SECOND};
pub use trouble::Trouble;
use trouble::Troubles;

pub const PATH: &str = "/_cloud/slack";

/// The bot token and the last part of each webhook that work from the beginning.
pub const TOKEN: &str = "xoxb-0000-local-bot-token";
pub const WEBHOOK_SECRET: &str = "localwebhooksecret";

/// What a channel takes: about a message a second.
const PACE: Ms = SECOND;

#[derive(Debug, Clone, Serialize)]
pub struct Slack {
    pub channels: BTreeMap<String, Channel>,
    /// Bot tokens that are valid.
    #[serde(skip)]
    pub tokens: BTreeSet<String>,
    /// What the app may do.
    pub scopes: BTreeSet<String>,
    #[serde(skip)]
    troubles: Troubles,
    /// Calls so far, by method; webhooks count as `webhook`.
    pub calls: BTreeMap<String, u64>,
    stamps: u64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Channel {
    pub id: String,
    /// The app's bot was invited.
    pub member: bool,
    pub archived: bool,
    pub private: bool,
    /// In the order of their posting, those in threads among them.
    pub messages: Vec<Post>,
    /// When the last one came.
    #[serde(skip)]
    last: Option<Ms>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Post {
    /// Its id within the channel: `1767225600.000100`.
    pub ts: String,
    /// That of the message whose thread it is in.
    pub thread_ts: Option<String>,
    /// Shown in the channel as well.
    pub broadcast: bool,
    pub text: String,
    pub blocks: Value,
    pub metadata: Value,
    pub edits: u64,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Answer(Response),
    /// The connection breaks; why.
    Broken(&'static str),
    /// Nothing comes.
    Silence,
}

/// What happened, for the timeline.
pub(crate) type Notes = Vec<String>;

impl Default for Slack {
    /// A workspace with the channels `#deploys` and `#ops`, the bot in both.
    fn default() -> Self {
        let scopes = ["chat:write", "channels:read", "channels:history", "groups:read", "groups:history"];
        let mut slack = Self {
            channels: BTreeMap::new(),
            tokens: BTreeSet::from([TOKEN.to_owned()]),
            scopes: scopes.map(str::to_owned).into(),
            troubles: Troubles::default(),
            calls: BTreeMap::new(),
            stamps: 0,
        };
        slack.add_channel("deploys");
        slack.add_channel("ops");
        slack
    }
}

impl Slack {
    /// A public channel, with the bot in it.
    pub fn add_channel(&mut self, name: &str) -> &mut Channel {
        let id = format!("C{:010}", self.channels.len() + 1);
        let channel = Channel { id, member: true, ..Channel::default() };
        self.channels.entry(name.to_owned()).or_insert(channel)
    }

    /// The path of a channel's incoming webhook, which is a secret.
    pub fn webhook(&self, channel: &str) -> String {
        let id = self.channels.get(channel).map(|channel| channel.id.as_str()).unwrap_or_default();
        format!("/services/T0LOCAL/B{id}/{WEBHOOK_SECRET}")
    }

    /// What befalls the next requests, one an entry.
    pub fn script(&mut self, script: impl IntoIterator<Item = Option<Trouble>>) {
        self.troubles.script = script.into_iter().collect();
    }

    /// Nothing is answered until then.
    pub fn outage_until(&mut self, end: Ms) {
        self.troubles.outage_until = Some(end);
    }

    /// What a person sees in a channel: the messages that are not in a thread.
    pub fn shown(&self, channel: &str) -> Vec<&Post> {
        let posts = self.channels.get(channel).map(|channel| channel.messages.as_slice()).unwrap_or_default();
        posts.iter().filter(|post| post.thread_ts.is_none()).collect()
    }

    /// What stands in the thread of a message.
    pub fn thread(&self, channel: &str, ts: &str) -> Vec<&Post> {
        let posts = self.channels.get(channel).map(|channel| channel.messages.as_slice()).unwrap_or_default();
        posts.iter().filter(|post| post.thread_ts.as_deref() == Some(ts)).collect()
    }

    /// Answers a request; `path` is what follows [`PATH`].
    pub(crate) fn handle(&mut self, path: &str, request: &Request, now: Ms) -> (Outcome, Notes) {
        let mut notes = Notes::new();
        let outcome = match (request.method.as_str(), path) {
            ("GET", "" | "/") if request.query().contains("format=json") => answer(200, &json!(self)),
            ("GET", "" | "/") => Outcome::Answer(page::whole(self)),
            ("POST", "/setup") => trouble::setup(self, &request.body, now),
            _ => self.befallen(path, request, now, &mut notes),
        };
        (outcome, notes)
    }

    fn befallen(&mut self, path: &str, request: &Request, now: Ms, notes: &mut Notes) -> Outcome {
        let trouble = self.troubles.next(now);
        if let Some(trouble) = &trouble {
            notes.push(format!("slack: {trouble:?} befalls {}", path.rsplit('/').next().unwrap_or_default()));
        }
        let mut executed = || match path.strip_prefix("/api/") {
            Some(method) => {
                *self.calls.entry(method.to_owned()).or_default() += 1;
                methods::call(self, method, request, now, notes)
            }
            None => {
                *self.calls.entry("webhook".to_owned()).or_default() += 1;
                webhook::post(self, path, request, now, notes)
            }
        };
        match trouble {
            None => Outcome::Answer(executed()),
            Some(Trouble::AnswerLost) => {
                executed();
                Outcome::Broken("connection reset before the answer")
            }
            Some(Trouble::HangsAfter) => {
                executed();
                Outcome::Silence
            }
            Some(Trouble::ServerErrorAfter) => {
                executed();
                Outcome::Answer(plain(502, "bad gateway"))
            }
            Some(Trouble::Hangs) => Outcome::Silence,
            Some(Trouble::Refused) => Outcome::Broken("connection refused"),
            Some(Trouble::ServerError) => Outcome::Answer(plain(503, "service unavailable")),
            Some(Trouble::RateLimited(seconds)) => Outcome::Answer(limited(seconds)),
            Some(Trouble::Error(error)) => answer(200, &json!({ "ok": false, "error": error })),
        }
    }

    /// A new message's id. Two never share one, and later ones are greater.
    fn stamp(&mut self, now: Ms) -> String {
        self.stamps += 1;
        format!("{}.{:06}", now / 1_000, (now % 1_000) * 1_000 + self.stamps % 1_000)
    }
}

impl Channel {
    /// Whether one more message may come now; if not, after how many seconds.
    fn takes(&mut self, now: Ms) -> Result<(), u64> {
        let next = self.last.map_or(0, |last| last + PACE);
        if now < next {
            return Err((next - now).div_ceil(SECOND));
        }
        self.last = Some(now);
        Ok(())
    }
}

/// The part of a path that is Slack's: on this cloud's own port, or at Slack's own hosts.
pub(crate) fn path<'a>(host: &str, request: &'a Request) -> Option<&'a str> {
    let path = request.path();
    if matches!(host, "slack.com" | "hooks.slack.com") {
        return Some(path);
    }
    path.strip_prefix(PATH).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Slack's own escapes undone.
fn shown(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn answer(status: u16, value: &Value) -> Outcome {
    Outcome::Answer(whole(status, value))
}

fn whole(status: u16, value: &Value) -> Response {
    let headers = vec![("content-type".into(), "application/json; charset=utf-8".into())];
    Response { status, headers, body: value.to_string().into_bytes() }
}

fn plain(status: u16, text: &str) -> Response {
    let headers = vec![("content-type".into(), "text/plain".into())];
    Response { status, headers, body: text.as_bytes().to_vec() }
}

fn limited(seconds: u64) -> Response {
    let mut response = whole(429, &json!({ "ok": false, "error": "ratelimited" }));
    response.headers.push(("retry-after".into(), seconds.to_string()));
    response
}

#[cfg(test)]
mod tests;
