//! An account with services, and Sluice's functions behind the rules that wake them.

use std::io::Cursor;
use std::sync::Arc;
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
use cloud::slack::TOKEN;
use cloud::world::World;
use cloud::{Ms, Settings};
use serde_json::{Value, json};
use shared::aws::{Aws, Topic};
use shared::config::Releases;
use shared::start::Invocation;

use crate::crash::{Crashes, Invoked, Redelivery};

pub const START: Ms = 1_767_225_600_000; // 2026-01-01T00:00:00Z

pub const HOOK: &str = "CodeDeployHook_sluice";

/// In the secrets, and to be seen nowhere else.
pub const SECRET: &str = "hunter2";

/// What AWS's rules, queues and schedules do.
const SWEEP: &str = "rate(5 minutes)";

/// The service under CodeDeploy and the one that ECS itself rolls.
pub const RELEASES: &str = "services:
  api:
    cluster: api-cluster
    service: api
    images: [{ repository: api, container: app, tags: 'v[0-9]+' }]
    deploy: { codedeploy: { application: api-deploy, group: api-group } }
    checks:
      before-allow-traffic:
        - smoke:
            base-url: http://localhost:8081
            within: 20s
            requests: [{ get: /orders, headers: { authorization: 'Bearer secret:token' } }]
    alarms: [api-5xx]
    watch: 10m
    notify: { slack: '#deploys', alarms: '#ops' }
  web:
    cluster: web-cluster
    service: web
    images: [{ repository: web, container: app, tags: 'v[0-9]+' }]
    deploy: { ecs: {} }
    alarms: [web-5xx]
    watch: 10m
    notify: { slack: '#deploys', alarms: '#ops' }
";

/// A function, and which events wake it.
struct Woken {
    name: &'static str,
    timeout: u64,
    patterns: Vec<Value>,
}

pub struct Account {
    pub cloud: InProcess,
    pub crashes: Crashes,
}

impl Account {
    /// Version 1 of each service serves, and a first sweep has taken its baseline.
    pub async fn new(crashes: Crashes, releases: &str) -> Self {
        let cloud = InProcess::new(Settings::default(), START);
        let account = Self { cloud, crashes };
        for name in ["api", "web"] {
            account.alarm(&format!("{name}-5xx"));
        }
        account.cloud.with(|world| {
            let first = fixture::push_image(world, "api", "v1", &[("APP_VERSION", "v1")]).unwrap();
            assert!(BlueGreen::create(world, "api", &first, &Scene::default()).unwrap().settle(world));
        });
        account.rolling_service();
        // What passed in the world until now passes here as well.
        tokio::time::sleep(Duration::from_secs(180)).await;
        account.sluice(releases);
        tokio::time::sleep(Duration::from_secs(330)).await;
        account
    }

    fn alarm(&self, name: &str) {
        let alarm = json!({
            "AlarmName": name, "Namespace": "App", "MetricName": name, "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "ignore",
        });
        self.call("cloudwatch", "PutMetricAlarm", alarm);
        self.set_alarm(name, "OK");
    }

    pub fn set_alarm(&self, name: &str, state: &str) {
        let input = json!({ "AlarmName": name, "StateValue": state, "StateReason": "the scenario" });
        self.call("cloudwatch", "SetAlarmState", input);
    }

    fn rolling_service(&self) {
        let digest = self.push("web", "v1", &[]);
        self.call("ecs", "CreateCluster", json!({ "clusterName": "web-cluster" }));
        let definition = json!({
            "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
            "memory": "512", "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
            "containerDefinitions": [{
                "name": "app", "image": format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/web@{digest}"),
            }],
        });
        self.call("ecs", "RegisterTaskDefinition", definition);
        let service = json!({
            "cluster": "web-cluster", "serviceName": "web", "taskDefinition": "web", "desiredCount": 2,
            "launchType": "FARGATE",
            "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
        });
        self.call("ecs", "CreateService", service);
    }

    /// Pushes an image; gives its digest.
    pub fn push(&self, repository: &str, tag: &str, environment: &[(&str, &str)]) -> String {
        let version = [("APP_VERSION", tag)];
        let environment: Vec<_> = version.iter().chain(environment).copied().collect();
        self.cloud.with(|world| fixture::push_image(world, repository, tag, &environment).unwrap())
    }

    /// Calls AWS as a person would.
    pub fn call(&self, service: &str, operation: &str, input: Value) -> Value {
        self.cloud.with(|world| world.call(service, operation, input).unwrap())
    }

    /// What AWS refuses a person, scenarios may ask for all the same.
    pub fn try_call(&self, service: &str, operation: &str, input: Value) -> Option<Value> {
        self.cloud.with(|world| world.call(service, operation, input).ok())
    }

    fn sluice(&self, releases: &str) {
        self.secrets();
        let dead = self.queue("dead", json!({}));
        let topic = self.topic();
        for woken in functions() {
            self.function(&woken, &dead);
        }
        let schedule = json!({ "Name": "sweep", "ScheduleExpression": SWEEP });
        self.rule("sweep", schedule);
        self.tell();
        self.listen(releases, &topic);
    }

    fn secrets(&self) {
        for (name, value) in [("slack", TOKEN), ("token", SECRET)] {
            let token = format!("{name:->32}");
            let input = json!({ "Name": name, "SecretString": value, "ClientRequestToken": token });
            self.call("secretsmanager", "CreateSecret", input);
        }
    }

    /// Makes a queue; gives its ARN.
    fn queue(&self, name: &str, attributes: Value) -> String {
        self.call("sqs", "CreateQueue", json!({ "QueueName": name, "Attributes": attributes }));
        format!("arn:aws:sqs:us-east-1:123456789012:{name}")
    }

    fn topic(&self) -> String {
        let topic = self.call("sns", "CreateTopic", json!({ "Name": "sluice" }))["TopicArn"].clone();
        let dead = self.queue("notify-dead", json!({}));
        let redrive = json!({ "deadLetterTargetArn": dead, "maxReceiveCount": 600 }).to_string();
        let queue = self.queue("notify", json!({ "VisibilityTimeout": "180", "RedrivePolicy": redrive }));
        self.call("sns", "Subscribe", json!({ "TopicArn": topic, "Protocol": "sqs", "Endpoint": queue }));
        topic.as_str().unwrap_or_default().to_owned()
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
        for (n, pattern) in woken.patterns.iter().enumerate() {
            let name = format!("{}-{n}", woken.name.replace('_', "-"));
            let rule = json!({ "Name": name, "EventPattern": pattern.to_string() });
            self.rule(woken.name, rule);
        }
    }

    fn rule(&self, function: &str, rule: Value) {
        let name = rule["Name"].clone();
        let arn = self.call("events", "PutRule", rule)["RuleArn"].clone();
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

    /// The functions' code, as in a new execution environment each time.
    fn listen(&self, releases: &str, topic: &str) {
        for woken in functions() {
            let (cloud, crashes) = (self.cloud.clone(), self.crashes.clone());
            let (releases, topic) = (Arc::<str>::from(releases), Arc::<str>::from(topic));
            let (name, time) = (woken.name, Duration::from_secs(woken.timeout - 2));
            self.cloud.function(name, move |event| {
                let invoked = Invoked::new(name, &crashes);
                let aws = aws(name, &invoked, &cloud);
                let releases = Releases::parse(&releases, "releases.yaml").unwrap_or_else(|e| panic!("{e}"));
                let topic = Topic::new(&aws, Some(topic.to_string()));
                let redelivery = crashes.redelivery();
                async move {
                    let invocation = Invocation { event, time };
                    let handler = handle(name, aws, releases, topic, invocation);
                    match (invoked.run(handler).await, redelivery) {
                        (Some(answer), _) => answer.map_err(|e| failed("Sluice.Error", format!("{e:#}"))),
                        (None, Redelivery::Never) => Ok(Value::Null),
                        (None, Redelivery::Again) => {
                            Err(failed("Runtime.ExitError", "the scenario ended it".to_owned()))
                        }
                    }
                }
            });
        }
    }

    pub fn now(&self) -> Ms {
        self.cloud.now()
    }
}

fn failed(kind: &str, message: String) -> FunctionError {
    FunctionError { kind: kind.to_owned(), message }
}

async fn handle(
    name: &str,
    aws: Aws,
    releases: Releases,
    topic: Topic,
    invocation: Invocation,
) -> anyhow::Result<Value> {
    let push = |aws: Aws, releases, topic| image_push::ImagePush {
        topic,
        aws,
        releases,
        hook: Some(HOOK.to_owned()),
    };
    Ok(match name {
        "image-push" => serde_json::to_value(Box::pin(push(aws, releases, topic).handle(invocation)).await?)?,
        HOOK => {
            let hook = lifecycle_hook::LifecycleHook::new(aws, releases, topic);
            serde_json::to_value(Box::pin(hook.handle(invocation)).await?)?
        }
        "alarm" => {
            let guard = alarm::Guard { aws, releases, topic };
            serde_json::to_value(Box::pin(guard.handle(invocation)).await?)?
        }
        "deployment-state" => {
            let state = deployment_state::DeploymentState { push: push(aws, releases, topic) };
            serde_json::to_value(Box::pin(state.handle(invocation)).await?)?
        }
        "notify" => {
            let notify = notify::Notify::new(aws, releases, "slack".into(), "https://slack.com/api");
            serde_json::to_value(Box::pin(notify.handle(invocation)).await?)?
        }
        "sweep" => {
            let state = deployment_state::DeploymentState { push: push(aws, releases, topic) };
            serde_json::to_value(Box::pin(sweep::Sweep::new(state).handle(invocation)).await?)?
        }
        other => anyhow::bail!("nothing answers for {other}"),
    })
}

fn aws(function: &str, invoked: &Invoked, cloud: &InProcess) -> Aws {
    let credentials = Credentials::new(access_key(function), "secret", None, None, "simulation");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url("http://127.0.0.1")
        .build();
    Aws::new(&config, invoked.http_client(cloud.http_client()))
}

/// By which the timeline knows a function.
pub fn access_key(function: &str) -> String {
    format!("ASIAFN{function}")
}

fn functions() -> Vec<Woken> {
    let of = |name, timeout, patterns| Woken { name, timeout, patterns };
    vec![
        of(
            "image-push",
            62,
            vec![
                json!({
                    "source": ["aws.ecr"], "detail-type": ["ECR Image Action"],
                    "detail": { "action-type": ["PUSH"], "result": ["SUCCESS"] },
                }),
                json!({ "source": ["aws.ecr"], "detail-type": ["ECR Image Scan"] }),
            ],
        ),
        of(
            HOOK,
            122,
            vec![
                json!({
                    "source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
                    "detail": { "lastStatus": ["STOPPED"], "startedBy": [{ "prefix": "sluice/" }] },
                }),
                json!({
                    "source": ["aws.rds"],
                    "detail-type": ["RDS DB Snapshot Event", "RDS DB Cluster Snapshot Event"],
                }),
            ],
        ),
        of(
            "alarm",
            62,
            vec![json!({
                "source": ["aws.cloudwatch"], "detail-type": ["CloudWatch Alarm State Change"],
                "detail": { "state": { "value": ["ALARM"] } },
            })],
        ),
        of(
            "deployment-state",
            62,
            vec![json!({
                "detail-type": [
                    "CodeDeploy Deployment State-change Notification", "ECS Deployment State Change",
                ],
            })],
        ),
        of("sweep", 122, Vec::new()),
        of("notify", 30, Vec::new()),
    ]
}

/// What GetDeployment says.
pub fn deployment(world: &mut World, id: &str) -> Value {
    let answer = world.call("codedeploy", "GetDeployment", json!({ "deploymentId": id }));
    answer.map(|answer| answer["deploymentInfo"].clone()).unwrap_or_default()
}
