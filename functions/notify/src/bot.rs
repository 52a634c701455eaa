//! With a bot token: one message per deployment and channel, edited in place, details in its
//! thread.
//!
//! Slack is the truth: before anything is changed, the message says what state it shows.

use serde_json::{Value, json};
use shared::message::Message;
use shared::message::order::State;
use shared::message::route::Channel;
use shared::message::slack::Blocks;

use crate::api::{Api, Waits};
use crate::decide::{self, Detail, Headline};
use crate::failure::Failure;
use crate::lookup::{EVENT_TYPE, Found, Lookup, Sought};
use crate::memory::Memory;
use crate::thread::Place;

pub struct Bot<'a> {
    pub api: Api<'a>,
    pub memory: &'a Memory,
}

impl Bot<'_> {
    /// Tells a message in a channel; gives where it stands now. `tagged`: where the
    /// revision's tag says that it stands.
    pub async fn tell(
        &self,
        message: &Message,
        channel: &Channel,
        tagged: Option<&Place>,
    ) -> Result<Place, Failure> {
        let known = self.known(message, channel, tagged).await?;
        let mut headline = decide::headline(message, known.as_ref());
        let mut known = known;
        if let (Headline::Edit(state), Some(place)) = (&headline, &known) {
            let now = self.edited(message, channel, place, *state).await?;
            if now.is_none() {
                headline = Headline::Post(*state);
            }
            known = now;
        }
        let place = match (known, &headline) {
            (Some(place), Headline::Edit(_) | Headline::Leave(_)) => place,
            (_, Headline::Post(state) | Headline::Edit(state)) => self.post(message, channel, *state).await?,
            (None, Headline::Leave(_)) => self.post(message, channel, message.opening()).await?,
        };
        self.memory.keep(&message.key(), &channel.name, place.clone());
        told(message, channel, &headline);
        self.detail(message, channel, &place, &headline).await?;
        Ok(place)
    }

    /// Where the message stands that this one is about.
    async fn known(
        &self,
        message: &Message,
        channel: &Channel,
        tagged: Option<&Place>,
    ) -> Result<Option<Place>, Failure> {
        let kept = self.memory.place(&message.key(), &channel.name);
        let recorded = kept.into_iter().chain(tagged.cloned()).filter(|place| place.at.is_some());
        if let Some(place) = recorded.max_by_key(|place| place.state) {
            return Ok(Some(place));
        }
        Ok(match self.lookup(channel).headline(message).await? {
            Found::Here(place) => Some(place),
            Found::Nothing | Found::Unknown => None,
        })
    }

    fn lookup<'a>(&'a self, channel: &'a Channel) -> Lookup<'a> {
        Lookup { api: &self.api, memory: self.memory, channel: &channel.name }
    }

    /// Edits a message unless it shows a later state by now; none if it is gone.
    async fn edited(
        &self,
        message: &Message,
        channel: &Channel,
        place: &Place,
        state: State,
    ) -> Result<Option<Place>, Failure> {
        let Some((id, ts)) = &place.at else { return Ok(None) };
        let at = place.at.clone();
        match self.lookup(channel).state(id, ts).await? {
            Found::Here(now) if now >= state => return Ok(Some(Place { at, state: now })),
            Found::Nothing => return Ok(self.gone(message, channel)),
            Found::Here(_) | Found::Unknown => {}
        }
        let mut body = body(&message.headline(), &headline_metadata(message, state));
        (body["channel"], body["ts"]) = (json!(id), json!(ts));
        match self.api.rewrite("chat.update", &channel.name, &body).await {
            Ok(_) => Ok(Some(Place { at, state })),
            Err(Failure::Gone(_)) => Ok(self.gone(message, channel)),
            Err(failure) => Err(failure),
        }
    }

    fn gone(&self, message: &Message, channel: &Channel) -> Option<Place> {
        tracing::info!(channel = channel.name, "the message is gone from Slack: it is posted anew");
        self.memory.forget(&message.key(), &channel.name);
        None
    }

    async fn post(&self, message: &Message, channel: &Channel, state: State) -> Result<Place, Failure> {
        let mut body = body(&message.headline(), &headline_metadata(message, state));
        body["channel"] = json!(channel.name.trim_start_matches('#'));
        let at = self.once(channel, &body, &Sought::Headline(message, state)).await?;
        self.memory.know_channel(&channel.name, &at.0);
        Ok(Place { at: Some(at), state })
    }

    /// Posts in the thread, if there is anything to say that is not there yet.
    async fn detail(
        &self,
        message: &Message,
        channel: &Channel,
        place: &Place,
        headline: &Headline,
    ) -> Result<(), Failure> {
        let detail = decide::detail(message.news.form(), headline);
        let (Some((channel_id, ts)), id) = (&place.at, message.id()) else { return Ok(()) };
        if detail == Detail::Nothing || self.memory.has_told(&id, &channel.name) {
            return Ok(());
        }
        let sought = Sought::Detail { channel: channel_id, ts, id: &id };
        if self.lookup(channel).find(&sought).await?.is_none() {
            let mut body = body(&message.in_thread(), &json!({ "id": id }));
            (body["channel"], body["thread_ts"]) = (json!(channel_id), json!(ts));
            if detail == Detail::Loud {
                body["reply_broadcast"] = json!(true);
            }
            match self.once(channel, &body, &sought).await {
                // A person deleted the message in between; its detail has no place any more.
                Ok(_) | Err(Failure::Gone(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        self.memory.told_it(&id, &channel.name);
        Ok(())
    }

    /// Posts something once: where it is not known whether it was posted, looks first.
    async fn once(
        &self,
        channel: &Channel,
        body: &Value,
        sought: &Sought<'_>,
    ) -> Result<(String, String), Failure> {
        let mut waits = Waits::new(self.api.end);
        loop {
            match self.api.write("chat.postMessage", &channel.name, body).await {
                Ok(answer) => return posted(&answer),
                Err(failure @ (Failure::Unknown(_) | Failure::Unreached(_))) => {
                    waits.next(failure).await?;
                    if let Some(at) = self.lookup(channel).find(sought).await? {
                        return Ok(at);
                    }
                }
                Err(failure) => waits.next(failure).await?,
            }
        }
    }
}

fn posted(answer: &Value) -> Result<(String, String), Failure> {
    let text = |name: &str| answer[name].as_str().map(str::to_owned);
    let both = text("channel").zip(text("ts"));
    both.ok_or_else(|| Failure::Unknown("Slack's answer lacks channel or ts".to_owned()))
}

fn headline_metadata(message: &Message, state: State) -> Value {
    json!({ "key": message.key(), "state": state.to_string() })
}

fn body(blocks: &Blocks, payload: &Value) -> Value {
    json!({
        "text": blocks.text, "blocks": blocks.blocks, "parse": "none", "link_names": false,
        "unfurl_links": false, "unfurl_media": false,
        "metadata": { "event_type": EVENT_TYPE, "event_payload": payload },
    })
}

fn told(message: &Message, channel: &Channel, headline: &Headline) {
    let (news, channel) = (message.news.kind(), &channel.name);
    match headline {
        Headline::Post(_) => tracing::info!(news, channel, "posted"),
        Headline::Edit(_) => tracing::info!(news, channel, "edited"),
        Headline::Leave(why) => tracing::info!(news, channel, "the message stays: {why}"),
    }
}
