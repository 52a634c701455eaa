//! Services and tags.

use serde_json::{Value, json};

use crate::services::ecs;
use crate::services::ecs::testkit::{Kit, behind, service, web};

#[test]
fn a_deleted_service_drains_and_its_name_is_free_again() {
    let mut kit = Kit::new();
    let revision = kit.register(&[]);
    kit.steady_service(&revision, 1, json!({}));
    let refused = kit.refused("DeleteService", web(json!({})));
    assert!(refused.contains("while it is scaled above 0"), "{refused}");
    assert_eq!(kit.ok("DeleteService", web(json!({ "force": true })))["service"]["status"], "DRAINING");
    assert!(ecs::service(&kit.world.cloud, "main", "web").is_none());
    kit.run(30);
    assert_eq!(kit.service()["status"], "INACTIVE");
    let gone = kit.refused("UpdateService", web(json!({})));
    assert!(gone.contains("ServiceNotActiveException"), "{gone}");
    kit.ok("CreateService", service(&revision, 1));
    let deleted = kit.refused("DeleteCluster", json!({ "cluster": "main" }));
    assert!(deleted.contains("ClusterContainsServicesException"), "{deleted}");
}

#[test]
fn a_repeated_create_with_its_token_is_the_same_service_and_another_is_refused() {
    let mut kit = Kit::new();
    let revision = kit.register(&[]);
    let mut input = service(&revision, 1);
    input["clientToken"] = json!("once");
    let first = kit.ok("CreateService", input.clone());
    let again = kit.ok("CreateService", input.clone());
    assert_eq!(first["service"]["createdAt"], again["service"]["createdAt"]);
    assert_eq!(kit.service_deployments().len(), 1);
    input["desiredCount"] = json!(2);
    assert!(kit.refused("CreateService", input).contains("Creation of service was not idempotent."));
}

#[test]
fn what_would_change_behaviour_and_is_not_there_is_refused_by_name() {
    let mut kit = Kit::new();
    let revision = kit.register(&[]);
    let group = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/none/0123456789abcdef";
    let nowhere = behind(json!({}), group)["loadBalancers"].clone();
    let lone = kit.lone_target_group("lone");
    let lone = behind(json!({}), &lone)["loadBalancers"].clone();
    for (member, value, text) in [
        ("launchType", json!("EC2"), "NotModelled"),
        ("schedulingStrategy", json!("DAEMON"), "NotModelled"),
        ("deploymentConfiguration", json!({ "strategy": "BLUE_GREEN" }), "NotModelled"),
        ("serviceConnectConfiguration", json!({ "enabled": true }), "NotModelled"),
        ("networkConfiguration", Value::Null, "Network Configuration must be provided"),
        ("healthCheckGracePeriodSeconds", json!(5), "only valid for services configured"),
        ("loadBalancers", nowhere, "does not exist"),
        ("loadBalancers", lone, "does not have an associated load balancer"),
        ("deploymentController", json!({ "type": "CODE_DEPLOY" }), "exactly one load balancer"),
        ("cluster", json!("none"), "ClusterNotFoundException: Cluster not found."),
    ] {
        let mut input = service(&revision, 1);
        input[member] = value;
        let error = kit.refused("CreateService", input);
        assert!(error.contains(text), "{member}: {error}");
    }
    assert_eq!(kit.ok("ListServices", json!({ "cluster": "main" }))["serviceArns"], json!([]));
}

#[test]
fn tags_are_put_read_and_removed_by_arn_and_reach_tasks() {
    let mut kit = Kit::new();
    let revision = kit.register(&[]);
    let mut input = service(&revision, 1);
    input["tags"] = json!([{ "key": "team", "value": "web" }]);
    input["propagateTags"] = json!("SERVICE");
    input["enableECSManagedTags"] = json!(true);
    kit.ok("CreateService", input);
    kit.run(5);
    let task = kit.tasks(json!({}))[0]["taskArn"].clone();
    let pair = |k: &str, v: &str| json!({ "key": k, "value": v });
    let managed =
        [pair("aws:ecs:clusterName", "main"), pair("aws:ecs:serviceName", "web"), pair("team", "web")];
    assert_eq!(kit.ok("ListTagsForResource", json!({ "resourceArn": task }))["tags"], json!(managed));
    kit.ok("TagResource", json!({ "resourceArn": revision, "tags": [pair("a", "1"), pair("b", "2")] }));
    kit.ok("UntagResource", json!({ "resourceArn": revision, "tagKeys": ["a", "unknown"] }));
    let tags = kit.ok("ListTagsForResource", json!({ "resourceArn": revision }))["tags"].clone();
    assert_eq!(tags, json!([pair("b", "2")]));
    let unknown = json!({ "resourceArn": format!("{revision}0"), "tags": [pair("a", "1")] });
    assert!(kit.refused("TagResource", unknown).contains("ResourceNotFoundException"));
}

#[test]
fn a_cluster_is_there_from_its_creation_to_its_deletion() {
    let mut kit = Kit::new();
    assert!(
        kit.refused("ListServices", json!({})).contains("ClusterNotFoundException"),
        "no default by itself"
    );
    let made = kit.ok(
        "CreateCluster",
        json!({
            "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
            "defaultCapacityProviderStrategy": [
                { "capacityProvider": "FARGATE", "base": 1, "weight": 1 },
                { "capacityProvider": "FARGATE_SPOT", "weight": 3 },
            ],
            "tags": [{ "key": "a", "value": "1" }],
        }),
    );
    assert_eq!(made["cluster"]["clusterName"], "default");
    let revision = kit.register(&[]);
    let mut input = service(&revision, 5);
    for member in ["cluster", "launchType"] {
        input.as_object_mut().unwrap().shift_remove(member);
    }
    kit.ok("CreateService", input);
    kit.run(60);
    let include = json!({ "include": ["TAGS", "SETTINGS", "STATISTICS"], "clusters": ["default", "none"] });
    let found = kit.ok("DescribeClusters", include);
    assert_eq!(found["failures"][0]["reason"], "MISSING");
    assert_eq!(found["clusters"][0]["tags"][0]["key"], "a");
    assert_eq!(found["clusters"][0]["runningTasksCount"], 5);
    let spot = |t: &&ecs::task::Task| t.provider.as_deref() == Some("FARGATE_SPOT");
    assert_eq!(kit.world.cloud.state.ecs.tasks.values().filter(spot).count(), 3, "base 1, then 1 to 3");
    assert_eq!(kit.ok("ListClusters", json!({}))["clusterArns"].as_array().unwrap().len(), 2);
    assert!(
        kit.ok("DescribeServices", json!({ "services": ["web"] }))["services"][0].get("launchType").is_none()
    );

    kit.ok("DeleteService", json!({ "service": "web", "force": true }));
    kit.run(60);
    assert_eq!(kit.ok("DeleteCluster", json!({ "cluster": "default" }))["cluster"]["status"], "INACTIVE");
    let arns = kit.ok("ListClusters", json!({}))["clusterArns"].clone();
    assert_eq!(arns.as_array().unwrap().len(), 1);
}
