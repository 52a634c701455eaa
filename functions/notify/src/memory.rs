//! What this execution environment has told: a help, never the truth. It saves questions, and
//! keeps what nothing else does where there are only webhooks.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::thread::Place;

/// More than a busy hour; then it begins anew.
const MOST: usize = 2_000;

#[derive(Debug, Default)]
pub struct Memory(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// By key and channel.
    places: HashMap<(String, String), Place>,
    /// Ids of messages that are posted whole, with their channel.
    ids: HashSet<(String, String)>,
    channels: HashMap<String, String>,
    /// What was said once and need not be said again.
    said: HashSet<String>,
}

impl Memory {
    pub fn place(&self, key: &str, channel: &str) -> Option<Place> {
        self.told().places.get(&(key.to_owned(), channel.to_owned())).cloned()
    }

    pub fn keep(&self, key: &str, channel: &str, place: Place) {
        let mut told = self.told();
        if told.places.len() >= MOST {
            told.places.clear();
        }
        told.places.insert((key.to_owned(), channel.to_owned()), place);
    }

    pub fn forget(&self, key: &str, channel: &str) {
        self.told().places.remove(&(key.to_owned(), channel.to_owned()));
    }

    pub fn has_told(&self, id: &str, channel: &str) -> bool {
        self.told().ids.contains(&(id.to_owned(), channel.to_owned()))
    }

    pub fn told_it(&self, id: &str, channel: &str) {
        let mut told = self.told();
        if told.ids.len() >= MOST {
            told.ids.clear();
        }
        told.ids.insert((id.to_owned(), channel.to_owned()));
    }

    /// Slack's id of a channel.
    pub fn channel(&self, name: &str) -> Option<String> {
        self.told().channels.get(name).cloned()
    }

    pub fn know_channel(&self, name: &str, id: &str) {
        self.told().channels.insert(name.to_owned(), id.to_owned());
    }

    /// Warns of something once.
    pub fn warn_once(&self, text: String) {
        if self.told().said.insert(text.clone()) {
            tracing::warn!("{text}");
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
