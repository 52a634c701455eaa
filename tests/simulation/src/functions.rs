//! Sluice's functions as Lambda runs them: in execution environments that are used again, and
//! end with what crashes in them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_types::SdkConfig;
use aws_types::region::Region;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cloud::effect::FunctionError;
use cloud::in_process::InProcess;
use deployment_state::DeploymentState;
use image_push::ImagePush;
use lifecycle_hook::LifecycleHook;
use serde_json::{Value, json};
use shared::aws::{Aws, Topic};
use shared::config::Releases;
use shared::start::Invocation;

use crate::calls::{Calls, Redelivery};
use crate::mail::Mail;
use crate::step::Fate;

pub const HOOK: &str = "CodeDeployHook_sluice";

/// By which the timeline knows a function. Not as functions are known elsewhere: the template's
/// proof reads the calls of tests, and these are too many, of things that tests do as well.
pub const ACCESS_KEY: &str = "ASIASIMULATED";

/// A function, how long it may take, and which events wake it.
pub struct Woken {
    pub name: &'static str,
    /// Seconds.
    pub timeout: u64,
    pub patterns: Vec<Value>,
}

pub fn all() -> Vec<Woken> {
    let of = |name, timeout, patterns| Woken { name, timeout, patterns };
    let pushed = json!({
        "source": ["aws.ecr"], "detail-type": ["ECR Image Action"],
        "detail": { "action-type": ["PUSH"], "result": ["SUCCESS"] },
    });
    let scanned = json!({ "source": ["aws.ecr"], "detail-type": ["ECR Image Scan"] });
    let task_stopped = json!({
        "source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
        "detail": { "lastStatus": ["STOPPED"], "startedBy": [{ "prefix": "sluice/" }] },
    });
    let snapshot = json!({
        "source": ["aws.rds"], "detail-type": ["RDS DB Snapshot Event", "RDS DB Cluster Snapshot Event"],
    });
    let red = json!({
        "source": ["aws.cloudwatch"], "detail-type": ["CloudWatch Alarm State Change"],
        "detail": { "state": { "value": ["ALARM"] } },
    });
    let changed = json!({
        "detail-type": ["CodeDeploy Deployment State-change Notification", "ECS Deployment State Change"],
    });
    vec![
        of("image-push", 62, vec![pushed, scanned]),
        of(HOOK, 122, vec![task_stopped, snapshot]),
        of("alarm", 62, vec![red]),
        of("deployment-state", 62, vec![changed]),
        of("sweep", 122, Vec::new()),
        of("notify", 30, Vec::new()),
    ]
}

/// What a handler that crashed is said to have ended with.
pub const ENDED: &str = "the scenario ended it";

/// A started function.
enum Code {
    ImagePush(Box<ImagePush>),
    Hook(Box<LifecycleHook>),
    Alarm(Box<alarm::Guard>),
    State(Box<DeploymentState>),
    Sweep(Box<sweep::Sweep>),
    Notify(Box<notify::Notify>),
}

impl Code {
    async fn handle(&self, invocation: Invocation) -> anyhow::Result<Value> {
        // Boxed: all of Sluice is more than a test's stack holds.
        Ok(match self {
            Self::ImagePush(push) => serde_json::to_value(Box::pin(push.handle(invocation)).await?)?,
            Self::Hook(hook) => serde_json::to_value(Box::pin(hook.handle(invocation)).await?)?,
            Self::Alarm(guard) => serde_json::to_value(Box::pin(guard.handle(invocation)).await?)?,
            Self::State(state) => serde_json::to_value(Box::pin(state.handle(invocation)).await?)?,
            Self::Sweep(sweep) => serde_json::to_value(Box::pin(sweep.handle(invocation)).await?)?,
            Self::Notify(notify) => serde_json::to_value(Box::pin(notify.handle(invocation)).await?)?,
        })
    }
}

/// Where functions run.
pub struct Lambda {
    cloud: InProcess,
    calls: Calls,
    mail: Mail,
    releases: Releases,
    topic: String,
    skew: Skew,
    /// Environments that are free, by function.
    free: Mutex<BTreeMap<&'static str, Vec<Arc<Code>>>>,
}

/// How far the functions' clocks are off, in seconds.
#[derive(Debug, Clone, Default)]
pub struct Skew(Arc<AtomicI64>);

impl Skew {
    pub fn set(&self, seconds: i32) {
        self.0.store(i64::from(seconds), Ordering::Relaxed);
    }
}

struct Clock {
    cloud: InProcess,
    skew: Skew,
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the cloud's clock, as a function's machine has it")
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        let wrong = self.skew.0.load(Ordering::Relaxed) * 1_000;
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.cloud.now().saturating_add_signed(wrong))
    }
}

impl Lambda {
    pub fn new(cloud: &InProcess, calls: &Calls, mail: &Mail, releases: Releases, topic: String) -> Self {
        Self {
            cloud: cloud.clone(),
            calls: calls.clone(),
            mail: mail.clone(),
            releases,
            topic,
            skew: Skew::default(),
            free: Mutex::default(),
        }
    }

    pub fn skew(&self) -> Skew {
        self.skew.clone()
    }

    /// From now on, the cloud's invocations come here.
    pub fn listen(self) {
        let (cloud, lambda) = (self.cloud.clone(), Arc::new(self));
        for Woken { name, timeout, .. } in all() {
            let (lambda, time) = (Arc::clone(&lambda), Duration::from_secs(timeout - 2));
            cloud.function(name, move |event| Arc::clone(&lambda).receive(name, event, time));
        }
    }

    async fn receive(
        self: Arc<Self>,
        name: &'static str,
        event: Value,
        time: Duration,
    ) -> Result<Value, FunctionError> {
        match self.mail.fate(name, &event) {
            Fate::Delivered => self.invoke(name, event, time).await,
            Fate::Lost => Ok(Value::Null),
            Fate::Late(seconds) => {
                self.later(name, event, seconds);
                Ok(Value::Null)
            }
            Fate::Twice(seconds) => {
                self.later(name, event.clone(), seconds);
                self.invoke(name, event, time).await
            }
        }
    }

    fn later(self: &Arc<Self>, name: &'static str, event: Value, seconds: u64) {
        let lambda = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            lambda.mail.due(name, event.clone());
            again(&lambda.cloud, name, &event);
        });
    }

    async fn invoke(&self, name: &'static str, event: Value, time: Duration) -> Result<Value, FunctionError> {
        let free = |code: Option<Arc<Code>>| {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let known = free.entry(name).or_default();
            match code {
                Some(code) => {
                    known.push(code);
                    None
                }
                None => known.pop(),
            }
        };
        let code = free(None).unwrap_or_else(|| Arc::new(self.start(name)));
        let handler = code.handle(Invocation { event, time });
        match (self.calls.run(name, handler).await, self.calls.redelivery()) {
            (Some(answer), _) => {
                free(Some(code));
                answer.map_err(|e| failed("Sluice.Error", format!("{e:#}")))
            }
            (None, Redelivery::Never) => Ok(Value::Null),
            (None, Redelivery::Again) => Err(failed("Runtime.ExitError", ENDED.to_owned())),
        }
    }

    fn start(&self, name: &'static str) -> Code {
        let aws = self.aws(name);
        let releases = Releases::new(self.releases.services().to_vec());
        let topic = Topic::new(&aws, Some(self.topic.clone()));
        let push = |aws, releases, topic| ImagePush { topic, aws, releases, hook: Some(HOOK.to_owned()) };
        match name {
            "image-push" => Code::ImagePush(Box::new(push(aws, releases, topic))),
            HOOK => Code::Hook(Box::new(LifecycleHook::new(aws, releases, topic))),
            "alarm" => Code::Alarm(Box::new(alarm::Guard { aws, releases, topic })),
            "deployment-state" => Code::State(Box::new(DeploymentState { push: push(aws, releases, topic) })),
            "sweep" => {
                let state = DeploymentState { push: push(aws, releases, topic) };
                Code::Sweep(Box::new(sweep::Sweep::new(state)))
            }
            _ => {
                let notify = notify::Notify::new(aws, releases, "slack".into(), "https://slack.com/api");
                Code::Notify(Box::new(notify))
            }
        }
    }

    fn aws(&self, function: &str) -> Aws {
        let key = format!("{ACCESS_KEY}{function}");
        let credentials = Credentials::new(key, "secret", None, None, "simulation");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .time_source(Clock { cloud: self.cloud.clone(), skew: self.skew.clone() })
            .endpoint_url("http://127.0.0.1")
            .build();
        Aws::new(&config, self.calls.http_client(self.cloud.http_client()))
    }
}

/// Invokes a function as an event does.
pub fn again(cloud: &InProcess, function: &str, event: &Value) {
    let invocation = json!({
        "FunctionName": function, "InvocationType": "Event", "Payload": STANDARD.encode(event.to_string()),
    });
    cloud.with(|world| world.call("lambda", "Invoke", invocation)).unwrap_or_else(|e| panic!("{e}"));
}

fn failed(kind: &str, message: String) -> FunctionError {
    FunctionError { kind: kind.to_owned(), message }
}
