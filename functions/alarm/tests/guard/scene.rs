//! A service that image-push releases to, an alarm that guards it, and the function.

use std::time::Duration;

use alarm::Guard;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_types::SdkConfig;
use aws_types::region::Region;
use cloud::fixture::Scene;
use cloud::in_process::Faults;
use cloud::timeline::Kind;
use serde_json::{Value, json};
use shared::aws::{Aws, Topic};
use shared::config::{Releases, Service};
use shared::start::Invocation;

use crate::release::{Release, by_hand, deliver as push, entry, get, pushed};

pub const ALARM: &str = "api-5xx";
const ACCESS_KEY: &str = "ASIAFNalarm";
const QUEUE: &str = "messages";

pub struct Stage {
    pub release: Release,
    pub services: Vec<Service>,
}

/// The service `api`, watched for half an hour.
pub fn guarded() -> Service {
    let notify = shared::config::Notify { slack: Some("#deploys".into()), ..Default::default() };
    Service { alarms: vec![ALARM.into()], watch: Duration::from_secs(1_800), notify, ..entry("api") }
}

impl Stage {
    /// Version 1 serves, and its alarm is green.
    pub async fn new() -> Self {
        Self::with(&Scene::default(), Faults::default()).await
    }

    pub async fn with(scene: &Scene, faults: Faults) -> Self {
        let stage = Self { release: Release::with(Faults::default(), scene), services: vec![guarded()] };
        stage.alarm(ALARM);
        stage.release.settled().await;
        stage.topic();
        stage.release.cloud.faults(faults);
        stage
    }

    /// Makes an alarm, which is green.
    pub fn alarm(&self, name: &str) {
        let input = json!({
            "AlarmName": name, "Namespace": "Test", "MetricName": name, "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "ignore",
        });
        self.call("cloudwatch", "PutMetricAlarm", input);
        self.set(name, "OK");
    }

    /// Sets an alarm's state, and gives the event that EventBridge would deliver.
    pub fn set(&self, name: &str, state: &str) -> Value {
        self.call(
            "cloudwatch",
            "SetAlarmState",
            json!({ "AlarmName": name, "StateValue": state, "StateReason": "test" }),
        );
        let at = self.release.cloud.now();
        let at = format!("{}", jiff::Timestamp::from_millisecond(i64::try_from(at).unwrap()).unwrap());
        json!({
            "version": "0", "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92", "source": "aws.cloudwatch",
            "detail-type": "CloudWatch Alarm State Change", "account": "123456789012", "time": at,
            "region": "us-east-1", "resources": [],
            "detail": { "alarmName": name, "state": { "value": state, "timestamp": at } },
        })
    }

    pub fn red(&self) -> Value {
        self.set(ALARM, "ALARM")
    }

    /// Pushes an image and starts its deployment; gives its id and digest.
    pub async fn pushed(&self, tag: &str) -> (String, String) {
        let (digest, answer) = self.offered(tag).await;
        let id = answer["services"]["api"]["started"].as_str();
        (id.unwrap_or_else(|| panic!("nothing was started: {answer}")).to_owned(), digest)
    }

    /// Pushes an image; gives its digest, and what image-push says of it.
    pub async fn offered(&self, tag: &str) -> (String, Value) {
        self.offered_as(tag, tag).await
    }

    /// The same for an image that is version `version` whatever its tag.
    pub async fn offered_as(&self, tag: &str, version: &str) -> (String, Value) {
        let digest = self.release.push("api", tag, version);
        let function = self.release.function(self.services.clone());
        (digest.clone(), push(&function, &pushed("api", tag, &digest)).await.unwrap())
    }

    /// Lets time pass until green has a tenth of the traffic.
    pub async fn canary(&self) {
        self.release
            .until("the canary takes traffic", |world| {
                let last = world.cloud.timeline().iter().rfind(|entry| entry.kind == Kind::Traffic);
                last.is_some_and(|entry| entry.text.contains("10"))
            })
            .await;
    }

    /// Deploys a revision as a person would; gives the deployment's id.
    pub fn by_hand(&self, revision: &str) -> String {
        let answer = self.call("codedeploy", "CreateDeployment", by_hand(revision));
        answer["deploymentId"].as_str().unwrap().to_owned()
    }

    /// Lets time pass until an image serves.
    pub async fn settled_on(&self, image: &str) {
        for _ in 0..360 {
            if self.live().0 == image {
                return;
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        panic!("{image} never served\n{}", self.release.cloud.timeline());
    }

    /// How many deployments were made to take one back, by whomever.
    pub fn rollbacks(&self) -> usize {
        self.rollbacks_of("api")
    }

    pub fn rollbacks_of(&self, name: &str) -> usize {
        let names = json!({
            "applicationName": format!("{name}-deploy"), "deploymentGroupName": format!("{name}-group"),
        });
        let ids =
            self.call("codedeploy", "ListDeployments", names)["deployments"].as_array().unwrap().clone();
        let infos: Vec<_> = ids.iter().map(|id| self.deployment(id.as_str().unwrap())).collect();
        infos.iter().filter(|info| is_rollback(info)).count()
    }

    /// The function, as in a new execution environment.
    pub fn function(&self) -> Guard {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                ACCESS_KEY, "secret", None, None, "test",
            )))
            .endpoint_url("http://127.0.0.1")
            .build();
        let aws = Aws::new(&config, self.release.cloud.http_client());
        let topic = Topic::new(&aws, Some("arn:aws:sns:us-east-1:123456789012:sluice".into()));
        Guard { topic, aws, releases: Releases::new(self.services.clone()) }
    }

    /// Delivers an event; gives decision and reason for `api`.
    pub async fn deliver(&self, event: &Value) -> (String, String) {
        told(&deliver(&self.function(), event).await.unwrap())
    }

    /// What the function did with success, by operation.
    pub fn done(&self, operation: &str) -> usize {
        let taken = |(name, error): &(String, Value)| name == operation && error.is_null();
        self.calls().iter().filter(|call| taken(call)).count()
    }

    /// The function's calls: operation and error.
    pub fn calls(&self) -> Vec<(String, Value)> {
        self.release.cloud.with(|world| {
            let calls = world.cloud.timeline().iter().filter(|entry| entry.kind == Kind::Call);
            let ours = calls.filter(|entry| entry.data["caller"] == ACCESS_KEY);
            ours.map(|e| (e.data["operation"].as_str().unwrap().to_owned(), e.data["error"].clone()))
                .collect()
        })
    }

    pub fn call(&self, service: &str, operation: &str, input: Value) -> Value {
        self.release.call(service, operation, input)
    }

    /// The image that serves, with the tags of its revision.
    pub fn live(&self) -> (String, Vec<(String, String)>) {
        let revision = self.release.live("api");
        let image = revision["taskDefinition"]["containerDefinitions"][0]["image"].as_str().unwrap();
        (image.to_owned(), tags(&revision))
    }

    /// A tag of a revision, such as `api:2`.
    pub fn tag(&self, revision: &str, key: &str) -> Option<String> {
        let known = self.release.cloud.with(|world| crate::release::revision_of(world, revision));
        tags(&known).into_iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub fn deployment(&self, id: &str) -> Value {
        self.release.cloud.with(|world| get(world, id))
    }

    /// Kinds of the messages that were published, in their order.
    pub fn messages(&self) -> Vec<String> {
        let url = self.call("sqs", "GetQueueUrl", json!({ "QueueName": QUEUE }))["QueueUrl"].clone();
        let mut kinds = Vec::new();
        loop {
            let input = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 43_200 });
            let answer = self.call("sqs", "ReceiveMessage", input);
            let Some(messages) = answer["Messages"].as_array().filter(|list| !list.is_empty()) else {
                return kinds;
            };
            kinds.extend(messages.iter().map(|message| {
                let body: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
                let told: Value = serde_json::from_str(body["Message"].as_str().unwrap()).unwrap();
                told["news"]["kind"].as_str().unwrap().to_owned()
            }));
        }
    }

    /// What is published goes to a queue.
    fn topic(&self) {
        let topic = self.call("sns", "CreateTopic", json!({ "Name": "sluice" }))["TopicArn"].clone();
        self.call("sqs", "CreateQueue", json!({ "QueueName": QUEUE }));
        let queue = format!("arn:aws:sqs:us-east-1:123456789012:{QUEUE}");
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "sns.amazonaws.com" }, "Action": "sqs:SendMessage",
            "Resource": queue, "Condition": { "ArnEquals": { "aws:SourceArn": topic } },
        }] });
        let url = self.call("sqs", "GetQueueUrl", json!({ "QueueName": QUEUE }))["QueueUrl"].clone();
        self.call(
            "sqs",
            "SetQueueAttributes",
            json!({ "QueueUrl": url, "Attributes": { "Policy": policy.to_string() } }),
        );
        self.call("sns", "Subscribe", json!({ "TopicArn": topic, "Protocol": "sqs", "Endpoint": queue }));
    }
}

pub fn is_rollback(info: &Value) -> bool {
    let described = info["description"].as_str().unwrap_or_default();
    info["creator"] == "codeDeployRollback" || described.contains(": rollback of ")
}

fn tags(revision: &Value) -> Vec<(String, String)> {
    let tags = revision["tags"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    tags.iter().map(|tag| (text(&tag["key"]), text(&tag["value"]))).collect()
}

/// Delivers an event as Lambda would, with a minute of time.
pub async fn deliver(function: &Guard, event: &Value) -> anyhow::Result<Value> {
    let invocation = Invocation { event: event.clone(), time: Duration::from_secs(60) };
    Ok(serde_json::to_value(function.handle(invocation).await?)?)
}

/// Decision and reason for `api`.
pub fn told(answer: &Value) -> (String, String) {
    let told = &answer["alarms"][ALARM]["api"];
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    (text(&told["decision"]), text(&told["reason"]))
}
