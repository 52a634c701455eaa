//! Smoke tests: what passes, what fails, and what is never asked.

use std::time::Duration;

use cloud::timeline::Kind;
use serde_json::json;

use crate::scene::{Stage, deliver};

const BASE: &str = "base-url: 'http://localhost:8081'";

fn smoke(event: &str, rest: &str) -> String {
    format!("{event}:\n- smoke: {{ {BASE}, {rest} }}")
}

/// What the function says of a hook at this event, for an image that behaves so, and how the
/// deployment ended.
async fn judged(environment: &[(&str, &str)], checks: &str) -> (Stage, String, String) {
    let stage = Stage::new();
    stage.answer(stage.function(checks));
    let digest = stage.push("v2", environment);
    let id = stage.deploy(&digest, &["AfterAllowTestTraffic"]);
    let (status, code) = stage.ended(&id).await;
    let reason = stage.reason();
    let how = if code.is_empty() { status } else { format!("{status} {code}") };
    (stage, how, reason)
}

#[tokio::test(start_paused = true)]
async fn a_version_that_answers_as_it_should_goes_live() {
    let checks = smoke(
        "after-allow-test-traffic",
        "requests: [
            { get: /health, json: { status: healthy, $.version: { matches: 'v[0-9]+' } } },
            { get: /json, json: { $.queue.depth: { at-most: 10, above: 2 }, $.list[*]: { at-least: 1 } } },
            { post: '/echo?a=b', body: { x: [1] }, headers: { x-test: 'yes' },
              json: { method: POST, query: a=b, body: '{\"x\":[1]}', $.headers['x-test']: 'yes' } },
            { get: /any, status: '200-299', response-headers: { content-type: 'application/json.*' },
              response-body: '\"path\":\"/any\"', max-time: 2s, repeat: { times: 10, p95: 1s } } ]",
    );
    let environment = [("APP_JSON", r#"{"queue":{"depth":3},"list":[1,2.5]}"#), ("APP_LATENCY_MS", "40")];
    let (stage, how, reason) = judged(&environment, &checks).await;
    assert_eq!(how, "Succeeded", "{reason}");
    assert_eq!(reason, "smoke: 4 of 4 held (13 requests)");
    assert_eq!(stage.verdicts(), ["Succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn each_expectation_that_does_not_hold_fails_the_deployment_and_says_what_was_seen() {
    let cases = [
        ("{ get: /health, status: 204 }", "GET http://localhost:8081/health: status 200 instead of 204"),
        ("{ get: /json, json: { a: 2 } }", "a is 1, which is not 2"),
        ("{ get: /json, json: { b: 1 } }", r#"b is not in the answer: {"a":1}"#),
        ("{ get: /json, json: { $.a: { above: 1 } } }", "$.a is 1, which is not above 1"),
        (
            "{ get: /health, json: { $.status: { matches: 'health' } } }",
            r#"$.status is "healthy", which is not health"#,
        ),
        ("{ get: /any, response-body: 'welcome' }", "nothing in the body matches welcome"),
        (
            "{ get: /any, response-headers: { content-type: 'text/.*' } }",
            "header content-type is 'application/json'",
        ),
        ("{ get: /any, response-headers: { x-none: '.*' } }", "header x-none is missing"),
        ("{ get: '/redirect?to=/health' }", "status 302 instead of 200"),
        ("{ get: '/redirect?to=http://169.254.169.254/', follow-redirects: true }", "another origin"),
        ("{ get: '/redirect?to=/redirect%3Fto=/redirect', follow-redirects: true }", "more than 5 redirects"),
        ("{ get: /x, headers: { authorization: 'secret:none' } }", "reading the secret none"),
    ];
    for (request, expected) in cases {
        let checks = smoke("after-allow-test-traffic", &format!("requests: [ {request} ]"));
        let (stage, how, reason) = judged(&[("APP_JSON", r#"{"a":1}"#)], &checks).await;
        assert_eq!(how, "Failed HOOK_EXECUTION_FAILURE", "{request}: {reason}");
        assert!(reason.contains(expected), "{request}: {reason}");
        assert_eq!(stage.verdicts(), ["Failed"]);
        assert!(stage.production().iter().all(|(version, _)| version != "v2"));
    }
}

#[tokio::test(start_paused = true)]
async fn redirects_within_the_origin_are_followed_where_that_is_asked_for() {
    let request = "{ get: '/redirect?to=/health', follow-redirects: true, json: { status: healthy } }";
    let checks = smoke("after-allow-test-traffic", &format!("requests: [ {request} ]"));
    let (_, how, reason) = judged(&[], &checks).await;
    assert_eq!(how, "Succeeded", "{reason}");
}

#[tokio::test(start_paused = true)]
async fn some_failures_may_be_allowed_and_a_slow_tail_is_seen() {
    let repeated = |repeat: &str| {
        smoke(
            "after-allow-test-traffic",
            &format!("requests: [ {{ get: /x, max-time: 2s, repeat: {{ {repeat} }} }} ]"),
        )
    };
    let flaky = [("APP_ERROR_RATE", "0.1")];
    let (_, how, reason) = judged(&flaky, &repeated("times: 20, failures: 4")).await;
    assert_eq!(how, "Succeeded", "{reason}");
    let (_, how, reason) = judged(&flaky, &repeated("times: 40, failures: 1")).await;
    assert!(
        how.starts_with("Failed") && reason.contains("requests failed and 1 may: status 500"),
        "{reason}"
    );
    let slow = [("APP_LATENCY_MS", "500")];
    let (_, how, reason) = judged(&slow, &repeated("times: 20, p95: 300ms")).await;
    assert!(
        how.starts_with("Failed") && reason.contains("the 95th percentile of 20 answers is 5"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_is_asked_again_until_within_is_over() {
    // The test listener answers 502 until the task listens.
    let checks = smoke("after-allow-test-traffic", "within: 30s, requests: [ { get: /late, max-time: 1s } ]");
    let (stage, how, reason) = judged(&[("APP_HANG", "/late")], &checks).await;
    assert_eq!(how, "Failed HOOK_EXECUTION_FAILURE", "{reason}");
    assert!(
        reason.contains("not ready within 30s") && reason.contains("no answer within max-time, 1s"),
        "{reason}"
    );
    let asked = stage.entries(Kind::Http).len();
    assert!((6..=20).contains(&asked), "{asked} requests in half a minute");
}

#[tokio::test(start_paused = true)]
async fn old_code_does_not_pass_for_new() {
    let versions = ["{ header: x-version }", "{ json: $.version }", "{ body: '\"version\":\"([^\"]+)\"' }"];
    for version in versions {
        let checks = smoke(
            "after-allow-test-traffic",
            &format!("within: 5s, requests: [ {{ get: /version, version: {version} }} ]"),
        );
        // The image says that it is v1, and is deployed as v2.
        let (_, how, reason) = judged(&[("APP_VERSION", "v1")], &checks).await;
        assert!(how.starts_with("Failed"), "{version}");
        assert!(reason.contains("shows version 'v1', and sha256:"), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_deployed_is_known_by_its_tag_or_its_digest() {
    for shown in ["tag", "digest"] {
        let stage = Stage::new();
        let request = "{ get: /version, version: { header: x-version } }";
        let checks = smoke("after-allow-test-traffic", &format!("within: 5s, requests: [ {request} ]"));
        stage.answer(stage.function(&checks));
        let digest = stage.push("v2", &[]);
        let revision = stage.register(&digest);
        // An image cannot know its own digest: a definition that passes it on does.
        if shown == "tag" {
            let tags = json!([{ "key": "sluice:tag", "value": "v2" }]);
            stage.call("ecs", "TagResource", json!({ "resourceArn": revision, "tags": tags }));
        }
        let revision =
            if shown == "digest" { stage.with_variable(&revision, "APP_VERSION", &digest) } else { revision };
        let id = stage.deploy_revision(&revision, &["AfterAllowTestTraffic"]);
        assert_eq!(stage.ended(&id).await.0, "Succeeded", "{}", stage.reason());
    }
}

#[tokio::test(start_paused = true)]
async fn each_new_task_is_asked_at_its_own_address_and_no_old_one() {
    let stage = Stage::new();
    let checks =
        "after-install:\n- smoke: { tasks: {}, requests: [ { get: /health, json: { version: v2 } } ] }";
    stage.answer(stage.function(checks));
    let digest = stage.push("v2", &[]);
    let id = stage.deploy(&digest, &["AfterInstall"]);
    stage.under_way(&id, "AfterInstall").await;
    assert_eq!(stage.ended(&id).await.0, "Succeeded", "{}", stage.reason());
    assert_eq!(stage.reason(), "smoke: 2 of 2 held at 2 tasks (2 requests)");
}

#[tokio::test(start_paused = true)]
async fn metadata_is_never_asked_whatever_is_configured() {
    for url in [
        "http://169.254.169.254",
        "http://169.254.170.2",
        "http://[fd00:ec2::254]",
        "http://[::ffff:169.254.169.254]",
    ] {
        let stage = Stage::new();
        let checks = format!(
            "after-allow-test-traffic:\n- smoke: {{ base-url: '{url}', requests: [ {{ get: /latest/meta-data }} ] }}"
        );
        stage.answer(stage.function(&checks));
        let digest = stage.push("v2", &[]);
        let id = stage.deploy(&digest, &["AfterAllowTestTraffic"]);
        assert_eq!(stage.ended(&id).await.0, "Failed");
        assert!(stage.reason().contains("which no check may ask"), "{}", stage.reason());
        assert_eq!(stage.entries(Kind::Http).len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_arrives_where_it_is_needed_and_is_told_to_nobody() {
    let stage = Stage::new();
    let value = json!({ "token": "hunter2-and-more" }).to_string();
    stage.call("secretsmanager", "CreateSecret", json!({ "Name": "api/smoke", "SecretString": value }));
    let checks = smoke(
        "after-allow-test-traffic",
        "requests: [ { post: /echo, headers: { authorization: 'Bearer secret:api/smoke#token' },
           body: { t: 'secret:api/smoke#token' },
           json: { $.headers.authorization: { matches: 'Bearer hunter2.*' }, body: 'wrong' } } ]",
    );
    stage.answer(stage.function(&checks));
    let digest = stage.push("v2", &[]);
    let id = stage.deploy(&digest, &["AfterAllowTestTraffic"]);
    assert_eq!(stage.ended(&id).await.0, "Failed");
    let reason = stage.reason();
    assert!(reason.contains(r#"body is "{\"t\":\"[redacted]\"}", which is not "wrong""#), "{reason}");
    assert!(!stage.answers().contains("hunter2"), "{}", stage.answers());
}

#[tokio::test(start_paused = true)]
async fn requests_run_side_by_side_within_their_limit() {
    let requests = vec!["{ get: /x, max-time: 5s }"; 8].join(", ");
    for (limit, least, most) in [(8, 1.0, 2.5), (1, 8.0, 9.5)] {
        let rest = format!("concurrency: {limit}, requests: [ {requests} ]");
        let stage = Stage::new();
        let function = stage.function(&smoke("after-allow-test-traffic", &rest));
        let digest = stage.push("v2", &[("APP_LATENCY_MS", "1000")]);
        // Nobody answers the hook, so that it can be asked by hand.
        stage.silence();
        let id = stage.deploy(&digest, &["AfterAllowTestTraffic"]);
        stage.under_way(&id, "AfterAllowTestTraffic").await;
        let began = tokio::time::Instant::now();
        deliver(&function, stage.hook_event(&id)).await.unwrap();
        let took = began.elapsed().as_secs_f64();
        assert!((least..most).contains(&took), "{took} s with {limit} side by side");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_request_leaves_after_two_round_trips() {
    let stage = Stage::new();
    let value = json!({ "SecretString": "a-token-of-ours", "Name": "token" });
    stage.call("secretsmanager", "CreateSecret", value);
    let request =
        "{ get: /version, headers: { authorization: 'secret:token' }, version: { header: x-version } }";
    let function = stage.function(&smoke("after-allow-test-traffic", &format!("requests: [ {request} ]")));
    stage.silence();
    let digest = stage.push("v2", &[]);
    let id = stage.deploy(&digest, &["AfterAllowTestTraffic"]);
    stage.under_way(&id, "AfterAllowTestTraffic").await;
    let event = stage.hook_event(&id);
    stage.cloud.call_time(1_000);
    let began = stage.cloud.now();
    let _ = tokio::time::timeout(Duration::from_secs(20), deliver(&function, event)).await;
    let first = stage.entries(Kind::Http).first().map(|entry| entry.at).unwrap();
    let round_trips = (first - began) / 1_000;
    assert!(round_trips <= 2, "{round_trips} round trips");
}
