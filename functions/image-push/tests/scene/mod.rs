//! The function in front of the local cloud, in process and on virtual time.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use cloud::fixture::{self, BlueGreen, Scene};
use cloud::in_process::{Faults, InProcess};
use cloud::timeline::Kind;
use cloud::{HOUR, Ms, Settings};
use image_push::ImagePush;
use serde_json::{Value, json};
use shared::aws::Aws;
use shared::config::{Checks, Engine, ImageRule, Notify, Releases, Service};
use shared::image::TagPattern;
use shared::start::Invocation;

pub const START: Ms = 1_767_225_600_000; // 2026-01-01T00:00:00Z

/// A service `api` with version 1 live, and what releases it.
pub struct Release {
    pub cloud: InProcess,
    pub service: BlueGreen,
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
        engine: Engine::CodeDeploy {
            application: format!("{name}-deploy"),
            group: format!("{name}-group"),
        },
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
        let service = cloud.with(|world| {
            let first = fixture::push_image(world, "api", "v1", &[("APP_VERSION", "1")]).unwrap();
            let service = BlueGreen::create(world, "api", &first, scene).unwrap();
            service
        });
        Self { cloud, service }
    }

    /// The function, made anew as in a new execution environment.
    pub fn function(&self, services: Vec<Service>) -> ImagePush {
        let credentials = Credentials::new("ASIAFNimage-push", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url("http://127.0.0.1")
            .build();
        ImagePush {
            aws: Aws::new(&config, self.cloud.http_client()),
            releases: Releases::new(services),
            hook: Some("CodeDeployHook_sluice".to_owned()),
        }
    }

    /// Waits until version 1 serves.
    pub async fn settled(&self) {
        for _ in 0..3600 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if self.cloud.with(|world| self.service.settle(world)) {
                return;
            }
        }
        panic!("version 1 never served");
    }

    pub fn push(&self, repository: &str, tag: &str, version: &str) -> String {
        self.cloud.with(|world| fixture::push_image(world, repository, tag, &[("APP_VERSION", version)]).unwrap())
    }

    /// How often an operation was called by the function, however it ended.
    pub fn calls(&self, operation: &str) -> usize {
        self.cloud.with(|world| {
            let calls = world.cloud.timeline().iter().filter(|entry| entry.kind == Kind::Call);
            let ours = calls.filter(|entry| entry.data["caller"] == "ASIAFNimage-push");
            ours.filter(|entry| entry.data["operation"] == operation).count()
        })
    }
}

pub async fn deliver(function: &ImagePush, event: &Value) -> anyhow::Result<Value> {
    let invocation = Invocation { event: event.clone(), time: Duration::from_secs(60) };
    Ok(serde_json::to_value(function.handle(invocation).await?)?)
}

pub const LONG: Ms = HOUR;
