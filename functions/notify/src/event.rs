//! The event of a queue: records, of which each holds a message of Sluice, in SNS's envelope
//! or, with raw message delivery, as it is.

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;
use shared::message::Message;

/// One message of the queue.
#[derive(Debug)]
pub struct Item {
    /// What a failure is told by.
    pub id: String,
    pub message: anyhow::Result<Message>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    #[serde(rename = "Type")]
    kind: String,
    message: String,
}

/// Errors: the event is not one of a queue. A record that cannot be read is that item's error.
pub fn items(event: &Value) -> anyhow::Result<Vec<Item>> {
    let event = Event::deserialize(event).context("the event is not one of an SQS queue")?;
    Ok(event
        .records
        .into_iter()
        .map(|Record { message_id, body }| Item { message: read(&body), id: message_id })
        .collect())
}

fn read(body: &str) -> anyhow::Result<Message> {
    let message = match serde_json::from_str::<Envelope>(body) {
        Ok(envelope) if envelope.kind == "Notification" => Message::from_json(&envelope.message),
        _ => Message::from_json(body),
    };
    message.context("the body")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::message::{News, Release};

    use super::*;

    fn message() -> Message {
        Message {
            service: "api".into(),
            at: "2026-01-01T10:00:00Z".parse().unwrap(),
            release: Release::default(),
            news: News::Waiting { reason: "a freeze".into() },
        }
    }

    #[test]
    fn a_message_is_read_in_its_envelope_and_without() {
        let sample = include_str!("../../../tests/events/sqs-sns-envelope.json");
        let mut event: Value = serde_json::from_str(sample).unwrap();
        let json = message().to_json().unwrap();
        let mut envelope: Value =
            serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
        envelope["Message"] = json!(json);
        for body in [envelope.to_string(), json] {
            event["Records"][0]["body"] = json!(body);
            let items = items(&event).unwrap();
            assert_eq!(items[0].id, "79406a00-bf15-46ca-978c-22c3613fcb30");
            assert_eq!(*items[0].message.as_ref().unwrap(), message());
        }
    }

    #[test]
    fn what_is_no_message_fails_alone_and_what_is_no_queue_fails_whole() {
        let event: Value =
            serde_json::from_str(include_str!("../../../tests/events/sqs-sns-envelope.json")).unwrap();
        let items_read = items(&event).unwrap();
        let error = format!("{:#}", items_read[0].message.as_ref().unwrap_err());
        assert!(error.starts_with("the body: is not a message of Sluice"), "{error}");
        for wrong in [json!({}), json!([]), json!({ "Records": [{}] }), json!({ "Records": "x" })] {
            assert!(items(&wrong).is_err(), "{wrong}");
        }
    }
}
