//! One verdict for each hook, in time, whatever happens to the function.

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use cloud::in_process::{Faults, Injected};
use cloud::timeline::Kind;
use futures_util::future::join;
use serde_json::json;

use crate::scene::{Stage, TIMEOUT, deliver};

const HEALTHY: &str = "after-allow-test-traffic:
- smoke: { base-url: 'http://localhost:8081', within: 20s, requests: [ { get: /health, json: { version: v2 } } ] }";

/// A hook that waits for its verdict, and its event.
async fn waiting(stage: &Stage, environment: &[(&str, &str)]) -> (String, serde_json::Value) {
    stage.silence();
    let digest = stage.push("v2", environment);
    let id = stage.deploy(&digest, &["AfterAllowTestTraffic"]);
    stage.under_way(&id, "AfterAllowTestTraffic").await;
    let event = stage.hook_event(&id);
    (id, event)
}

#[tokio::test(start_paused = true)]
async fn delivered_twice_at_once_and_again_later_a_hook_has_one_verdict() {
    let stage = Stage::new();
    let (id, event) = waiting(&stage, &[]).await;
    let (one, two) = (stage.function(HEALTHY), stage.function(HEALTHY));
    let (first, second) = join(deliver(&one, event.clone()), deliver(&two, event.clone())).await;
    for answer in [first.unwrap(), second.unwrap()] {
        assert_eq!(answer["verdict"], "Succeeded", "{answer}");
    }
    assert_eq!(stage.verdicts(), ["Succeeded"]);
    assert_eq!(stage.ended(&id).await.0, "Succeeded");
    let late = deliver(&one, event).await.unwrap();
    assert_eq!(late["verdict"], serde_json::Value::Null, "{late}");
    assert_eq!(late["reason"], "the deployment has ended: nobody waits for a verdict");
    assert_eq!(stage.verdicts(), ["Succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_throttled_ten_times_is_made() {
    // The function's own calls come first: three round trips of five calls, the request, and
    // whether the event is still under way.
    for calls in 5..=9 {
        let stage = Stage::new();
        let (id, event) = waiting(&stage, &[]).await;
        let script = (0..calls).map(|_| None).chain((0..10).map(|_| Some(Injected::Throttled)));
        stage.cloud.script(script);
        let began = tokio::time::Instant::now();
        let answer = deliver(&stage.function(HEALTHY), event).await.unwrap();
        assert_eq!(answer["verdict"], "Succeeded", "{answer}");
        assert!(began.elapsed() < TIMEOUT);
        assert_eq!(stage.event(&id, "AfterAllowTestTraffic"), "Succeeded");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_lost_at_any_call_changes_no_verdict() {
    let mut reported_again = 0;
    for calls in 0..9 {
        let stage = Stage::new();
        let (id, event) = waiting(&stage, &[]).await;
        stage.cloud.script((0..calls).map(|_| None).chain([Some(Injected::AnswerLost)]));
        let answer = deliver(&stage.function(HEALTHY), event).await.unwrap();
        assert_eq!(answer["verdict"], "Succeeded", "{calls}: {answer}");
        assert_eq!(stage.event(&id, "AfterAllowTestTraffic"), "Succeeded");
        let reports = stage.calls().into_iter().filter(|(name, ..)| name.starts_with("PutLifecycle"));
        let errors: Vec<_> = reports.map(|(_, _, error)| error.is_null()).collect();
        reported_again += usize::from(errors == [true, false]);
    }
    assert_eq!(reported_again, 1, "one of the calls is the report itself");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_lags_behind_passes_no_hook_with_the_checks_of_the_one_before() {
    let checks = "after-allow-test-traffic:
- smoke: { base-url: 'http://localhost:8081', requests: [ { get: /health } ] }
before-allow-traffic:
- smoke: { base-url: 'http://localhost:8081', within: 20s, requests: [ { get: /health, json: { version: v3 } } ] }";
    let mut lagged = 0;
    // One of the calls is the reading of the lifecycle events.
    for calls in 1..4 {
        let stage = Stage::new();
        stage.silence();
        // Keeps the states that can be answered later.
        stage.cloud.faults(Faults { chances: vec![(0.0, Injected::Stale(0))], ..Faults::default() });
        let digest = stage.push("v2", &[]);
        let id = stage.deploy(&digest, &["AfterAllowTestTraffic", "BeforeAllowTraffic"]);
        stage.under_way(&id, "AfterAllowTestTraffic").await;
        let function = stage.function(checks);
        assert_eq!(deliver(&function, stage.hook_event(&id)).await.unwrap()["verdict"], "Succeeded");
        stage.under_way(&id, "BeforeAllowTraffic").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        stage.cloud.script((0..calls).map(|_| None).chain([Some(Injected::Stale(1_000))]));
        let answer = deliver(&function, stage.hook_event(&id)).await.unwrap();
        assert_eq!(answer["verdict"], "Failed", "{calls}: {answer}");
        assert_eq!(stage.event(&id, "BeforeAllowTraffic"), "Failed");
        let faults = stage.entries(Kind::Host).into_iter();
        lagged +=
            faults.filter(|e| e.text == "Stale(1000) befalls codedeploy:BatchGetDeploymentTargets").count();
    }
    assert_eq!(lagged, 1, "one of the answers was of the hook before");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_fails_is_told_once_with_its_whole_reason() {
    let stage = Stage::new();
    let (_, event) = waiting(&stage, &[("APP_VERSION", "v1")]).await;
    let answer = deliver(&stage.function(HEALTHY), event.clone()).await.unwrap();
    deliver(&stage.function(HEALTHY), event).await.unwrap();
    let told = stage.news();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (&told[0]["kind"], &told[0]["event"]),
        (&json!("check-failed"), &json!("AfterAllowTestTraffic"))
    );
    assert_eq!(told[0]["reason"], answer["reason"]);
}

#[tokio::test(start_paused = true)]
async fn checks_that_pass_are_told_to_nobody() {
    let stage = Stage::new();
    let (_, event) = waiting(&stage, &[]).await;
    assert_eq!(deliver(&stage.function(HEALTHY), event).await.unwrap()["verdict"], "Succeeded");
    assert_eq!(stage.news(), Vec::<serde_json::Value>::new());
}

#[tokio::test(start_paused = true)]
async fn whatever_aws_does_a_hook_is_never_succeeded_without_its_check() {
    let kinds = [
        (0.4, Injected::Throttled),
        (0.4, Injected::ServerError),
        (0.3, Injected::AnswerLost),
        (0.2, Injected::TimeoutBefore(30_000)),
    ];
    for (chance, kind) in kinds {
        for seed in 0..6 {
            let stage = Stage::new();
            // An image that is not healthy enough.
            let (id, event) = waiting(&stage, &[("APP_VERSION", "v1")]).await;
            stage.cloud.faults(Faults { chances: vec![(chance, kind)], seed, ..Faults::default() });
            let told = tokio::time::timeout(TIMEOUT, deliver(&stage.function(HEALTHY), event)).await;
            let told = told.map(|answer| answer.map(|answer| answer["verdict"].clone()));
            assert!(stage.verdicts().iter().all(|verdict| verdict == "Failed"), "{kind:?} {seed}: {told:?}");
            assert_ne!(stage.event(&id, "AfterAllowTestTraffic"), "Succeeded");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_hangs_is_failed_before_the_functions_own_end() {
    let stage = Stage::new();
    let (id, event) = waiting(&stage, &[("APP_HANG", "/hangs")]).await;
    let checks = "after-allow-test-traffic:
- smoke: { base-url: 'http://localhost:8081', within: 10m, requests: [ { get: /hangs, max-time: 10m } ] }";
    let began = tokio::time::Instant::now();
    let answer = deliver(&stage.function(checks), event).await.unwrap();
    assert_eq!(answer["verdict"], "Failed");
    assert!(began.elapsed() < TIMEOUT - Duration::from_secs(20), "{:?}", began.elapsed());
    // The load balancer gives up after a minute, and the time for a second request is cut.
    let reason = answer["reason"].as_str().unwrap();
    let named = "GET http://localhost:8081/hangs: not ready in the function's time (2 requests), no answer within 26.";
    assert!(reason.contains(named), "{reason}");
    assert_eq!(stage.event(&id, "AfterAllowTestTraffic"), "Failed");
}

#[tokio::test(start_paused = true)]
async fn a_hook_without_checks_is_failed_with_the_way_out() {
    let stage = Stage::new();
    let (_, event) = waiting(&stage, &[]).await;
    let checks = HEALTHY.replace("after-allow-test-traffic", "before-allow-traffic");
    let answer = deliver(&stage.function(&checks), event).await.unwrap();
    assert_eq!(answer["verdict"], "Failed");
    let reason = answer["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("releases.yaml has no checks for AfterAllowTestTraffic; take the hook"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_named_is_failed_and_not_looked_at() {
    let stage = Stage::new();
    let (_, event) = waiting(&stage, &[]).await;
    let mut other = Stage::new();
    other.service.group = "another".into();
    // The configuration names another group than the one that deploys.
    let function = stage.function_of(&other.service, HEALTHY);
    let answer = deliver(&function, event).await.unwrap();
    assert_eq!(answer["verdict"], "Failed");
    assert!(
        answer["reason"].as_str().unwrap().contains("names no service that api-deploy/api-group deploys")
    );
    let names: Vec<_> = stage.calls().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["GetDeployment", "PutLifecycleEventHookExecutionStatus"]);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_does_not_exist_is_an_error_for_the_dead_letter_queue() {
    let stage = Stage::new();
    let event = json!({ "DeploymentId": "d-ABCDEFGHI", "LifecycleEventHookExecutionId": "eyJ" });
    let error = deliver(&stage.function(HEALTHY), event).await.unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("d-ABCDEFGHI"), "{text}");
    assert_eq!(stage.verdicts(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_check_is_a_failed_verdict() {
    let stage = Stage::new();
    let (id, event) = waiting(&stage, &[]).await;
    // What gives credentials stands for any code that may be wrong. Each client asks it once:
    // CodeDeploy's is well, that of ECS is not.
    let function = stage.function_with(HEALTHY, SharedCredentialsProvider::new(Panics::after(1)));
    let answer = deliver(&function, event).await.unwrap();
    assert_eq!(answer["verdict"], "Failed", "{answer}");
    assert!(answer["reason"].as_str().unwrap().contains("panicked"), "{answer}");
    assert_eq!(stage.event(&id, "AfterAllowTestTraffic"), "Failed");
}

/// Credentials whose source panics at one call.
#[derive(Debug)]
struct Panics {
    left: Arc<std::sync::atomic::AtomicI64>,
}

impl Panics {
    fn after(calls: i64) -> Self {
        Self { left: Arc::new(calls.into()) }
    }
}

impl aws_credential_types::provider::ProvideCredentials for Panics {
    fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let left = self.left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        assert_ne!(left, 0, "the source of credentials is broken");
        let credentials = Credentials::new("ASIAFNCodeDeployHook_sluice", "secret", None, None, "test");
        aws_credential_types::provider::future::ProvideCredentials::ready(Ok(credentials))
    }
}
