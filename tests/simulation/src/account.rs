//! An account with services, and Sluice's functions behind the rules that wake them.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cloud::fixture::{self, BlueGreen, Scene};
use cloud::in_process::InProcess;
use cloud::slack::TOKEN;
use cloud::world::World;
use cloud::{MINUTE, Ms, Settings};
use serde_json::{Value, json};
use shared::config::Releases;

use crate::calls::{Calls, Plan};
use crate::config::{Config, Gate};
use crate::functions::{self, Lambda, Skew, Woken};
use crate::mail::Mail;
use crate::step::Image;
use crate::turns::Turns;

pub const START: Ms = 1_767_225_600_000; // 2026-01-01T00:00:00Z

/// What `releases.yaml` names: a service under CodeDeploy, and one that ECS itself rolls.
pub const SERVICES: [&str; 2] = ["api", "web"];

/// A service, with repository and alarm, that `releases.yaml` does not name.
pub const BYSTANDER: &str = "api-worker";

/// In the secrets, and to be seen nowhere else.
pub const SECRET: &str = "hunter2-hunter2";

pub struct Account {
    pub cloud: InProcess,
    pub calls: Calls,
    pub mail: Mail,
    pub skew: Skew,
    pub config: Config,
}

impl Drop for Account {
    fn drop(&mut self) {
        self.cloud.end();
    }
}

/// Worlds in which version 1 of each service serves, and a first sweep has taken its baseline.
static PREPARED: Mutex<BTreeMap<Prepared, World>> = Mutex::new(BTreeMap::new());

/// What of a configuration makes a world another.
type Prepared = (bool, bool, bool, u32);

impl Account {
    /// Version 1 of each service serves, and a first sweep has taken its baseline.
    pub async fn new(config: Config, calls: Calls, mail: Mail) -> Self {
        let key = (config.gate == Gate::Scan, config.group_alarms, config.one_repository, config.sweep);
        let known = || PREPARED.lock().unwrap_or_else(PoisonError::into_inner);
        let prepared = known().get(&key).cloned();
        let world = match prepared {
            Some(world) => world,
            None => {
                let world = Self::prepare(config).await;
                known().insert(key, world.clone());
                world
            }
        };
        let account = Self::of(InProcess::continued(world), config, calls, mail);
        account.cloud.signed_within(5 * MINUTE);
        if config.short_pages {
            account.cloud.with(|world| world.cloud.settings.longest_page = 1);
        }
        account.listen()
    }

    fn of(cloud: InProcess, config: Config, calls: Calls, mail: Mail) -> Self {
        Self { cloud, calls, mail, skew: Skew::default(), config }
    }

    async fn prepare(config: Config) -> World {
        let (calls, mail) = (Calls::new(Plan::none(), Turns::default()), Mail::new(0));
        let account = Self::of(InProcess::new(Settings::default(), START), config, calls, mail);
        for name in [SERVICES[0], SERVICES[1], BYSTANDER] {
            account.alarm(name);
        }
        let scene = Scene {
            alarms: if config.group_alarms { vec!["api-5xx"] } else { Vec::new() },
            definition: theirs(),
            ..Scene::default()
        };
        let first = account.push("api", 1, Image::Good);
        account.cloud.with(|world| {
            let service = BlueGreen::create(world, "api", &first, &scene).unwrap();
            assert!(service.settle(world), "version 1 does not serve");
        });
        for name in ["web", BYSTANDER] {
            account.rolling_service(name);
        }
        if config.gate == Gate::Scan {
            for repository in SERVICES {
                let scan = json!({
                    "repositoryName": repository, "imageScanningConfiguration": { "scanOnPush": true },
                });
                account.call("ecr", "PutImageScanningConfiguration", scan);
            }
        }
        // What passed in the world until now passes here as well.
        tokio::time::sleep(Duration::from_secs(180)).await;
        account.sluice();
        let account = account.listen();
        tokio::time::sleep(Duration::from_secs(u64::from(config.sweep) * 60 + 30)).await;
        account.cloud.with(|world| world.clone())
    }

    /// Makes the alarm of a service; it is green.
    pub fn alarm(&self, service: &str) {
        let name = format!("{service}-5xx");
        let alarm = json!({
            "AlarmName": name, "Namespace": "App", "MetricName": name, "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "ignore",
        });
        self.call("cloudwatch", "PutMetricAlarm", alarm);
        self.set_alarm(service, "OK");
    }

    /// Its reason is text that nobody should trust.
    pub fn set_alarm(&self, service: &str, state: &str) {
        let input = json!({
            "AlarmName": format!("{service}-5xx"), "StateValue": state,
            "StateReason": "<!channel> *pay* <http://evil.example|here>",
        });
        self.try_call("cloudwatch", "SetAlarmState", input);
    }

    fn rolling_service(&self, name: &str) {
        let repository = if self.config.one_repository && name == "web" { "api" } else { name };
        let digest = self.push(name, 1, Image::Good);
        let image = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/{repository}@{digest}");
        self.call("ecs", "CreateCluster", json!({ "clusterName": format!("{name}-cluster") }));
        let mut definition = json!({
            "family": name, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
            "memory": "512", "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
            "containerDefinitions": [{ "name": "app", "image": image }],
        });
        for (member, value) in theirs().as_object().into_iter().flatten() {
            definition[member] = value.clone();
        }
        self.call("ecs", "RegisterTaskDefinition", definition);
        let service = json!({
            "cluster": format!("{name}-cluster"), "serviceName": name, "taskDefinition": name,
            "desiredCount": 2, "launchType": "FARGATE",
            "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
            "deploymentConfiguration": { "deploymentCircuitBreaker": { "enable": true, "rollback": true } },
        });
        self.call("ecs", "CreateService", service);
    }

    /// Pushes an image as `v<version>`; gives its digest.
    pub fn push(&self, repository: &str, version: u32, image: Image) -> String {
        self.push_as(repository, version, image, version)
    }

    /// The same image under another tag.
    pub fn push_as(&self, repository: &str, version: u32, image: Image, tag: u32) -> String {
        // What a failed smoke test quotes.
        let markup = if image == Image::Sick { " <!channel> <http://evil.example|here>" } else { "" };
        let version = format!("APP_VERSION=v{version}{markup}");
        let environment = image.environment().iter().map(|(name, value)| format!("{name}={value}"));
        let environment: Vec<_> = std::iter::once(version).chain(environment).collect();
        let mut config = json!({
            "architecture": "amd64", "os": "linux",
            "config": { "Entrypoint": ["sample-app"], "Env": environment },
            "rootfs": { "type": "layers", "diff_ids": [] },
        });
        if let Some(findings) = image.findings() {
            config["config"]["Labels"] = json!({ "sluice.cloud/findings": findings });
        }
        let tag = format!("v{tag}");
        self.cloud.with(|world| fixture::push_config(world, repository, &tag, &config).unwrap())
    }

    /// Calls AWS as a person would.
    pub fn call(&self, service: &str, operation: &str, input: Value) -> Value {
        self.cloud.with(|world| world.call(service, operation, input).unwrap())
    }

    /// What AWS may refuse a person.
    pub fn try_call(&self, service: &str, operation: &str, input: Value) -> Option<Value> {
        self.cloud.with(|world| world.call(service, operation, input).ok())
    }

    /// Reads without a trace.
    pub fn ask(&self, service: &str, operation: &str, input: Value) -> Option<Value> {
        self.cloud.with(|world| world.cloud.ask(service, operation, input).ok())
    }

    pub fn now(&self) -> Ms {
        self.cloud.now()
    }

    fn sluice(&self) {
        for (name, value) in [("slack", TOKEN), ("token", SECRET)] {
            let token = format!("{name:->32}");
            let input = json!({ "Name": name, "SecretString": value, "ClientRequestToken": token });
            self.call("secretsmanager", "CreateSecret", input);
        }
        let dead = self.queue("dead", json!({}));
        self.topic();
        for woken in functions::all() {
            self.function(&woken, &dead);
        }
        let minutes = self.config.sweep;
        let schedule = format!("rate({minutes} minute{})", if minutes == 1 { "" } else { "s" });
        self.rule("sweep", &json!({ "Name": "sweep", "ScheduleExpression": schedule }));
        self.tell();
    }

    /// The functions' code answers from now on.
    fn listen(mut self) -> Self {
        let releases = Releases::parse(&self.config.releases(), "releases.yaml");
        let releases = releases.unwrap_or_else(|e| panic!("{e}"));
        let topic = "arn:aws:sns:us-east-1:123456789012:sluice".to_owned();
        let lambda = Lambda::new(&self.cloud, &self.calls, &self.mail, releases, topic);
        self.skew = lambda.skew();
        lambda.listen();
        self
    }

    /// Makes a queue; gives its ARN.
    fn queue(&self, name: &str, attributes: Value) -> String {
        self.call("sqs", "CreateQueue", json!({ "QueueName": name, "Attributes": attributes }));
        format!("arn:aws:sqs:us-east-1:123456789012:{name}")
    }

    fn topic(&self) {
        let topic = self.call("sns", "CreateTopic", json!({ "Name": "sluice" }))["TopicArn"].clone();
        let dead = self.queue("notify-dead", json!({}));
        let redrive = json!({ "deadLetterTargetArn": dead, "maxReceiveCount": 600 }).to_string();
        let queue = self.queue("notify", json!({ "VisibilityTimeout": "180", "RedrivePolicy": redrive }));
        self.call("sns", "Subscribe", json!({ "TopicArn": topic, "Protocol": "sqs", "Endpoint": queue }));
    }

    fn function(&self, woken: &Woken, dead: &str) {
        let mut package = zip::ZipWriter::new(Cursor::new(Vec::new()));
        package.start_file("bootstrap", zip::write::SimpleFileOptions::default()).unwrap();
        let package = STANDARD.encode(package.finish().unwrap().into_inner());
        let function = json!({
            "FunctionName": woken.name, "Runtime": "provided.al2023", "Handler": "bootstrap",
            "Timeout": woken.timeout, "Role": "arn:aws:iam::123456789012:role/function",
            "Code": { "ZipFile": package },
        });
        self.call("lambda", "CreateFunction", function);
        let failed = json!({
            "FunctionName": woken.name, "MaximumRetryAttempts": 2,
            "DestinationConfig": { "OnFailure": { "Destination": dead } },
        });
        self.call("lambda", "PutFunctionEventInvokeConfig", failed);
        // As in the template.
        if woken.name == "deployment-state" || woken.name == "sweep" {
            let alone = json!({ "FunctionName": woken.name, "ReservedConcurrentExecutions": 1 });
            self.call("lambda", "PutFunctionConcurrency", alone);
        }
        for (n, pattern) in woken.patterns.iter().enumerate() {
            let name = format!("{}-{n}", woken.name.replace('_', "-"));
            self.rule(woken.name, &json!({ "Name": name, "EventPattern": pattern.to_string() }));
        }
    }

    fn rule(&self, function: &str, rule: &Value) {
        let name = &rule["Name"];
        let arn = self.call("events", "PutRule", rule.clone())["RuleArn"].clone();
        let permission = json!({
            "FunctionName": function, "StatementId": name, "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com", "SourceArn": arn,
        });
        self.call("lambda", "AddPermission", permission);
        let known = self.call("lambda", "GetFunction", json!({ "FunctionName": function }));
        let target = json!({ "Id": "1", "Arn": known["Configuration"]["FunctionArn"] });
        self.call("events", "PutTargets", json!({ "Rule": name, "Targets": [target] }));
    }

    /// notify reads its queue, one invocation at a time.
    fn tell(&self) {
        let alone = json!({ "FunctionName": "notify", "ReservedConcurrentExecutions": 1 });
        self.call("lambda", "PutFunctionConcurrency", alone);
        let mapping = json!({
            "FunctionName": "notify", "EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:notify",
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        });
        self.call("lambda", "CreateEventSourceMapping", mapping);
    }
}

/// What people have in their task definitions: tags, and members that no SDK knows yet.
fn theirs() -> Value {
    json!({
        "tags": [{ "key": "team", "value": "payments" }, { "key": "cost-centre", "value": "42" }],
        "membersOfTomorrow": { "deep": [1, { "er": "2.50" }], "none": [] },
    })
}

/// What GetDeployment says.
pub fn deployment(world: &mut World, id: &str) -> Value {
    let answer = world.cloud.ask("codedeploy", "GetDeployment", json!({ "deploymentId": id }));
    answer.map(|answer| answer["deploymentInfo"].clone()).unwrap_or_default()
}
