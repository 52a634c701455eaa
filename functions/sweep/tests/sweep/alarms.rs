//! Alarms whose event was lost, during a deployment and in the watch after it.

use std::time::Duration;

use serde_json::json;

use crate::scene::{calls, effects, later, nothing_happens, steps, swept, with_baseline};
use crate::state::{Stage, statuses};

const WATCH: Duration = Duration::from_secs(1_800);

/// `api` is watched by an alarm that its deployment group does not know, so that CodeDeploy
/// does not stop by itself.
async fn watched() -> Stage {
    let mut stage = Stage::new().await;
    extra_alarm(&stage);
    stage.services[0].alarms = vec!["extra-5xx".to_owned()];
    stage.services[0].watch = WATCH;
    stage.listen();
    with_baseline(&stage).await;
    stage
}

fn extra_alarm(stage: &Stage) {
    let alarm = json!({
        "AlarmName": "extra-5xx", "Namespace": "App", "MetricName": "Extra", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
    });
    stage.call("cloudwatch", "PutMetricAlarm", alarm);
    stage.set_alarm("extra", "OK");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_lost_during_the_canary_ends_with_the_version_before() {
    let stage = watched().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    stage.canary(&id).await;
    stage.set_alarm("extra", "ALARM");
    nothing_happens(&stage).await;
    tokio::time::sleep(Duration::from_secs(70)).await;
    let told = swept(&stage, "api").await;
    assert_eq!(told[0].0, "alarm");
    assert!(told[0].2.starts_with(&format!("stop {id}: ")), "{told:?}");
    assert_eq!(stage.ended(&id).await, "Stopped");
    let (rollback, _) = stage.last("api");
    assert_eq!(stage.ended(&rollback).await, "Succeeded");
    later().await;
    nothing_happens(&stage).await;
    assert_eq!((stage.live("api"), stage.deployments("api")), ("api:1".into(), 2));
    assert!(stage.tag("api:2", "reason").unwrap().starts_with("alarm extra-5xx"));
    assert_eq!(stage.news(), ["started", "alarm-stopped", "failed", "rolled-back"]);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_is_green_again_is_found_in_its_history() {
    let stage = watched().await;
    // Red and green before the release began: not to blame.
    stage.set_alarm("extra", "ALARM");
    stage.set_alarm("extra", "OK");
    let (_, id) = stage.release("api", "v2", &[]).await;
    stage.canary(&id).await;
    nothing_happens(&stage).await;
    stage.set_alarm("extra", "ALARM");
    tokio::time::sleep(Duration::from_secs(60)).await;
    stage.set_alarm("extra", "OK");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let told = swept(&stage, "api").await;
    assert!(told[0].2.starts_with(&format!("stop {id}: ")), "{told:?}");
    assert_eq!(stage.ended(&id).await, "Stopped");
    let (rollback, _) = stage.last("api");
    assert_eq!(stage.ended(&rollback).await, "Succeeded");
    later().await;
    nothing_happens(&stage).await;
    assert_eq!((stage.live("api"), stage.deployments("api")), ("api:1".into(), 2));
    assert_eq!(stage.tag("api:2", "verdict").as_deref(), Some("rejected"));
}

#[tokio::test(start_paused = true)]
async fn a_release_is_not_good_whose_alarm_was_red_in_its_watch_and_green_at_its_end() {
    let stage = watched().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    assert_eq!(stage.ended(&id).await, "Succeeded");
    stage.set_alarm("extra", "ALARM");
    tokio::time::sleep(Duration::from_secs(60)).await;
    stage.set_alarm("extra", "OK");
    // No sweep comes before the watch is over.
    tokio::time::sleep(2 * WATCH).await;
    let told = swept(&stage, "api").await;
    assert!(told[0].2.starts_with("roll-back d-"), "{told:?}");
    let (rollback, _) = stage.last("api");
    assert_eq!(stage.ended(&rollback).await, "Succeeded");
    later().await;
    nothing_happens(&stage).await;
    assert_eq!(stage.tag("api:2", "verdict").as_deref(), Some("rejected"));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_lost_within_the_watch_takes_the_release_back_once() {
    let stage = watched().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    assert_eq!(stage.ended(&id).await, "Succeeded");
    stage.set_alarm("extra", "ALARM");
    // However late the sweep comes.
    tokio::time::sleep(2 * WATCH).await;
    let told = swept(&stage, "api").await;
    assert!(told[0].2.starts_with("roll-back d-"), "{told:?}");
    nothing_happens(&stage).await;
    let (rollback, _) = stage.last("api");
    assert_eq!(stage.ended(&rollback).await, "Succeeded");
    later().await;
    nothing_happens(&stage).await;
    assert_eq!((stage.live("api"), stage.deployments("api")), ("api:1".into(), 2));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_after_the_watch_or_before_the_deployment_is_not_acted_on() {
    let stage = watched().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    assert_eq!(stage.ended(&id).await, "Succeeded");
    tokio::time::sleep(WATCH + Duration::from_secs(60)).await;
    assert_eq!(steps(&stage, "api").await, ["settle"], "the verdict");
    stage.set_alarm("extra", "ALARM");
    later().await;
    nothing_happens(&stage).await;
    // By hand: image-push starts nothing while an alarm is red.
    let known = stage.call("codedeploy", "GetDeployment", json!({ "deploymentId": id }));
    let again = json!({
        "applicationName": "api-deploy", "deploymentGroupName": "api-group",
        "revision": known["deploymentInfo"]["revision"],
    });
    let by_hand = stage.call("codedeploy", "CreateDeployment", again)["deploymentId"].clone();
    stage.canary(by_hand.as_str().unwrap()).await;
    later().await;
    nothing_happens(&stage).await;
    assert_eq!(stage.ended(by_hand.as_str().unwrap()).await, "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_muted_alarm_does_nothing() {
    let stage = watched().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    stage.canary(&id).await;
    stage.call("cloudwatch", "DisableAlarmActions", json!({ "AlarmNames": ["extra-5xx"] }));
    stage.set_alarm("extra", "ALARM");
    later().await;
    nothing_happens(&stage).await;
    assert_eq!(stage.ended(&id).await, "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_during_a_rollback_calls_people_once() {
    let stage = watched().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    stage.canary(&id).await;
    stage.stop(&id, Some(true));
    stage.ended(&id).await;
    let (rollback, _) = stage.last("api");
    stage.ended(&rollback).await;
    stage.news();
    stage.set_alarm("extra", "ALARM");
    later().await;
    let from = calls(&stage, 0).len();
    assert_eq!(steps(&stage, "api").await, ["alarm"]);
    assert_eq!(effects(&stage, from), ["Publish", "TagResource"]);
    for _ in 0..3 {
        later().await;
        nothing_happens(&stage).await;
    }
    assert_eq!((stage.news(), stage.deployments("api")), (vec!["alarm-during-rollback"], 2));
}

#[tokio::test(start_paused = true)]
async fn without_a_way_back_people_are_called_once() {
    let stage = watched().await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    assert_eq!(stage.ended(&id).await, "Succeeded");
    let first = json!({ "repositoryName": "api", "imageIds": [{ "imageTag": "v1" }] });
    let digest = stage.call("ecr", "BatchGetImage", first)["images"][0]["imageId"]["imageDigest"].clone();
    let gone = json!({ "repositoryName": "api", "imageIds": [{ "imageDigest": digest }] });
    stage.call("ecr", "BatchDeleteImage", gone);
    stage.news();
    stage.set_alarm("extra", "ALARM");
    later().await;
    assert_eq!(steps(&stage, "api").await, ["alarm"]);
    for _ in 0..3 {
        later().await;
        nothing_happens(&stage).await;
    }
    assert_eq!((stage.news(), stage.deployments("api")), (vec!["no-way-back"], 1));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_lost_during_a_rolling_release_ends_with_the_version_before() {
    let mut stage = Stage::rolling().await;
    stage.services[0].watch = WATCH;
    stage.listen();
    with_baseline(&stage).await;
    stage.release("web", "v2", &[]).await;
    stage.until("it has begun", |world| statuses(world).len() == 2).await;
    stage.set_alarm("web", "ALARM");
    tokio::time::sleep(Duration::from_secs(65)).await;
    let told = swept(&stage, "web").await;
    assert_eq!(told[0].0, "alarm", "{told:?}");
    tokio::time::sleep(Duration::from_secs(600)).await;
    nothing_happens(&stage).await;
    assert_eq!(stage.live("web"), "web:1");
    assert_eq!(stage.tag("web:2", "verdict").as_deref(), Some("rejected"));
}
