//! Ready scenes: an image pushed, a service with blue and green behind a load balancer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::world::World;
use crate::{Fault, HOUR};

/// Whatever takes API calls: the simulated world, or a server in this process.
pub trait Call {
    /// Calls an operation with an input as its model writes it.
    fn call(&mut self, service: &str, operation: &str, input: Value) -> Result<Value, Fault>;
}

/// A service under CodeDeploy, by the names and ARNs that calls want.
#[derive(Debug, Clone)]
pub struct BlueGreen {
    pub name: String,
    pub cluster: String,
    pub application: String,
    pub group: String,
    pub port: u16,
    pub load_balancer: String,
    pub listener: String,
    pub test_listener: String,
    pub target_groups: [String; 2],
    /// Further members of its task definitions.
    pub definition: Value,
}

/// What differs from the plain scene.
#[derive(Debug, Clone)]
pub struct Scene {
    pub deployment_config: &'static str,
    pub desired_count: u32,
    pub termination_wait_minutes: u32,
    pub alarms: Vec<&'static str>,
    /// Production listener's port; the test listener has the next one.
    pub port: u16,
    /// Further members of the service's task definitions.
    pub definition: Value,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            deployment_config: "CodeDeployDefault.ECSCanary10Percent5Minutes",
            desired_count: 2,
            termination_wait_minutes: 5,
            alarms: Vec::new(),
            port: 8080,
            definition: json!({}),
        }
    }
}

fn sha256(content: &[u8]) -> String {
    let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn upload(world: &mut impl Call, repository: &str, content: &[u8]) -> Result<String, Fault> {
    let digest = sha256(content);
    let begun = world.call("ecr", "InitiateLayerUpload", json!({ "repositoryName": repository }))?;
    let upload = &begun["uploadId"];
    let part = json!({
        "repositoryName": repository, "uploadId": upload, "partFirstByte": 0,
        "partLastByte": content.len() - 1, "layerPartBlob": STANDARD.encode(content),
    });
    world.call("ecr", "UploadLayerPart", part)?;
    let whole = json!({ "repositoryName": repository, "uploadId": upload, "layerDigests": [digest] });
    match world.call("ecr", "CompleteLayerUpload", whole) {
        Err(fault) if fault.shape != "LayerAlreadyExistsException" => Err(fault),
        _ => Ok(digest),
    }
}

/// Pushes an image whose containers behave by `environment` (see [`crate::world`]); the
/// repository is made if need be. Gives the manifest's digest.
pub fn push_image(
    world: &mut impl Call,
    repository: &str,
    tag: &str,
    environment: &[(&str, &str)],
) -> Result<String, Fault> {
    let variables: Vec<_> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": { "Entrypoint": ["sample-app"], "Env": variables },
        "rootfs": { "type": "layers", "diff_ids": [] },
    });
    push_config(world, repository, tag, &config)
}

/// Pushes an image with this OCI configuration.
pub fn push_config(
    world: &mut impl Call,
    repository: &str,
    tag: &str,
    config: &Value,
) -> Result<String, Fault> {
    match world.call("ecr", "CreateRepository", json!({ "repositoryName": repository })) {
        Err(fault) if fault.shape != "RepositoryAlreadyExistsException" => return Err(fault),
        _ => {}
    }
    let config = config.to_string();
    let (config_digest, layer) = (upload(world, repository, config.as_bytes())?, b"a layer of nothing");
    let layer_digest = upload(world, repository, layer)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config_digest, "size": config.len(),
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": layer_digest, "size": layer.len(),
        }],
    })
    .to_string();
    let put = json!({ "repositoryName": repository, "imageManifest": manifest, "imageTag": tag });
    world.call("ecr", "PutImage", put)?;
    Ok(sha256(manifest.as_bytes()))
}

/// The text at a path of an answer, empty if there is none.
fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl BlueGreen {
    /// Makes everything around a service named `name` and the service itself, running the
    /// image `digest` of repository `name`; its first tasks still have to start.
    pub fn create(world: &mut impl Call, name: &str, digest: &str, scene: &Scene) -> Result<Self, Fault> {
        let cluster = format!("{name}-cluster");
        world.call("ecs", "CreateCluster", json!({ "clusterName": cluster }))?;
        let balancer = json!({ "Name": format!("{name}-alb"), "Subnets": ["subnet-1", "subnet-2"] });
        let load_balancer =
            text(&world.call("elbv2", "CreateLoadBalancer", balancer)?, "/LoadBalancers/0/LoadBalancerArn");
        let target_groups =
            [target_group(world, &format!("{name}-blue"))?, target_group(world, &format!("{name}-green"))?];
        let listener = listener(world, &load_balancer, scene.port, &target_groups[0])?;
        let test_listener = self::listener(world, &load_balancer, scene.port + 1, &target_groups[0])?;
        let scene_of = Self {
            name: name.to_owned(),
            cluster,
            application: format!("{name}-deploy"),
            group: format!("{name}-group"),
            port: scene.port,
            load_balancer,
            listener,
            test_listener,
            target_groups,
            definition: scene.definition.clone(),
        };
        let revision = scene_of.register(world, digest)?;
        scene_of.create_service(world, &revision, scene)?;
        scene_of.create_group(world, scene)?;
        Ok(scene_of)
    }

    fn create_service(&self, world: &mut impl Call, revision: &str, scene: &Scene) -> Result<(), Fault> {
        let input = json!({
            "cluster": self.cluster, "serviceName": self.name, "taskDefinition": revision,
            "desiredCount": scene.desired_count, "launchType": "FARGATE",
            "deploymentController": { "type": "CODE_DEPLOY" },
            "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
            "loadBalancers": [{
                "targetGroupArn": self.target_groups[0], "containerName": "app", "containerPort": 8080,
            }],
        });
        world.call("ecs", "CreateService", input).map(drop)
    }

    fn create_group(&self, world: &mut impl Call, scene: &Scene) -> Result<(), Fault> {
        let application = json!({ "applicationName": self.application, "computePlatform": "ECS" });
        world.call("codedeploy", "CreateApplication", application)?;
        let alarms: Vec<_> = scene.alarms.iter().map(|name| json!({ "name": name })).collect();
        let pair = json!({
            "targetGroups": [{ "name": format!("{}-blue", self.name) }, { "name": format!("{}-green", self.name) }],
            "prodTrafficRoute": { "listenerArns": [self.listener] },
            "testTrafficRoute": { "listenerArns": [self.test_listener] },
        });
        let input = json!({
            "applicationName": self.application, "deploymentGroupName": self.group,
            "serviceRoleArn": "arn:aws:iam::123456789012:role/codedeploy",
            "deploymentConfigName": scene.deployment_config,
            "deploymentStyle": { "deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL" },
            "ecsServices": [{ "clusterName": self.cluster, "serviceName": self.name }],
            "loadBalancerInfo": { "targetGroupPairInfoList": [pair] },
            "blueGreenDeploymentConfiguration": {
                "terminateBlueInstancesOnDeploymentSuccess": {
                    "action": "TERMINATE", "terminationWaitTimeInMinutes": scene.termination_wait_minutes,
                },
                "deploymentReadyOption": { "actionOnTimeout": "CONTINUE_DEPLOYMENT" },
            },
            "alarmConfiguration": { "enabled": !alarms.is_empty(), "alarms": alarms },
            "autoRollbackConfiguration": {
                "enabled": true,
                "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
            },
        });
        world.call("codedeploy", "CreateDeploymentGroup", input).map(drop)
    }

    /// Registers a revision that runs the image `digest`. Gives its ARN.
    pub fn register(&self, world: &mut impl Call, digest: &str) -> Result<String, Fault> {
        let known = world.call("ecr", "DescribeRepositories", json!({ "repositoryNames": [self.name] }))?;
        let image = format!("{}@{digest}", text(&known, "/repositories/0/repositoryUri"));
        let mut input = json!({
            "family": self.name, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "256", "memory": "512",
            "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
            "containerDefinitions": [{
                "name": "app", "image": image, "essential": true,
                "portMappings": [{ "containerPort": 8080 }],
            }],
        });
        for (name, value) in self.definition.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        let answer = world.call("ecs", "RegisterTaskDefinition", input)?;
        Ok(text(&answer, "/taskDefinition/taskDefinitionArn"))
    }

    /// Starts a deployment of a revision, with hooks `(lifecycle event, function)`. Gives its id.
    pub fn deploy(
        &self,
        world: &mut impl Call,
        revision: &str,
        hooks: &[(&str, &str)],
    ) -> Result<String, Fault> {
        let hooks: Vec<_> = hooks.iter().map(|(event, function)| json!({ *event: function })).collect();
        let content = json!({
            "version": 0.0,
            "Resources": [{ "TargetService": {
                "Type": "AWS::ECS::Service",
                "Properties": {
                    "TaskDefinition": revision,
                    "LoadBalancerInfo": { "ContainerName": "app", "ContainerPort": 8080 },
                },
            }}],
            "Hooks": hooks,
        });
        let input = json!({
            "applicationName": self.application, "deploymentGroupName": self.group,
            "revision": { "revisionType": "AppSpecContent", "appSpecContent": { "content": content.to_string() } },
        });
        Ok(text(&world.call("codedeploy", "CreateDeployment", input)?, "/deploymentId"))
    }

    /// Lets time pass until all tasks of the service take traffic. Gives whether they do.
    pub fn settle(&self, world: &mut World) -> bool {
        world.advance_until(HOUR, |world| self.is_steady(world))
    }

    fn is_steady(&self, world: &World) -> bool {
        let service = crate::services::ecs::service(&world.cloud, &self.cluster, &self.name);
        service.is_some_and(|service| {
            let sets = service["taskSets"].as_array().cloned().unwrap_or_default();
            !sets.is_empty() && sets.iter().all(|set| set["stabilityStatus"] == "STEADY_STATE")
        })
    }

    /// Lets time pass until the deployment has ended. Gives its last status.
    pub fn await_end(&self, world: &mut World, deployment: &str) -> String {
        let mut status = String::new();
        let end = world.now() + 6 * HOUR;
        while world.now() < end {
            status = Self::status(world, deployment);
            if matches!(status.as_str(), "Succeeded" | "Failed" | "Stopped") {
                break;
            }
            let next = world.next_wakeup().unwrap_or(end).min(end);
            world.advance(next);
        }
        status
    }

    fn status(world: &World, deployment: &str) -> String {
        crate::services::codedeploy::status(&world.cloud, deployment).unwrap_or_default().to_owned()
    }
}

fn target_group(world: &mut impl Call, name: &str) -> Result<String, Fault> {
    let input = json!({
        "Name": name, "Protocol": "HTTP", "Port": 8080, "TargetType": "ip", "VpcId": "vpc-1",
        "HealthCheckPath": "/health", "HealthCheckIntervalSeconds": 10, "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 2,
    });
    let arn = text(&world.call("elbv2", "CreateTargetGroup", input)?, "/TargetGroups/0/TargetGroupArn");
    let drain = json!({
        "TargetGroupArn": arn,
        "Attributes": [{ "Key": "deregistration_delay.timeout_seconds", "Value": "30" }],
    });
    world.call("elbv2", "ModifyTargetGroupAttributes", drain)?;
    Ok(arn)
}

fn listener(
    world: &mut impl Call,
    load_balancer: &str,
    port: u16,
    target_group: &str,
) -> Result<String, Fault> {
    let input = json!({
        "LoadBalancerArn": load_balancer, "Protocol": "HTTP", "Port": port,
        "DefaultActions": [{ "Type": "forward", "TargetGroupArn": target_group }],
    });
    Ok(text(&world.call("elbv2", "CreateListener", input)?, "/Listeners/0/ListenerArn"))
}
