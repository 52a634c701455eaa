//! What stands before the story begins: version 1 of a service under CodeDeploy, and
//! image-push behind a rule on ECR's events.

use std::io::{Cursor, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cloud::Ms;
use cloud::fixture::{BlueGreen, Call as _, Scene as Settings, push_image};
use cloud::server::{self, Options, Running, SAMPLE_HOOK};
use serde_json::{Value, json};
use zip::write::{SimpleFileOptions, ZipWriter};

pub const SERVICE: &str = "api-service";
pub const FUNCTION: &str = "image-push";
pub const HOOK: &str = "CodeDeployHook_sluice";

/// The lifecycle events that `releases.yaml` has checks for.
pub const CHECKED: [&str; 2] = ["AfterAllowTestTraffic", "BeforeAllowTraffic"];

/// Tags are commit ids.
pub const FIRST: &str = "5f1c9f1d6f0f8c6ad3e4f2b07a9e1c4d8b362a70";
pub const SECOND: &str = "c03b7e5a94d2f81e6b0a7c35d9f4e2186a5b0cd3";

const ALARMS: [&str; 2] = ["api-service-5xx-blue", "api-service-5xx-green"];

pub struct Scene {
    pub cloud: Running,
    pub service: BlueGreen,
}

impl Scene {
    /// Makes all of it, and waits until version 1 serves. `function` is the program of image-push.
    pub async fn set(speed: f64, function: &Path) -> anyhow::Result<Self> {
        let mut cloud = server::start(Options {
            port: 0,
            speed,
            seed: 0,
            region: Some("eu-west-1".into()),
            print_timeline: false,
            red_alarm_stops_at_start: true,
            task_sets_as_deployments: false,
        })
        .await?;
        let repository = json!({ "repositoryName": SERVICE, "imageTagMutability": "IMMUTABLE" });
        cloud.call("ecr", "CreateRepository", repository)?;
        let first = push_image(&mut cloud, SERVICE, FIRST, &[("APP_VERSION", "1")])?;
        let settings = Settings {
            termination_wait_minutes: 1,
            alarms: ALARMS.into(),
            port: two_free_ports()?,
            ..Settings::default()
        };
        let service = BlueGreen::create(&mut cloud, SERVICE, &first, &settings)?;
        let mut scene = Self { cloud, service };
        scene.alarms()?;
        scene.settled().await?;
        // Only now: the push of version 1 was not to be released.
        scene.functions(function)?;
        scene.rule()?;
        Ok(scene)
    }

    fn call(&mut self, service: &str, operation: &str, input: Value) -> anyhow::Result<Value> {
        self.cloud.call(service, operation, input).with_context(|| format!("{service}:{operation}"))
    }

    /// One a target group, on errors of its targets.
    fn alarms(&mut self) -> anyhow::Result<()> {
        for (alarm, group) in ALARMS.into_iter().zip(self.service.target_groups.clone()) {
            let name = |arn: &str, from: &str| arn.split_once(from).map(|(_, name)| name.to_owned());
            let balancer = name(&self.service.load_balancer, "loadbalancer/").context("no load balancer")?;
            let group = name(&group, "targetgroup/").context("no target group")?;
            let input = json!({
                "AlarmName": alarm, "Namespace": "AWS/ApplicationELB",
                "MetricName": "HTTPCode_Target_5XX_Count", "Statistic": "Sum", "Period": 60,
                "EvaluationPeriods": 1, "Threshold": 5.0,
                "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "notBreaching",
                "Dimensions": [
                    { "Name": "LoadBalancer", "Value": balancer },
                    { "Name": "TargetGroup", "Value": format!("targetgroup/{group}") },
                ],
            });
            self.call("cloudwatch", "PutMetricAlarm", input)?;
        }
        Ok(())
    }

    fn functions(&mut self, program: &Path) -> anyhow::Result<()> {
        let test_url = format!("http://localhost:{}", self.service.port + 1);
        let releases = self.cloud.scratch().join("releases.yaml");
        std::fs::write(&releases, releases_yaml(&self.service, &test_url))?;
        let variables = json!({ "SLUICE_RELEASES": releases, "SLUICE_HOOK_FUNCTION": HOOK });
        self.function(FUNCTION, &program.to_string_lossy(), variables)?;
        self.function(HOOK, SAMPLE_HOOK, json!({ "HOOK_URL": format!("{test_url}/health") }))
    }

    /// A function that is a program of this machine.
    fn function(&mut self, name: &str, program: &str, variables: Value) -> anyhow::Result<()> {
        let mut package = ZipWriter::new(Cursor::new(Vec::new()));
        package.start_file("bootstrap", SimpleFileOptions::default())?;
        writeln!(package, "#!/bin/sh\nexec '{}'", program.replace('\'', r"'\''"))?;
        let input = json!({
            "FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 60,
            "Role": "arn:aws:iam::123456789012:role/function",
            "Code": { "ZipFile": STANDARD.encode(package.finish()?.into_inner()) },
            "Environment": { "Variables": variables },
        });
        self.call("lambda", "CreateFunction", input).map(drop)
    }

    /// Pushes go to image-push.
    fn rule(&mut self) -> anyhow::Result<()> {
        let function = self.call("lambda", "GetFunction", json!({ "FunctionName": FUNCTION }))?;
        let pattern = json!({
            "source": ["aws.ecr"], "detail-type": ["ECR Image Action"],
            "detail": { "action-type": ["PUSH"], "result": ["SUCCESS"] },
        });
        let rule = json!({ "Name": FUNCTION, "EventPattern": pattern.to_string() });
        let rule = self.call("events", "PutRule", rule)?["RuleArn"].clone();
        let permission = json!({
            "FunctionName": FUNCTION, "StatementId": "rule", "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com", "SourceArn": rule,
        });
        self.call("lambda", "AddPermission", permission)?;
        let target = json!({ "Id": FUNCTION, "Arn": function["Configuration"]["FunctionArn"] });
        let answer = self.call("events", "PutTargets", json!({ "Rule": FUNCTION, "Targets": [target] }))?;
        anyhow::ensure!(answer["FailedEntryCount"] == 0, "the rule has no target: {answer}");
        Ok(())
    }

    /// Waits until version 1 takes traffic.
    async fn settled(&mut self) -> anyhow::Result<()> {
        let end = Instant::now() + Duration::from_secs(60);
        while self.primary()?["stabilityStatus"] != "STEADY_STATE" {
            if Instant::now() > end {
                bail!("version 1 takes no traffic within a minute");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// The task set that is live.
    fn primary(&mut self) -> anyhow::Result<Value> {
        let input = json!({ "cluster": self.service.cluster, "services": [SERVICE] });
        let answer = self.call("ecs", "DescribeServices", input)?;
        let sets = answer["services"][0]["taskSets"].as_array();
        let primary = sets.into_iter().flatten().find(|set| set["status"] == "PRIMARY");
        primary.cloned().context("the service has no primary task set")
    }

    /// The revision that is live, with its tags.
    pub fn live(&mut self) -> anyhow::Result<Value> {
        let revision = self.primary()?["taskDefinition"].clone();
        self.revision(&revision)
    }

    pub fn revision(&mut self, name: &Value) -> anyhow::Result<Value> {
        self.call("ecs", "DescribeTaskDefinition", json!({ "taskDefinition": name, "include": ["TAGS"] }))
    }

    /// The revision that a deployment deploys, from its AppSpec.
    pub fn deployed(&mut self, deployment: &str) -> anyhow::Result<Value> {
        let known = self.call("codedeploy", "GetDeployment", json!({ "deploymentId": deployment }))?;
        let info = &known["deploymentInfo"];
        // GetDeployment leaves the content out.
        let asked = json!({ "applicationName": info["applicationName"], "revision": info["revision"] });
        let answer = self.call("codedeploy", "GetApplicationRevision", asked)?;
        let content = answer.pointer("/revision/appSpecContent/content");
        let content: Value = serde_json::from_str(content.and_then(Value::as_str).unwrap_or_default())?;
        let revision = content.pointer("/Resources/0/TargetService/Properties/TaskDefinition");
        let revision = revision.cloned().context("the AppSpec names no revision")?;
        self.revision(&revision)
    }

    /// Pushes version 2; gives its digest.
    pub fn push(&mut self) -> anyhow::Result<String> {
        Ok(push_image(&mut self.cloud, SERVICE, SECOND, &[("APP_VERSION", "2")])?)
    }

    /// What a function logged as JSON, a line each with its time; nothing while it has not run.
    pub fn log(&mut self, function: &str) -> Vec<(Ms, Value)> {
        let input = json!({ "logGroupName": format!("/aws/lambda/{function}") });
        let events = self.cloud.call("logs", "FilterLogEvents", input).unwrap_or_default();
        let lines = events["events"].as_array().into_iter().flatten().filter_map(|event| {
            let line: Value = serde_json::from_str(event["message"].as_str()?).ok()?;
            line.is_object().then_some((event["timestamp"].as_u64()?, line))
        });
        lines.collect()
    }
}

/// Two neighbours that are free now, for the production and the test listener.
fn two_free_ports() -> anyhow::Result<u16> {
    for _ in 0..100 {
        let first = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        let port = first.local_addr()?.port();
        if port < u16::MAX && std::net::TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no two free ports beside each other")
}

fn releases_yaml(service: &BlueGreen, test_url: &str) -> String {
    let BlueGreen { cluster, application, group, .. } = service;
    let [blue, green] = ALARMS;
    format!(
        "services:
  {SERVICE}:
    cluster: {cluster}
    service: {SERVICE}
    images:
      - {{ repository: {SERVICE}, container: app, tags: '[0-9a-f]{{40}}' }}
    deploy:
      codedeploy: {{ application: {application}, group: {group} }}
    checks:
      after-allow-test-traffic:
        - smoke: {{ base-url: '{test_url}', requests: [{{ get: /health, status: 200 }}] }}
      before-allow-traffic:
        - smoke: {{ base-url: '{test_url}', requests: [{{ get: /health, status: 200 }}] }}
    alarms: [{blue}, {green}]
    watch: 30m
"
    )
}
