//! A topic, a queue with a dead-letter queue, the function that reads it, and Slack.

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
use cloud::in_process::InProcess;
use cloud::slack::{Post, Slack, TOKEN};
use cloud::timeline::Kind;
use cloud::{Ms, Settings};
use jiff::{SignedDuration, Timestamp};
use notify::Notify;
use serde_json::{Value, json};
use shared::aws::{Aws, Topic};
use shared::config::Releases;
use shared::message::{Message, News, Release, RollbackTimes};
use shared::start::Invocation;

pub const START: Ms = 1_767_225_600_000; // 2026-01-01T00:00:00Z

pub const DEPLOYMENT: &str = "d-ABCDEFGHI";

const SLACK: &str = "https://slack.com/api";

const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a message may take to be told, or to be given up.
const PATIENCE: Duration = Duration::from_secs(6 * 3_600);

/// As many deliveries as the dead-letter queue waits for.
const RECEIVES: u64 = 8;

pub const RELEASES: &str = "services:
  api:
    cluster: main
    service: api
    images: [{ repository: api, container: app, tags: 'v[0-9]+' }]
    deploy: { ecs: {} }
    notify: { slack: '#deploys', alarms: '#ops' }
  quiet:
    cluster: main
    service: quiet
    images: [{ repository: quiet, container: app, tags: 'v[0-9]+' }]
    deploy: { ecs: {} }
";

/// What an invocation finds of those before it.
#[derive(Clone, Copy)]
pub enum Environment {
    /// The same execution environment each time.
    Warm,
    /// A new one each time.
    Cold,
}

pub struct Stage {
    pub cloud: InProcess,
    /// ARN of the task definition revision that is deployed.
    pub revision: String,
    topic: String,
}

impl Stage {
    pub fn new(environment: Environment) -> Self {
        Self::with_secret(environment, TOKEN)
    }

    pub fn with_secret(environment: Environment, secret: &str) -> Self {
        let cloud = InProcess::new(Settings::default(), START);
        let stage = Self { topic: queued(&cloud), revision: revision(&cloud), cloud };
        stage.call(
            "secretsmanager",
            "CreateSecret",
            json!({ "Name": "slack", "SecretString": secret, "ClientRequestToken": token(1) }),
        );
        stage.run(environment);
        stage
    }

    /// Lets the function answer from now on.
    pub fn run(&self, environment: Environment) {
        let (config, client) = (config("ASIAFNnotify"), self.cloud.http_client());
        let made = move || {
            let releases = Releases::parse(RELEASES, "releases.yaml").unwrap_or_else(|e| panic!("{e}"));
            Arc::new(Notify::new(Aws::new(&config, client.clone()), releases, "slack".into(), SLACK))
        };
        let warm = made();
        self.cloud.function("notify", move |event| {
            let function = match environment {
                Environment::Warm => Arc::clone(&warm),
                Environment::Cold => made(),
            };
            async move {
                let invocation = Invocation { event, time: TIMEOUT - Duration::from_secs(2) };
                let answer = function.handle(invocation).await;
                let failed = |message| FunctionError { kind: "Sluice.Error".to_owned(), message };
                answer.map(|answer| json!(answer)).map_err(|e| failed(format!("{e:#}")))
            }
        });
    }

    /// Calls AWS as a person would.
    pub fn call(&self, service: &str, operation: &str, input: Value) -> Value {
        self.cloud.with(|world| world.call(service, operation, input).unwrap())
    }

    /// Something of the deployment that became true so many seconds after the start.
    pub fn message(&self, seconds: i64, news: News) -> Message {
        let start = Timestamp::from_millisecond(i64::try_from(START).unwrap()).unwrap();
        Message {
            service: "api".into(),
            at: start + SignedDuration::from_secs(seconds),
            release: Release {
                deployment: Some(DEPLOYMENT.into()),
                revision: Some(self.revision.clone()),
                repository: Some("api".into()),
                digest: format!("sha256:{}", "ab".repeat(32)).parse().ok(),
                tag: Some("v2".into()),
            },
            news,
        }
    }

    /// Publishes through the topic, as a function does.
    pub async fn publish(&self, message: &Message) {
        let topic = Topic::new(
            &Aws::new(&config("AKIAPUBLISHER"), self.cloud.http_client()),
            Some(self.topic.clone()),
        );
        topic.publish(message).await;
    }

    /// How many instances of the function may run side by side.
    pub fn concurrency(&self, most: u64) {
        let input = json!({ "FunctionName": "notify", "ReservedConcurrentExecutions": most });
        self.call("lambda", "PutFunctionConcurrency", input);
    }

    /// Puts a message into the queue as it is.
    pub fn queue(&self, body: &str) {
        let url = self.call("sqs", "GetQueueUrl", json!({ "QueueName": "notify" }))["QueueUrl"].clone();
        self.call("sqs", "SendMessage", json!({ "QueueUrl": url, "MessageBody": body }));
    }

    /// Puts ten messages into the queue, each of another deployment, which come as one batch.
    pub fn batch(&self, news: impl Fn() -> News) {
        self.concurrency(0);
        for n in 0..10 {
            let mut message = self.message(n, news());
            message.release.deployment = Some(format!("d-{n:09}"));
            message.release.revision = None;
            self.queue(&message.to_json().unwrap());
        }
        self.concurrency(1);
    }

    /// Publishes and waits until it is told.
    pub async fn say(&self, seconds: i64, news: News) {
        self.publish(&self.message(seconds, news)).await;
        self.told().await;
    }

    /// Waits until the queue is empty: all is told, or given up.
    pub async fn told(&self) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while self.left("notify") > 0 {
            assert!(tokio::time::Instant::now() < end, "never told:\n{}", self.cloud.timeline());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Messages in a queue, seen or not.
    pub fn left(&self, queue: &str) -> u64 {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let url = self.call("sqs", "GetQueueUrl", json!({ "QueueName": queue }))["QueueUrl"].clone();
        let input = json!({ "QueueUrl": url, "AttributeNames": names });
        let attributes = self.call("sqs", "GetQueueAttributes", input)["Attributes"].take();
        names.iter().map(|name| attributes[*name].as_str().unwrap().parse::<u64>().unwrap()).sum()
    }

    pub fn slack<T>(&self, what: impl FnOnce(&mut Slack) -> T) -> T {
        self.cloud.with(|world| what(&mut world.cloud.slack))
    }

    /// The titles of a channel's messages, as they are now.
    pub fn shown(&self, channel: &str) -> Vec<String> {
        self.slack(|slack| slack.shown(channel).into_iter().map(Post::title).collect())
    }

    /// The first lines in the thread of a channel's first message.
    pub fn thread(&self, channel: &str) -> Vec<String> {
        self.slack(|slack| {
            let Some(ts) = slack.shown(channel).first().map(|post| post.ts.clone()) else {
                return Vec::new();
            };
            slack.thread(channel, &ts).into_iter().map(Post::title).collect()
        })
    }

    /// Whether a channel's first message has nothing but this title.
    pub fn assert_one(&self, channel: &str, title: &str, context: &str) {
        assert_eq!(self.shown(channel), [title], "{context}\n{}", self.cloud.timeline());
    }

    /// The revision's tag.
    pub fn tag(&self) -> Option<String> {
        let input = json!({ "taskDefinition": self.revision, "include": ["TAGS"] });
        let answer = self.call("ecs", "DescribeTaskDefinition", input);
        let tags = answer["tags"].as_array().cloned().unwrap_or_default();
        let tag = tags.into_iter().find(|tag| tag["key"] == "sluice:thread")?;
        tag["value"].as_str().map(str::to_owned)
    }

    /// What an e-mail subscriber got: subject and text of each.
    pub fn mails(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.cloud.with(|world| {
            let entries = world.cloud.timeline().iter().filter(|entry| entry.kind == Kind::Message);
            let mails = entries.filter(|entry| entry.data["to"].as_str().is_some_and(|to| to.contains('@')));
            mails.map(|mail| (text(&mail.data["subject"]), text(&mail.data["text"]))).collect()
        })
    }
}

pub fn started() -> News {
    News::Started { reason: "tag v2 was pushed".into() }
}

pub fn succeeded() -> News {
    News::Succeeded { lead_time: Some(SignedDuration::from_mins(12)) }
}

pub fn rolled_back() -> News {
    News::RolledBack { reason: "the alarm api-5xx".into(), to: None, times: RollbackTimes::default() }
}

/// A secret's version is named by its writer.
pub fn token(n: u64) -> String {
    format!("00000000-0000-0000-0000-{n:012}")
}

fn config(access_key: &str) -> SdkConfig {
    let credentials = Credentials::new(access_key, "hunter2-aws-secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url("http://127.0.0.1")
        .build()
}

/// The topic, whose messages reach the function through a queue; gives the topic's ARN.
fn queued(cloud: &InProcess) -> String {
    let call = |service: &str, operation: &str, input: Value| {
        cloud.with(|world| world.call(service, operation, input).unwrap())
    };
    let queue = |name: &str, attributes: Value| {
        let url =
            call("sqs", "CreateQueue", json!({ "QueueName": name, "Attributes": attributes }))["QueueUrl"]
                .clone();
        let input = json!({ "QueueUrl": url, "AttributeNames": ["QueueArn"] });
        call("sqs", "GetQueueAttributes", input)["Attributes"]["QueueArn"].as_str().unwrap().to_owned()
    };
    let dead = queue("notify-dead", json!({ "MessageRetentionPeriod": "1209600" }));
    let redrive = json!({ "deadLetterTargetArn": dead, "maxReceiveCount": RECEIVES }).to_string();
    let waiting = queue("notify", json!({ "VisibilityTimeout": "180", "RedrivePolicy": redrive }));
    let topic =
        call("sns", "CreateTopic", json!({ "Name": "sluice" }))["TopicArn"].as_str().unwrap().to_owned();
    for (protocol, endpoint) in [("sqs", waiting.as_str()), ("email", "ops@example.com")] {
        let input = json!({ "TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint });
        call("sns", "Subscribe", input);
    }
    let mut package = zip::ZipWriter::new(Cursor::new(Vec::new()));
    package.start_file("bootstrap", zip::write::SimpleFileOptions::default()).unwrap();
    let package = STANDARD.encode(package.finish().unwrap().into_inner());
    let function = json!({
        "FunctionName": "notify", "Runtime": "provided.al2023", "Handler": "bootstrap",
        "Timeout": TIMEOUT.as_secs(), "Role": "arn:aws:iam::123456789012:role/function",
        "Code": { "ZipFile": package },
    });
    call("lambda", "CreateFunction", function);
    call(
        "lambda",
        "PutFunctionConcurrency",
        json!({ "FunctionName": "notify", "ReservedConcurrentExecutions": 1 }),
    );
    let mapping = json!({
        "FunctionName": "notify", "EventSourceArn": waiting, "FunctionResponseTypes": ["ReportBatchItemFailures"],
    });
    call("lambda", "CreateEventSourceMapping", mapping);
    topic
}

fn revision(cloud: &InProcess) -> String {
    let definition = json!({
        "family": "api", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
        "memory": "512", "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "containerDefinitions": [{ "name": "app", "image": "api:v2", "essential": true }],
    });
    let answer = cloud.with(|world| world.call("ecs", "RegisterTaskDefinition", definition).unwrap());
    answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
}
