//! The function in front of the local cloud, in process and on virtual time.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_types::SdkConfig;
use aws_types::region::Region;
use cloud::fixture::{self, BlueGreen, Scene};
use cloud::in_process::{Faults, InProcess};
use cloud::timeline::Kind;
use cloud::world::World;
use cloud::{Ms, Settings};
use image_push::ImagePush;
use serde_json::{Value, json};
use shared::aws::{Aws, Topic};
use shared::config::{Checks, Engine, ImageRule, Notify, Releases, Service};
use shared::image::TagPattern;
use shared::start::Invocation;

const ACCESS_KEY: &str = "ASIAFNimage-push";

pub const CONFIGURATION: &str = "deploymentConfiguration";

pub const START: Ms = 1_767_225_600_000; // 2026-01-01T00:00:00Z

/// A service `api` with version 1 live, and what releases it.
pub struct Release {
    pub cloud: InProcess,
    /// Where messages go.
    pub topic: Option<String>,
}

/// `releases.yaml` for a service of the fixture.
pub fn entry(name: &str) -> Service {
    Service {
        name: name.to_owned(),
        cluster: format!("{name}-cluster"),
        service: name.to_owned(),
        images: vec![ImageRule {
            repository: name.to_owned(),
            container: "app".to_owned(),
            tags: TagPattern::new("v[0-9]+").unwrap(),
        }],
        engine: Engine::CodeDeploy { application: format!("{name}-deploy"), group: format!("{name}-group") },
        checks: Checks::default(),
        alarms: Vec::new(),
        watch: Duration::ZERO,
        scan: None,
        freeze: Vec::new(),
        notify: Notify::default(),
    }
}

/// The event that EventBridge delivers for a push.
pub fn pushed(repository: &str, tag: &str, digest: &str) -> Value {
    json!({
        "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482", "detail-type": "ECR Image Action",
        "source": "aws.ecr", "account": "123456789012", "time": "2026-01-01T00:10:00Z",
        "region": "us-east-1", "resources": [],
        "detail": {
            "result": "SUCCESS", "repository-name": repository, "image-digest": digest,
            "action-type": "PUSH", "image-tag": tag,
        },
    })
}

impl Release {
    pub fn new() -> Self {
        Self::with(Faults::default(), &Scene::default())
    }

    pub fn with(faults: Faults, scene: &Scene) -> Self {
        let cloud = InProcess::with_faults(Settings::default(), START, faults);
        cloud.with(|world| {
            let first = fixture::push_image(world, "api", "v1", &[("APP_VERSION", "1")]).unwrap();
            BlueGreen::create(world, "api", &first, scene).unwrap();
        });
        Self { cloud, topic: None }
    }

    /// The function, made anew as in a new execution environment.
    pub fn function(&self, services: Vec<Service>) -> ImagePush {
        let credentials = Credentials::new(ACCESS_KEY, "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url("http://127.0.0.1")
            .build();
        let aws = Aws::new(&config, self.cloud.http_client());
        ImagePush {
            topic: Topic::new(&aws, self.topic.clone()),
            aws,
            releases: Releases::new(services),
            hook: Some("CodeDeployHook_sluice".to_owned()),
        }
    }

    /// Waits until version 1 serves.
    pub async fn settled(&self) {
        self.until("version 1 serves", |world| {
            let service = describe(world, "api");
            service["taskSets"][0]["stabilityStatus"] == "STEADY_STATE"
                || service["deployments"][0]["rolloutState"] == "COMPLETED"
        })
        .await;
    }

    /// Lets virtual time pass until something holds; panics after two days.
    pub async fn until(&self, what: &str, mut holds: impl FnMut(&mut World) -> bool) {
        for _ in 0..2 * 24 * 360 {
            if self.cloud.with(&mut holds) {
                return;
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        let timeline = self.cloud.timeline();
        let told: Vec<_> = timeline.lines().filter(|line| !line[26..].starts_with("call")).collect();
        panic!("never: {what}\n{}", told.join("\n"));
    }

    /// Waits until a deployment has ended; gives how.
    pub async fn ended(&self, deployment: &str) -> String {
        let mut status = String::new();
        self.until("the deployment ends", |world| {
            status = get(world, deployment)["status"].as_str().unwrap_or_default().to_owned();
            ["Succeeded", "Failed", "Stopped"].contains(&status.as_str())
        })
        .await;
        status
    }

    pub fn push(&self, repository: &str, tag: &str, version: &str) -> String {
        self.cloud
            .with(|world| fixture::push_image(world, repository, tag, &[("APP_VERSION", version)]).unwrap())
    }

    /// Calls AWS as a person would.
    pub fn call(&self, service: &str, operation: &str, input: Value) -> Value {
        self.cloud.with(|world| world.call(service, operation, input).unwrap())
    }

    /// What the function asked of AWS: the operation, its input, and its error if it had one.
    pub fn calls(&self) -> Vec<(String, Value, Value)> {
        self.cloud.with(|world| {
            let calls = world.cloud.timeline().iter().filter(|entry| entry.kind == Kind::Call);
            let ours = calls.filter(|entry| entry.data["caller"] == ACCESS_KEY);
            let parts = |data: &Value| {
                (
                    data["operation"].as_str().unwrap_or_default().to_owned(),
                    data["input"].clone(),
                    data["error"].clone(),
                )
            };
            ours.map(|entry| parts(&entry.data)).collect()
        })
    }

    /// How often an operation was called by the function with success.
    pub fn done(&self, operation: &str) -> usize {
        self.calls().iter().filter(|(name, _, error)| name == operation && error.is_null()).count()
    }

    /// The revision that serves.
    pub fn live(&self, service: &str) -> Value {
        self.cloud.with(|world| {
            let service = describe(world, service);
            let sets = service["taskSets"].as_array().or(service["deployments"].as_array());
            let primary = sets.into_iter().flatten().find(|set| set["status"] == "PRIMARY").cloned();
            let revision = primary.unwrap()["taskDefinition"].clone();
            revision_of(world, revision.as_str().unwrap())
        })
    }
}

pub fn describe(world: &mut World, name: &str) -> Value {
    let input = json!({ "cluster": format!("{name}-cluster"), "services": [name] });
    world.call("ecs", "DescribeServices", input).unwrap()["services"][0].clone()
}

pub fn revision_of(world: &mut World, name: &str) -> Value {
    let input = json!({ "taskDefinition": name, "include": ["TAGS"] });
    world.call("ecs", "DescribeTaskDefinition", input).unwrap()
}

pub fn get(world: &mut World, deployment: &str) -> Value {
    let input = json!({ "deploymentId": deployment });
    world.call("codedeploy", "GetDeployment", input).unwrap()["deploymentInfo"].clone()
}

/// Delivers an event as Lambda would, with a minute of time.
pub async fn deliver(function: &ImagePush, event: &Value) -> anyhow::Result<Value> {
    let invocation = Invocation { event: event.clone(), time: Duration::from_secs(60) };
    Ok(serde_json::to_value(function.handle(invocation).await?)?)
}

/// Decision and reason for a service of an answer.
pub fn told<'a>(answer: &'a Value, service: &str) -> (&'a str, &'a str) {
    let told = &answer["services"][service];
    (told["decision"].as_str().unwrap_or("?"), told["reason"].as_str().unwrap_or("?"))
}

/// A service `web` without a load balancer, version 1 running, three tasks.
pub async fn rolling(release: &Release) -> Service {
    let digest = release.push("web", "v1", "1");
    release.call("ecs", "CreateCluster", json!({ "clusterName": "web-cluster" }));
    let image = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/web@{digest}");
    let definition = json!({
        "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
        "memory": "512", "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "containerDefinitions": [{ "name": "app", "image": image }],
    });
    release.call("ecs", "RegisterTaskDefinition", definition);
    let service = json!({
        "cluster": "web-cluster", "serviceName": "web", "taskDefinition": "web", "desiredCount": 3,
        "launchType": "FARGATE",
        "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
        CONFIGURATION: { "maximumPercent": 150, "minimumHealthyPercent": 50 },
    });
    release.call("ecs", "CreateService", service);
    steady(release).await;
    Service { engine: Engine::Ecs, ..entry("web") }
}

pub async fn steady(release: &Release) {
    let done = |world: &mut _| {
        let deployments = describe(world, "web")["deployments"].clone();
        deployments.as_array().unwrap().len() == 1 && deployments[0]["rolloutState"] == "COMPLETED"
    };
    release.until("the service is steady", done).await;
}

/// CreateDeployment as a person would ask for it.
pub fn by_hand(revision: &str) -> Value {
    let content = json!({
        "version": 0.0,
        "Resources": [{ "TargetService": { "Type": "AWS::ECS::Service", "Properties": {
            "TaskDefinition": revision, "LoadBalancerInfo": { "ContainerName": "app", "ContainerPort": 8080 },
        }}}],
    });
    json!({
        "applicationName": "api-deploy", "deploymentGroupName": "api-group",
        "revision": { "revisionType": "AppSpecContent", "appSpecContent": { "content": content.to_string() } },
    })
}
