//! Services behind a load balancer, and under CodeDeploy.

use serde_json::{Value, json};

use crate::services::ecs::testkit::{Kit, behind, service, web};

fn first_set(kit: &mut Kit) -> Value {
    kit.service()["taskSets"][0].clone()
}

#[test]
fn old_tasks_drain_before_they_stop_and_no_request_is_lost() {
    let mut kit = Kit::new();
    let group = kit.target_group("web", 8080);
    let (first, second) = (kit.register(&[("APP_VERSION", "1")]), kit.register(&[("APP_VERSION", "2")]));
    kit.ok("CreateService", behind(service(&first, 2), &group));
    kit.run(60);
    assert_eq!(kit.primary()["rolloutState"], "COMPLETED");
    kit.world.traffic(8080, 10);
    kit.deploy(&second);
    kit.run(30);
    assert!(kit.stopped().iter().all(|t| t["lastStatus"] == "DEACTIVATING"), "{:#?}", kit.stopped());
    assert_eq!(kit.service()["deployments"].as_array().unwrap().len(), 2, "not over while they drain");
    kit.run(60);
    assert_eq!(kit.primary()["rolloutState"], "COMPLETED");
    let served = &kit.world.served[&8080];
    assert!(served.keys().all(|(_, status)| *status == 200), "{served:?}");
    assert!(served.contains_key(&("2".into(), 200)));
    for part in [
        "registered 1 targets in (target-group ",
        "deregistered 1 targets in (target-group ",
        "has begun draining connections on 1 tasks.",
    ] {
        assert!(kit.says(part), "{part}: {:#?}", kit.messages());
    }
}

#[test]
fn an_unhealthy_task_is_replaced_only_after_the_grace_period() {
    let mut kit = Kit::new();
    let group = kit.target_group("web", 8080);
    let sick = kit.register(&[("APP_HEALTH", "fail")]);
    let mut input = behind(service(&sick, 1), &group);
    input["healthCheckGracePeriodSeconds"] = json!(120);
    kit.ok("CreateService", input);
    kit.run(120);
    assert!(kit.stopped().is_empty());
    assert_eq!(kit.primary()["rolloutState"], "IN_PROGRESS");
    kit.run(60);
    let stopped = kit.stopped();
    assert_eq!(
        stopped[0]["stoppedReason"],
        format!("Task failed ELB health checks in (target-group {group})")
    );
    assert_eq!(kit.primary()["failedTasks"], 1);
}

#[test]
fn codedeploy_alone_changes_what_its_service_runs() {
    let mut kit = Kit::new();
    let group = kit.target_group("web", 8080);
    let (first, second) = (kit.register(&[]), kit.register(&[]));
    let mut input = behind(service(&first, 2), &group);
    input["deploymentController"] = json!({ "type": "CODE_DEPLOY" });
    kit.ok("CreateService", input);
    assert_eq!(first_set(&mut kit)["status"], "PRIMARY");
    assert_eq!(first_set(&mut kit)["stabilityStatus"], "STABILIZING");
    kit.run(60);
    let set = first_set(&mut kit);
    assert_eq!((&set["stabilityStatus"], &set["runningCount"]), (&json!("STEADY_STATE"), &json!(2)));
    assert_eq!(kit.service()["deployments"][0]["id"], set["id"]);
    kit.world.cloud.settings.task_sets_as_deployments = false;
    assert_eq!(kit.service()["deployments"], json!([]), "as on AWS");

    let refused = kit.refused("UpdateService", web(json!({ "taskDefinition": second })));
    assert!(refused.ends_with("Unable to update task definition on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment."), "{refused}");
    let forced = kit.refused("UpdateService", web(json!({ "forceNewDeployment": true })));
    assert!(forced.contains("Cannot force a new deployment"), "{forced}");
    let set = kit.refused("CreateTaskSet", web(json!({ "taskDefinition": second })));
    assert!(set.contains("can only be used with an EXTERNAL deployment controller"), "{set}");
    kit.update(json!({ "desiredCount": 3 }));
    kit.run(60);
    assert_eq!(first_set(&mut kit)["runningCount"], 3);
    assert_eq!(first_set(&mut kit)["taskDefinition"], json!(first));
}

#[test]
fn a_task_set_needs_a_target_group_that_a_load_balancer_uses() {
    let mut kit = Kit::new();
    let (blue, green) = (kit.target_group("blue", 8080), kit.lone_target_group("green"));
    let revision = kit.register(&[]);
    let mut input = behind(service(&revision, 1), &blue);
    input["deploymentController"] = json!({ "type": "CODE_DEPLOY" });
    kit.ok("CreateService", input);
    let create = web(behind(
        json!({
            "taskDefinition": revision, "launchType": "FARGATE", "externalId": "d-ABCDEFGHI",
            "networkConfiguration": crate::services::ecs::testkit::network(),
            "scale": { "value": 100.0, "unit": "PERCENT" },
        }),
        &green,
    ));
    let refused = crate::services::ecs::create_task_set(&mut kit.world.cloud, &create).unwrap_err();
    assert!(refused.message.contains("does not have an associated load balancer"), "{refused}");
}
