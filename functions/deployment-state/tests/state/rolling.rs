//! Services under the ECS controller.

use std::time::Duration;

use crate::scene::{Stage, deliver, only, statuses};
use serde_json::{Value, json};
use shared::message::News;

async fn settled(stage: &Stage, status: &str) {
    stage.until(status, |world| statuses(world)[0] == status).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
}

fn completed() -> Value {
    json!({
        "version": "0", "source": "aws.ecs", "detail-type": "ECS Deployment State Change",
        "resources": ["arn:aws:ecs:us-east-1:123456789012:service/web-cluster/web"],
        "detail": { "eventName": "SERVICE_DEPLOYMENT_COMPLETED", "eventType": "INFO", "deploymentId": "ecs-svc/1" },
    })
}

#[tokio::test(start_paused = true)]
async fn a_rolling_release_that_succeeds_is_told_measured_and_judged_and_the_next_is_started() {
    let stage = Stage::rolling().await;
    stage.release("web", "v2", &[]).await;
    // Its deployment has begun.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(stage.release("web", "v3", &[]).await.0, "wait");
    stage
        .until("the next has succeeded", |world| {
            let statuses = statuses(world);
            statuses.len() == 3 && statuses[0] == "SUCCESSFUL"
        })
        .await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(stage.news(), ["started", "waiting", "succeeded", "started", "succeeded"]);
    assert_eq!(stage.counts("web"), [2.0, 0.0, 0.0]);
    assert_eq!(stage.metric("web", "LeadTime").1, 2.0);
    assert_eq!((stage.tag("web:2", "verdict"), stage.live("web")), (Some("good".into()), "web:3".into()));
    for _ in 0..2 {
        deliver(&stage.function(), &completed()).await.unwrap();
    }
    assert_eq!((stage.news().len(), stage.counts("web")), (0, [2.0, 0.0, 0.0]));
}

#[tokio::test(start_paused = true)]
async fn what_ecs_takes_back_is_told_measured_and_rejected() {
    let stage = Stage::rolling().await;
    stage.release("web", "v2", &[("APP_EXIT_AFTER_MS", "100"), ("APP_EXIT_CODE", "1")]).await;
    settled(&stage, "ROLLBACK_SUCCESSFUL").await;
    let messages = stage.messages();
    let kinds: Vec<_> = messages.iter().map(|message| message.news.kind()).collect();
    assert_eq!(kinds, ["started", "failed", "rolled-back"]);
    let News::Failed { reason } = only(&messages, "failed") else { panic!() };
    assert!(reason.contains("ECS deployment circuit breaker"), "{reason}");
    let News::RolledBack { to, times, .. } = only(&messages, "rolled-back") else { panic!() };
    assert!(
        to.as_ref().unwrap().ends_with("/web:1") && times.stopped < times.traffic_back,
        "{to:?} {times:?}"
    );
    assert_eq!(stage.counts("web"), [1.0, 1.0, 1.0]);
    assert_eq!(stage.tag("web:2", "verdict").as_deref(), Some("rejected"));
    deliver(&stage.function(), &completed()).await.unwrap();
    assert_eq!(
        (stage.news().len(), stage.counts("web"), stage.live("web")),
        (0, [1.0, 1.0, 1.0], "web:1".into())
    );
    assert_eq!(stage.cloud.with(statuses).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_aborted_release_is_rolled_back_by_sluice() {
    let stage = Stage::rolling().await;
    stage.release("web", "v2", &[]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let listed =
        stage.call("ecs", "ListServiceDeployments", json!({ "cluster": "web-cluster", "service": "web" }));
    let arn = listed["serviceDeployments"][0]["serviceDeploymentArn"].as_str().unwrap().to_owned();
    stage.call("ecs", "StopServiceDeployment", json!({ "serviceDeploymentArn": arn, "stopType": "ABORT" }));
    stage
        .until("version 1 is back", |world| statuses(world).len() == 3 && statuses(world)[0] == "SUCCESSFUL")
        .await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let messages = stage.messages();
    only(&messages, "failed");
    let News::RolledBack { to, .. } = only(&messages, "rolled-back") else { panic!() };
    assert!(to.as_ref().unwrap().ends_with("/web:1"), "{to:?}");
    let of_release = |m: &&shared::message::Message| m.release.deployment.as_deref() == Some(arn.as_str());
    assert_eq!(messages.iter().filter(of_release).count(), 3, "{messages:?}");
    assert_eq!(stage.counts("web"), [1.0, 1.0, 1.0]);
    assert_eq!((stage.live("web"), stage.tag("web:1", "ended")), ("web:1".into(), None));
}

#[tokio::test(start_paused = true)]
async fn a_service_deployed_anew_with_the_same_revision_is_no_release() {
    let stage = Stage::rolling().await;
    stage.release("web", "v2", &[]).await;
    settled(&stage, "SUCCESSFUL").await;
    assert_eq!(stage.counts("web"), [1.0, 0.0, 0.0]);
    let again = json!({ "cluster": "web-cluster", "service": "web", "forceNewDeployment": true });
    stage.call("ecs", "UpdateService", again);
    tokio::time::sleep(Duration::from_secs(5)).await;
    settled(&stage, "SUCCESSFUL").await;
    assert_eq!(stage.counts("web"), [1.0, 0.0, 0.0]);
}
