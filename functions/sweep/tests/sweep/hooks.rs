//! Hooks whose task, snapshot or function ended with nobody told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloud::effect::FunctionError;
use futures_util::future::join;
use lifecycle_hook::LifecycleHook;
use serde_json::{Value, json};
use shared::config::Releases;
use shared::start::Invocation;

use crate::scene::{calls, effects, function, later, nothing_happens, steps, sweep, swept, with_baseline};
use crate::state::Stage;

const HOOK: &str = "CodeDeployHook_sluice";
const ACCESS_KEY: &str = "ASIAFNhook";

const SMOKE: &str = "before-allow-traffic:
- smoke: { base-url: 'http://localhost:8081', requests: [{ get: / }] }";

fn migrate(after: &str, timeout: &str, more: &str) -> String {
    format!(
        "before-install:
- migrate: {{ container: app, command: [sample-task, --after, '{after}'], timeout: {timeout}{more} }}"
    )
}

/// `api` with these checks, and a function for its hooks that nobody answers yet. No rule tells
/// the ends of tasks and snapshots.
async fn with_checks(checks: &str) -> Stage {
    let mut stage = Stage::new().await;
    let checks: String = checks.lines().map(|line| format!("      {line}\n")).collect();
    let yaml = format!(
        "services:
  api:
    cluster: api-cluster
    service: api
    images: [{{ repository: api, container: app, tags: 'v[0-9]+' }}]
    deploy:
      codedeploy: {{ application: api-deploy, group: api-group }}
    checks:
{checks}"
    );
    let releases = Releases::parse(&yaml, "releases.yaml").unwrap_or_else(|e| panic!("{e}\n{yaml}"));
    stage.services[0].checks = releases.services()[0].checks.clone();
    stage.hook = Some(HOOK.to_owned());
    stage.lambda(HOOK);
    stage.listen();
    with_baseline(&stage).await;
    stage
}

type Reasons = Arc<Mutex<Vec<String>>>;

/// Lets the hook function answer; gives the reasons of its answers.
fn answer(stage: &Stage) -> Reasons {
    let push = stage.image_push(ACCESS_KEY);
    let hook = Arc::new(LifecycleHook::new(push.aws, push.releases, push.topic));
    let reasons = Reasons::default();
    let told = Arc::clone(&reasons);
    stage.cloud.function(HOOK, move |event| {
        let (hook, told) = (Arc::clone(&hook), Arc::clone(&told));
        async move {
            let answer = hook.handle(Invocation { event, time: Duration::from_secs(118) }).await;
            let answer = answer.map(|answer| serde_json::to_value(answer).unwrap());
            told.lock().unwrap().push(format!("{answer:?}"));
            answer.map_err(|e| FunctionError { kind: "Sluice.Error".to_owned(), message: format!("{e:#}") })
        }
    });
    reasons
}

/// The hook function does not do anything.
fn silent(stage: &Stage) {
    stage.cloud.function(HOOK, |_| async { Ok(Value::Null) });
}

/// Verdicts that CodeDeploy took.
fn verdicts(stage: &Stage) -> usize {
    let calls = stage.calls_of(ACCESS_KEY);
    calls.iter().filter(|(name, e)| name == "PutLifecycleEventHookExecutionStatus" && e.is_null()).count()
}

async fn minutes(n: u64) {
    tokio::time::sleep(Duration::from_secs(n * 60)).await;
}

#[tokio::test(start_paused = true)]
async fn a_migration_whose_end_was_not_heard_gets_its_verdict_and_the_deployment_goes_on() {
    let stage = with_checks(&migrate("600000", "30m", "")).await;
    let reasons = answer(&stage);
    let (_, id) = stage.release("api", "v2", &[]).await;
    minutes(5).await;
    nothing_happens(&stage).await;
    minutes(9).await;
    let told = swept(&stage, "api").await;
    assert_eq!(told[0].0, "wake-hook", "{told:?}\n{}", stage.told());
    assert_eq!(told[0].2, format!("woke {HOOK} for {id}"));
    assert_eq!(stage.ended(&id).await, "Succeeded", "{reasons:?}");
    later().await;
    nothing_happens(&stage).await;
    assert_eq!((verdicts(&stage), stage.live("api")), (1, "api:2".into()));
}

#[tokio::test(start_paused = true)]
async fn a_sweep_beside_the_event_and_another_sweep_gives_one_verdict() {
    let stage = with_checks(&migrate("60000", "30m", "")).await;
    answer(&stage);
    let (_, id) = stage.release("api", "v2", &[]).await;
    minutes(6).await;
    let (one, two) = (function(&stage), function(&stage));
    let (first, second) = join(sweep(&one), sweep(&two)).await;
    for answer in [first.unwrap(), second.unwrap()] {
        assert_eq!(answer["services"]["api"][0]["step"], "wake-hook", "{answer}");
    }
    assert_eq!(stage.ended(&id).await, "Succeeded");
    assert_eq!((verdicts(&stage), stage.deployments("api")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_takes_longer_than_it_may_is_stopped_and_fails_its_hook() {
    let stage = with_checks(&migrate("3000000", "10m", "")).await;
    let reasons = answer(&stage);
    let (_, id) = stage.release("api", "v2", &[]).await;
    minutes(9).await;
    nothing_happens(&stage).await;
    minutes(5).await;
    assert_eq!(steps(&stage, "api").await, ["wake-hook"]);
    assert_eq!(stage.ended(&id).await, "Failed");
    assert!(format!("{reasons:?}").contains("not finished within its timeout, 600s"), "{reasons:?}");
    assert!(stage.calls_of(ACCESS_KEY).iter().any(|(name, _)| name == "StopTask"));
    later().await;
    nothing_happens(&stage).await;
    assert_eq!((stage.live("api"), stage.deployments("api")), ("api:1".into(), 1));
}

/// A database `orders` whose snapshots go as its tags say.
async fn database(stage: &Stage, tags: &[(&str, &str)]) {
    let tags =
        tags.iter().map(|(key, value)| json!({ "Key": format!("sluice.cloud/{key}"), "Value": value }));
    let input = json!({
        "DBInstanceIdentifier": "orders", "DBInstanceClass": "db.t4g.micro", "Engine": "postgres",
        "MasterUsername": "owner", "MasterUserPassword": "a-password", "AllocatedStorage": 20,
        "Tags": tags.collect::<Vec<_>>(),
    });
    stage.call("rds", "CreateDBInstance", input);
    minutes(5).await;
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_failed_which_no_event_tells_fails_its_hook() {
    let stage = with_checks(&migrate("60000", "30m", ", snapshot: orders")).await;
    database(&stage, &[("snapshot-seconds", "600"), ("snapshot-fails", "true")]).await;
    let reasons = answer(&stage);
    let (_, id) = stage.release("api", "v2", &[]).await;
    minutes(5).await;
    nothing_happens(&stage).await;
    minutes(8).await;
    assert_eq!(steps(&stage, "api").await, ["wake-hook"]);
    assert_eq!(stage.ended(&id).await, "Failed");
    assert!(format!("{reasons:?}").contains("of orders is failed"), "{reasons:?}");
    assert!(!stage.calls_of(ACCESS_KEY).iter().any(|(name, _)| name == "RunTask"));
}

#[tokio::test(start_paused = true)]
async fn after_a_snapshot_that_was_not_heard_of_the_migration_runs() {
    let stage = with_checks(&migrate("60000", "30m", ", snapshot: orders")).await;
    database(&stage, &[]).await;
    let reasons = answer(&stage);
    let (_, id) = stage.release("api", "v2", &[]).await;
    minutes(6).await;
    assert_eq!(steps(&stage, "api").await, ["wake-hook"]);
    minutes(1).await;
    nothing_happens(&stage).await;
    minutes(4).await;
    assert_eq!(steps(&stage, "api").await, ["wake-hook"], "the migration has ended: {reasons:?}");
    assert_eq!(stage.ended(&id).await, "Succeeded");
    assert_eq!(verdicts(&stage), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_nobody_works_on_is_stopped_before_its_hour_has_passed() {
    let stage = with_checks(SMOKE).await;
    silent(&stage);
    let (_, id) = stage.release("api", "v2", &[]).await;
    for _ in 0..5 {
        minutes(10).await;
        nothing_happens(&stage).await;
    }
    minutes(4).await;
    let told = swept(&stage, "api").await;
    assert_eq!((told[0].0.as_str(), told[0].2.as_str()), ("stop", format!("stopped {id}").as_str()));
    nothing_happens(&stage).await;
    assert_eq!(stage.ended(&id).await, "Stopped");
    later().await;
    nothing_happens(&stage).await;
    assert_eq!(stage.live("api"), "api:1");
    let reason = "the hook of BeforeAllowTraffic gave no verdict within almost an hour";
    assert_eq!(stage.tag("api:2", "reason").as_deref(), Some(reason));
    let news = stage.news();
    assert_eq!(news.iter().filter(|news| **news == "hook-overdue").count(), 1, "{news:?}");
    let stops = calls(&stage, 0).iter().filter(|name| *name == "StopDeployment").count();
    assert_eq!(stops, 1, "and no rollback of it");
}

#[tokio::test(start_paused = true)]
async fn a_hook_whose_migration_still_runs_in_its_time_is_left_to_it() {
    let stage = with_checks(&migrate("3240000", "55m", "")).await;
    answer(&stage);
    let (_, id) = stage.release("api", "v2", &[]).await;
    minutes(53).await;
    nothing_happens(&stage).await;
    // It has ended, a moment ago: the hour is not over.
    minutes(4).await;
    assert_eq!(steps(&stage, "api").await, ["wake-hook"]);
    assert_eq!(stage.ended(&id).await, "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_does_not_answer_when_it_is_woken_is_stopped_in_the_end() {
    let stage = with_checks(&migrate("60000", "30m", "")).await;
    answer(&stage);
    let (_, id) = stage.release("api", "v2", &[]).await;
    minutes(1).await;
    silent(&stage);
    minutes(10).await;
    assert_eq!(steps(&stage, "api").await, ["wake-hook"]);
    minutes(10).await;
    assert_eq!(steps(&stage, "api").await, ["wake-hook"]);
    minutes(33).await;
    assert_eq!(steps(&stage, "api").await, ["stop"]);
    assert_eq!(stage.ended(&id).await, "Stopped");
}

#[tokio::test(start_paused = true)]
async fn a_hook_of_somebody_elses_deployment_is_not_touched() {
    let stage = with_checks(SMOKE).await;
    silent(&stage);
    let known = stage.call("ecs", "DescribeTaskDefinition", json!({ "taskDefinition": "api:1" }));
    let content = json!({
        "version": 0.0,
        "Resources": [{ "TargetService": { "Type": "AWS::ECS::Service", "Properties": {
            "TaskDefinition": known["taskDefinition"]["taskDefinitionArn"],
            "LoadBalancerInfo": { "ContainerName": "app", "ContainerPort": 8080 },
        }}}],
        "Hooks": [{ "BeforeAllowTraffic": HOOK }],
    });
    let input = json!({
        "applicationName": "api-deploy", "deploymentGroupName": "api-group",
        "revision": { "revisionType": "AppSpecContent", "appSpecContent": { "content": content.to_string() } },
    });
    let from = calls(&stage, 0).len();
    let id = stage.call("codedeploy", "CreateDeployment", input)["deploymentId"].clone();
    for _ in 0..6 {
        minutes(9).await;
        nothing_happens(&stage).await;
    }
    assert!(!calls(&stage, from).contains(&"BatchGetDeploymentTargets".to_owned()));
    assert_eq!(stage.ended(id.as_str().unwrap()).await, "Failed", "CodeDeploy ends it itself");
    assert_eq!(effects(&stage, from), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_outlives_its_deployment_is_stopped_when_its_time_is_over() {
    let stage = with_checks(&migrate("7200000", "20m", "")).await;
    answer(&stage);
    let (_, id) = stage.release("api", "v2", &[]).await;
    minutes(5).await;
    stage.stop(&id, Some(true));
    assert_eq!(stage.ended(&id).await, "Stopped");
    minutes(10).await;
    nothing_happens(&stage).await;
    minutes(8).await;
    let from = calls(&stage, 0).len();
    assert_eq!(steps(&stage, "api").await, ["stop-task"]);
    assert_eq!(effects(&stage, from), ["StopTask"]);
    minutes(2).await;
    nothing_happens(&stage).await;
}
