//! Deployments that ended, and watches that passed, with nobody told.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join;
use shared::message::News;

use crate::scene::{function, later, nothing_happens, steps, sweep, swept, with_baseline};
use crate::state::{Stage, deliver, only, statuses};

/// A release of version 2 under way, whose end no event will tell.
async fn unheard() -> (Stage, String) {
    let stage = Stage::new().await;
    with_baseline(&stage).await;
    stage.lose_events();
    let (_, id) = stage.release("api", "v2", &[]).await;
    (stage, id)
}

#[tokio::test(start_paused = true)]
async fn a_success_that_was_not_heard_is_told_measured_and_judged_once() {
    let (stage, id) = unheard().await;
    assert_eq!(steps(&stage, "api").await, ["nothing"], "it is active");
    assert_eq!(stage.ended(&id).await, "Succeeded");
    nothing_happens(&stage).await;
    later().await;
    let told = swept(&stage, "api").await;
    assert_eq!(told[0].0, "settle", "{told:?}");
    assert_eq!(stage.news(), ["succeeded"]);
    assert_eq!(stage.counts("api"), [1.0, 0.0, 0.0]);
    assert_eq!(stage.tag("api:2", "verdict").as_deref(), Some("good"));
    for _ in 0..2 {
        nothing_happens(&stage).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_heard_is_not_settled_again() {
    let stage = Stage::new().await;
    with_baseline(&stage).await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    assert_eq!(stage.ended(&id).await, "Succeeded");
    later().await;
    stage.news();
    assert_eq!(steps(&stage, "api").await, ["nothing"]);
    nothing_happens(&stage).await;
    assert_eq!((stage.news().len(), stage.counts("api")), (0, [1.0, 0.0, 0.0]));
}

#[tokio::test(start_paused = true)]
async fn a_verdict_is_given_after_the_watch_and_not_before_nor_while_an_alarm_is_red() {
    let mut stage = Stage::new().await;
    with_baseline(&stage).await;
    stage.services[0].watch = Duration::from_secs(1_800);
    stage.listen();
    let (_, id) = stage.release("api", "v2", &[]).await;
    assert_eq!(stage.ended(&id).await, "Succeeded");
    later().await;
    nothing_happens(&stage).await;
    tokio::time::sleep(Duration::from_secs(1_800)).await;
    stage.set_alarm("api", "ALARM");
    nothing_happens(&stage).await;
    stage.set_alarm("api", "OK");
    let told = swept(&stage, "api").await;
    assert!(told[0].1.contains("the watch over"), "{told:?}");
    assert_eq!(stage.tag("api:2", "verdict").as_deref(), Some("good"));
    nothing_happens(&stage).await;
    assert_eq!(stage.news(), ["started", "succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_nobody_made_is_made_once_and_its_own_end_is_told() {
    let (stage, id) = unheard().await;
    stage.canary(&id).await;
    stage.stop(&id, Some(false));
    assert_eq!(stage.ended(&id).await, "Stopped");
    later().await;
    let told = swept(&stage, "api").await;
    assert!(told[0].0 == "settle" && told[0].2.contains("rollback d-"), "{told:?}");
    let (rollback, info) = stage.last("api");
    assert!(info["description"].as_str().unwrap().contains(&format!("rollback of {id}")), "{info}");
    nothing_happens(&stage).await;
    assert_eq!(stage.ended(&rollback).await, "Succeeded");
    later().await;
    assert_eq!(steps(&stage, "api").await, ["settle"]);
    assert_eq!(stage.news(), ["failed", "rolled-back"]);
    nothing_happens(&stage).await;
    assert_eq!((stage.live("api"), stage.deployments("api")), ("api:1".into(), 2));
    assert_eq!(stage.counts("api"), [1.0, 1.0, 1.0]);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_by_codedeploy_that_was_not_heard_is_told_once_and_what_waited_is_started() {
    let (stage, id) = unheard().await;
    stage.canary(&id).await;
    assert_eq!(stage.release("api", "v3", &[]).await.0, "wait");
    stage.stop(&id, Some(true));
    stage.ended(&id).await;
    let (rollback, _) = stage.last("api");
    stage.ended(&rollback).await;
    later().await;
    assert_eq!(steps(&stage, "api").await, ["settle"]);
    let messages = stage.messages();
    let News::RolledBack { reason, .. } = only(&messages, "rolled-back") else { panic!() };
    assert!(reason.starts_with("stopped with MANUAL_STOP"), "{reason}");
    let (next, info) = stage.last("api");
    assert!(info["description"].as_str().unwrap().contains(": tag v3 pushed"), "{info}");
    assert_eq!(stage.ended(&next).await, "Succeeded");
    later().await;
    assert_eq!(steps(&stage, "api").await, ["settle"]);
    nothing_happens(&stage).await;
    assert_eq!((stage.live("api"), stage.deployments("api")), ("api:3".into(), 3));
    assert_eq!(stage.counts("api"), [2.0, 1.0, 1.0]);
}

#[tokio::test(start_paused = true)]
async fn an_end_is_found_though_the_next_deployment_has_begun() {
    let (stage, id) = unheard().await;
    assert_eq!(stage.ended(&id).await, "Succeeded");
    let (decision, _) = stage.release("api", "v3", &[]).await;
    assert_eq!(decision, "start");
    later().await;
    assert_eq!(steps(&stage, "api").await, ["settle"]);
    assert_eq!(stage.tag("api:2", "verdict").as_deref(), Some("good"));
    assert_eq!((stage.news(), stage.counts("api")), (vec!["succeeded"], [1.0, 0.0, 0.0]));
    nothing_happens(&stage).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_rollback_that_failed_nothing_is_started_by_itself() {
    let (stage, id) = unheard().await;
    stage.canary(&id).await;
    assert_eq!(stage.release("api", "v3", &[]).await.0, "wait");
    stage.stop(&id, Some(false));
    stage.ended(&id).await;
    later().await;
    swept(&stage, "api").await;
    let (rollback, _) = stage.last("api");
    stage.stop(&rollback, None);
    assert_eq!(stage.ended(&rollback).await, "Stopped");
    later().await;
    assert_eq!(steps(&stage, "api").await, ["settle"]);
    assert_eq!(stage.news(), ["waiting", "failed", "rollback-failed"]);
    for _ in 0..3 {
        nothing_happens(&stage).await;
        later().await;
    }
    assert_eq!(stage.deployments("api"), 2);
}

#[tokio::test(start_paused = true)]
async fn what_others_deploy_is_left_alone() {
    let stage = Stage::new().await;
    with_baseline(&stage).await;
    stage.lose_events();
    let known = stage.call("ecs", "DescribeTaskDefinition", serde_json::json!({ "taskDefinition": "api:1" }));
    let content = serde_json::json!({
        "version": 0.0,
        "Resources": [{ "TargetService": { "Type": "AWS::ECS::Service", "Properties": {
            "TaskDefinition": known["taskDefinition"]["taskDefinitionArn"],
            "LoadBalancerInfo": { "ContainerName": "app", "ContainerPort": 8080 },
        }}}],
    });
    let input = serde_json::json!({
        "applicationName": "api-deploy", "deploymentGroupName": "api-group",
        "revision": { "revisionType": "AppSpecContent", "appSpecContent": { "content": content.to_string() } },
    });
    for rolls_back in [None, Some(false), Some(true)] {
        let id = stage.call("codedeploy", "CreateDeployment", input.clone())["deploymentId"].clone();
        let id = id.as_str().unwrap();
        if rolls_back.is_some() {
            stage.canary(id).await;
            nothing_happens(&stage).await;
            stage.stop(id, rolls_back);
        }
        stage.ended(id).await;
        let (last, _) = stage.last("api");
        stage.ended(&last).await;
        later().await;
        nothing_happens(&stage).await;
    }
    assert_eq!((stage.news().len(), stage.counts("api")), (0, [0.0; 3]));
    // Nor when a release of Sluice has begun after it.
    let id = stage.call("codedeploy", "CreateDeployment", input)["deploymentId"].clone();
    assert_eq!(stage.ended(id.as_str().unwrap()).await, "Succeeded");
    let (decision, _) = stage.release("api", "v2", &[]).await;
    assert_eq!(decision, "start");
    later().await;
    assert_eq!(steps(&stage, "api").await, ["nothing"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_late_beside_a_sweep_makes_one_rollback_and_tells_each_news_once() {
    let (stage, id) = unheard().await;
    stage.canary(&id).await;
    stage.stop(&id, Some(false));
    assert_eq!(stage.ended(&id).await, "Stopped");
    later().await;
    let (event, sweeping, state) = (stage.event(&id, "STOP"), function(&stage), stage.function());
    let (swept, heard) = join(sweep(&sweeping), deliver(&state, &event)).await;
    assert!(swept.is_ok() && heard.is_ok(), "{swept:?} {heard:?}");
    let (rollback, _) = stage.last("api");
    assert_eq!(stage.ended(&rollback).await, "Succeeded");
    let ids: BTreeSet<_> = stage.messages().iter().map(shared::message::Message::id).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    later().await;
    assert_eq!(steps(&stage, "api").await, ["settle"]);
    assert_eq!((stage.live("api"), stage.deployments("api")), ("api:1".into(), 2));
}

async fn rolled(stage: &Stage, status: &str) {
    stage.until(status, |world| statuses(world)[0] == status).await;
    later().await;
}

#[tokio::test(start_paused = true)]
async fn ends_of_rolling_releases_that_were_not_heard_are_told_measured_and_judged_once() {
    let stage = Stage::rolling().await;
    with_baseline(&stage).await;
    stage.lose_events();
    stage.release("web", "v2", &[]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    rolled(&stage, "SUCCESSFUL").await;
    assert_eq!(steps(&stage, "web").await, ["settle"]);
    assert_eq!((stage.news(), stage.counts("web")), (vec!["succeeded"], [1.0, 0.0, 0.0]));
    assert_eq!(stage.tag("web:2", "verdict").as_deref(), Some("good"));
    nothing_happens(&stage).await;

    stage.release("web", "v3", &[("APP_EXIT_AFTER_MS", "100"), ("APP_EXIT_CODE", "1")]).await;
    rolled(&stage, "ROLLBACK_SUCCESSFUL").await;
    assert_eq!(steps(&stage, "web").await, ["settle"]);
    assert_eq!((stage.news(), stage.counts("web")), (vec!["rolled-back"], [2.0, 1.0, 1.0]));
    assert_eq!(stage.tag("web:3", "verdict").as_deref(), Some("rejected"));
    for _ in 0..2 {
        nothing_happens(&stage).await;
    }
    let again = serde_json::json!({ "cluster": "web-cluster", "service": "web", "forceNewDeployment": true });
    stage.call("ecs", "UpdateService", again);
    tokio::time::sleep(Duration::from_secs(5)).await;
    nothing_happens(&stage).await;
    rolled(&stage, "SUCCESSFUL").await;
    nothing_happens(&stage).await;
}
