//! An alarm while a deployment is active.

use std::time::Duration;

use cloud::fixture::Scene;
use cloud::in_process::{Faults, Injected};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::scene::{ALARM, Stage, deliver, told};

#[tokio::test(start_paused = true)]
async fn an_alarm_during_the_canary_ends_with_the_last_good_image_and_a_rejected_one() {
    let stage = Stage::new().await;
    let before = stage.live().0;
    let (id, digest) = stage.pushed("v2").await;
    stage.canary().await;
    let (decision, reason) = stage.deliver(&stage.red()).await;
    assert_eq!(decision, "stop", "{reason}");
    assert_eq!(stage.release.ended(&id).await, "Stopped");
    let rollback = stage.deployment(&id)["rollbackInfo"]["rollbackDeploymentId"].clone();
    assert_eq!(stage.release.ended(rollback.as_str().unwrap()).await, "Succeeded");
    assert_eq!(stage.live().0, before);
    assert_eq!(stage.tag("api:2", "sluice:verdict").as_deref(), Some("rejected"));
    let why = stage.tag("api:2", "sluice:reason").unwrap();
    assert!(why.starts_with("alarm api-5xx: the alarm went red at 2026-01-01T"), "{why}");
    assert_eq!(stage.messages(), ["alarm-stopped"]);
    // Not even under another tag.
    stage.set(ALARM, "OK");
    let (again, answer) = stage.offered_as("v3", "v2").await;
    assert_eq!(again, digest, "the same image");
    assert!(answer["services"]["api"]["reason"].as_str().unwrap().contains("rejected before"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn from_the_event_to_the_stop_are_two_round_trips() {
    let stage = Stage::new().await;
    let (_, _) = stage.pushed("v2").await;
    stage.canary().await;
    let event = stage.red();
    stage.release.cloud.call_time(1_000);
    let began = stage.release.cloud.now();
    stage.deliver(&event).await;
    let stop = stage.release.cloud.with(|world| {
        let calls = world.cloud.timeline().iter().filter(|entry| entry.data["operation"] == "StopDeployment");
        calls.map(|entry| entry.at).next().unwrap()
    });
    let round_trips = (stop - began).div_ceil(1_000);
    assert!(round_trips <= 2, "{round_trips} round trips");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_while_blue_waits_to_be_terminated_still_stops() {
    let stage = Stage::new().await;
    let before = stage.live().0;
    let (id, _) = stage.pushed("v2").await;
    stage
        .release
        .until("all traffic is on green", |world| {
            world.cloud.timeline().iter().any(|entry| entry.text.contains("waits to terminate"))
        })
        .await;
    assert_ne!(stage.live().0, before);
    let (decision, reason) = stage.deliver(&stage.red()).await;
    assert_eq!(decision, "stop", "{reason}");
    assert_eq!(stage.release.ended(&id).await, "Stopped");
    stage.settled_on(&before).await;
    assert_eq!(stage.tag("api:2", "sluice:verdict").as_deref(), Some("rejected"));
}

#[tokio::test(start_paused = true)]
async fn a_red_alarm_that_is_green_again_when_it_is_looked_at_still_stops() {
    let stage = Stage::new().await;
    stage.pushed("v2").await;
    stage.canary().await;
    let event = stage.red();
    stage.set(ALARM, "OK");
    assert_eq!(stage.deliver(&event).await.0, "stop");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_was_red_before_is_not_blamed_and_not_forgotten() {
    let stage = Stage::new().await;
    let event = stage.red();
    // Somebody deploys by hand in spite of it.
    let revision = stage.release.live("api")["taskDefinition"]["taskDefinitionArn"].clone();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let by_hand = stage.by_hand(revision.as_str().unwrap());
    let (decision, reason) = stage.deliver(&event).await;
    assert_eq!(decision, "nothing");
    assert!(reason.contains("which is not blamed"), "{reason}");
    assert_eq!(stage.release.ended(&by_hand).await, "Succeeded");
    assert_eq!((stage.done("StopDeployment"), stage.messages()), (0, vec!["alarm-red-before".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn however_often_and_late_it_is_told_there_is_one_stop_and_one_rollback() {
    let stage = Stage::new().await;
    let (id, _) = stage.pushed("v2").await;
    stage.canary().await;
    let event = stage.red();
    let functions = [stage.function(), stage.function(), stage.function(), stage.function()];
    let at_once = join_all(functions.iter().map(|function| deliver(function, &event))).await;
    let stops = at_once.iter().filter(|answer| told(answer.as_ref().unwrap()).0 == "stop").count();
    assert!(stops >= 1, "{at_once:?}");
    assert_eq!(stage.release.ended(&id).await, "Stopped");
    for _ in 0..3 {
        assert_eq!(stage.deliver(&event).await.0, "nothing");
        tokio::time::sleep(Duration::from_secs(120)).await;
    }
    // Red once more for the same reason, when all is taken back.
    stage.set(ALARM, "OK");
    assert_eq!(stage.rollbacks(), 1, "CodeDeploy's own");
    assert_eq!(stage.done("CreateDeployment"), 0);
}

#[tokio::test(start_paused = true)]
async fn where_codedeploy_stopped_it_first_nothing_is_left_to_do() {
    let scene = Scene { alarms: vec![ALARM], ..Scene::default() };
    let stage = Stage::with(&scene, Faults::default()).await;
    let (id, _) = stage.pushed("v2").await;
    stage.canary().await;
    let event = stage.red();
    assert_eq!(stage.release.ended(&id).await, "Stopped");
    let (decision, reason) = stage.deliver(&event).await;
    assert_eq!(decision, "nothing", "{reason}");
    assert_eq!((stage.done("StopDeployment"), stage.rollbacks()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_is_never_stopped_whoever_began_it() {
    let stage = Stage::new().await;
    let (id, _) = stage.pushed("v2").await;
    stage.canary().await;
    stage.deliver(&stage.red()).await;
    stage.release.ended(&id).await;
    stage.set(ALARM, "OK");
    tokio::time::sleep(Duration::from_secs(30)).await;
    let event = stage.red();
    for _ in 0..2 {
        let (decision, reason) = stage.deliver(&event).await;
        assert_eq!(decision, "escalate", "{reason}");
    }
    assert_eq!(stage.done("StopDeployment"), 1);
    // People are called once, however often the event comes.
    assert_eq!(stage.messages(), ["alarm-stopped", "alarm-during-rollback"]);
}

#[tokio::test(start_paused = true)]
async fn a_muted_alarm_stops_nothing() {
    let stage = Stage::new().await;
    let (id, _) = stage.pushed("v2").await;
    stage.canary().await;
    let mut event = stage.red();
    event["detail"]["muteDetail"] = json!({
        "mutedByArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm-mute-rule:night",
        "muteWindowStart": "2026-01-01T00:00:00.000+0000", "muteWindowEnd": "2026-01-02T00:00:00.000+0000",
    });
    let (decision, reason) = stage.deliver(&event).await;
    assert_eq!((decision.as_str(), reason.contains("alarm-mute-rule:night")), ("nothing", true), "{reason}");
    stage.call("cloudwatch", "DisableAlarmActions", json!({ "AlarmNames": [ALARM] }));
    let (decision, reason) = stage.deliver(&stage.red()).await;
    assert_eq!((decision.as_str(), reason.contains("actions are disabled")), ("nothing", true), "{reason}");
    assert_eq!(stage.release.ended(&id).await, "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_nobody_names_costs_no_call() {
    let stage = Stage::new().await;
    stage.alarm("others");
    let answer = deliver(&stage.function(), &stage.set("others", "ALARM")).await.unwrap();
    assert_eq!(answer["alarms"], json!({ "others": {} }));
    let ok = stage.deliver(&stage.set(ALARM, "OK")).await;
    assert_eq!(ok.1, "the alarm went to OK, which stops nothing");
    assert_eq!(stage.calls(), Vec::<(String, Value)>::new());
}

#[tokio::test(start_paused = true)]
async fn whatever_aws_does_the_deployment_is_stopped_or_the_event_comes_again() {
    let kinds = [
        (0.4, Injected::Throttled),
        (0.4, Injected::ServerError),
        (0.3, Injected::AnswerLost),
        (0.2, Injected::TimeoutBefore(30_000)),
    ];
    for (chance, kind) in kinds {
        for seed in 0..4 {
            let stage = Stage::new().await;
            let (id, _) = stage.pushed("v2").await;
            stage.canary().await;
            let event = stage.red();
            stage.release.cloud.faults(Faults { chances: vec![(chance, kind)], seed, ..Faults::default() });
            for _ in 0..3 {
                if deliver(&stage.function(), &event).await.is_ok() {
                    break;
                }
            }
            stage.release.cloud.faults(Faults::default());
            deliver(&stage.function(), &event).await.unwrap();
            assert_eq!(stage.release.ended(&id).await, "Stopped", "{kind:?} {seed}");
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_eq!(stage.rollbacks(), 1);
        }
    }
}
