//! Hooks of ECS itself: the same checks, its own answers.

use serde_json::{Value, json};

use crate::scene::{Stage, deliver};

fn event(stage: &str) -> Value {
    json!({
        "executionId": "3a0345ba-b029-404b-890d-7da2a4b266aa", "lifecycleStage": stage,
        "resourceArn": "arn:aws:ecs:us-east-1:123456789012:service-deployment/api-cluster/api/EZe5RNVLH6PPzHXINuP28",
        "executionDetails": {
            "serviceArn": "arn:aws:ecs:us-east-1:123456789012:service/api-cluster/api",
            "targetServiceRevisionArn": "arn:aws:ecs:us-east-1:123456789012:service-revision/api-cluster/api/1",
            "testTrafficWeights": {}, "productionTrafficWeights": {},
        },
    })
}

#[tokio::test(start_paused = true)]
async fn a_rollback_succeeds_at_once_without_a_call() {
    let stage = Stage::new();
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/events/ecs-native-hook-production-traffic-shift-rollback.json"
    );
    let event: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let checks = "after-allow-test-traffic:\n- smoke: { base-url: 'http://x', requests: [ { get: / } ] }";
    let answer = deliver(&stage.function(checks), event).await.unwrap();
    assert_eq!((&answer["hookStatus"], stage.calls().len()), (&json!("SUCCEEDED"), 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_named_or_has_no_checks_fails() {
    let stage = Stage::new();
    let checks = "after-allow-test-traffic:\n- smoke: { base-url: 'http://x', requests: [ { get: / } ] }";
    let function = stage.function(checks);
    let mut other = event("POST_TEST_TRAFFIC_SHIFT");
    other["executionDetails"]["serviceArn"] = json!("arn:aws:ecs:us-east-1:123456789012:service/c/other");
    for (event, named) in [
        (other, "names no service c/other"),
        (event("RECONCILE_SERVICE"), "no checks for the stage RECONCILE_SERVICE"),
        (event("POST_TEST_TRAFFIC_SHIFT"), "service-revision/api-cluster/api/1"),
    ] {
        let answer = deliver(&function, event).await.unwrap();
        assert_eq!(answer["hookStatus"], "FAILED", "{answer}");
        assert!(answer["hookDetails"]["reason"].as_str().unwrap().contains(named), "{answer}");
    }
}
