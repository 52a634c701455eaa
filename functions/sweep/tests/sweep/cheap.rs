//! What a sweep costs: counted calls where there is nothing to do, and its time where there is
//! much.

use std::collections::BTreeMap;
use std::time::Duration;

use cloud::in_process::InProcess;
use serde_json::{Value, json};
use shared::config::{Engine, Service};

use crate::scene::{calls, effects, function, sweep};
use crate::state::{Stage, entry};

/// So many services: half under CodeDeploy with an application for ten groups, half under ECS,
/// all in one cluster, each with a repository and an alarm. Each has had a release, which was
/// found by a sweep, and settled by another.
async fn at_rest(count: usize) -> Stage {
    let mut stage = Stage::empty();
    stage.call("ecs", "CreateCluster", json!({ "clusterName": "all" }));
    stage.services = (0..count).map(|n| made(&stage.cloud, n)).collect();
    tokio::time::sleep(Duration::from_secs(600)).await;
    for step in ["baseline", "start", "settle", "nothing"] {
        let answer = sweep(&function(&stage)).await.unwrap();
        let told = answer["services"].as_object().unwrap();
        assert!(told.values().all(|steps| steps[0]["step"] == step), "{step}: {answer}");
        assert_eq!(told.len(), count);
        if step == "baseline" {
            tokio::time::sleep(Duration::from_secs(5)).await;
            (0..count).for_each(|n| drop(stage.push(&format!("s{n}"), "v2", &[])));
        }
        tokio::time::sleep(Duration::from_secs(1_200)).await;
    }
    stage
}

/// A service, and all around it.
fn made(cloud: &InProcess, n: usize) -> Service {
    let name = format!("s{n}");
    cloud.with(|world| {
        let digest = cloud::fixture::push_image(world, &name, "v1", &[("APP_VERSION", "1")]).unwrap();
        let image = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/{name}@{digest}");
        let alarm = json!({
            "AlarmName": format!("{name}-5xx"), "Namespace": "App", "MetricName": name, "Statistic": "Sum",
            "Period": 60, "EvaluationPeriods": 1, "Threshold": 5,
            "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "ignore",
        });
        world.call("cloudwatch", "PutMetricAlarm", alarm).unwrap();
        let definition = json!({
            "family": name, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
            "memory": "512", "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
            "containerDefinitions": [{ "name": "app", "image": image, "portMappings": [{ "containerPort": 8080 }] }],
        });
        world.call("ecs", "RegisterTaskDefinition", definition).unwrap();
        let mut service = json!({
            "cluster": "all", "serviceName": name, "taskDefinition": name, "desiredCount": 1, "launchType": "FARGATE",
            "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
        });
        if n % 2 == 1 {
            world.call("ecs", "CreateService", service).unwrap();
            return Service { cluster: "all".to_owned(), ..entry(&name, Engine::Ecs) };
        }
        let text = |value: &Value, at: &str| value.pointer(at).unwrap().as_str().unwrap().to_owned();
        let balancer = json!({ "Name": name, "Subnets": ["subnet-1", "subnet-2"] });
        let balancer = world.call("elbv2", "CreateLoadBalancer", balancer).unwrap();
        let balancer = text(&balancer, "/LoadBalancers/0/LoadBalancerArn");
        let groups = ["blue", "green"].map(|color| {
            let input = json!({
                "Name": format!("{name}-{color}"), "Protocol": "HTTP", "Port": 8080, "TargetType": "ip",
                "VpcId": "vpc-1", "HealthCheckPath": "/health",
            });
            let answer = world.call("elbv2", "CreateTargetGroup", input).unwrap();
            text(&answer, "/TargetGroups/0/TargetGroupArn")
        });
        let listener = json!({
            "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": 10_000 + n,
            "DefaultActions": [{ "Type": "forward", "TargetGroupArn": groups[0] }],
        });
        let listener = world.call("elbv2", "CreateListener", listener).unwrap();
        service["deploymentController"] = json!({ "type": "CODE_DEPLOY" });
        service["loadBalancers"] =
            json!([{ "targetGroupArn": groups[0], "containerName": "app", "containerPort": 8080 }]);
        world.call("ecs", "CreateService", service).unwrap();
        let application = format!("application-{}", n / 20);
        if n.is_multiple_of(20) {
            let input = json!({ "applicationName": application, "computePlatform": "ECS" });
            world.call("codedeploy", "CreateApplication", input).unwrap();
        }
        let pair = json!({
            "targetGroups": [{ "name": format!("{name}-blue") }, { "name": format!("{name}-green") }],
            "prodTrafficRoute": { "listenerArns": [text(&listener, "/Listeners/0/ListenerArn")] },
        });
        let group = json!({
            "applicationName": application, "deploymentGroupName": name,
            "serviceRoleArn": "arn:aws:iam::123456789012:role/codedeploy",
            "deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce",
            "deploymentStyle": { "deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL" },
            "ecsServices": [{ "clusterName": "all", "serviceName": name }],
            "loadBalancerInfo": { "targetGroupPairInfoList": [pair] },
            "blueGreenDeploymentConfiguration": {
                "terminateBlueInstancesOnDeploymentSuccess": { "action": "TERMINATE", "terminationWaitTimeInMinutes": 0 },
                "deploymentReadyOption": { "actionOnTimeout": "CONTINUE_DEPLOYMENT" },
            },
        });
        world.call("codedeploy", "CreateDeploymentGroup", group).unwrap();
        Service {
            cluster: "all".to_owned(),
            ..entry(&name, Engine::CodeDeploy { application, group: name.clone() })
        }
    })
}

/// What a sweep asks, by operation.
async fn counted(stage: &Stage) -> BTreeMap<String, usize> {
    let from = calls(stage, 0).len();
    sweep(&function(stage)).await.unwrap();
    assert_eq!(effects(stage, from), Vec::<String>::new());
    let mut counts = BTreeMap::new();
    calls(stage, from).into_iter().for_each(|name| *counts.entry(name).or_default() += 1);
    counts
}

/// Written down in the README.
#[tokio::test(start_paused = true)]
async fn a_sweep_with_nothing_to_do_asks_two_calls_a_service_and_few_for_all_together() {
    for (services, groups, descriptions, alarms) in
        [(1, 1..=1, 1, 1), (10, 1..=1, 1, 1), (200, 10..=12, 20, 2)]
    {
        let stage = at_rest(services).await;
        let mut counts = counted(&stage).await;
        let asked = counts.remove("BatchGetDeploymentGroups").unwrap();
        // Where the first service lies in the middle of an application, one more each.
        assert!(groups.contains(&asked), "{asked} for {services} services");
        let expected = [
            ("DescribeAlarms", alarms),
            ("DescribeImages", services),
            ("DescribeServices", descriptions),
            ("DescribeTaskDefinition", services),
        ];
        assert_eq!(
            counts,
            expected.map(|(name, count)| (name.to_owned(), count)).into(),
            "{services} services"
        );
    }
}
