//! A service under CodeDeploy whose hooks are answered by the function, on virtual time.

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
use cloud::timeline::{Entry, Kind};
use cloud::world::World;
use cloud::{Ms, Settings};
use lifecycle_hook::LifecycleHook;
use serde_json::{Value, json};
use shared::aws::{Aws, Topic};
use shared::config::Releases;
use shared::start::Invocation;

pub const HOOK: &str = "CodeDeployHook_sluice";

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:sluice";

const ACCESS_KEY: &str = "ASIAFNCodeDeployHook_sluice";

const START: Ms = 1_767_225_600_000; // 2026-01-01T00:00:00Z

/// The time that an invocation of the function has.
pub const TIMEOUT: Duration = Duration::from_secs(120);

/// How long a deployment may take in these tests.
const PATIENCE: Duration = Duration::from_secs(3 * 3_600);

/// What of a described definition can be registered.
const REGISTERED: [&str; 7] = [
    "family",
    "networkMode",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "executionRoleArn",
    "containerDefinitions",
];

pub struct Stage {
    pub cloud: InProcess,
    pub service: BlueGreen,
    /// What the function was invoked with, and what it answered.
    events: Arc<Mutex<Vec<Value>>>,
    answers: Arc<Mutex<Vec<Result<Value, String>>>>,
}

impl Stage {
    /// Version 1 serves.
    pub fn new() -> Self {
        let cloud = InProcess::new(Settings::default(), START);
        let service = cloud.with(|world| {
            let first = fixture::push_image(world, "api", "v1", &[("APP_VERSION", "v1")]).unwrap();
            let service = BlueGreen::create(world, "api", &first, &Scene::default()).unwrap();
            assert!(service.settle(world), "version 1 never served");
            function(world);
            world.call("sns", "CreateTopic", json!({ "Name": "sluice" })).unwrap();
            service
        });
        Self { cloud, service, events: Arc::default(), answers: Arc::default() }
    }

    /// The function with these checks, YAML under `checks:`, as in a new execution environment.
    pub fn function(&self, checks: &str) -> Arc<LifecycleHook> {
        self.function_of(&self.service, checks)
    }

    /// The same for a configuration that names this service.
    pub fn function_of(&self, service: &BlueGreen, checks: &str) -> Arc<LifecycleHook> {
        let credentials = Credentials::new(ACCESS_KEY, "secret", None, None, "test");
        self.made(service, checks, SharedCredentialsProvider::new(credentials))
    }

    /// The same with other credentials.
    pub fn function_with(&self, checks: &str, credentials: SharedCredentialsProvider) -> Arc<LifecycleHook> {
        self.made(&self.service, checks, credentials)
    }

    fn made(
        &self,
        service: &BlueGreen,
        checks: &str,
        credentials: SharedCredentialsProvider,
    ) -> Arc<LifecycleHook> {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials)
            .endpoint_url("http://127.0.0.1")
            .build();
        let yaml = releases(service, checks);
        let releases = Releases::parse(&yaml, "releases.yaml").unwrap_or_else(|e| panic!("{e}\n{yaml}"));
        let aws = Aws::new(&config, self.cloud.http_client());
        let topic = Topic::new(&aws, Some(TOPIC.to_owned()));
        Arc::new(LifecycleHook::new(aws, releases, topic))
    }

    /// Lets the function answer the hooks of deployments.
    pub fn answer(&self, function: Arc<LifecycleHook>) {
        let (events, answers) = (Arc::clone(&self.events), Arc::clone(&self.answers));
        self.cloud.function(HOOK, move |event| {
            let (function, answers) = (Arc::clone(&function), Arc::clone(&answers));
            events.lock().unwrap().push(event.clone());
            async move {
                let answer = deliver(&function, event).await.map_err(|e| format!("{e:#}"));
                answers.lock().unwrap().push(answer.clone());
                answer.map_err(failed)
            }
        });
    }

    /// Lets nobody answer them: the test does.
    pub fn silence(&self) {
        let events = Arc::clone(&self.events);
        self.cloud.function(HOOK, move |event| {
            events.lock().unwrap().push(event);
            async { Ok(Value::Null) }
        });
    }

    /// The last reason that the function gave.
    pub fn reason(&self) -> String {
        match self.answers.lock().unwrap().last() {
            Some(Ok(answer)) => answer["reason"].as_str().unwrap_or_default().to_owned(),
            Some(Err(e)) => e.clone(),
            None => "the function never answered".to_owned(),
        }
    }

    /// All that the function answered, as text.
    pub fn answers(&self) -> String {
        format!("{:?}", self.answers.lock().unwrap())
    }

    pub fn push(&self, tag: &str, environment: &[(&str, &str)]) -> String {
        let version = [("APP_VERSION", tag)];
        let environment: Vec<_> = version.iter().chain(environment).copied().collect();
        self.cloud.with(|world| fixture::push_image(world, "api", tag, &environment).unwrap())
    }

    /// Registers a revision for an image, whose container logs to CloudWatch; gives its ARN.
    pub fn register(&self, digest: &str) -> String {
        let plain = self.cloud.with(|world| self.service.register(world, digest).unwrap());
        let mut definition = self.definition(&plain);
        definition["containerDefinitions"][0]["logConfiguration"] = json!({
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": "/ecs/api", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "api",
                "awslogs-create-group": "true",
            },
        });
        let answer = self.call("ecs", "RegisterTaskDefinition", definition);
        answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
    }

    /// Deploys an image with hooks at these lifecycle events; gives the deployment's id.
    pub fn deploy(&self, digest: &str, events: &[&str]) -> String {
        let revision = self.register(digest);
        self.deploy_revision(&revision, events)
    }

    pub fn deploy_revision(&self, revision: &str, events: &[&str]) -> String {
        let hooks: Vec<_> = events.iter().map(|event| (*event, HOOK)).collect();
        self.cloud.with(|world| self.service.deploy(world, revision, &hooks).unwrap())
    }

    /// The ends of tasks and snapshots wake the function.
    pub fn rules(&self) {
        let tasks = json!({
            "source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
            "detail": { "lastStatus": ["STOPPED"], "startedBy": [{ "prefix": "sluice/" }] },
        });
        let snapshots = json!({
            "source": ["aws.rds"], "detail-type": ["RDS DB Snapshot Event", "RDS DB Cluster Snapshot Event"],
        });
        for (name, pattern) in [("tasks", tasks), ("snapshots", snapshots)] {
            let rule = json!({ "Name": name, "EventPattern": pattern.to_string() });
            let rule = self.call("events", "PutRule", rule)["RuleArn"].clone();
            let permission = json!({
                "FunctionName": HOOK, "StatementId": name, "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com", "SourceArn": rule,
            });
            self.call("lambda", "AddPermission", permission);
            let function = self.call("lambda", "GetFunction", json!({ "FunctionName": HOOK }));
            let target = json!({ "Id": HOOK, "Arn": function["Configuration"]["FunctionArn"] });
            self.call("events", "PutTargets", json!({ "Rule": name, "Targets": [target] }));
        }
    }

    /// Calls AWS as a person would.
    pub fn call(&self, service: &str, operation: &str, input: Value) -> Value {
        self.cloud.with(|world| world.call(service, operation, input).unwrap())
    }

    pub fn secret(&self, name: &str, value: &str) {
        let token = format!("{name:->32}");
        let input = json!({ "Name": name, "SecretString": value, "ClientRequestToken": token });
        self.call("secretsmanager", "CreateSecret", input);
    }

    /// Lets virtual time pass until something holds.
    pub async fn until(&self, what: &str, mut holds: impl FnMut(&mut World) -> bool) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < end {
            if self.cloud.with(&mut holds) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("never: {what}\n{}", self.told());
    }

    /// The timeline without calls.
    pub fn told(&self) -> String {
        let timeline = self.cloud.timeline();
        let lines = timeline.lines().filter(|line| !line[26..].starts_with("call"));
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// Waits until a deployment has ended; gives its status, and its error's code.
    pub async fn ended(&self, deployment: &str) -> (String, String) {
        let mut info = Value::Null;
        self.until("the deployment ends", |world| {
            let input = json!({ "deploymentId": deployment });
            info = world.call("codedeploy", "GetDeployment", input).unwrap()["deploymentInfo"].clone();
            ["Succeeded", "Failed", "Stopped"].contains(&info["status"].as_str().unwrap_or_default())
        })
        .await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&info["status"]), text(&info["errorInformation"]["code"]))
    }

    /// Status of a lifecycle event.
    pub fn event(&self, deployment: &str, event: &str) -> String {
        let target = format!("{}:api", self.service.cluster);
        let input = json!({ "deploymentId": deployment, "targetIds": [target] });
        let answer = self.call("codedeploy", "BatchGetDeploymentTargets", input);
        let events = answer["deploymentTargets"][0]["ecsTarget"]["lifecycleEvents"].as_array().cloned();
        let found = events.into_iter().flatten().find(|e| e["lifecycleEventName"] == event);
        found.and_then(|e| e["status"].as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Waits until a lifecycle event is under way.
    pub async fn under_way(&self, deployment: &str, event: &str) {
        let target = format!("{}:api", self.service.cluster);
        self.until(&format!("{event} is under way"), |world| {
            let input = json!({ "deploymentId": deployment, "targetIds": [target] });
            // It has none before it has started.
            let answer = world.call("codedeploy", "BatchGetDeploymentTargets", input).unwrap_or_default();
            let events = answer["deploymentTargets"][0]["ecsTarget"]["lifecycleEvents"].as_array().cloned();
            events
                .into_iter()
                .flatten()
                .any(|e| e["lifecycleEventName"] == event && e["status"] == "InProgress")
        })
        .await;
    }

    /// What the function asked of AWS: the operation, its input, and its error if it had one.
    pub fn calls(&self) -> Vec<(String, Value, Value)> {
        let ours = self.entries(Kind::Call).into_iter().filter(|entry| entry.data["caller"] == ACCESS_KEY);
        ours.map(|entry| {
            let operation = entry.data["operation"].as_str().unwrap_or_default().to_owned();
            (operation, entry.data["input"].clone(), entry.data["error"].clone())
        })
        .collect()
    }

    /// The news that the function published.
    pub fn news(&self) -> Vec<Value> {
        let published =
            self.calls().into_iter().filter(|(name, _, error)| name == "Publish" && error.is_null());
        let texts = published.map(|(_, input, _)| read(&input["Message"]));
        texts.map(|texts| read(&texts["sqs"])["news"].clone()).collect()
    }

    pub fn entries(&self, kind: Kind) -> Vec<Entry> {
        self.cloud.with(|world| world.cloud.timeline().iter().filter(|e| e.kind == kind).cloned().collect())
    }

    /// The verdicts that CodeDeploy took.
    pub fn verdicts(&self) -> Vec<String> {
        let reports = self.calls().into_iter();
        let reports = reports.filter(|(name, ..)| name == "PutLifecycleEventHookExecutionStatus");
        let taken = reports.filter(|(_, _, error)| error.is_null());
        taken.map(|(_, input, _)| input["status"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The event of the last hook that CodeDeploy called for a deployment.
    pub fn hook_event(&self, deployment: &str) -> Value {
        let events = self.events.lock().unwrap();
        let of = events.iter().rev().find(|event| event["DeploymentId"] == deployment);
        of.cloned().expect("no hook was called")
    }

    /// The same revision with a variable for its container; gives its ARN.
    pub fn with_variable(&self, revision: &str, name: &str, value: &str) -> String {
        let mut definition = self.definition(revision);
        definition["containerDefinitions"][0]["environment"] = json!([{ "name": name, "value": value }]);
        let answer = self.call("ecs", "RegisterTaskDefinition", definition);
        answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
    }

    /// A revision as it would be registered again.
    fn definition(&self, revision: &str) -> Value {
        let known = self.call("ecs", "DescribeTaskDefinition", json!({ "taskDefinition": revision }));
        let mut definition = known["taskDefinition"].clone();
        definition.as_object_mut().unwrap().retain(|name, _| REGISTERED.contains(&name.as_str()));
        definition
    }

    /// Requests that production served, by version.
    pub fn production(&self) -> Vec<(String, u64)> {
        self.cloud.with(|world| {
            let served = world.served.get(&self.service.port).cloned().unwrap_or_default();
            served.into_iter().map(|((version, _), count)| (version, count)).collect()
        })
    }
}

/// JSON that is text in JSON.
fn read(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

fn releases(service: &BlueGreen, checks: &str) -> String {
    let BlueGreen { cluster, application, group, .. } = service;
    let checks: String = checks.lines().map(|line| format!("      {line}\n")).collect();
    format!(
        "services:
  api:
    cluster: {cluster}
    service: api
    images: [{{ repository: api, container: app, tags: 'v[0-9]+' }}]
    deploy:
      codedeploy: {{ application: {application}, group: {group} }}
    checks:
{checks}"
    )
}

fn function(world: &mut World) {
    let mut package = zip::ZipWriter::new(Cursor::new(Vec::new()));
    package.start_file("bootstrap", zip::write::SimpleFileOptions::default()).unwrap();
    let package = STANDARD.encode(package.finish().unwrap().into_inner());
    let input = json!({
        "FunctionName": HOOK, "Runtime": "provided.al2023", "Handler": "bootstrap",
        "Timeout": TIMEOUT.as_secs(), "Role": "arn:aws:iam::123456789012:role/function",
        "Code": { "ZipFile": package },
    });
    world.call("lambda", "CreateFunction", input).unwrap();
}

fn failed(message: String) -> FunctionError {
    FunctionError { kind: "Sluice.Error".to_owned(), message }
}

/// Delivers an event as Lambda would.
pub async fn deliver(function: &LifecycleHook, event: Value) -> anyhow::Result<Value> {
    let invocation = Invocation { event, time: TIMEOUT - Duration::from_secs(2) };
    Ok(serde_json::to_value(function.handle(invocation).await?)?)
}
