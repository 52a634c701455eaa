//! Services with Sluice's functions around them, in process and on virtual time. Releases are
//! started by image-push; deployment-state is woken by rules, as in an account.

use std::io::Cursor;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_types::SdkConfig;
use aws_types::region::Region;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cloud::effect::FunctionError;
use cloud::fixture::{self, BlueGreen, Scene};
use cloud::in_process::InProcess;
use cloud::timeline::Kind;
use cloud::world::World;
use cloud::{Ms, Settings};
use deployment_state::DeploymentState;
use image_push::ImagePush;
use serde_json::{Value, json};
use shared::aws::{Aws, Topic};
use shared::config::{Checks, Engine, ImageRule, Notify, Releases, Service};
use shared::image::TagPattern;
use shared::message::{Message, News};
use shared::start::Invocation;

const ACCESS_KEY: &str = "ASIAFNdeployment-state";
const FUNCTION: &str = "deployment-state";
const START: Ms = 1_767_225_600_000; // 2026-01-01T00:00:00Z

pub struct Stage {
    pub cloud: InProcess,
    pub services: Vec<Service>,
    /// The function that answers hooks, where there is one.
    pub hook: Option<String>,
    topic: String,
    queue: String,
    /// What the rules delivered, and what came of it.
    pub events: Arc<Mutex<Vec<Value>>>,
    pub answers: Arc<Mutex<Vec<Result<Value, String>>>>,
}

/// `releases.yaml` for a service of the fixture, with the alarm `<name>-5xx`.
pub fn entry(name: &str, engine: Engine) -> Service {
    Service {
        name: name.to_owned(),
        cluster: format!("{name}-cluster"),
        service: name.to_owned(),
        images: vec![ImageRule {
            repository: name.to_owned(),
            container: "app".to_owned(),
            tags: TagPattern::new("v[0-9]+").unwrap(),
        }],
        engine,
        checks: Checks::default(),
        alarms: vec![format!("{name}-5xx")],
        watch: Duration::ZERO,
        scan: None,
        freeze: Vec::new(),
        notify: Notify::default(),
    }
}

fn codedeploy(name: &str) -> Service {
    let engine = Engine::CodeDeploy { application: format!("{name}-deploy"), group: format!("{name}-group") };
    entry(name, engine)
}

impl Stage {
    /// `api` under CodeDeploy, whose group knows its alarm; version 1 serves.
    pub async fn new() -> Self {
        Self::with(&["api"]).await
    }

    pub async fn with(names: &[&str]) -> Self {
        let stage = Self::empty();
        let services: Vec<_> = names.iter().map(|name| codedeploy(name)).collect();
        for (name, port) in names.iter().zip((8080..).step_by(10)) {
            stage.alarm(name);
            stage.cloud.with(|world| {
                let first = fixture::push_image(world, name, "v1", &[("APP_VERSION", "1")]).unwrap();
                let scene = Scene { port, ..Scene::default() };
                assert!(BlueGreen::create(world, name, &first, &scene).unwrap().settle(world));
            });
            let group = json!({
                "applicationName": format!("{name}-deploy"), "currentDeploymentGroupName": format!("{name}-group"),
                "alarmConfiguration": { "enabled": true, "alarms": [{ "name": format!("{name}-5xx") }] },
            });
            stage.call("codedeploy", "UpdateDeploymentGroup", group);
        }
        let stage = Self { services, ..stage };
        // What passed in the world until now passes here as well.
        tokio::time::sleep(Duration::from_secs(120)).await;
        stage.wire();
        stage
    }

    /// `web` under the ECS controller; version 1 serves.
    pub async fn rolling() -> Self {
        let stage = Self::empty();
        stage.alarm("web");
        let digest = stage.push("web", "v1", &[]);
        stage.call("ecs", "CreateCluster", json!({ "clusterName": "web-cluster" }));
        let image = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/web@{digest}");
        let definition = json!({
            "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
            "memory": "512", "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
            "containerDefinitions": [{ "name": "app", "image": image }],
        });
        stage.call("ecs", "RegisterTaskDefinition", definition);
        let service = json!({
            "cluster": "web-cluster", "serviceName": "web", "taskDefinition": "web", "desiredCount": 3,
            "launchType": "FARGATE",
            "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
        });
        stage.call("ecs", "CreateService", service);
        let stage = Self { services: vec![entry("web", Engine::Ecs)], ..stage };
        stage
            .until("version 1 serves", |world| statuses(world).last().is_some_and(|s| s == "SUCCESSFUL"))
            .await;
        stage.wire();
        stage
    }

    /// Nothing but a topic, and a queue that listens to it.
    pub fn empty() -> Self {
        let cloud = InProcess::new(Settings::default(), START);
        let (topic, queue) = cloud.with(|world| {
            let topic = world.call("sns", "CreateTopic", json!({ "Name": "sluice" })).unwrap();
            let queue = world.call("sqs", "CreateQueue", json!({ "QueueName": "messages" })).unwrap();
            let subscription = json!({
                "TopicArn": topic["TopicArn"], "Protocol": "sqs",
                "Endpoint": "arn:aws:sqs:us-east-1:123456789012:messages",
                "Attributes": { "RawMessageDelivery": "true" },
            });
            world.call("sns", "Subscribe", subscription).unwrap();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&topic["TopicArn"]), text(&queue["QueueUrl"]))
        });
        let (events, answers) = (Arc::default(), Arc::default());
        Self { cloud, services: Vec::new(), hook: None, topic, queue, events, answers }
    }

    /// Messages go to this queue as well.
    pub fn subscribe(&self, queue: &str) {
        let input = json!({ "TopicArn": self.topic, "Protocol": "sqs", "Endpoint": queue });
        self.call("sns", "Subscribe", input);
    }

    fn alarm(&self, name: &str) {
        let alarm = json!({
            "AlarmName": format!("{name}-5xx"), "Namespace": "App", "MetricName": "Errors", "Statistic": "Sum",
            "Period": 60, "EvaluationPeriods": 1, "Threshold": 5,
            "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "ignore",
        });
        self.call("cloudwatch", "PutMetricAlarm", alarm);
        self.set_alarm(name, "OK");
    }

    pub fn set_alarm(&self, name: &str, state: &str) {
        let input = json!({ "AlarmName": format!("{name}-5xx"), "StateValue": state, "StateReason": "test" });
        self.call("cloudwatch", "SetAlarmState", input);
    }

    /// The function, made anew as in a new execution environment.
    pub fn function(&self) -> Arc<DeploymentState> {
        Arc::new(DeploymentState { push: self.image_push(ACCESS_KEY) })
    }

    /// AWS, as a function with this key sees it.
    pub fn aws(&self, access_key: &str) -> Aws {
        let credentials = Credentials::new(access_key, "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url("http://127.0.0.1")
            .build();
        Aws::new(&config, self.cloud.http_client())
    }

    pub fn image_push(&self, access_key: &str) -> ImagePush {
        let aws = self.aws(access_key);
        ImagePush {
            topic: Topic::new(&aws, Some(self.topic.clone())),
            aws,
            releases: Releases::new(self.services.clone()),
            hook: self.hook.clone(),
        }
    }

    /// Makes a function; gives its ARN.
    pub fn lambda(&self, name: &str) -> Value {
        let mut package = zip::ZipWriter::new(Cursor::new(Vec::new()));
        package.start_file("bootstrap", zip::write::SimpleFileOptions::default()).unwrap();
        let package = STANDARD.encode(package.finish().unwrap().into_inner());
        let input = json!({
            "FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 120,
            "Role": "arn:aws:iam::123456789012:role/function", "Code": { "ZipFile": package },
        });
        self.call("lambda", "CreateFunction", input)["FunctionArn"].clone()
    }

    /// The ends of deployments wake the function.
    fn wire(&self) {
        let function = self.lambda(FUNCTION);
        let kinds = ["CodeDeploy Deployment State-change Notification", "ECS Deployment State Change"];
        let pattern = json!({ "detail-type": kinds }).to_string();
        let rule = self.call("events", "PutRule", json!({ "Name": "ends", "EventPattern": pattern }));
        let permission = json!({
            "FunctionName": FUNCTION, "StatementId": "ends", "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com", "SourceArn": rule["RuleArn"],
        });
        self.call("lambda", "AddPermission", permission);
        self.call(
            "events",
            "PutTargets",
            json!({ "Rule": "ends", "Targets": [{ "Id": "1", "Arn": function }] }),
        );
        self.listen();
    }

    /// The function answers the events.
    pub fn listen(&self) {
        let function = self.function();
        let (events, answers) = (Arc::clone(&self.events), Arc::clone(&self.answers));
        self.cloud.function(FUNCTION, move |event| {
            events.lock().unwrap().push(event.clone());
            let (function, answers) = (Arc::clone(&function), Arc::clone(&answers));
            async move {
                let answer = deliver(&function, &event).await.map_err(|e| format!("{e:#}"));
                answers.lock().unwrap().push(answer.clone());
                answer.map_err(|message| FunctionError { kind: "Sluice.Error".to_owned(), message })
            }
        });
    }

    /// The events are kept, and nobody answers them.
    pub fn lose_events(&self) {
        let events = Arc::clone(&self.events);
        self.cloud.function(FUNCTION, move |event| {
            events.lock().unwrap().push(event);
            async { Ok(Value::Null) }
        });
    }

    /// The last event in which a deployment is in that state.
    pub fn event(&self, deployment: &str, state: &str) -> Value {
        let events = self.events.lock().unwrap();
        let mut of = events.iter().rev().map(|event| (event, &event["detail"]));
        let found = of.find(|(_, detail)| detail["deploymentId"] == deployment && detail["state"] == state);
        found.expect("no such event").0.clone()
    }

    pub fn push(&self, repository: &str, tag: &str, environment: &[(&str, &str)]) -> String {
        let version = [("APP_VERSION", tag)];
        let environment: Vec<_> = version.iter().chain(environment).copied().collect();
        self.cloud.with(|world| fixture::push_image(world, repository, tag, &environment).unwrap())
    }

    /// Pushes an image and lets image-push answer the event; gives its decision, and what it started.
    pub async fn release(
        &self,
        repository: &str,
        tag: &str,
        environment: &[(&str, &str)],
    ) -> (String, String) {
        // No two images are pushed in the same moment.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let digest = self.push(repository, tag, environment);
        let event = json!({
            "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482", "detail-type": "ECR Image Action",
            "source": "aws.ecr", "account": "123456789012", "time": "2026-01-01T00:10:00Z",
            "region": "us-east-1", "resources": [],
            "detail": {
                "result": "SUCCESS", "repository-name": repository, "image-digest": digest,
                "action-type": "PUSH", "image-tag": tag,
            },
        });
        let function = self.image_push("ASIAFNimage-push");
        let invocation = Invocation { event, time: Duration::from_secs(60) };
        let answer = serde_json::to_value(function.handle(invocation).await.unwrap()).unwrap();
        let told = &answer["services"][repository];
        let text = |member: &str| told[member].as_str().unwrap_or_default().to_owned();
        (text("decision"), text("started"))
    }

    /// Calls AWS as a person would.
    pub fn call(&self, service: &str, operation: &str, input: Value) -> Value {
        self.cloud.with(|world| world.call(service, operation, input).unwrap())
    }

    pub fn stop(&self, deployment: &str, rolls_back: Option<bool>) {
        let input = json!({ "deploymentId": deployment, "autoRollbackEnabled": rolls_back });
        let input = if rolls_back.is_some() { input } else { json!({ "deploymentId": deployment }) };
        self.call("codedeploy", "StopDeployment", input);
    }

    /// Lets virtual time pass until something holds; panics after a day.
    pub async fn until(&self, what: &str, mut holds: impl FnMut(&mut World) -> bool) {
        for _ in 0..24 * 3_600 {
            if self.cloud.with(&mut holds) {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("never: {what}\n{}", self.told());
    }

    /// The timeline without calls.
    pub fn told(&self) -> String {
        let timeline = self.cloud.timeline();
        let lines = timeline.lines().filter(|line| !line[26..].starts_with("call"));
        let answers = self.answers.lock().unwrap();
        lines.map(|line| format!("{line}\n")).chain(answers.iter().map(|a| format!("{a:?}\n"))).collect()
    }

    /// Waits until a deployment has ended, and the function has answered; gives its status.
    pub async fn ended(&self, deployment: &str) -> String {
        let mut status = String::new();
        self.until("the deployment ends", |world| {
            status = get(world, deployment)["status"].as_str().unwrap_or_default().to_owned();
            ["Succeeded", "Failed", "Stopped"].contains(&status.as_str())
        })
        .await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        status
    }

    /// Waits until a deployment's canary has traffic.
    pub async fn canary(&self, deployment: &str) {
        let target = self.cloud.with(|world| {
            let info = get(world, deployment);
            let name = info["applicationName"].as_str().unwrap().trim_end_matches("-deploy").to_owned();
            format!("{name}-cluster:{name}")
        });
        self.until("the canary has traffic", |world| {
            let input = json!({ "deploymentId": deployment, "targetIds": [target] });
            let answer = world.call("codedeploy", "BatchGetDeploymentTargets", input).unwrap_or_default();
            let sets = answer["deploymentTargets"][0]["ecsTarget"]["taskSetsInfo"].as_array().cloned();
            let green = sets.into_iter().flatten().find(|set| set["taskSetLabel"] == "Green");
            green.is_some_and(|green| green["trafficWeight"].as_f64().unwrap_or_default() > 0.0)
        })
        .await;
    }

    /// The last deployment of a service: its id, and what GetDeployment says.
    pub fn last(&self, name: &str) -> (String, Value) {
        let input = json!({ "applicationName": format!("{name}-deploy"), "deploymentGroupName": format!("{name}-group") });
        let group = self.call("codedeploy", "GetDeploymentGroup", input);
        let id = group["deploymentGroupInfo"]["lastAttemptedDeployment"]["deploymentId"].clone();
        let id = id.as_str().unwrap_or_default().to_owned();
        let info = self.cloud.with(|world| get(world, &id));
        (id, info)
    }

    /// How many deployments a service has had.
    pub fn deployments(&self, name: &str) -> usize {
        let input = json!({ "applicationName": format!("{name}-deploy"), "deploymentGroupName": format!("{name}-group") });
        self.call("codedeploy", "ListDeployments", input)["deployments"].as_array().unwrap().len()
    }

    /// Messages published since the last look.
    pub fn messages(&self) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let input = json!({ "QueueUrl": self.queue, "MaxNumberOfMessages": 10 });
            let answer = self.call("sqs", "ReceiveMessage", input);
            let got = answer["Messages"].as_array().cloned().unwrap_or_default();
            if got.is_empty() {
                return messages;
            }
            for message in got {
                messages.push(Message::from_json(message["Body"].as_str().unwrap()).unwrap());
                let input = json!({ "QueueUrl": self.queue, "ReceiptHandle": message["ReceiptHandle"] });
                self.call("sqs", "DeleteMessage", input);
            }
        }
    }

    /// The kinds of these.
    pub fn news(&self) -> Vec<&'static str> {
        self.messages().iter().map(|message| message.news.kind()).collect()
    }

    /// Sum and number of a metric's values of a service so far.
    pub fn metric(&self, service: &str, name: &str) -> (f64, f64) {
        let input = json!({
            "Namespace": "Sluice", "MetricName": name, "Statistics": ["Sum", "SampleCount"], "Period": 86_400,
            "Dimensions": [{ "Name": "Service", "Value": service }],
            "StartTime": START / 1_000, "EndTime": START / 1_000 + 2 * 86_400,
        });
        let points = self.call("cloudwatch", "GetMetricStatistics", input)["Datapoints"].clone();
        let total =
            |member: &str| points.as_array().into_iter().flatten().map(|p| p[member].as_f64().unwrap()).sum();
        (total("Sum"), total("SampleCount"))
    }

    pub fn counts(&self, service: &str) -> [f64; 3] {
        ["Deployments", "ChangeFailures", "TimeToRestore"].map(|name| self.metric(service, name).1)
    }

    /// A `sluice:` tag of a revision.
    pub fn tag(&self, revision: &str, key: &str) -> Option<String> {
        let answer = self.call(
            "ecs",
            "DescribeTaskDefinition",
            json!({ "taskDefinition": revision, "include": ["TAGS"] }),
        );
        let tags = answer["tags"].as_array().cloned();
        let found = tags.into_iter().flatten().find(|tag| tag["key"] == format!("sluice:{key}"));
        found.map(|tag| tag["value"].as_str().unwrap().to_owned())
    }

    /// `family:revision` of what serves.
    pub fn live(&self, name: &str) -> String {
        let input = json!({ "cluster": format!("{name}-cluster"), "services": [name] });
        let service = self.call("ecs", "DescribeServices", input)["services"][0].clone();
        let sets = service["taskSets"].as_array().filter(|sets| !sets.is_empty());
        let primary = sets.or(service["deployments"].as_array()).into_iter().flatten();
        let primary = primary.into_iter().find(|set| set["status"] == "PRIMARY").unwrap();
        primary["taskDefinition"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    }

    /// What the function asked of AWS since `from` of these: the operation, and its error.
    pub fn calls(&self) -> Vec<(String, Value)> {
        self.calls_of(ACCESS_KEY)
    }

    /// The same of whoever has this access key.
    pub fn calls_of(&self, access_key: &str) -> Vec<(String, Value)> {
        self.cloud.with(|world| {
            let calls = world.cloud.timeline().iter().filter(|entry| entry.kind == Kind::Call);
            let ours = calls.filter(|entry| entry.data["caller"] == access_key);
            let named = ours.map(|entry| {
                (entry.data["operation"].as_str().unwrap_or_default().to_owned(), entry.data["error"].clone())
            });
            named.collect()
        })
    }
}

pub fn get(world: &mut World, deployment: &str) -> Value {
    let input = json!({ "deploymentId": deployment });
    world.call("codedeploy", "GetDeployment", input).unwrap()["deploymentInfo"].clone()
}

/// Statuses of the deployments of `web`, the newest first.
pub fn statuses(world: &mut World) -> Vec<String> {
    let input = json!({ "cluster": "web-cluster", "service": "web" });
    let listed = world.call("ecs", "ListServiceDeployments", input).unwrap();
    let each = listed["serviceDeployments"].as_array().unwrap().iter();
    each.map(|deployment| deployment["status"].as_str().unwrap().to_owned()).collect()
}

/// Delivers an event as Lambda would, with a minute of time.
pub async fn deliver(function: &DeploymentState, event: &Value) -> anyhow::Result<Value> {
    let invocation = Invocation { event: event.clone(), time: Duration::from_secs(60) };
    Ok(serde_json::to_value(function.handle(invocation).await?)?)
}

/// The message of a kind, which is there once.
pub fn only<'a>(messages: &'a [Message], kind: &str) -> &'a News {
    let of: Vec<_> = messages.iter().filter(|message| message.news.kind() == kind).collect();
    assert_eq!(of.len(), 1, "{kind}: {messages:?}");
    &of[0].news
}
