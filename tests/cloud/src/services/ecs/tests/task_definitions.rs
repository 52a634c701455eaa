//! Task definitions.

use serde_json::{Value, json};

use crate::services::ecs::testkit::{Kit, definition, service};

#[test]
fn every_member_comes_back_known_or_not() {
    let mut kit = Kit::new();
    let mut given = definition(&[]);
    given["newTaskMember"] = json!({ "deep": [1, { "deeper": true }] });
    given["containerDefinitions"][0]["newContainerMember"] = json!("kept");
    given["tags"] = json!([{ "key": "team", "value": "web" }]);
    kit.ok("RegisterTaskDefinition", given.clone());

    let answer = kit.ok("DescribeTaskDefinition", json!({ "taskDefinition": "web", "include": ["TAGS"] }));
    let found = &answer["taskDefinition"];
    assert_eq!(found["newTaskMember"], given["newTaskMember"]);
    let container = &found["containerDefinitions"][0];
    assert_eq!(container["newContainerMember"], "kept");
    assert_eq!(
        container["portMappings"],
        json!([{ "containerPort": 8080, "protocol": "tcp", "hostPort": 8080 }])
    );
    assert_eq!((&container["cpu"], &container["essential"]), (&json!(0), &json!(true)));
    assert_eq!(found["compatibilities"], json!(["EC2", "FARGATE"]));
    assert!(found.get("tags").is_none(), "tags stand beside the task definition");
    assert_eq!(answer["tags"], json!([{ "key": "team", "value": "web" }]));
    let silent = kit.ok("DescribeTaskDefinition", json!({ "taskDefinition": "web:1" }));
    assert!(silent.get("tags").is_none());
}

#[test]
fn a_deregistered_revision_is_described_but_not_found_by_family_or_deployed() {
    let mut kit = Kit::new();
    kit.register(&[]);
    let second = kit.register(&[]);
    kit.ok("DeregisterTaskDefinition", json!({ "taskDefinition": second }));

    let by_arn = kit.ok("DescribeTaskDefinition", json!({ "taskDefinition": second }));
    assert_eq!(by_arn["taskDefinition"]["status"], "INACTIVE");
    let by_family = kit.ok("DescribeTaskDefinition", json!({ "taskDefinition": "web" }));
    assert_eq!(by_family["taskDefinition"]["revision"], 1);
    assert_eq!(kit.register(&[]), second.replace(":2", ":3"), "a number is not used again");
    let refused = kit.refused("CreateService", service(&second, 1));
    assert!(refused.contains("TaskDefinition is inactive"), "{refused}");
    let unknown = kit.refused("DescribeTaskDefinition", json!({ "taskDefinition": "web:9" }));
    assert_eq!(unknown, "ClientException: Unable to describe task definition.");
}

#[test]
fn fargate_refuses_what_it_cannot_run() {
    let mut kit = Kit::new();
    let ours = format!("{}/app:1", kit.world.cloud.registry());
    for (member, value, text) in [
        ("networkMode", json!("bridge"), "Fargate only supports network mode"),
        ("memory", json!("4096"), "No Fargate configuration exists"),
        ("cpu", Value::Null, "Fargate requires that 'cpu' be defined"),
        ("volumes", json!([{ "name": "x".repeat(70_000) }]), "Max allowed length"),
        (
            "containerDefinitions",
            json!([{ "name": "a", "image": "i" }, { "name": "a", "image": "i" }]),
            "unique",
        ),
        ("containerDefinitions", json!([{ "name": "a", "image": "i", "essential": false }]), "essential"),
        (
            "containerDefinitions",
            json!([{ "name": "a", "image": ours }]),
            "execution role ARN to support ECR",
        ),
    ] {
        let mut given = definition(&[]);
        given[member] = value;
        let error = kit.refused("RegisterTaskDefinition", given);
        assert!(error.starts_with("ClientException: ") && error.contains(text), "{error}");
    }
    let listed = kit.ok("ListTaskDefinitions", json!({}));
    assert_eq!(listed["taskDefinitionArns"], json!([]));
}

#[test]
fn lists_come_in_pages() {
    let mut kit = Kit::new();
    for _ in 0..3 {
        kit.register(&[]);
    }
    let first = kit.ok("ListTaskDefinitions", json!({ "sort": "DESC", "maxResults": 2 }));
    assert!(first["taskDefinitionArns"][0].as_str().unwrap().ends_with("web:3"));
    let rest = json!({ "sort": "DESC", "maxResults": 2, "nextToken": first["nextToken"] });
    let second = kit.ok("ListTaskDefinitions", rest);
    assert!(second["taskDefinitionArns"][0].as_str().unwrap().ends_with("web:1"));
    assert!(second["nextToken"].is_null());
    let wrong = kit.refused("ListTaskDefinitions", json!({ "nextToken": "nonsense" }));
    assert!(wrong.contains("InvalidParameterException"));
}
