//! With incoming webhooks: a post for each message, since a webhook gives no id to edit by.

use serde_json::json;
use shared::aws::Web;
use shared::message::Message;
use shared::message::route::Channel;
use tokio::time::Instant;

use crate::api;
use crate::decide::{self, Headline};
use crate::failure::Failure;
use crate::memory::Memory;
use crate::thread::Place;

pub struct Webhook<'a> {
    pub web: &'a Web,
    pub memory: &'a Memory,
    pub url: &'a str,
    pub end: Instant,
}

impl Webhook<'_> {
    /// Posts a message unless it, or a later state, was posted before as far as anyone knows;
    /// gives what the channel knows now.
    pub async fn tell(
        &self,
        message: &Message,
        channel: &Channel,
        tagged: Option<&Place>,
    ) -> Result<Place, Failure> {
        let (key, id) = (message.key(), message.id());
        let known = self.memory.place(&key, &channel.name).into_iter().chain(tagged.cloned());
        let known = known.max_by_key(|place| place.state);
        let state = message.state().unwrap_or_else(|| message.opening());
        let place = Place { at: None, state: known.as_ref().map_or(state, |place| place.state.max(state)) };
        let late = message.state().is_some()
            && matches!(decide::headline(message, known.as_ref()), Headline::Leave(_));
        if late || self.memory.has_told(&id, &channel.name) {
            tracing::info!(
                news = message.news.kind(),
                channel = channel.name,
                "not posted: it was told before"
            );
            return Ok(place);
        }
        let blocks = message.whole();
        let body = json!({ "text": blocks.text, "blocks": blocks.blocks });
        api::hook(self.web, self.url, &channel.name, &body, self.end).await?;
        self.memory.told_it(&id, &channel.name);
        self.memory.keep(&key, &channel.name, place.clone());
        tracing::info!(news = message.news.kind(), channel = channel.name, "posted");
        Ok(place)
    }
}
