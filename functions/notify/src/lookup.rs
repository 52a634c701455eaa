//! What Slack itself remembers: each message carries its key and its state as metadata, so
//! that one whose posting nobody recorded is found again.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::message::order::State;
use shared::message::{Message, News};

use crate::api::Api;
use crate::failure::Failure;
use crate::memory::Memory;
use crate::thread::Place;

pub const EVENT_TYPE: &str = "sluice";

/// Messages a page, and pages: what is further back is not looked for.
const PAGE: &str = "200";
const PAGES: usize = 10;

/// What a look at Slack gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<T> {
    Here(T),
    Nothing,
    /// The app may not look.
    Unknown,
}

/// A message that may have been posted, or not.
#[derive(Debug, Clone, Copy)]
pub enum Sought<'a> {
    /// In this state.
    Headline(&'a Message, State),
    /// In the thread of `ts`.
    Detail { channel: &'a str, ts: &'a str, id: &'a str },
}

/// Looks into a channel's past.
pub struct Lookup<'a> {
    pub api: &'a Api<'a>,
    pub memory: &'a Memory,
    /// With its `#`.
    pub channel: &'a str,
}

impl Lookup<'_> {
    /// Channel and `ts` of what was posted after all, those of the thread for a detail.
    pub async fn find(&self, sought: &Sought<'_>) -> Result<Option<(String, String)>, Failure> {
        Ok(match *sought {
            Sought::Headline(message, state) => match self.headline(message).await? {
                Found::Here(Place { at, state: there }) if there == state => at,
                Found::Here(_) | Found::Nothing | Found::Unknown => None,
            },
            Sought::Detail { channel, ts, id } => match self.detail(channel, ts, id).await? {
                Found::Here(()) => Some((channel.to_owned(), ts.to_owned())),
                Found::Nothing | Found::Unknown => None,
            },
        })
    }

    /// The message of this key, in its latest state.
    pub async fn headline(&self, message: &Message) -> Result<Found<Place>, Failure> {
        let Found::Here(id) = self.channel_id().await? else { return Ok(Found::Unknown) };
        let oldest = message.at.checked_sub(look_back(&message.news)).unwrap_or(Timestamp::MIN);
        let oldest = oldest.as_second().max(0).to_string();
        let arguments = [
            ("channel", id.as_str()),
            ("oldest", &oldest),
            ("include_all_metadata", "true"),
            ("limit", PAGE),
        ];
        let messages = match self.pages("conversations.history", &arguments).await? {
            Found::Here(messages) => messages,
            Found::Nothing => return Ok(Found::Nothing),
            Found::Unknown => return Ok(Found::Unknown),
        };
        let key = message.key();
        let ours = messages.iter().filter(|m| payload(m)["key"] == key.as_str());
        let places = ours.filter_map(|m| {
            let at = Some((id.clone(), m["ts"].as_str()?.to_owned()));
            Some(Place { at, state: state(m)? })
        });
        Ok(places.max_by_key(|place| place.state).map_or(Found::Nothing, Found::Here))
    }

    /// The state that a message shows by now.
    pub async fn state(&self, channel: &str, ts: &str) -> Result<Found<State>, Failure> {
        let arguments = [
            ("channel", channel),
            ("oldest", ts),
            ("latest", ts),
            ("inclusive", "true"),
            ("limit", "1"),
            ("include_all_metadata", "true"),
        ];
        match self.api.read("conversations.history", self.channel, &arguments).await {
            Ok(answer) => Ok(match answer["messages"].get(0) {
                Some(message) => state(message).map_or(Found::Unknown, Found::Here),
                None => Found::Nothing,
            }),
            Err(failure) => self.may_not(failure),
        }
    }

    /// The detail of this id in a thread.
    pub async fn detail(&self, channel: &str, ts: &str, id: &str) -> Result<Found<()>, Failure> {
        let arguments = [("channel", channel), ("ts", ts), ("include_all_metadata", "true"), ("limit", PAGE)];
        Ok(match self.pages("conversations.replies", &arguments).await? {
            Found::Here(messages) if messages.iter().any(|m| payload(m)["id"] == id) => Found::Here(()),
            Found::Here(_) | Found::Nothing => Found::Nothing,
            Found::Unknown => Found::Unknown,
        })
    }

    /// All messages of the pages that are looked at.
    async fn pages(&self, method: &str, arguments: &[(&str, &str)]) -> Result<Found<Vec<Value>>, Failure> {
        let (mut messages, mut cursor) = (Vec::new(), String::new());
        for _ in 0..PAGES {
            let mut arguments = arguments.to_vec();
            if !cursor.is_empty() {
                arguments.push(("cursor", &cursor));
            }
            let answer = match self.api.read(method, self.channel, &arguments).await {
                Ok(answer) => answer,
                Err(Failure::Gone(_)) => return Ok(Found::Nothing),
                Err(failure) => return self.may_not(failure),
            };
            messages.extend(answer["messages"].as_array().into_iter().flatten().cloned());
            cursor = next(&answer);
            if cursor.is_empty() {
                break;
            }
        }
        Ok(Found::Here(messages))
    }

    /// Reading wants the id, where writing takes a name.
    async fn channel_id(&self) -> Result<Found<String>, Failure> {
        let name = self.channel.trim_start_matches('#');
        if let Some(id) = self.memory.channel(self.channel).or_else(|| is_id(name).then(|| name.to_owned())) {
            return Ok(Found::Here(id));
        }
        let mut cursor = String::new();
        for _ in 0..PAGES {
            let mut arguments = vec![("types", "public_channel,private_channel"), ("limit", PAGE)];
            if !cursor.is_empty() {
                arguments.push(("cursor", &cursor));
            }
            let answer = match self.api.read("conversations.list", self.channel, &arguments).await {
                Ok(answer) => answer,
                Err(failure) => return self.may_not(failure),
            };
            let mut channels = answer["channels"].as_array().into_iter().flatten();
            let found = channels.find(|channel| channel["name"] == name).and_then(|c| c["id"].as_str());
            if let Some(id) = found {
                self.memory.know_channel(self.channel, id);
                return Ok(Found::Here(id.to_owned()));
            }
            cursor = next(&answer);
            if cursor.is_empty() {
                break;
            }
        }
        Ok(Found::Nothing)
    }

    /// Without the right to look, what is known otherwise must do.
    fn may_not<T>(&self, failure: Failure) -> Result<Found<T>, Failure> {
        match failure {
            Failure::Scope(_) | Failure::Refused(_) => {
                self.memory.warn_once(format!(
                    "cannot look into {}: {failure}; a message whose posting was not recorded may be posted twice",
                    self.channel
                ));
                Ok(Found::Unknown)
            }
            other => Err(other),
        }
    }
}

/// How long before a message the one that it edits may have been posted. A deployment's own
/// cannot be older than its start.
fn look_back(news: &News) -> SignedDuration {
    match news {
        News::Started { .. } => SignedDuration::from_hours(1),
        News::Waiting { .. } | News::Refused { .. } => SignedDuration::from_hours(7 * 24),
        News::CheckFailed { .. }
        | News::Succeeded { .. }
        | News::Failed { .. }
        | News::RolledBack { .. }
        | News::RollbackFailed { .. }
        | News::NoWayBack { .. }
        | News::AlarmStopped { .. }
        | News::AlarmRedBefore { .. }
        | News::AlarmAfterWatch { .. }
        | News::AlarmDuringRollback { .. }
        | News::WrongImageLive { .. }
        | News::HookOverdue { .. } => SignedDuration::from_hours(3 * 24),
    }
}

fn payload(message: &Value) -> &Value {
    let metadata = &message["metadata"];
    if metadata["event_type"] == EVENT_TYPE { &metadata["event_payload"] } else { &Value::Null }
}

fn state(message: &Value) -> Option<State> {
    payload(message)["state"].as_str()?.parse().ok()
}

fn next(answer: &Value) -> String {
    answer["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned()
}

/// Names of channels are in lower case, so an id is never one.
fn is_id(name: &str) -> bool {
    name.len() >= 9
        && name.starts_with(['C', 'G'])
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}
