//! Task sets.

use serde_json::json;

use crate::services::ecs;
use crate::services::ecs::testkit::{CRASHES, Kit, network, web};

fn external(kit: &mut Kit) -> String {
    kit.ok("CreateService", json!({
        "cluster": "main", "serviceName": "web", "desiredCount": 3, "deploymentController": { "type": "EXTERNAL" },
    }));
    kit.register(&[])
}

fn task_set(kit: &mut Kit, revision: &str, percent: f64) -> String {
    let set = kit.ok(
        "CreateTaskSet",
        web(json!({
            "taskDefinition": revision, "launchType": "FARGATE", "networkConfiguration": network(),
            "scale": { "value": percent, "unit": "PERCENT" },
        })),
    );
    set["taskSet"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn they_scale_become_primary_and_drain() {
    let mut kit = Kit::new();
    let revision = external(&mut kit);
    let blue = task_set(&mut kit, &revision, 100.0);
    let green = task_set(&mut kit, &revision, 50.0);
    kit.ok("UpdateServicePrimaryTaskSet", web(json!({ "primaryTaskSet": blue })));
    kit.run(5);
    assert_eq!(kit.task_set(&green).unwrap()["stabilityStatus"], "STABILIZING");
    kit.run(90);
    let set = kit.task_set(&green).unwrap();
    assert_eq!((&set["computedDesiredCount"], &set["runningCount"]), (&json!(2), &json!(2)));
    assert_eq!((&set["stabilityStatus"], &set["status"]), (&json!("STEADY_STATE"), &json!("ACTIVE")));

    ecs::set_primary(&mut kit.world.cloud, "main", "web", &green).unwrap();
    assert_eq!(kit.task_set(&blue).unwrap()["status"], "ACTIVE");
    let refused = kit.refused("DeleteTaskSet", web(json!({ "taskSet": blue })));
    assert!(refused.contains("scaled above 0"), "{refused}");
    ecs::delete_task_set(&mut kit.world.cloud, "main", "web", &blue).unwrap();
    assert_eq!(kit.task_set(&blue).unwrap()["status"], "DRAINING");
    kit.run(60);
    assert!(kit.task_set(&blue).is_none());
    let service = kit.service();
    assert_eq!(service["taskSets"].as_array().unwrap().len(), 1);
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
}

#[test]
fn a_task_set_follows_its_scale() {
    let mut kit = Kit::new();
    let revision = external(&mut kit);
    let set = task_set(&mut kit, &revision, 0.0);
    let scaled = |value: f64| web(json!({ "taskSet": set, "scale": { "value": value, "unit": "PERCENT" } }));
    kit.ok("UpdateTaskSet", scaled(100.0));
    kit.run(60);
    let found =
        kit.ok("DescribeTaskSets", web(json!({ "taskSets": [set, "ecs-svc/1"], "include": ["TAGS"] })));
    assert_eq!(found["taskSets"][0]["runningCount"], 3);
    assert_eq!(found["failures"][0]["reason"], "MISSING");
    kit.ok("UpdateTaskSet", scaled(0.0));
    kit.run(60);
    assert_eq!(kit.task_set(&set).unwrap()["runningCount"], 0);
    assert!(kit.refused("UpdateTaskSet", scaled(101.0)).contains("between 0 and 100"));
    kit.ok("DeleteTaskSet", web(json!({ "taskSet": set })));
    kit.run(5);
    assert!(kit.task_set(&set).is_none());
}

#[test]
fn tasks_that_never_became_healthy_are_counted() {
    let mut kit = Kit::new();
    external(&mut kit);
    let bad = kit.register(CRASHES);
    let set = task_set(&mut kit, &bad, 100.0);
    kit.run(60);
    let set = kit.task_set(&set).unwrap();
    assert!(set["failedTasks"].as_u64().unwrap() >= 3, "{set}");
    assert_eq!(set["stabilityStatus"], "STABILIZING");
}
