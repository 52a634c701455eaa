//! A cluster in the simulated world, for this module's stories.

use serde_json::{Value, json};

use crate::cloud::Settings;
use crate::effect::Report;
use crate::fault::Fault;
use crate::fixture;
use crate::time::SECOND;
use crate::world::World;

pub struct Kit {
    pub world: World,
}

/// A container that ends with 1 a second after its start.
pub const CRASHES: &[(&str, &str)] = &[("APP_EXIT_AFTER_MS", "1000"), ("APP_EXIT_CODE", "1")];

impl Kit {
    /// With the cluster `main`.
    pub fn new() -> Self {
        let mut kit = Self { world: World::new(Settings::default(), 1_780_000_000_000) };
        kit.ok("CreateCluster", json!({ "clusterName": "main" }));
        kit
    }

    pub fn ok(&mut self, operation: &str, input: Value) -> Value {
        self.call(operation, input).unwrap_or_else(|e| panic!("{operation}: {e}"))
    }

    pub fn call(&mut self, operation: &str, input: Value) -> Result<Value, Fault> {
        self.world.call("ecs", operation, input)
    }

    pub fn refused(&mut self, operation: &str, input: Value) -> String {
        self.call(operation, input).unwrap_err().to_string()
    }

    pub fn run(&mut self, seconds: u64) {
        let end = self.world.now() + seconds * SECOND;
        self.world.advance(end);
    }

    /// Registers a revision of `web` whose container behaves by this environment.
    pub fn register(&mut self, environment: &[(&str, &str)]) -> String {
        let answer = self.ok("RegisterTaskDefinition", definition(environment));
        answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
    }

    /// Registers a revision of `web` that runs an image of this account's repository `web`.
    pub fn register_tag(&mut self, tag: &str) -> String {
        let mut input = definition(&[]);
        let image = format!("{}/web:{tag}", self.world.cloud.registry());
        input["executionRoleArn"] = json!("arn:aws:iam::123456789012:role/execution");
        input["containerDefinitions"][0]["image"] = json!(image);
        let answer = self.ok("RegisterTaskDefinition", input);
        answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
    }

    pub fn push(&mut self, tag: &str, version: &str) -> String {
        fixture::push_image(&mut self.world, "web", tag, &[("APP_VERSION", version)]).unwrap()
    }

    /// A service `web` of the ECS controller, steady.
    pub fn steady_service(&mut self, revision: &str, count: u64, configuration: Value) {
        let mut input = service(revision, count);
        input["deploymentConfiguration"] = configuration;
        self.ok("CreateService", input);
        self.run(90);
    }

    pub fn deploy(&mut self, revision: &str) {
        self.update(json!({ "taskDefinition": revision }));
    }

    pub fn update(&mut self, what: Value) {
        self.ok("UpdateService", web(what));
    }

    /// As DescribeServices gives it.
    pub fn service(&mut self) -> Value {
        self.ok("DescribeServices", json!({ "cluster": "main", "services": ["web"] }))["services"][0].clone()
    }

    pub fn primary(&mut self) -> Value {
        self.service()["deployments"][0].clone()
    }

    /// The service's events, oldest first.
    pub fn messages(&mut self) -> Vec<String> {
        let service = self.service();
        let events = service["events"].as_array().unwrap();
        events.iter().rev().map(|e| e["message"].as_str().unwrap().to_owned()).collect()
    }

    pub fn says(&mut self, part: &str) -> bool {
        self.messages().iter().any(|m| m.contains(part))
    }

    /// Newest first.
    pub fn service_deployments(&mut self) -> Vec<Value> {
        let briefs = self.ok("ListServiceDeployments", web(json!({})));
        let briefs = briefs["serviceDeployments"].as_array().unwrap();
        let arns: Vec<Value> = briefs.iter().map(|d| d["serviceDeploymentArn"].clone()).collect();
        let all = self.ok("DescribeServiceDeployments", json!({ "serviceDeploymentArns": arns }));
        all["serviceDeployments"].as_array().unwrap().clone()
    }

    pub fn tasks(&mut self, filter: Value) -> Vec<Value> {
        let mut input = web(filter);
        input.as_object_mut().unwrap().shift_remove("service");
        let arns = self.ok("ListTasks", input)["taskArns"].clone();
        if arns == json!([]) {
            return Vec::new();
        }
        let tasks = self.ok("DescribeTasks", json!({ "cluster": "main", "tasks": arns }));
        tasks["tasks"].as_array().unwrap().clone()
    }

    pub fn stopped(&mut self) -> Vec<Value> {
        self.tasks(json!({ "desiredStatus": "STOPPED" }))
    }

    /// The one container of a task ends by itself.
    pub fn crash(&mut self, task: &Value, exit_code: i32) {
        let id = task["taskArn"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        self.world.report(Report::ContainerExited { task: id, container: "app".into(), exit_code });
    }

    pub fn task_set(&self, id: &str) -> Option<Value> {
        crate::services::ecs::task_set(&self.world.cloud, "main", "web", id)
    }

    /// A target group behind a listener on this port, with 30 s of draining; gives its ARN.
    pub fn target_group(&mut self, name: &str, port: u16) -> String {
        let group = self.lone_target_group(name);
        let balancer = json!({ "Name": format!("{name}-alb"), "Subnets": ["subnet-1", "subnet-2"] });
        let balancer = self.world.call("elbv2", "CreateLoadBalancer", balancer).unwrap();
        let listener = json!({
            "LoadBalancerArn": balancer["LoadBalancers"][0]["LoadBalancerArn"], "Protocol": "HTTP", "Port": port,
            "DefaultActions": [{ "Type": "forward", "TargetGroupArn": group }],
        });
        self.world.call("elbv2", "CreateListener", listener).unwrap();
        group
    }

    pub fn lone_target_group(&mut self, name: &str) -> String {
        let input = json!({
            "Name": name, "Protocol": "HTTP", "Port": 80, "TargetType": "ip", "VpcId": "vpc-1",
            "HealthCheckPath": "/health", "HealthCheckIntervalSeconds": 10, "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2,
        });
        let made = self.world.call("elbv2", "CreateTargetGroup", input).unwrap();
        let group = made["TargetGroups"][0]["TargetGroupArn"].as_str().unwrap().to_owned();
        let drain = json!({ "TargetGroupArn": group, "Attributes": [
            { "Key": "deregistration_delay.timeout_seconds", "Value": "30" },
        ]});
        self.world.call("elbv2", "ModifyTargetGroupAttributes", drain).unwrap();
        group
    }
}

/// An input about the service `web`.
pub fn web(mut input: Value) -> Value {
    input["cluster"] = json!("main");
    input["service"] = json!("web");
    input
}

pub fn definition(environment: &[(&str, &str)]) -> Value {
    let environment: Value =
        environment.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({
        "family": "web",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{
            "name": "app",
            "image": "busybox",
            "command": ["serve"],
            "environment": environment,
            "portMappings": [{ "containerPort": 8080 }],
        }],
    })
}

pub fn network() -> Value {
    json!({ "awsvpcConfiguration": { "subnets": ["subnet-1", "subnet-2"] } })
}

pub fn service(revision: &str, count: u64) -> Value {
    json!({
        "cluster": "main",
        "serviceName": "web",
        "taskDefinition": revision,
        "desiredCount": count,
        "launchType": "FARGATE",
        "networkConfiguration": network(),
    })
}

pub fn behind(mut service: Value, group: &str) -> Value {
    service["loadBalancers"] =
        json!([{ "targetGroupArn": group, "containerName": "app", "containerPort": 8080 }]);
    service
}
