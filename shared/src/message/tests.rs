use serde_json::{Value, json};

use super::*;

/// One of each, in the order of the enum.
pub fn every_news() -> Vec<News> {
    let reason = || "why".to_owned();
    let alarm = || "api-5xx".to_owned();
    let event = || "BeforeAllowTraffic".to_owned();
    let at = |text: &str| text.parse::<Timestamp>().ok();
    vec![
        News::Started { reason: "tag v2 of api was pushed".into() },
        News::CheckFailed { event: event(), reason: "smoke: GET /health: status 500, expected 200".into() },
        News::Succeeded { lead_time: Some(SignedDuration::from_secs(12 * 60 + 5)) },
        News::Failed { reason: "HOOK_EXECUTION_FAILURE: a hook failed.".into() },
        News::RolledBack {
            reason: "the alarm api-5xx".into(),
            to: Some("arn:aws:ecs:us-east-1:123456789012:task-definition/api:41".into()),
            times: RollbackTimes {
                alarm: at("2026-01-01T10:00:00Z"),
                stopped: at("2026-01-01T10:00:04Z"),
                traffic_back: at("2026-01-01T10:01:10Z"),
            },
        },
        News::RollbackFailed { reason: reason() },
        News::NoWayBack { reason: reason() },
        News::AlarmStopped { alarm: alarm(), reason: "Threshold Crossed: 3 datapoints".into() },
        News::AlarmRedBefore { alarm: alarm() },
        News::AlarmAfterWatch { alarm: alarm() },
        News::AlarmDuringRollback { alarm: alarm() },
        News::Waiting { reason: "d-OTHER is active".into() },
        News::Refused { reason: "its scan found 2 CRITICAL".into() },
        News::WrongImageLive { expected: "api:v2".into(), found: "api:v1".into() },
        News::HookOverdue { event: event() },
    ]
}

pub fn message(news: News) -> Message {
    Message {
        service: "api-production".into(),
        at: "2026-01-01T10:00:00Z".parse().unwrap(),
        release: Release {
            deployment: Some("d-ABCDEFGHI".into()),
            revision: Some("arn:aws:ecs:us-east-1:123456789012:task-definition/api:42".into()),
            repository: Some("api".into()),
            digest: format!("sha256:{}", "ab".repeat(32)).parse().ok(),
            tag: Some("v2".into()),
        },
        news,
    }
}

#[test]
fn every_message_reads_back_as_it_was_written() {
    assert_eq!(every_news().len(), 15);
    for news in every_news() {
        let bare = Message { release: Release::default(), ..message(news.clone()) };
        for message in [message(news.clone()), bare] {
            let json = message.to_json().unwrap();
            assert_eq!(Message::from_json(&json).unwrap(), message);
            let value: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(value["news"]["kind"], news.kind());
        }
    }
}

#[test]
fn what_a_newer_function_adds_is_passed_over_and_another_version_is_refused() {
    let mut json: Value =
        serde_json::from_str(&message(News::Started { reason: "x".into() }).to_json().unwrap()).unwrap();
    (json["later"], json["news"]["later"], json["release"]["later"]) = (json!(1), json!({}), json!([]));
    assert!(Message::from_json(&json.to_string()).is_ok());
    json["version"] = json!(2);
    let error = Message::from_json(&json.to_string()).unwrap_err().to_string();
    assert!(error.starts_with("has version 2 and this function reads version 1"), "{error}");
    for wrong in [
        "",
        "x",
        "{}",
        r#"{"version":1}"#,
        r#"{"version":1,"service":"a","at":"x","news":{"kind":"started"}}"#,
    ] {
        assert!(matches!(Message::from_json(wrong), Err(Unreadable::Json(_))), "{wrong}");
    }
    json["version"] = json!(1);
    json["news"]["kind"] = json!("unheard-of");
    assert!(Message::from_json(&json.to_string()).is_err());
}

#[test]
fn a_key_is_that_of_the_deployment_or_else_of_the_image() {
    let mut message = message(News::Waiting { reason: "x".into() });
    assert_eq!(message.key(), "api-production/d-ABCDEFGHI");
    message.release.deployment =
        Some("arn:aws:ecs:us-east-1:123456789012:service-deployment/main/api/Ab1_2".into());
    assert_eq!(message.key(), "api-production/Ab1_2");
    message.release.deployment = None;
    assert_eq!(message.key(), format!("api-production/sha256:{}", "ab".repeat(32)));
    message.release.digest = None;
    assert_eq!(message.key(), "api-production/waiting/2026-01-01T10:00:00Z");
    assert_eq!(message.id(), "api-production/waiting/2026-01-01T10:00:00Z/waiting/2026-01-01T10:00:00Z");
}

#[test]
fn a_reason_of_any_length_is_published() {
    let message = message(News::Failed { reason: "é".repeat(1_000_000) });
    let read = Message::from_json(&message.to_json().unwrap()).unwrap();
    assert_eq!(read.news.reason().unwrap().chars().count(), 16_000);
    assert!(message.to_json().unwrap().len() < 64 * 1024);
}
