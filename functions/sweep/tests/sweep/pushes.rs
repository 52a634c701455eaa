//! Pushes of which no event told, and the baseline before which none count.

use std::time::Duration;

use futures_util::future::join3;
use serde_json::json;
use shared::config::{ScanGate, Severity};
use shared::freeze::Freeze;
use shared::start::Invocation;

use crate::scene::{
    baseline, calls, effects, function, later, nothing_happens, steps, sweep, swept, with_baseline,
};
use crate::state::Stage;

#[tokio::test(start_paused = true)]
async fn the_first_sweep_takes_a_baseline_and_starts_nothing_that_was_pushed_before() {
    let stage = Stage::new().await;
    stage.push("api", "v2", &[]);
    later().await;
    assert_eq!(steps(&stage, "api").await, ["baseline"]);
    assert_eq!(effects(&stage, 0), ["TagResource"]);
    assert!(baseline(&stage, "api").unwrap().starts_with("2026-01-01T00:"));
    nothing_happens(&stage).await;
    later().await;
    nothing_happens(&stage).await;
    assert_eq!(stage.deployments("api"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_missed_push_is_started_once_its_event_has_had_its_turn() {
    let stage = Stage::new().await;
    with_baseline(&stage).await;
    stage.push("api", "v2", &[]);
    nothing_happens(&stage).await;
    later().await;
    let told = swept(&stage, "api").await;
    assert_eq!(told[0].0, "start", "{told:?}");
    assert!(told[0].2.starts_with("started d-"), "{told:?}");
    let (id, info) = stage.last("api");
    assert!(info["description"].as_str().unwrap().contains(": tag v2 pushed"), "{info}");
    nothing_happens(&stage).await;
    assert_eq!(stage.ended(&id).await, "Succeeded");
    later().await;
    nothing_happens(&stage).await;
    assert_eq!((stage.live("api"), stage.deployments("api")), ("api:2".into(), 1));
    assert_eq!(stage.news(), ["started", "succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn of_several_missed_pushes_the_newest_is_started_and_an_older_one_never() {
    for longest_page in [100, 1] {
        let stage = Stage::new().await;
        stage.cloud.with(|world| world.cloud.settings.longest_page = longest_page);
        with_baseline(&stage).await;
        for tag in ["v2", "v3"] {
            stage.push("api", tag, &[]);
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        later().await;
        assert_eq!(steps(&stage, "api").await, ["start"]);
        let (id, info) = stage.last("api");
        assert!(info["description"].as_str().unwrap().contains(": tag v3 pushed"), "{info}");
        stage.ended(&id).await;
        later().await;
        nothing_happens(&stage).await;
        assert_eq!(stage.deployments("api"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_match_is_not_pushed_for_this_service() {
    let stage = Stage::new().await;
    with_baseline(&stage).await;
    stage.push("api", "latest", &[]);
    later().await;
    nothing_happens(&stage).await;
}

#[tokio::test(start_paused = true)]
async fn a_rejected_image_is_not_started_again_under_any_tag() {
    let stage = Stage::new().await;
    with_baseline(&stage).await;
    let (_, id) = stage.release("api", "v2", &[]).await;
    stage.canary(&id).await;
    stage.stop(&id, Some(true));
    stage.ended(&id).await;
    let (rollback, _) = stage.last("api");
    stage.ended(&rollback).await;
    later().await;
    let told = swept(&stage, "api").await;
    assert_eq!(told[0].0, "nothing");
    assert!(told[0].1.contains("(v2) was rejected before"), "{told:?}");
    // The same digest once more.
    let manifest = stage.call(
        "ecr",
        "BatchGetImage",
        json!({ "repositoryName": "api", "imageIds": [{ "imageTag": "v2" }] }),
    );
    let manifest = manifest["images"][0]["imageManifest"].clone();
    let again = json!({ "repositoryName": "api", "imageManifest": manifest, "imageTag": "v9" });
    stage.call("ecr", "PutImage", again);
    later().await;
    nothing_happens(&stage).await;
    assert_eq!((stage.deployments("api"), stage.live("api")), (2, "api:1".into()));
}

#[tokio::test(start_paused = true)]
async fn an_image_pushed_in_a_freeze_or_hold_is_started_when_that_has_ended() {
    let mut stage = Stage::new().await;
    with_baseline(&stage).await;
    // 2026-01-01 is a Thursday.
    stage.services[0].freeze = vec![Freeze::parse("thu 00:00 - thu 02:00 UTC").unwrap()];
    assert_eq!(stage.release("api", "v2", &[]).await.0, "wait");
    later().await;
    let from = calls(&stage, 0).len();
    let told = swept(&stage, "api").await;
    assert!(told[0].1.contains("waits for a freeze, thu 00:00 - thu 02:00 UTC"), "{told:?}");
    assert_eq!(effects(&stage, from), Vec::<String>::new());
    stage.until("the freeze has ended", |world| world.now() >= 1_767_225_600_000 + 2 * 3_600_000).await;
    assert_eq!(steps(&stage, "api").await, ["start"]);
    let (id, _) = stage.last("api");
    assert_eq!(stage.ended(&id).await, "Succeeded");

    hold(&stage, "until=2026-01-01T06:00:00Z by=anna");
    assert_eq!(stage.release("api", "v3", &[]).await.0, "wait");
    later().await;
    nothing_happens(&stage).await;
    stage.until("the hold has ended", |world| world.now() >= 1_767_225_600_000 + 6 * 3_600_000).await;
    assert_eq!(steps(&stage, "api").await, ["start"]);
}

fn hold(stage: &Stage, text: &str) {
    let arn = "arn:aws:ecs:us-east-1:123456789012:service/api-cluster/api";
    let tags = json!([{ "key": "sluice:hold", "value": text }]);
    stage.call("ecs", "TagResource", json!({ "resourceArn": arn, "tags": tags }));
}

#[tokio::test(start_paused = true)]
async fn an_image_whose_scan_ended_unheard_is_started_and_one_with_findings_is_not() {
    let mut stage = Stage::new().await;
    stage.services[0].scan =
        Some(ScanGate { block: vec![Severity::Critical], wait: Duration::from_secs(3_600) });
    with_baseline(&stage).await;
    let on_push = json!({ "repositoryName": "api", "imageScanningConfiguration": { "scanOnPush": true } });
    stage.call("ecr", "PutImageScanningConfiguration", on_push);
    assert_eq!(stage.release("api", "v2", &[]).await.0, "wait");
    later().await;
    assert_eq!(steps(&stage, "api").await, ["start"]);
    let (id, _) = stage.last("api");
    assert_eq!(stage.ended(&id).await, "Succeeded");

    let labels = json!({ "sluice.cloud/findings": "CRITICAL=1" });
    let config = json!({
        "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [] },
        "config": { "Entrypoint": ["sample-app"], "Env": ["APP_VERSION=3"], "Labels": labels },
    });
    stage.cloud.with(|world| cloud::fixture::push_config(world, "api", "v3", &config).unwrap());
    later().await;
    let from = calls(&stage, 0).len();
    let told = swept(&stage, "api").await;
    assert!(told[0].2.starts_with("nothing started: scanning found"), "{told:?}");
    assert_eq!((effects(&stage, from), stage.deployments("api")), (vec![], 1));
}

#[tokio::test(start_paused = true)]
async fn an_image_waits_for_a_red_alarm_and_starts_when_it_is_green() {
    let stage = Stage::new().await;
    with_baseline(&stage).await;
    stage.set_alarm("api", "ALARM");
    stage.push("api", "v2", &[]);
    later().await;
    let told = swept(&stage, "api").await;
    assert!(told[0].1.contains("alarms that are red or missing: api-5xx"), "{told:?}");
    stage.set_alarm("api", "OK");
    assert_eq!(steps(&stage, "api").await, ["start"]);
}

#[tokio::test(start_paused = true)]
async fn a_missed_push_of_a_rolling_service_is_started() {
    let stage = Stage::rolling().await;
    with_baseline(&stage).await;
    stage.push("web", "v2", &[]);
    later().await;
    assert_eq!(steps(&stage, "web").await, ["start"]);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(stage.live("web"), "web:2");
    nothing_happens(&stage).await;
    assert_eq!(stage.news(), ["started", "succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn two_sweeps_at_once_and_the_event_itself_start_one_deployment() {
    let stage = Stage::new().await;
    with_baseline(&stage).await;
    let digest = stage.push("api", "v2", &[]);
    later().await;
    let event = json!({
        "version": "0", "id": "1", "detail-type": "ECR Image Action", "source": "aws.ecr",
        "account": "123456789012", "time": "2026-01-01T00:10:00Z", "region": "us-east-1", "resources": [],
        "detail": {
            "result": "SUCCESS", "repository-name": "api", "image-digest": digest, "action-type": "PUSH",
            "image-tag": "v2",
        },
    });
    let push = stage.image_push("ASIAFNimage-push");
    let pushed = push.handle(Invocation { event, time: Duration::from_secs(60) });
    let (one, two) = (function(&stage), function(&stage));
    let (first, second, third) = join3(sweep(&one), sweep(&two), pushed).await;
    assert!(first.is_ok() && second.is_ok() && third.is_ok(), "{first:?} {second:?} {third:?}");
    // The list of deployments lags behind.
    later().await;
    assert_eq!(stage.deployments("api"), 1);
    let (_, info) = stage.last("api");
    assert!(info["description"].as_str().unwrap().contains(": tag v2 pushed"), "{info}");
}
