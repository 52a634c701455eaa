//! Releases by CodeDeploy, from their start to what becomes of them.

use std::time::Duration;

use crate::scene::{Stage, deliver, only};
use serde_json::{Value, json};
use shared::message::News;

#[tokio::test(start_paused = true)]
async fn a_release_that_succeeds_is_told_measured_and_judged_good() {
    let stage = Stage::new().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    assert_eq!(stage.ended(&id).await, "Succeeded");
    let messages = stage.messages();
    assert_eq!(messages.iter().map(|m| m.news.kind()).collect::<Vec<_>>(), ["started", "succeeded"]);
    let News::Started { reason } = &messages[0].news else { panic!() };
    assert!(reason.starts_with("tag v2 pushed 2026-01-01T"), "{reason}");
    assert_eq!(messages[1].release.deployment.as_deref(), Some(id.as_str()));
    assert_eq!(messages[1].release.tag.as_deref(), Some("v2"));
    let News::Succeeded { lead_time: Some(lead_time) } = only(&messages, "succeeded") else { panic!() };
    // The canary's five minutes are in it, the wait before blue is ended, five minutes as well, is not.
    assert!((300..480).contains(&lead_time.as_secs()), "{lead_time}");
    assert_eq!(stage.metric("api", "Deployments"), (1.0, 1.0));
    assert_eq!(stage.metric("api", "LeadTime"), (lead_time.as_secs_f64(), 1.0));
    assert_eq!(stage.counts("api"), [1.0, 0.0, 0.0]);
    assert_eq!(stage.tag("api:2", "verdict").as_deref(), Some("good"));
    assert!(stage.tag("api:2", "ended").unwrap().starts_with("succeeded 2026-01-01T00:"));
}

#[tokio::test(start_paused = true)]
async fn the_verdict_waits_for_the_watch_and_a_red_alarm_never_counts_as_good() {
    let mut stage = Stage::new().await;
    stage.services[0].watch = Duration::from_secs(1_800);
    stage.listen();
    let (_, id) = stage.release("api", "v2", &[]).await;
    assert_eq!(stage.ended(&id).await, "Succeeded");
    assert_eq!(stage.tag("api:2", "verdict"), None, "the watch goes on");
    let event = stage.event(&id, "SUCCESS");
    tokio::time::sleep(Duration::from_secs(1_800)).await;
    stage.set_alarm("api", "ALARM");
    deliver(&stage.function(), &event).await.unwrap();
    assert_eq!(stage.tag("api:2", "verdict"), None, "an alarm is red");
    stage.set_alarm("api", "OK");
    deliver(&stage.function(), &event).await.unwrap();
    assert_eq!(stage.tag("api:2", "verdict").as_deref(), Some("good"));
    assert_eq!(stage.news(), ["started", "succeeded"]);
    assert_eq!(stage.counts("api"), [1.0, 0.0, 0.0]);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_during_the_canary_is_told_measured_and_ends_with_the_version_before() {
    let stage = Stage::new().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    stage.canary(&id).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    stage.set_alarm("api", "ALARM");
    assert_eq!(stage.ended(&id).await, "Stopped");
    let (rollback, info) = stage.last("api");
    assert_eq!(info["creator"], "codeDeployRollback");
    assert_eq!(stage.ended(&rollback).await, "Succeeded");
    assert_eq!(
        (stage.live("api"), stage.deployments("api")),
        ("api:1".into(), 2),
        "no rollback of a rollback"
    );
    let messages = stage.messages();
    assert_eq!(
        messages.iter().map(|m| m.news.kind()).collect::<Vec<_>>(),
        ["started", "failed", "rolled-back"]
    );
    let News::Failed { reason } = only(&messages, "failed") else { panic!() };
    assert!(reason.starts_with("stopped with ALARM_ACTIVE: One or more alarms"), "{reason}");
    let News::RolledBack { to, times, .. } = only(&messages, "rolled-back") else { panic!() };
    assert!(to.as_ref().unwrap().ends_with("/api:1"), "{to:?}");
    let (alarm, stopped, back) = (times.alarm.unwrap(), times.stopped.unwrap(), times.traffic_back.unwrap());
    assert!(alarm < stopped && stopped < back, "{times:?}");
    assert!(messages.iter().all(|m| m.release.deployment.as_deref() == Some(id.as_str())));
    assert_eq!(stage.counts("api"), [1.0, 1.0, 1.0]);
    let seconds = |from, to: jiff::Timestamp| to.duration_since(from).as_secs_f64();
    for (name, expected) in [
        ("TimeToRestore", seconds(alarm, back)),
        ("AlarmToStop", seconds(alarm, stopped)),
        ("StopToTrafficBack", seconds(stopped, back)),
    ] {
        assert_eq!(stage.metric("api", name), (expected, 1.0), "{name}");
    }
    assert_eq!(stage.metric("api", "LeadTime").1, 0.0);
    assert_eq!(stage.tag("api:2", "verdict").as_deref(), Some("rejected"));
    assert!(stage.tag("api:2", "reason").unwrap().starts_with("stopped with ALARM_ACTIVE: One or more"));
    assert!(stage.tag("api:2", "ended").unwrap().starts_with("rolled-back "));
    assert_eq!(stage.tag("api:1", "verdict"), None);
}

#[tokio::test(start_paused = true)]
async fn the_newest_image_that_waited_is_started_and_one_between_is_not() {
    let stage = Stage::new().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    for tag in ["v3", "v4"] {
        assert_eq!(stage.release("api", tag, &[]).await.0, "wait");
    }
    stage.ended(&id).await;
    let (next, info) = stage.last("api");
    assert!(info["description"].as_str().unwrap().contains(": tag v4 pushed"), "{info}");
    assert_eq!(stage.ended(&next).await, "Succeeded");
    assert_eq!((stage.live("api"), stage.deployments("api")), ("api:3".into(), 2));
    assert_eq!(stage.news(), ["waiting", "waiting", "started", "succeeded", "started", "succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_rollback_what_waited_is_started_but_never_what_was_taken_back() {
    let stage = Stage::new().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    stage.canary(&id).await;
    stage.stop(&id, Some(true));
    stage.ended(&id).await;
    let (rollback, _) = stage.last("api");
    stage.ended(&rollback).await;
    assert_eq!(stage.deployments("api"), 2, "v2 is not started again");

    let (_, id) = stage.release("api", "v3", &[]).await;
    stage.canary(&id).await;
    assert_eq!(stage.release("api", "v4", &[]).await.0, "wait");
    stage.stop(&id, Some(true));
    stage.ended(&id).await;
    let (next, info) = stage.last("api");
    assert!(info["description"].as_str().unwrap().contains(": tag v4 pushed"), "{info}");
    assert_eq!(stage.ended(&next).await, "Succeeded");
    assert_eq!((stage.live("api"), stage.deployments("api")), ("api:4".into(), 5));
}

#[tokio::test(start_paused = true)]
async fn a_failure_before_any_traffic_moved_rolls_nothing_back_and_the_next_is_started() {
    let stage = Stage::new().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    assert_eq!(stage.release("api", "v3", &[]).await.0, "wait");
    tokio::time::sleep(Duration::from_secs(5)).await;
    stage.stop(&id, Some(false));
    assert_eq!(stage.ended(&id).await, "Stopped");
    let (next, info) = stage.last("api");
    assert!(info["description"].as_str().unwrap().contains(": tag v3 pushed"), "{info}");
    assert_eq!(stage.ended(&next).await, "Succeeded");
    assert_eq!(stage.deployments("api"), 2);
    assert_eq!(stage.news(), ["waiting", "started", "failed", "started", "succeeded"]);
    assert_eq!(stage.counts("api"), [2.0, 1.0, 0.0]);
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_codedeploy_does_not_take_back_is_rolled_back_by_sluice_once() {
    let stage = Stage::new().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    stage.canary(&id).await;
    stage.stop(&id, Some(false));
    assert_eq!(stage.ended(&id).await, "Stopped");
    let (rollback, info) = stage.last("api");
    let description = info["description"].as_str().unwrap();
    assert!(description.contains(&format!("rollback of {id}: stopped with MANUAL_STOP")), "{description}");
    let stop = stage.event(&id, "STOP");
    deliver(&stage.function(), &stop).await.unwrap();
    assert_eq!(stage.ended(&rollback).await, "Succeeded");
    deliver(&stage.function(), &stop).await.unwrap();
    assert_eq!((stage.live("api"), stage.deployments("api")), ("api:1".into(), 2));
    assert_eq!(stage.news(), ["started", "failed", "rolled-back"]);
    assert_eq!(stage.counts("api"), [1.0, 1.0, 1.0]);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_fails_is_told_loudly_and_never_rolled_back() {
    let stage = Stage::new().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    stage.canary(&id).await;
    stage.stop(&id, Some(false));
    stage.ended(&id).await;
    let (rollback, _) = stage.last("api");
    stage.stop(&rollback, None);
    assert_eq!(stage.ended(&rollback).await, "Stopped");
    for (deployment, state) in [(&id, "STOP"), (&rollback, "STOP"), (&id, "STOP")] {
        deliver(&stage.function(), &stage.event(deployment, state)).await.unwrap();
    }
    assert_eq!(stage.deployments("api"), 2);
    let messages = stage.messages();
    let News::RollbackFailed { reason } = only(&messages, "rollback-failed") else { panic!() };
    assert!(reason.starts_with(&format!("{rollback} stopped with MANUAL_STOP: ")), "{reason}");
    assert_eq!(stage.counts("api"), [1.0, 1.0, 0.0]);
}

#[tokio::test(start_paused = true)]
async fn without_a_way_back_a_person_is_called() {
    let stage = Stage::new().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    stage.canary(&id).await;
    let first = stage.call(
        "ecr",
        "BatchGetImage",
        json!({ "repositoryName": "api", "imageIds": [{ "imageTag": "v1" }] }),
    );
    let digest = &first["images"][0]["imageId"]["imageDigest"];
    let gone = json!({ "repositoryName": "api", "imageIds": [{ "imageDigest": digest }] });
    stage.call("ecr", "BatchDeleteImage", gone);
    stage.stop(&id, Some(false));
    stage.ended(&id).await;
    let messages = stage.messages();
    let News::NoWayBack { reason } = only(&messages, "no-way-back") else { panic!() };
    assert!(reason.contains("the image of api:1 is gone"), "{reason}");
    only(&messages, "failed");
    assert_eq!(stage.deployments("api"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_release_taken_back_after_it_succeeded_counts_as_a_failure_once() {
    let stage = Stage::new().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    stage.ended(&id).await;
    // As the alarm function does within the watch.
    stage.set_alarm("api", "ALARM");
    let function = stage.function();
    let ecs = function.aws().service("api-cluster", "api").await.unwrap().unwrap();
    let first = function.aws().revision("api:1").await.unwrap().unwrap();
    let reason = format!("{id}: the alarm api-5xx went red");
    shared::rollback::roll_back(function.aws(), &stage.services[0], &ecs, &first, &reason).await.unwrap();
    let (rollback, _) = stage.last("api");
    assert_ne!(rollback, id);
    stage.set_alarm("api", "OK");
    assert_eq!(stage.ended(&rollback).await, "Succeeded");
    for (deployment, state) in [(&id, "SUCCESS"), (&rollback, "SUCCESS"), (&id, "START")] {
        deliver(&function, &stage.event(deployment, state)).await.unwrap();
    }
    assert_eq!((stage.live("api"), stage.deployments("api")), ("api:1".into(), 2));
    assert_eq!(stage.news(), ["started", "succeeded", "rolled-back"]);
    assert_eq!(stage.counts("api"), [1.0, 1.0, 1.0]);
    assert_eq!(stage.tag("api:2", "verdict").as_deref(), Some("rejected"));
}

#[tokio::test(start_paused = true)]
async fn what_serves_is_held_against_what_was_asked_for() {
    let stage = Stage::new().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    stage.lose_events();
    assert_eq!(stage.ended(&id).await, "Succeeded");
    assert_eq!(
        deliver(&stage.function(), &stage.event(&id, "SUCCESS")).await.unwrap()["decision"],
        "succeeded"
    );
    // A deployment whose description speaks of another image than its AppSpec brings.
    let other = stage.push("api", "other", &[]);
    let id = by_hand(&stage, "api:1", &format!("sluice {other} of api: tag v9"));
    assert_eq!(stage.ended(&id).await, "Succeeded");
    let answer = deliver(&stage.function(), &stage.event(&id, "SUCCESS")).await.unwrap();
    assert_eq!(answer["decision"], "wrong-image", "{answer}");
    let mut messages = stage.messages();
    messages.retain(|message| message.release.deployment.as_deref() == Some(id.as_str()));
    let News::WrongImageLive { expected, found } = only(&messages, "wrong-image-live") else { panic!() };
    assert!(expected.starts_with("sha256:") && found.ends_with("(api:1)"), "{expected} {found}");
    assert_eq!(stage.tag("api:1", "verdict"), None);
    deliver(&stage.function(), &stage.event(&id, "SUCCESS")).await.unwrap();
    assert_eq!(stage.news(), Vec::<&str>::new());
}

/// Deploys a revision of `api` as a person would; gives the deployment's id.
fn by_hand(stage: &Stage, revision: &str, description: &str) -> String {
    let known = stage.call("ecs", "DescribeTaskDefinition", json!({ "taskDefinition": revision }));
    let content = json!({
        "version": 0.0,
        "Resources": [{ "TargetService": { "Type": "AWS::ECS::Service", "Properties": {
            "TaskDefinition": known["taskDefinition"]["taskDefinitionArn"],
            "LoadBalancerInfo": { "ContainerName": "app", "ContainerPort": 8080 },
        }}}],
    });
    let input = json!({
        "applicationName": "api-deploy", "deploymentGroupName": "api-group", "description": description,
        "revision": { "revisionType": "AppSpecContent", "appSpecContent": { "content": content.to_string() } },
    });
    stage.call("codedeploy", "CreateDeployment", input)["deploymentId"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn what_others_deploy_is_told_and_neither_judged_nor_counted() {
    let stage = Stage::new().await;
    let id = by_hand(&stage, "api:1", "an experiment");
    stage.canary(&id).await;
    stage.stop(&id, Some(false));
    stage.ended(&id).await;
    assert_eq!(stage.news(), ["started", "failed"]);
    assert_eq!((stage.tag("api:1", "verdict"), stage.deployments("api")), (None, 1));
    assert_eq!(stage.counts("api"), [0.0, 0.0, 0.0]);
}

#[tokio::test(start_paused = true)]
async fn of_two_services_each_has_its_own_and_a_foreign_group_costs_no_call() {
    let mut stage = Stage::with(&["api", "web"]).await;
    let (_, api) = stage.release("api", "v2", &[]).await;
    let (_, web) = stage.release("web", "v2", &[]).await;
    stage.canary(&web).await;
    stage.set_alarm("web", "ALARM");
    stage.ended(&web).await;
    stage.ended(&api).await;
    assert_eq!((stage.counts("api"), stage.counts("web")), ([1.0, 0.0, 0.0], [1.0, 1.0, 1.0]));
    assert_eq!((stage.live("api"), stage.live("web")), ("api:2".into(), "web:1".into()));
    stage.services.pop();
    let before = stage.calls().len();
    let answer = deliver(&stage.function(), &stage.event(&web, "STOP")).await.unwrap();
    let reason = "no service in releases.yaml is deployed by web-deploy/web-group";
    assert_eq!((&answer["decision"], &answer["reason"]), (&json!("nothing"), &json!(reason)));
    let mut ready = stage.event(&api, "SUCCESS");
    ready["detail"]["state"] = json!("READY");
    let answer = deliver(&stage.function(), &ready).await.unwrap();
    assert_eq!(answer["decision"], "nothing");
    assert_eq!(stage.calls().len(), before);
}

#[tokio::test(start_paused = true)]
async fn events_twice_late_and_in_any_order_tell_and_count_everything_once() {
    let stage = Stage::new().await;
    stage.lose_events();
    let (_, id) = stage.release("api", "v2", &[]).await;
    stage.canary(&id).await;
    stage.stop(&id, Some(true));
    stage.ended(&id).await;
    let (rollback, _) = stage.last("api");
    stage.ended(&rollback).await;
    let function = stage.function();
    let events: Vec<Value> = [(&rollback, "SUCCESS"), (&id, "STOP"), (&rollback, "START"), (&id, "START")]
        .map(|(deployment, state)| stage.event(deployment, state))
        .into();
    for event in events.iter().chain(&events) {
        let answer = deliver(&function, event).await.unwrap();
        assert_eq!(answer["decision"], "rolled-back", "{answer}");
    }
    assert_eq!(stage.news(), ["rolled-back"]);
    assert_eq!(stage.counts("api"), [1.0, 1.0, 1.0]);
    let (_, next) = stage.release("api", "v3", &[]).await;
    stage.ended(&next).await;
    // Long after, of a time when something else serves.
    for event in &events {
        deliver(&function, event).await.unwrap();
    }
    assert_eq!((stage.deployments("api"), stage.live("api")), (3, "api:3".into()));
    let late = deliver(&function, &stage.event(&next, "SUCCESS")).await.unwrap();
    assert_eq!(late["decision"], "succeeded");
    assert_eq!(stage.news(), ["succeeded"]);
    assert_eq!(stage.counts("api"), [2.0, 1.0, 1.0]);
}
