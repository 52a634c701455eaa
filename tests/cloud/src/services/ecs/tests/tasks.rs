//! Tasks.

use serde_json::json;

use crate::services::ecs::testkit::{Kit, definition, network};
use crate::services::ecs::{self, containers};

#[test]
fn a_dead_task_is_replaced_and_a_scaled_in_one_is_not() {
    let mut kit = Kit::new();
    let revision = kit.register(&[]);
    kit.steady_service(&revision, 2, json!({}));
    let victim = kit.tasks(json!({ "serviceName": "web" }))[0].clone();
    kit.crash(&victim, 9);
    kit.run(60);
    let stopped = kit.stopped();
    assert_eq!(stopped[0]["stoppedReason"], "Essential container in task exited");
    assert_eq!(stopped[0]["containers"][0]["exitCode"], 9);
    assert_eq!(kit.service()["runningCount"], 2);

    kit.update(json!({ "desiredCount": 1 }));
    kit.run(60);
    assert_eq!(kit.tasks(json!({})).len(), 1);
    assert_eq!(kit.service_deployments().len(), 1, "a desired count makes no deployment");
}

#[test]
fn run_task_is_idempotent_by_token_and_reports_exit_codes() {
    let mut kit = Kit::new();
    let revision = kit.register(&[]);
    let mut input = json!({
        "cluster": "main",
        "taskDefinition": revision,
        "launchType": "FARGATE",
        "networkConfiguration": network(),
        "startedBy": "migration",
        "clientToken": "once",
        "overrides": { "containerOverrides": [{
            "name": "app",
            "command": ["migrate"],
            "environment": [
                { "name": "APP_EXIT_AFTER_MS", "value": "5000" },
                { "name": "APP_EXIT_CODE", "value": "3" },
            ],
        }] },
    });
    let first = kit.ok("RunTask", input.clone());
    let again = kit.ok("RunTask", input.clone());
    assert_eq!(first["tasks"][0]["taskArn"], again["tasks"][0]["taskArn"]);
    input["startedBy"] = json!("another");
    assert!(kit.refused("RunTask", input).contains("ConflictException"));

    kit.run(13);
    let running = kit.tasks(json!({ "startedBy": "migration" }));
    assert_eq!(running[0]["lastStatus"], "RUNNING");
    let id = running[0]["taskArn"].as_str().unwrap().rsplit('/').next().unwrap();
    let metadata = ecs::task_metadata(&kit.world.cloud, id, "app", &["task"]).unwrap();
    assert_eq!(metadata["TaskARN"], running[0]["taskArn"]);
    kit.run(30);
    let tasks = kit.tasks(json!({ "startedBy": "migration", "desiredStatus": "STOPPED" }));
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0]["stopCode"], "EssentialContainerExited");
    assert_eq!(
        (&tasks[0]["lastStatus"], &tasks[0]["containers"][0]["exitCode"]),
        (&json!("STOPPED"), &json!(3))
    );
    kit.run(3_700);
    assert!(kit.stopped().is_empty(), "forgotten after an hour");
}

#[test]
fn a_stopped_task_ends_in_order_and_says_who_stopped_it() {
    let mut kit = Kit::new();
    let revision = kit.register(&[]);
    let run = json!({
        "cluster": "main", "taskDefinition": revision, "launchType": "FARGATE", "count": 2,
        "networkConfiguration": network(),
    });
    let tasks = kit.ok("RunTask", run)["tasks"].clone();
    kit.run(20);
    let named = json!({ "cluster": "main", "task": tasks[0]["taskArn"], "reason": "enough" });
    assert_eq!(kit.ok("StopTask", named)["task"]["desiredStatus"], "STOPPED");
    kit.run(10);
    let stopped = kit.stopped();
    assert_eq!(stopped.len(), 1, "the other one goes on");
    assert_eq!(
        (&stopped[0]["stopCode"], &stopped[0]["stoppedReason"]),
        (&json!("UserInitiated"), &json!("enough"))
    );
    assert_eq!(stopped[0]["containers"][0]["exitCode"], 143);
    let unknown = json!({ "cluster": "main", "task": "0123456789abcdef0123456789abcdef" });
    assert!(kit.refused("StopTask", unknown).contains("The referenced task was not found."));
}

#[test]
fn tasks_beyond_the_addresses_wait_for_one() {
    let mut kit = Kit::new();
    kit.world.cloud.settings.task_addresses = 253;
    let revision = kit.register(&[]);
    kit.steady_service(&revision, 255, json!({}));
    assert_eq!(kit.service()["runningCount"], 253);
    let tasks = &kit.world.cloud.state.ecs.tasks;
    let addresses: std::collections::BTreeSet<_> = tasks.values().filter_map(|t| t.address).collect();
    assert_eq!(addresses.len(), 253, "no address twice");
    kit.update(json!({ "desiredCount": 253 }));
    kit.run(60);
    assert_eq!(kit.service()["runningCount"], 253);
}

#[test]
fn an_idle_cloud_has_nothing_of_ecs_to_wake_for() {
    let mut kit = Kit::new();
    let revision = kit.register(&[]);
    kit.steady_service(&revision, 1, json!({}));
    let lines = |kit: &Kit| kit.world.cloud.timeline().len();
    let before = lines(&kit);
    kit.run(86_400);
    assert_eq!(lines(&kit), before);
    assert_eq!(kit.world.cloud.state.ecs.services["main/web"].wake_at, None);
}

#[test]
fn a_container_gets_the_image_s_then_the_definition_s_then_the_override_s_environment_and_secrets() {
    let mut kit = Kit::new();
    let secret = json!({ "Name": "db", "ClientRequestToken": "0f1e2d3c-0000-4000-a000-000000000001", "SecretString": "{\"password\":\"s3\"}" });
    let secret = kit.world.call("secretsmanager", "CreateSecret", secret).unwrap()["ARN"].clone();
    let secret = secret.as_str().unwrap();
    kit.push("v1", "of the image");
    let mut input = definition(&[("STEP", "definition"), ("KEPT", "definition")]);
    input["executionRoleArn"] = json!("arn:aws:iam::123456789012:role/execution");
    let container = &mut input["containerDefinitions"][0];
    container["image"] = json!(format!("{}/web:v1", kit.world.cloud.registry()));
    container["secrets"] = json!([{ "name": "PASSWORD", "valueFrom": format!("{secret}:password::") }]);
    container["logConfiguration"] = json!({ "logDriver": "awslogs", "options": {
        "awslogs-group": "/ecs/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "run",
    }});
    kit.ok("RegisterTaskDefinition", input.clone());
    let run = |overrides: serde_json::Value| {
        json!({
            "cluster": "main", "taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": network(),
            "overrides": { "containerOverrides": [overrides] },
        })
    };
    let over = json!({ "name": "app", "command": ["migrate"], "environment": [{ "name": "STEP", "value": "override" }] });
    kit.ok("RunTask", run(over));
    let task = kit.world.cloud.state.ecs.tasks.values().next().unwrap().clone();
    let address = std::net::Ipv4Addr::new(127, 77, 0, 9);
    let launch = containers::launch(&mut kit.world.cloud, &task, address).unwrap();
    let spec = &launch.specs[0];
    assert_eq!(spec.command, ["sample-app", "migrate"]);
    assert_eq!(spec.log, Some(("/ecs/web".into(), format!("run/app/{}", task.id))));
    let value = |name: &str| spec.environment.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    assert_eq!(value("APP_VERSION"), Some("of the image"));
    assert_eq!((value("STEP"), value("KEPT")), (Some("override"), Some("definition")));
    assert_eq!((value("PASSWORD"), value("HOST")), (Some("s3"), Some("127.77.0.9")));

    input["containerDefinitions"][0]["secrets"][0]["valueFrom"] = json!(format!("{secret}:nothing::"));
    kit.ok("RegisterTaskDefinition", input);
    kit.ok("RunTask", run(json!({ "name": "app" })));
    kit.run(30);
    let stopped = kit.stopped();
    let reason = stopped[0]["stoppedReason"].as_str().unwrap();
    assert!(reason.starts_with("ResourceInitializationError: unable to pull secrets"), "{reason}");
}
