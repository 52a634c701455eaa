//! notify: takes messages from a queue and posts them to Slack, never in a deployment's way.
//!
//! An item that could not be told fails, and the queue brings it back; after some times, it
//! goes to the dead-letter queue. Delivered twice, late or in another order, a message changes
//! nothing that is later.

pub mod api;
mod bot;
pub mod credentials;
mod decide;
pub mod event;
pub mod failure;
mod lookup;
mod memory;
pub mod thread;
mod webhook;

use std::collections::HashSet;

use anyhow::Context as _;
use serde::Serialize;
use shared::aws::{Aws, Secrets, Web};
use shared::config::Releases;
use shared::message::route::Channel;
use shared::message::{Message, short};
use shared::start::Invocation;
use tokio::time::{Instant, timeout_at};

use api::Api;
use bot::Bot;
use credentials::{Age, Credentials, Vault};
use event::Item;
use failure::Failure;
use memory::Memory;
use thread::{Place, TAG, Thread};
use webhook::Webhook;

const SLACK: &str = "https://slack.com/api";

/// What is kept between events.
pub struct Notify {
    aws: Aws,
    releases: Releases,
    web: Web,
    vault: Vault,
    /// Of Slack's Web API.
    base: String,
    memory: Memory,
}

/// What SQS is told: all other items are done.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    pub batch_item_failures: Vec<ItemFailure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    pub item_identifier: String,
}

impl Notify {
    /// From the environment: `SLUICE_RELEASES`, `SLUICE_SLACK_SECRET`, `SLUICE_SLACK_URL` and
    /// what Lambda gives.
    pub async fn from_environment() -> anyhow::Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let secret = variable("SLUICE_SLACK_SECRET").context(
            "SLUICE_SLACK_SECRET is not set; set it to the name of the secret with Slack's bot token or webhook",
        )?;
        let base = variable("SLUICE_SLACK_URL").unwrap_or_else(|| SLACK.to_owned());
        Ok(Self::new(Aws::from_environment()?, shared::start::releases()?, secret, &base))
    }

    /// `secret`: a name in Secrets Manager; `base`: where Slack's Web API is.
    pub fn new(aws: Aws, releases: Releases, secret: String, base: &str) -> Self {
        let vault = Vault::new(Secrets::new(&aws), secret);
        let base = base.trim_end_matches('/').to_owned();
        Self { web: aws.web(), vault, aws, releases, base, memory: Memory::default() }
    }

    /// Tells the items of one event, earlier facts first. Once one of a deployment fails, so do
    /// those after it: they must not overtake. What cannot be reached is not asked again.
    pub async fn handle(&self, invocation: Invocation) -> anyhow::Result<Answer> {
        let end = Instant::now() + invocation.time;
        let (mut failed, mut held, mut unreached) = (Vec::new(), HashSet::new(), HashSet::new());
        let mut readable = Vec::new();
        for Item { id, message } in event::items(&invocation.event)? {
            match message {
                Ok(message) => readable.push((id, message)),
                Err(e) => {
                    tracing::error!(item = id, "not told: {e:#}");
                    failed.push(id);
                }
            }
        }
        readable.sort_by_key(|(_, message)| message.at);
        for (id, message) in readable {
            let key = message.key();
            let told = match held.contains(&key) {
                true => Err(waits("an earlier message of it was not told")),
                // Boxed: its type would be too deep for the compiler.
                false => Box::pin(self.tell(&message, &mut unreached, end)).await,
            };
            if let Err(failure) = told {
                let (news, service) = (message.news.kind(), message.service);
                tracing::error!(item = id, news, service, "not told: {failure}");
                held.insert(key);
                failed.push(id);
            }
        }
        let failures = failed.into_iter().map(|item_identifier| ItemFailure { item_identifier });
        Ok(Answer { batch_item_failures: failures.collect() })
    }

    /// `unreached`: the addresses that gave no answer to an earlier item.
    async fn tell(
        &self,
        message: &Message,
        unreached: &mut HashSet<String>,
        end: Instant,
    ) -> Result<(), Failure> {
        let (news, name) = (message.news.kind(), message.service.as_str());
        let Some(service) = self.releases.by_name(name) else {
            tracing::warn!(news, service = name, "not posted: releases.yaml has no such service");
            return Ok(());
        };
        let channels = message.news.channels(&service.notify);
        if channels.is_empty() {
            tracing::info!(
                news,
                service = name,
                "not posted: the service has no channel for it under 'notify'"
            );
            return Ok(());
        }
        match self.tell_with(Age::Kept, message, &channels, unreached, end).await {
            // The secret may have been changed since it was fetched.
            Err(Failure::Credentials(_)) => {}
            other => return other,
        }
        let told = self.tell_with(Age::Fresh, message, &channels, unreached, end).await;
        told.map_err(|failure| match failure {
            Failure::Credentials(error) => Failure::Refused(format!(
                "Slack refuses what the secret {} holds ({error}): put a valid one in",
                self.vault.name()
            )),
            other => other,
        })
    }

    async fn tell_with(
        &self,
        age: Age,
        message: &Message,
        channels: &[Channel],
        unreached: &mut HashSet<String>,
        end: Instant,
    ) -> Result<(), Failure> {
        let late = || waits("AWS did not answer in the time that was left");
        let credentials = timeout_at(end, self.vault.credentials(age)).await.map_err(|_| late())??;
        let no_answer = || waits("Slack could not be reached for an earlier message");
        let address = |channel: &Channel| self.address(&credentials, channel);
        let is_unreached = |unreached: &HashSet<String>, channel: &Channel| {
            address(channel).is_some_and(|address| unreached.contains(address))
        };
        if channels.iter().all(|channel| is_unreached(unreached, channel)) {
            return Err(no_answer());
        }
        let mut thread = timeout_at(end, self.thread(message)).await.map_err(|_| late())?;
        let before = thread.clone();
        let mut told = Ok(());
        for channel in channels {
            if is_unreached(unreached, channel) {
                told = told.and(Err(no_answer()));
                continue;
            }
            let tagged = thread.as_ref().and_then(|thread| thread.place(channel.audience));
            match self.tell_channel(&credentials, message, channel, tagged, end).await {
                Ok(place) => thread.iter_mut().for_each(|thread| thread.set(channel.audience, place.clone())),
                // The other channel hears of it all the same.
                Err(failure) => {
                    if matches!(failure, Failure::Unreached(_)) {
                        unreached.extend(address(channel).map(str::to_owned));
                    }
                    told = told.and(Err(failure));
                }
            }
        }
        if thread != before {
            // What Slack was told is told: a tag that takes too long is left.
            let _ = timeout_at(end, self.record(message, thread.as_ref())).await;
        }
        told
    }

    /// What is asked for a channel; none where the secret has no webhook for it.
    fn address<'a>(&'a self, credentials: &'a Credentials, channel: &Channel) -> Option<&'a str> {
        match credentials {
            Credentials::Bot(_) => Some(&self.base),
            Credentials::Webhooks { by_channel, rest } => {
                by_channel.get(&channel.name).or(rest.as_ref()).map(String::as_str)
            }
        }
    }

    async fn tell_channel(
        &self,
        credentials: &Credentials,
        message: &Message,
        channel: &Channel,
        tagged: Option<&Place>,
        end: Instant,
    ) -> Result<Place, Failure> {
        let (web, memory) = (&self.web, &self.memory);
        let address = self.address(credentials, channel).ok_or_else(|| {
            let (secret, name) = (self.vault.name(), &channel.name);
            Failure::Refused(format!(
                "the secret {secret} has no webhook for {name}: add one to \"webhooks\""
            ))
        })?;
        match credentials {
            Credentials::Bot(token) => {
                let api = Api { web, base: address, token, end };
                Bot { api, memory }.tell(message, channel, tagged).await
            }
            Credentials::Webhooks { .. } => {
                Webhook { web, memory, url: address, end }.tell(message, channel, tagged).await
            }
        }
    }

    /// What the revision's tag knows; none for what has no revision, or where ECS does not say.
    async fn thread(&self, message: &Message) -> Option<Thread> {
        let (revision, deployment) =
            (message.release.revision.as_ref()?, message.release.deployment.as_ref()?);
        match self.aws.revision(revision).await {
            Ok(found) => Some(Thread::read(found?.tag(TAG), short(deployment))),
            Err(e) => {
                tracing::warn!("cannot read the tags of {revision}, Slack is asked instead: {e:#}");
                None
            }
        }
    }

    /// Writes the tag. Where that fails, the next message is found through Slack.
    async fn record(&self, message: &Message, thread: Option<&Thread>) {
        if let (Some(revision), Some(thread)) = (&message.release.revision, thread)
            && let Err(e) = self.aws.tag(revision, &[(TAG, thread.to_string())]).await
        {
            tracing::warn!("where the message stands is not recorded: {e:#}");
        }
    }
}

fn waits(why: &str) -> Failure {
    Failure::NotDone { why: why.to_owned(), after: None }
}
