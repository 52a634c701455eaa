//! The state change of a CloudWatch alarm in each of its dialects: EventBridge's event, the
//! alarm's own call of a Lambda function, and the message that it sends to an SNS topic.
//!
//! Samples: `tests/events/cloudwatch-alarm-*.json`, `sns-cloudwatch-alarm-single-metric.json`.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// What an event means to Sluice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlarmEvent {
    /// One or more alarms changed their state.
    Changes(Vec<Change>),
    /// Of CloudWatch, and nothing to do; what it was.
    Other(String),
}

/// An alarm, metric or composite, went into a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub alarm: String,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: String,
    pub at: Timestamp,
    /// The window of a mute rule, as the event tells it.
    pub muted: Option<Mute>,
}

/// Somebody wants no actions of an alarm for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mute {
    /// ARN of the alarm mute rule.
    pub by: String,
    pub until: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAlarm {
    #[error(
        "this is no state change of an alarm: it is neither an event of EventBridge with source and \
         detail-type, nor an alarm's own call with alarmData, nor a message of SNS with Records ({0})"
    )]
    Unknown(String),
    #[error(
        "'{detail_type}' from '{source_name}' is not an event that alarm handles (CloudWatch Alarm State \
         Change); correct the rule that sends it here"
    )]
    Foreign { source_name: String, detail_type: String },
    #[error("{0} of this state change cannot be read: {1}")]
    Member(&'static str, String),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Envelope {
    source: String,
    detail_type: String,
    detail: Value,
}

/// `detail` of EventBridge's event, `alarmData` of the call of a function.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    alarm_name: String,
    state: State,
    mute_detail: Option<MuteDetail>,
}

#[derive(Deserialize)]
struct State {
    value: String,
    timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MuteDetail {
    muted_by_arn: String,
    mute_window_end: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Records {
    records: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    sns: Notification,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Notification {
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    alarm_name: String,
    new_state_value: String,
    state_change_time: String,
}

impl AlarmEvent {
    /// Reads an event of any of the dialects.
    pub fn parse(event: &Value) -> Result<Self, NotAnAlarm> {
        if let Some(data) = event.get("alarmData") {
            return change("alarmData", data).map(|change| Self::Changes(vec![change]));
        }
        if event.get("Records").is_some() {
            return notified(event).map(Self::Changes);
        }
        let envelope = Envelope::deserialize(event).map_err(|e| NotAnAlarm::Unknown(e.to_string()))?;
        let Envelope { source, detail_type, detail } = envelope;
        match (source.as_str(), detail_type.as_str()) {
            ("aws.cloudwatch", "CloudWatch Alarm State Change") => {
                change("detail", &detail).map(|change| Self::Changes(vec![change]))
            }
            // They share the source, and a rule may be wider than it should be.
            ("aws.cloudwatch", other) => Ok(Self::Other(format!("a {other}"))),
            _ => Err(NotAnAlarm::Foreign { source_name: source, detail_type }),
        }
    }
}

fn change(member: &'static str, detail: &Value) -> Result<Change, NotAnAlarm> {
    let wrong = |e: String| NotAnAlarm::Member(member, e);
    let detail = Detail::deserialize(detail).map_err(|e| wrong(e.to_string()))?;
    let muted = detail.mute_detail.map(|mute| Mute {
        by: mute.muted_by_arn,
        until: mute.mute_window_end.and_then(|end| moment(&end).ok()),
    });
    Ok(Change {
        alarm: detail.alarm_name,
        state: detail.state.value,
        at: moment(&detail.state.timestamp).map_err(|e| wrong(format!("state.timestamp: {e}")))?,
        muted,
    })
}

/// SNS gives one record a call, and its format a list.
fn notified(event: &Value) -> Result<Vec<Change>, NotAnAlarm> {
    let Records { records } =
        Records::deserialize(event).map_err(|e| NotAnAlarm::Member("Records", e.to_string()))?;
    let each = records.into_iter().map(|record| {
        let wrong = |e: String| NotAnAlarm::Member("Sns.Message", e);
        let message: Message = serde_json::from_str(&record.sns.message).map_err(|e| wrong(e.to_string()))?;
        Ok(Change {
            alarm: message.alarm_name,
            state: message.new_state_value,
            at: moment(&message.state_change_time).map_err(|e| wrong(format!("StateChangeTime: {e}")))?,
            muted: None,
        })
    });
    each.collect()
}

/// CloudWatch writes `+0000`, where RFC 3339 wants a colon.
fn moment(text: &str) -> Result<Timestamp, jiff::Error> {
    text.parse().or_else(|_| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample(name: &str) -> Value {
        let path = format!("{}/../tests/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn one(name: &str) -> Change {
        match AlarmEvent::parse(&sample(name)) {
            Ok(AlarmEvent::Changes(changes)) if changes.len() == 1 => changes[0].clone(),
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn each_dialect_tells_alarm_state_and_time() {
        let told = [
            ("cloudwatch-alarm-state-metric", "ServerCpuTooHigh", "2019-10-02T17:04:40.989Z"),
            ("cloudwatch-alarm-state-composite", "ServiceAggregatedAlarm", "2022-07-22T15:57:45.394Z"),
            ("cloudwatch-alarm-lambda-action-metric", "lambda-demo-metric-alarm", "2023-08-04T12:36:15.49Z"),
            ("sns-cloudwatch-alarm-single-metric", "EXAMPLE", "2015-06-03T17:43:27.123Z"),
        ];
        for (name, alarm, at) in told {
            let change = one(name);
            assert_eq!((change.alarm.as_str(), change.state.as_str()), (alarm, "ALARM"), "{name}");
            assert_eq!(change.at.to_string(), at);
        }
        assert_eq!(one("cloudwatch-alarm-state-metric-math").muted.is_some(), {
            sample("cloudwatch-alarm-state-metric-math")["detail"].get("muteDetail").is_some()
        });
        let mute = one("cloudwatch-alarm-state-metric").muted.unwrap();
        assert!(mute.by.ends_with(":alarm-mute-rule:testMute"));
        assert_eq!(mute.until.unwrap().to_string(), "2026-01-01T12:00:00Z");
    }

    #[test]
    fn what_shares_the_source_is_nothing_and_what_is_foreign_is_told() {
        let other = AlarmEvent::parse(&sample("cloudwatch-alarm-configuration-change-create")).unwrap();
        assert_eq!(other, AlarmEvent::Other("a CloudWatch Alarm Configuration Change".to_owned()));
        let push = AlarmEvent::parse(&sample("ecr-image-action-push-tag")).unwrap_err().to_string();
        assert!(push.contains("'ECR Image Action' from 'aws.ecr'"), "{push}");
    }

    #[test]
    fn what_cannot_be_read_names_the_member() {
        let mut event = sample("cloudwatch-alarm-state-metric");
        event["detail"]["state"]["timestamp"] = json!("yesterday");
        let cases = [
            (json!({}), "source"),
            (json!(null), "expected struct Envelope"),
            (json!({ "alarmData": {} }), "alarmName"),
            (json!({ "Records": [{ "body": "x" }] }), "Records"),
            (json!({ "Records": [{ "Sns": { "Message": "hello" } }] }), "Sns.Message"),
            (event, "state.timestamp"),
        ];
        for (event, named) in cases {
            let error = AlarmEvent::parse(&event).unwrap_err().to_string();
            assert!(error.contains(named), "{named}: {error}");
        }
    }
}
