//! Migrations that a snapshot of their database goes before: taken once, and waited for.

use std::time::Duration;

use cloud::Ms;
use cloud::in_process::{Faults, Injected};
use cloud::timeline::Kind;
use futures_util::future::join;
use serde_json::{Value, json};

use crate::scene::{Stage, deliver};

/// What kinds of databases there are, by what their snapshots are called.
const KINDS: [&str; 2] = ["DBSnapshot", "DBClusterSnapshot"];

const CHECKS: &str = "before-install:
- migrate: { container: app, command: [sample-task, --after, '60000'], timeout: 30m, snapshot: orders }";

/// A stage with a database `orders`, whose snapshots go as its tags say.
async fn with_database(kind: &str, tags: &[(&str, &str)]) -> Stage {
    let stage = Stage::new();
    let of = if kind == "DBSnapshot" { "DBInstance" } else { "DBCluster" };
    let tags =
        tags.iter().map(|(key, value)| json!({ "Key": format!("sluice.cloud/{key}"), "Value": value }));
    let mut input = json!({
        format!("{of}Identifier"): "orders", "Engine": "postgres", "MasterUsername": "owner",
        "MasterUserPassword": "a-password", "AllocatedStorage": 20, "Tags": tags.collect::<Vec<_>>(),
    });
    if of == "DBInstance" {
        input["DBInstanceClass"] = json!("db.t4g.micro");
    }
    stage.call("rds", &format!("Create{of}"), input);
    let (describe, status) = (format!("Describe{of}s"), format!("/{of}s/0/"));
    let status = status + if of == "DBInstance" { "DBInstanceStatus" } else { "Status" };
    let is_there = |answer: Value| answer.pointer(&status) == Some(&json!("available"));
    stage
        .until("the database is there", |world| is_there(world.call("rds", &describe, json!({})).unwrap()))
        .await;
    stage
}

/// A hook at BeforeInstall that waits for its verdict: its deployment, and its event.
async fn waiting(stage: &Stage) -> (String, Value) {
    stage.silence();
    let digest = stage.push("v2", &[]);
    let id = stage.deploy(&digest, &["BeforeInstall"]);
    stage.under_way(&id, "BeforeInstall").await;
    let event = stage.hook_event(&id);
    (id, event)
}

fn snapshots(stage: &Stage, kind: &str) -> Vec<Value> {
    let answer = stage.call("rds", &format!("Describe{kind}s"), json!({}));
    answer[format!("{kind}s")].as_array().unwrap().clone()
}

/// When the function first asked for a migration, if it did.
fn first_migration(stage: &Stage) -> Option<Ms> {
    let mut calls = stage.entries(Kind::Call).into_iter();
    calls.find(|entry| entry.data["operation"] == "RunTask").map(|entry| entry.at)
}

/// When RDS told that a snapshot is there.
fn available(stage: &Stage) -> Option<Ms> {
    let mut events = stage.entries(Kind::Event).into_iter();
    let ids = ["RDS-EVENT-0042", "RDS-EVENT-0075"];
    let told = |id: &Value| ids.contains(&id.as_str().unwrap_or_default());
    events.find(|entry| told(&entry.data["detail"]["EventID"])).map(|entry| entry.at)
}

#[tokio::test(start_paused = true)]
async fn a_migration_starts_when_its_snapshot_is_available_and_not_before() {
    for kind in KINDS {
        let stage = with_database(kind, &[("snapshot-seconds", "1500")]).await;
        stage.answer(stage.function(CHECKS));
        stage.rules();
        let digest = stage.push("v2", &[]);
        let id = stage.deploy(&digest, &["BeforeInstall"]);
        assert_eq!(stage.ended(&id).await.0, "Succeeded", "{}", stage.told());
        let (done, migrated) = (available(&stage).unwrap(), first_migration(&stage).unwrap());
        assert!(migrated >= done && migrated < done + 5_000, "{done} {migrated}\n{}", stage.told());
        assert_eq!(stage.verdicts(), ["Succeeded"]);
        let taken = snapshots(&stage, kind);
        let name = format!("sluice-orders-{}", id.to_lowercase());
        assert_eq!((taken.len(), &taken[0][format!("{kind}Identifier")]), (1, &json!(name)));
        let tags = taken[0]["TagList"].as_array().unwrap();
        assert!(tags.contains(&json!({ "Key": "sluice:deployment", "Value": id })), "{tags:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn however_often_a_hook_comes_its_snapshot_is_taken_once() {
    for kind in KINDS {
        let stage = with_database(kind, &[("snapshot-seconds", "600")]).await;
        let (_, event) = waiting(&stage).await;
        let (one, two) = (stage.function(CHECKS), stage.function(CHECKS));
        let (first, second) = join(deliver(&one, event.clone()), deliver(&two, event.clone())).await;
        for answer in [first.unwrap(), second.unwrap(), deliver(&one, event.clone()).await.unwrap()] {
            assert_eq!(answer["verdict"], Value::Null, "{kind}: {answer}");
            assert_eq!(answer["checks"][0]["outcome"], "pending");
        }
        assert_eq!(first_migration(&stage), None);
        tokio::time::sleep(Duration::from_secs(700)).await;
        for _ in 0..2 {
            let answer = deliver(&two, event.clone()).await.unwrap();
            assert_eq!(answer["checks"][0]["outcome"], "pending", "the migration runs: {answer}");
        }
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(deliver(&one, event).await.unwrap()["verdict"], "Succeeded");
        assert_eq!(snapshots(&stage, kind).len(), 1);
        assert!(first_migration(&stage) >= available(&stage));
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_fails_fails_the_hook_and_no_migration_runs() {
    for kind in KINDS {
        let stage = with_database(kind, &[("snapshot-seconds", "600"), ("snapshot-fails", "true")]).await;
        let (id, event) = waiting(&stage).await;
        let function = stage.function(CHECKS);
        assert_eq!(deliver(&function, event.clone()).await.unwrap()["verdict"], Value::Null);
        tokio::time::sleep(Duration::from_secs(700)).await;
        let answer = deliver(&function, event).await.unwrap();
        assert_eq!(answer["verdict"], "Failed", "{answer}");
        assert!(answer["reason"].as_str().unwrap().ends_with("of orders is failed"), "{answer}");
        assert_eq!(stage.event(&id, "BeforeInstall"), "Failed");
        assert_eq!((first_migration(&stage), snapshots(&stage, kind).len()), (None, 1));
    }
}

/// RDS has no event for a manual snapshot that failed: CodeDeploy's own end of an hour is
/// what is left, and it is a failure too.
#[tokio::test(start_paused = true)]
async fn a_snapshot_that_fails_and_tells_nobody_fails_the_deployment_within_codedeploys_hour() {
    for kind in KINDS {
        let stage = with_database(kind, &[("snapshot-fails", "true")]).await;
        stage.answer(stage.function(CHECKS));
        stage.rules();
        let digest = stage.push("v2", &[]);
        let id = stage.deploy(&digest, &["BeforeInstall"]);
        assert_eq!(stage.ended(&id).await.0, "Failed", "{}", stage.told());
        assert_eq!(first_migration(&stage), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_whose_making_was_never_answered_is_found_and_not_taken_again() {
    for kind in KINDS {
        // Which call takes the snapshot is not counted here: each is lost in turn.
        for lost in 0..12 {
            let stage = with_database(kind, &[("snapshot-seconds", "600")]).await;
            let (_, event) = waiting(&stage).await;
            let function = stage.function(CHECKS);
            stage.cloud.script((0..lost).map(|_| None).chain([Some(Injected::AnswerLost)]));
            let answer = deliver(&function, event).await.unwrap();
            assert_eq!(answer["verdict"], Value::Null, "{kind}, call {lost}: {answer}");
            assert_eq!(snapshots(&stage, kind).len(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_aws_does_no_migration_comes_before_its_snapshot() {
    let kinds = [
        (0.3, Injected::Throttled),
        (0.3, Injected::ServerError),
        (0.3, Injected::AnswerLost),
        (0.2, Injected::Stale(120_000)),
    ];
    let (mut migrated, mut without) = (0, 0);
    for (seed, (chance, fault)) in (0..4).flat_map(|seed| kinds.map(|kind| (seed, kind))) {
        let kind = KINDS[usize::try_from(seed % 2).unwrap()];
        let stage = with_database(kind, &[("snapshot-seconds", "300")]).await;
        let (_, event) = waiting(&stage).await;
        let function = stage.function(CHECKS);
        stage.cloud.faults(Faults { chances: vec![(chance, fault)], seed, ..Faults::default() });
        for _ in 0..4 {
            let _ = deliver(&function, event.clone()).await;
            tokio::time::sleep(Duration::from_secs(110)).await;
        }
        assert!(snapshots(&stage, kind).len() <= 1, "{fault:?} {seed}");
        match first_migration(&stage) {
            Some(at) => {
                migrated += 1;
                assert!(
                    available(&stage).is_some_and(|done| done <= at),
                    "{fault:?} {seed}\n{}",
                    stage.told()
                );
            }
            None => without += 1,
        }
    }
    assert!(migrated >= 4, "{migrated} of {} came so far", migrated + without);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_cannot_be_copied_now_fails_the_hook_with_its_reason() {
    let missing = "RDS has neither a cluster nor an instance 'orders'; correct 'snapshot' in releases.yaml";
    let busy = "is not currently in the available state";
    for (kind, why) in [(None, missing), (Some(KINDS[0]), busy), (Some(KINDS[1]), busy)] {
        let stage = match kind {
            Some(kind) => with_database(kind, &[("snapshot-seconds", "3000")]).await,
            None => Stage::new(),
        };
        if let Some(kind) = kind {
            let of = kind.replace("Snapshot", if kind == KINDS[0] { "Instance" } else { "" });
            let somebody =
                json!({ format!("{of}Identifier"): "orders", format!("{kind}Identifier"): "another" });
            stage.call("rds", &format!("Create{kind}"), somebody);
        }
        let (id, event) = waiting(&stage).await;
        let answer = deliver(&stage.function(CHECKS), event).await.unwrap();
        assert_eq!(answer["verdict"], "Failed", "{answer}");
        assert!(answer["reason"].as_str().unwrap().contains(why), "{answer}");
        assert_eq!((stage.event(&id, "BeforeInstall").as_str(), first_migration(&stage)), ("Failed", None));
    }
}
