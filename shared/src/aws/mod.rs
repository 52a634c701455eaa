//! AWS, as far as Sluice uses it: domain types in and out, the SDK's stay in here.
//!
//! Each adapter narrows what AWS answers once, and names what is missing.

/// What a client is built from. Its quota of retries is its own, as an execution environment's
/// is: the SDK's default is one of the whole process, in which tests run many of these.
macro_rules! builder {
    ($sdk:ident, $config:expr) => {
        $sdk::config::Builder::from($config)
            .retry_partition($sdk::config::retry::RetryPartition::custom("sluice").build())
    };
}

mod address;
mod clock;
mod cloudwatch;
mod codedeploy;
mod deployment;
mod ecr;
mod ecs;
mod environment;
mod functions;
mod hook;
mod http;
mod logs;
mod metrics;
mod raw;
mod resolver;
mod roots;
mod secrets;
mod service_deployment;
mod snapshots;
mod sns;
mod tags;
mod tasks;
mod web;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::DateTime;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use jiff::Timestamp;

use address::Loopback;
pub use clock::Clock;
pub use cloudwatch::{Alarm, AlarmState, Red};
pub use codedeploy::{Attempt, Created, Group, Order, Pace, Page};
pub use deployment::{Described, Origin, Stop};
pub use ecr::{Image, ImageId, Manifest, Scan};
pub use ecs::{Controller, EcsService, NativeHook, Placement, Role, Rollout, Serving};
pub use functions::Functions;
pub use hook::{EventState, LifecycleEvent, Reported, Succeeded, Target};
pub use logs::Logs;
pub use metrics::{Measure, Unit};
pub use secrets::Secrets;
pub use service_deployment::{EcsRollback, ServiceDeployment, ServiceDeploymentDetail};
pub use snapshots::{Snapshot, SnapshotState, Snapshots};
pub use sns::Topic;
pub use tags::tag_value;
pub use tasks::{Run, Task, TaskState};
pub use web::{Web, WebAnswer, WebError, WebRequest};

/// The clients, made once at start; all share one HTTP client.
#[derive(Debug, Clone)]
pub struct Aws {
    cloudwatch: aws_sdk_cloudwatch::Client,
    codedeploy: aws_sdk_codedeploy::Client,
    ecr: aws_sdk_ecr::Client,
    ecs: aws_sdk_ecs::Client,
    http: SharedHttpClient,
    clock: Clock,
    region: String,
    loopback: Loopback,
    /// For the clients that only some functions have.
    config: SdkConfig,
}

/// ECS lets an account register one task definition a second once its burst is used, so
/// releasing a few dozen services at once takes patience rather than more errors.
const ATTEMPTS: u32 = 8;

/// A call that takes longer is given up and repeated; AWS answers all of these within a second.
const PATIENCE: Duration = Duration::from_secs(10);

impl Aws {
    /// By the environment that Lambda gives.
    pub fn from_environment() -> anyhow::Result<Self> {
        let config = environment::configuration()?;
        let loopback = environment::loopback();
        let aws = Self::new(&config, http::client(loopback).context("cannot set up TLS")?);
        Ok(Self { loopback, ..aws })
    }

    /// `config` names region, credentials and endpoint; `http` is what all calls go through.
    pub fn new(config: &SdkConfig, http: SharedHttpClient) -> Self {
        let clock = Clock::new(config.time_source().unwrap_or_default());
        let retry = RetryConfig::standard().with_max_attempts(ATTEMPTS);
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(PATIENCE).build();
        let config = config.to_builder().http_client(http.clone());
        let config = config.retry_config(retry).timeout_config(timeouts);
        // Answers are small and an attempt's time is bounded as a whole.
        let config = config.stalled_stream_protection(StalledStreamProtectionConfig::disabled()).build();
        macro_rules! clocked {
            ($sdk:ident) => {
                $sdk::Client::from_conf(builder!($sdk, &config).interceptor(clock.clone()).build())
            };
        }
        Self {
            cloudwatch: clocked!(aws_sdk_cloudwatch),
            codedeploy: clocked!(aws_sdk_codedeploy),
            ecr: clocked!(aws_sdk_ecr),
            ecs: clocked!(aws_sdk_ecs),
            http,
            clock,
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            loopback: Loopback::of_endpoints(config.endpoint_url()),
            config,
        }
    }

    /// The host of an account's image registry, as task definitions name it.
    pub fn registry(&self, account: &str) -> String {
        registry(account, &self.region)
    }

    /// The time by AWS's clock, as its last answer gave it.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The time by this machine's clock, which may be wrong.
    pub fn machine_time(&self) -> Timestamp {
        self.clock.machine()
    }
}

/// By AWS's documentation of private registries, and of the partitions' domains.
fn registry(account: &str, region: &str) -> String {
    let domain = match region.split('-').collect::<Vec<_>>()[..] {
        ["cn", ..] => "amazonaws.com.cn",
        ["us", "iso", ..] => "c2s.ic.gov",
        ["us", "isob", ..] => "sc2s.sgov.gov",
        ["us", "isof", ..] => "csp.hci.ic.gov",
        ["eu", "isoe", ..] => "cloud.adc-e.uk",
        ["eusc", ..] => "amazonaws.eu",
        _ => "amazonaws.com",
    };
    format!("{account}.dkr.ecr.{region}.{domain}")
}

/// What AWS left out of an answer, by the name that the API gives it.
#[derive(Debug)]
struct Missing(&'static str);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer lacks '{}'", self.0)
    }
}

impl Error for Missing {}

/// An SDK error with the sentence that AWS gave, which the SDK's own text leaves to its sources.
fn failed<E: Error + Send + Sync + 'static>(what: String) -> impl FnOnce(E) -> anyhow::Error {
    move |error| anyhow::Error::new(error).context(what)
}

fn timestamp(time: &DateTime) -> Option<Timestamp> {
    // Some answers give a float of seconds: to_millis would cut .722 to .721.
    let exact = Timestamp::from_nanosecond(time.as_nanos()).ok()?;
    exact.round(jiff::Unit::Millisecond).ok()
}

fn date_time(time: Timestamp) -> DateTime {
    DateTime::from_millis(time.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::registry;

    #[test]
    fn a_registry_is_named_as_its_partition_names_it() {
        let cases = [
            ("eu-west-1", "1.dkr.ecr.eu-west-1.amazonaws.com"),
            ("us-gov-west-1", "1.dkr.ecr.us-gov-west-1.amazonaws.com"),
            ("cn-north-1", "1.dkr.ecr.cn-north-1.amazonaws.com.cn"),
            ("us-iso-east-1", "1.dkr.ecr.us-iso-east-1.c2s.ic.gov"),
            ("eusc-de-east-1", "1.dkr.ecr.eusc-de-east-1.amazonaws.eu"),
        ];
        for (region, host) in cases {
            assert_eq!(registry("1", region), host);
        }
    }
}
