//! Migrations: one task for each hook, judged by its exit code, however long it takes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::scene::{HOOK, Stage, deliver};

fn migrate(arguments: &str, more: &str) -> String {
    format!(
        "before-install:
- migrate: {{ container: app, command: [sample-task, {arguments}], timeout: 50m{more} }}"
    )
}

/// How the deployment of an image ends whose hook at BeforeInstall has these checks.
async fn migrated(checks: &str) -> (Stage, String, (String, String)) {
    let stage = Stage::new();
    stage.answer(stage.function(checks));
    stage.rules();
    let digest = stage.push("v2", &[]);
    let id = stage.deploy(&digest, &["BeforeInstall"]);
    let ended = stage.ended(&id).await;
    (stage, id, ended)
}

fn runs(stage: &Stage) -> Vec<Value> {
    stage.calls().into_iter().filter(|(name, ..)| name == "RunTask").map(|(_, input, _)| input).collect()
}

/// Tasks that were made for checks, whatever has become of them.
fn made(stage: &Stage) -> usize {
    let mut arns = Vec::new();
    for status in ["RUNNING", "STOPPED"] {
        let input = json!({ "cluster": "api-cluster", "desiredStatus": status });
        let listed = stage.call("ecs", "ListTasks", input);
        arns.extend(listed["taskArns"].as_array().unwrap().clone());
    }
    let input = json!({ "cluster": "api-cluster", "tasks": arns });
    let tasks = stage.call("ecs", "DescribeTasks", input);
    let by_us = |task: &&Value| task["startedBy"].as_str().unwrap_or_default().starts_with("sluice/");
    tasks["tasks"].as_array().unwrap().iter().filter(by_us).count()
}

#[tokio::test(start_paused = true)]
async fn a_migration_of_forty_minutes_ends_well_and_the_deployment_goes_on() {
    let (stage, id, ended) = migrated(&migrate("--after, '2400000'", "")).await;
    assert_eq!(ended.0, "Succeeded", "{}", stage.told());
    assert_eq!(stage.event(&id, "BeforeInstall"), "Succeeded");
    assert_eq!(stage.verdicts(), ["Succeeded"]);
    let runs = runs(&stage);
    assert_eq!(runs.len(), 2, "once for the hook, and once more when the task had ended");
    assert_eq!(runs[0], runs[1], "which ECS knows to be the same");
    let run = &runs[0];
    assert_eq!(run["overrides"]["containerOverrides"][0]["name"], "app");
    assert_eq!(run["networkConfiguration"]["awsvpcConfiguration"]["subnets"], json!(["subnet-1"]));
    assert_eq!(run["launchType"], "FARGATE");
    assert!(run["startedBy"].as_str().unwrap().starts_with("sluice/api-"), "{run}");
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_exits_with_3_fails_with_its_last_lines() {
    let (stage, id, ended) =
        migrated(&migrate("--log, 'column x exists', --log, 'giving up', --exit, '3'", "")).await;
    assert_eq!(ended, ("Failed".into(), "HOOK_EXECUTION_FAILURE".into()));
    assert_eq!(stage.event(&id, "BeforeInstall"), "Failed");
    let reason = stage.reason();
    assert!(reason.starts_with("migrate failed: ") && reason.contains("ended with exit code 3"), "{reason}");
    assert!(reason.ends_with("its last lines: column x exists | giving up"), "{reason}");
    assert_eq!(stage.verdicts(), ["Failed"]);
}

#[tokio::test(start_paused = true)]
async fn however_often_a_hook_comes_its_migration_runs_once() {
    let stage = Stage::new();
    let checks = migrate("--after, '60000'", "");
    stage.silence();
    let digest = stage.push("v2", &[]);
    let id = stage.deploy(&digest, &["BeforeInstall"]);
    stage.under_way(&id, "BeforeInstall").await;
    let event = stage.hook_event(&id);
    let (one, two) = (stage.function(&checks), stage.function(&checks));
    let both = futures_util::future::join(deliver(&one, event.clone()), deliver(&two, event.clone())).await;
    for answer in [both.0.unwrap(), both.1.unwrap()] {
        assert_eq!(answer["verdict"], Value::Null, "{answer}");
        assert_eq!(answer["checks"][0]["outcome"], "pending");
    }
    for _ in 0..3 {
        deliver(&one, event.clone()).await.unwrap();
    }
    assert_eq!((made(&stage), runs(&stage).len()), (1, 5));
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(deliver(&two, event.clone()).await.unwrap()["verdict"], "Succeeded");
    assert_eq!(deliver(&one, event).await.unwrap()["verdict"], "Succeeded", "CodeDeploy has taken one");
    assert_eq!((made(&stage), stage.verdicts().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_checks_after_a_migration_run_when_it_has_ended() {
    let checks = format!(
        "{}\n- migrate: {{ container: app, command: [sample-task, --exit, '1'] }}",
        migrate("--after, '30000'", "")
    );
    let (stage, _, ended) = migrated(&checks).await;
    assert_eq!(ended.0, "Failed");
    assert_eq!(made(&stage), 2);
    assert!(stage.reason().contains("exit code 1"), "{}", stage.reason());
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_takes_longer_than_its_timeout_is_stopped_when_it_is_looked_at() {
    let stage = Stage::new();
    let checks = migrate("--after, '3000000'", "").replace("50m", "10m");
    stage.silence();
    let digest = stage.push("v2", &[]);
    let id = stage.deploy(&digest, &["BeforeInstall"]);
    stage.under_way(&id, "BeforeInstall").await;
    let (function, event) = (stage.function(&checks), stage.hook_event(&id));
    assert_eq!(deliver(&function, event.clone()).await.unwrap()["verdict"], Value::Null);
    tokio::time::sleep(Duration::from_secs(660)).await;
    let answer = deliver(&function, event).await.unwrap();
    assert_eq!(answer["verdict"], "Failed");
    assert!(answer["reason"].as_str().unwrap().contains("not finished within its timeout, 600s"), "{answer}");
    assert_eq!(stage.calls().iter().filter(|(name, ..)| name == "StopTask").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_migration_of_an_earlier_deployment_that_still_runs_is_waited_for() {
    let stage = Stage::new();
    let checks = migrate("--after, '90000'", "");
    stage.silence();
    let digest = stage.push("v2", &[]);
    let first = stage.deploy(&digest, &["BeforeInstall"]);
    stage.under_way(&first, "BeforeInstall").await;
    let function = stage.function(&checks);
    deliver(&function, stage.hook_event(&first)).await.unwrap();
    stage.call(
        "codedeploy",
        "StopDeployment",
        json!({ "deploymentId": first, "autoRollbackEnabled": false }),
    );
    stage.ended(&first).await;
    let second = stage.deploy(&digest, &["BeforeInstall"]);
    stage.under_way(&second, "BeforeInstall").await;
    // The first one takes longer than this invocation has.
    let answer = deliver(&function, stage.hook_event(&second)).await.unwrap();
    if answer["verdict"] == "Failed" {
        assert!(
            answer["reason"].as_str().unwrap().contains(&format!("of {first} is still running")),
            "{answer}"
        );
    } else {
        assert_eq!(made(&stage), 2, "the second began after the first had ended");
        assert!(stage.cloud.now() > 0);
    }
    let runs = runs(&stage);
    assert!(runs.len() < 2 || runs[0]["clientToken"] != runs[1]["clientToken"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_task_of_somebody_else_is_nothing_to_the_function() {
    let stage = Stage::new();
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/events/ecs-task-state-stopped-fargate-observed.json"
    );
    let event: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let answer = deliver(&stage.function(&migrate("--exit, '0'", "")), event).await.unwrap();
    assert!(answer["nothing"].as_str().unwrap().contains("was not started by a check"), "{answer}");
    assert_eq!(stage.calls().len(), 0);
    assert!(!HOOK.is_empty());
}
