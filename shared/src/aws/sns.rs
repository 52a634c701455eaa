//! SNS: the topic that all messages go to. People who subscribe by e-mail read a sentence,
//! queues get JSON.

use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_sns::types::MessageAttributeValue;
use serde_json::json;

use super::{Aws, failed};
use crate::log::redact;
use crate::message::Message;

/// How long a message may keep the function that publishes it. That is done with its own work.
const PATIENCE: Duration = Duration::from_secs(6);

/// Where messages go: to a topic, and always to the log.
#[derive(Debug, Clone)]
pub struct Topic {
    client: aws_sdk_sns::Client,
    arn: Option<String>,
}

impl Topic {
    /// The topic that `SLUICE_TOPIC` names. Without one, says so.
    pub fn from_environment(aws: &Aws) -> Self {
        let arn = std::env::var("SLUICE_TOPIC").ok().filter(|arn| !arn.is_empty());
        if arn.is_none() {
            tracing::info!("SLUICE_TOPIC is not set: messages go to this log only");
        }
        Self::new(aws, arn)
    }

    /// `arn`: none for the log alone.
    pub fn new(aws: &Aws, arn: Option<String>) -> Self {
        Self { client: aws_sdk_sns::Client::from_conf(builder!(aws_sdk_sns, &aws.config).build()), arn }
    }

    /// Publishes a message. Never fails, and takes no longer than a few seconds: a message
    /// changes nothing of what it tells.
    pub async fn publish(&self, message: &Message) {
        let news = message.news.kind();
        let text = message.text();
        tracing::info!(news, service = message.service, "{}", text.sentence);
        let Some(arn) = &self.arn else { return };
        let told = match tokio::time::timeout(PATIENCE, self.send(arn, message)).await {
            Ok(told) => told,
            Err(_) => Err(anyhow::anyhow!("not done within {PATIENCE:?}")),
        };
        if let Err(e) = told {
            tracing::error!(news, service = message.service, "the message was not published to {arn}: {e:#}");
        }
    }

    async fn send(&self, arn: &str, message: &Message) -> anyhow::Result<()> {
        let text = message.text();
        let json = message.to_json().context("writing the message")?;
        let texts = json!({ "default": redact(&text.plain()), "sqs": redact(&json) });
        let call = self.client.publish().topic_arn(arn).message_structure("json").message(texts.to_string());
        let call = call.subject(redact(&text.subject()));
        let call = call.message_attributes("service", attribute(&message.service)?);
        let call = call.message_attributes("news", attribute(message.news.kind())?);
        call.send().await.map(drop).map_err(failed("publishing".to_owned()))
    }
}

/// For subscribers' filter policies.
fn attribute(value: &str) -> anyhow::Result<MessageAttributeValue> {
    let value = MessageAttributeValue::builder().data_type("String").string_value(value);
    value.build().context("writing a message attribute")
}
