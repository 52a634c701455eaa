//! Rolling deployments.

use serde_json::{Value, json};

use crate::services::ecs::testkit::{CRASHES, Kit, web};
use crate::timeline::Kind;

fn arns(tasks: &[Value]) -> Vec<Value> {
    tasks.iter().map(|t| t["taskArn"].clone()).collect()
}

#[test]
fn enough_tasks_stay_and_not_too_many_start() {
    let mut kit = Kit::new();
    let (first, second) = (kit.register(&[]), kit.register(&[]));
    kit.steady_service(&first, 4, json!({ "maximumPercent": 150, "minimumHealthyPercent": 75 }));
    assert_eq!(kit.primary()["rolloutState"], "COMPLETED");

    kit.deploy(&second);
    let (mut most, mut least) = (0, 4);
    while kit.primary()["rolloutState"] != "COMPLETED" {
        kit.run(1);
        let wanted = kit.tasks(json!({ "desiredStatus": "RUNNING" }));
        most = most.max(wanted.len());
        least = least.min(wanted.iter().filter(|t| t["lastStatus"] == "RUNNING").count());
    }
    assert_eq!((most, least), (6, 3));
    let service = kit.service();
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
    assert_eq!((&service["runningCount"], &service["taskDefinition"]), (&json!(4), &json!(second)));
    assert!(kit.says("(service web) has started 2 tasks: (task "), "{:#?}", kit.messages());
    assert!(kit.says("deployment completed.") && kit.says("(service web) has reached a steady state."));
    let deployments = kit.service_deployments();
    let states: Vec<&Value> = deployments.iter().map(|d| &d["status"]).collect();
    assert_eq!(states, ["SUCCESSFUL", "SUCCESSFUL"]);
    assert_eq!(service["currentServiceDeployment"], deployments[0]["serviceDeploymentArn"]);
}

#[test]
fn the_circuit_breaker_rolls_back_to_the_last_completed_deployment() {
    let mut kit = Kit::new();
    let (good, bad) = (kit.register(&[]), kit.register(CRASHES));
    kit.steady_service(&good, 2, json!({ "deploymentCircuitBreaker": { "enable": true, "rollback": true } }));
    let before = kit.primary()["id"].clone();
    let kept = arns(&kit.tasks(json!({})));

    kit.deploy(&bad);
    kit.run(240);

    let primary = kit.primary();
    assert_eq!((&primary["id"], &primary["rolloutState"]), (&before, &json!("COMPLETED")));
    assert_eq!(kit.service()["taskDefinition"], json!(good));
    assert_eq!(arns(&kit.tasks(json!({}))), kept, "the good tasks went on running");
    let deployments = kit.service_deployments();
    assert_eq!(deployments[0]["status"], "ROLLBACK_SUCCESSFUL");
    assert_eq!(deployments[0]["deploymentCircuitBreaker"]["status"], "TRIGGERED");
    assert_eq!(deployments[0]["deploymentCircuitBreaker"]["threshold"], 3);
    assert_eq!(
        deployments[0]["rollback"]["serviceRevisionArn"],
        deployments[1]["targetServiceRevision"]["arn"]
    );
    assert!(kit.says("deployment failed: tasks failed to start."));
    assert!(kit.says("rolling back to deployment ecs-svc/"));
}

#[test]
fn a_first_deployment_that_fails_has_nothing_to_roll_back_to() {
    let mut kit = Kit::new();
    let bad = kit.register(CRASHES);
    kit.steady_service(&bad, 1, json!({ "deploymentCircuitBreaker": { "enable": true, "rollback": true } }));
    kit.run(300);
    assert_eq!(kit.primary()["rolloutState"], "FAILED");
    assert_eq!(kit.service_deployments()[0]["status"], "ROLLBACK_FAILED");
    assert!(kit.says("No rollback candidate was found"));
    assert!(kit.tasks(json!({})).is_empty(), "a failed deployment starts no tasks");
}

#[test]
fn without_circuit_breaker_it_goes_on_trying_and_leaves_the_old_tasks() {
    let mut kit = Kit::new();
    let good = kit.register(&[]);
    kit.steady_service(&good, 2, json!({}));
    kit.push("v1", "1");
    let bad = kit.register_tag("never-pushed");
    kit.deploy(&bad);
    kit.run(1_800);
    let service = kit.service();
    assert_eq!(service["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert_eq!(service["deployments"][1]["runningCount"], 2);
    let stopped = kit.stopped();
    assert!((3..40).contains(&stopped.len()), "throttled, but trying: {}", stopped.len());
    assert_eq!(stopped[0]["stopCode"], "TaskFailedToStart");
    assert!(
        stopped[0]["stoppedReason"].as_str().unwrap().starts_with("CannotPullContainerError"),
        "{stopped:#?}"
    );
    assert!(kit.says("is unable to consistently start tasks successfully."));
}

#[test]
fn stop_service_deployment_rolls_back_only_while_it_runs() {
    let mut kit = Kit::new();
    let (good, new) = (kit.register(&[]), kit.register(&[]));
    kit.steady_service(&good, 1, json!({}));
    kit.deploy(&new);
    kit.run(5);
    let arn = kit.service_deployments()[0]["serviceDeploymentArn"].clone();
    let stop = json!({ "serviceDeploymentArn": arn, "stopType": "ROLLBACK" });
    kit.ok("StopServiceDeployment", stop.clone());
    assert_eq!(kit.service_deployments()[0]["status"], "ROLLBACK_REQUESTED");
    kit.run(60);
    assert_eq!(kit.service_deployments()[0]["status"], "ROLLBACK_SUCCESSFUL");
    assert_eq!(kit.service()["taskDefinition"], json!(good));
    let again = kit.refused("StopServiceDeployment", stop);
    assert!(again.contains("ConflictException"), "{again}");
}

#[test]
fn an_aborted_service_deployment_starts_nothing_more_and_leaves_what_runs() {
    let mut kit = Kit::new();
    let (good, new) = (kit.register(&[]), kit.register(&[]));
    kit.steady_service(&good, 2, json!({ "maximumPercent": 150 }));
    kit.deploy(&new);
    kit.run(5);
    let arn = kit.service_deployments()[0]["serviceDeploymentArn"].clone();
    kit.ok("StopServiceDeployment", json!({ "serviceDeploymentArn": arn, "stopType": "ABORT" }));
    kit.run(300);
    assert_eq!(kit.service_deployments()[0]["status"], "STOPPED");
    assert_eq!(kit.primary()["rolloutState"], "FAILED");
    let counts: Vec<Value> =
        kit.service()["deployments"].as_array().unwrap().iter().map(|d| d["runningCount"].clone()).collect();
    assert_eq!(counts, [1, 2]);
}

#[test]
fn a_newer_deployment_supersedes_one_in_progress_and_a_sixth_is_refused() {
    let mut kit = Kit::new();
    let revisions: Vec<String> = (0..6).map(|_| kit.register(&[])).collect();
    kit.steady_service(&revisions[0], 1, json!({}));
    for revision in &revisions[1..5] {
        kit.deploy(revision);
    }
    assert_eq!(kit.service_deployments()[1]["status"], "STOPPED");
    let sixth = web(json!({ "taskDefinition": revisions[5] }));
    assert!(kit.refused("UpdateService", sixth).contains("maximum number of active deployments"));
    kit.run(200);
    assert_eq!(kit.service()["taskDefinition"], json!(revisions[4]));
    assert_eq!(kit.service()["runningCount"], 1);
}

#[test]
fn a_moved_tag_reaches_no_task_of_a_running_deployment() {
    let mut kit = Kit::new();
    let first = kit.push("live", "1");
    let revision = kit.register_tag("live");
    kit.steady_service(&revision, 1, json!({}));
    let second = kit.push("live", "2");
    let running = kit.tasks(json!({}))[0].clone();
    kit.crash(&running, 1);
    kit.run(60);
    let digest = |kit: &mut Kit| kit.tasks(json!({}))[0]["containers"][0]["imageDigest"].clone();
    assert_eq!(digest(&mut kit), json!(first), "the replacement runs what the deployment resolved");
    kit.update(json!({ "forceNewDeployment": true }));
    kit.run(120);
    assert_eq!(digest(&mut kit), json!(second), "a new deployment resolves anew");
    let target = kit.service_deployments()[0]["targetServiceRevision"]["arn"].clone();
    let found = kit.ok("DescribeServiceRevisions", json!({ "serviceRevisionArns": [target] }));
    assert_eq!(found["serviceRevisions"][0]["containerImages"][0]["imageDigest"], json!(second));
}

#[test]
fn the_same_seed_gives_the_same_timeline() {
    let story = || {
        let mut kit = Kit::new();
        let (good, bad) = (kit.register(&[]), kit.register(CRASHES));
        kit.steady_service(
            &good,
            3,
            json!({ "deploymentCircuitBreaker": { "enable": true, "rollback": true } }),
        );
        kit.deploy(&bad);
        kit.run(300);
        let cloud = &kit.world.cloud;
        let lines: Vec<String> = cloud.timeline().iter().map(ToString::to_string).collect();
        assert!(cloud.timeline().iter().any(|e| e.kind == Kind::Deployment));
        (lines, cloud.dump().to_string())
    };
    assert_eq!(story(), story());
}
