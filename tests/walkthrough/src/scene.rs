//! The service under CodeDeploy as it stands before the first push, with version 1 live; and
//! what may be asked of it later.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use cloud::Ms;
use cloud::fixture::{BlueGreen, Call as _, Scene as Settings, push_image};
use cloud::server::{self, Options, Running};
use serde_json::{Value, json};

use crate::functions;
use crate::programs::Programs;
use crate::shares::Sides;
use crate::versions::{FIRST, Version};

pub const SERVICE: &str = "api-service";

pub const ALARMS: [&str; 2] = ["api-service-5xx-blue", "api-service-5xx-green"];

/// More percent of a target group's requests than this answered by 5xx is an alarm; of fewer
/// requests a minute than this nothing is said, so that a smoke test alone turns none red.
const ERRORS: f64 = 5.0;
const FEWEST: u32 = 4;

pub struct Scene {
    pub cloud: Running,
    pub service: BlueGreen,
    /// Virtual seconds in a real one.
    pub speed: f64,
}

impl Scene {
    /// Makes all of it, and waits until version 1 serves. Then the functions are there.
    pub async fn set(speed: f64, programs: &Programs) -> anyhow::Result<Self> {
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
        let first = push_image(&mut cloud, SERVICE, FIRST.commit, &FIRST.environment())?;
        let settings = Settings {
            termination_wait_minutes: 1,
            // The group names no alarm: whoever stops a deployment is not CodeDeploy itself.
            alarms: Vec::new(),
            port: two_free_ports()?,
            ..Settings::default()
        };
        let service = BlueGreen::create(&mut cloud, SERVICE, &first, &settings)?;
        let mut scene = Self { cloud, service, speed };
        scene.alarms()?;
        scene.settled().await?;
        // Only now: the push of version 1 was not to be released.
        functions::create(&mut scene, programs)?;
        Ok(scene)
    }

    pub fn call(&mut self, service: &str, operation: &str, input: Value) -> anyhow::Result<Value> {
        self.cloud.call(service, operation, input).with_context(|| format!("{service}:{operation}"))
    }

    /// One a target group, on the share of errors among its answers.
    fn alarms(&mut self) -> anyhow::Result<()> {
        let after = |arn: &str, from: &str| arn.split_once(from).map(|(_, name)| name.to_owned());
        let balancer = after(&self.service.load_balancer, "loadbalancer/").context("no load balancer")?;
        for (alarm, group) in ALARMS.into_iter().zip(self.service.target_groups.clone()) {
            let group = after(&group, "targetgroup/").context("no target group")?;
            let dimensions = json!([
                { "Name": "LoadBalancer", "Value": balancer },
                { "Name": "TargetGroup", "Value": format!("targetgroup/{group}") },
            ]);
            let sum = |id: &str, name: &str| {
                let metric = json!({ "Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": dimensions });
                let sum = json!({ "Metric": metric, "Period": 60, "Stat": "Sum" });
                json!({ "Id": id, "MetricStat": sum, "ReturnData": false })
            };
            let share = format!("IF(requests >= {FEWEST}, 100 * FILL(errors, 0) / requests, 0)");
            let input = json!({
                "AlarmName": alarm, "EvaluationPeriods": 1, "Threshold": ERRORS,
                "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
                "Metrics": [
                    sum("requests", "RequestCount"), sum("errors", "HTTPCode_Target_5XX_Count"),
                    { "Id": "share", "Expression": share, "Label": "5xx in percent", "ReturnData": true },
                ],
            });
            self.call("cloudwatch", "PutMetricAlarm", input)?;
        }
        Ok(())
    }

    /// The alarm on a target group.
    pub fn alarm_of(&self, group: &str) -> &'static str {
        let [blue, green] = ALARMS;
        if self.service.target_groups[0] == group { blue } else { green }
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

    /// The target group that is live, and the other one: they change places with each release.
    pub fn sides(&mut self) -> anyhow::Result<Sides> {
        let primary = self.primary()?;
        let live = primary["loadBalancers"][0]["targetGroupArn"].as_str();
        match (live, self.service.target_groups.clone()) {
            (Some(live), [old, new]) if live == old => Ok(Sides { old, new }),
            (Some(live), [new, old]) if live == old => Ok(Sides { old, new }),
            _ => bail!("the primary task set has no target group of the service: {primary}"),
        }
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
        let info = self.deployment(deployment)?;
        // GetDeployment leaves the content out.
        let asked = json!({ "applicationName": info["applicationName"], "revision": info["revision"] });
        let answer = self.call("codedeploy", "GetApplicationRevision", asked)?;
        let content = answer.pointer("/revision/appSpecContent/content");
        let content: Value = serde_json::from_str(content.and_then(Value::as_str).unwrap_or_default())?;
        let revision = content.pointer("/Resources/0/TargetService/Properties/TaskDefinition");
        let revision = revision.cloned().context("the AppSpec names no revision")?;
        self.revision(&revision)
    }

    /// GetDeployment's `deploymentInfo`.
    pub fn deployment(&mut self, id: &str) -> anyhow::Result<Value> {
        let known = self.call("codedeploy", "GetDeployment", json!({ "deploymentId": id }))?;
        Ok(known["deploymentInfo"].clone())
    }

    /// An attribute of a queue.
    pub fn attribute(&mut self, queue: &str, name: &str) -> anyhow::Result<Value> {
        let url = self.call("sqs", "GetQueueUrl", json!({ "QueueName": queue }))?["QueueUrl"].clone();
        let asked = json!({ "QueueUrl": url, "AttributeNames": [name] });
        Ok(self.call("sqs", "GetQueueAttributes", asked)?["Attributes"][name].clone())
    }

    /// Pushes a version's image under a tag; gives its digest.
    pub fn push(&mut self, version: &Version, tag: &str) -> anyhow::Result<String> {
        Ok(push_image(&mut self.cloud, SERVICE, tag, &version.environment())?)
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
