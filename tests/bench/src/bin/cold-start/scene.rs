//! The push that a function is woken by: v1 is live, v2 was pushed a minute ago.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use cloud::fixture::{self, BlueGreen, Scene};
use cloud::world::World;
use cloud::{Fault, HOUR, MINUTE, Ms, SECOND, Settings};
use serde_json::{Value, json};

pub const REGION: &str = "eu-west-1";

/// The hook function that the deployment names.
pub const HOOKS: &str = "sluice-hooks";

/// Repository and service; the fixture derives all other names.
const NAME: &str = "api";

const ALARM: &str = "api-5xx";

/// A real event, for its shape.
const EVENT: &str = include_str!("../../../../events/ecr-image-action-push-tag.json");

/// A fresh world in which a push has just happened.
pub struct Pushed {
    pub world: World,
    pub event: Value,
}

/// Layers are downloaded from `layers`.
pub fn pushed(layers: &str) -> Result<Pushed> {
    let real = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let now = Ms::try_from(real)?;
    let settings = Settings { region: Some(REGION.into()), endpoint: layers.into(), ..Settings::default() };
    let mut world = World::new(settings, now - HOUR);
    let digest =
        set(&mut world, now - MINUTE).map_err(|fault| anyhow!("the scene cannot be set: {fault}"))?;
    ensure!(world.now() == now - MINUTE, "the scene took too long to set");
    world.advance(now);
    let event = event(&digest, now - MINUTE)?;
    Ok(Pushed { world, event })
}

/// Gives the digest that is pushed, at `at`.
fn set(world: &mut World, at: Ms) -> Result<String, Fault> {
    let first = fixture::push_image(world, NAME, "v1", &[])?;
    let alarm = json!({
        "AlarmName": ALARM, "Namespace": "api", "MetricName": "5xx", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    });
    world.call("cloudwatch", "PutMetricAlarm", alarm)?;
    let green = json!({ "AlarmName": ALARM, "StateValue": "OK", "StateReason": "no errors" });
    world.call("cloudwatch", "SetAlarmState", green)?;
    let service = BlueGreen::create(world, NAME, &first, &Scene { alarms: vec![ALARM], ..Scene::default() })?;
    service.settle(world);
    world.advance(at);
    fixture::push_image(world, NAME, "v2", &[("APP_VERSION", "2")])
}

fn event(digest: &str, at: Ms) -> Result<Value> {
    let mut event: Value = serde_json::from_str(EVENT)?;
    event["region"] = REGION.into();
    event["time"] = cloud::time::iso_seconds(at).into();
    event["detail"]["repository-name"] = NAME.into();
    event["detail"]["image-digest"] = digest.into();
    event["detail"]["image-tag"] = "v2".into();
    Ok(event)
}

/// `releases.yaml` with so many services; only the one in the middle takes the push.
pub fn releases(services: usize) -> String {
    let mut yaml = String::from("services:\n");
    for n in 0..services {
        let name = if n == services / 2 { NAME.to_owned() } else { format!("{NAME}-{n}") };
        // Writing to a string cannot fail.
        let _ = write!(
            yaml,
            "  {name}-production:
    cluster: {name}-cluster
    service: {name}
    images:
      - {{ repository: {name}, container: app, tags: '.*' }}
    deploy:
      codedeploy: {{ application: {name}-deploy, group: {name}-group }}
    checks:
      before-allow-traffic:
        - smoke:
            base-url: https://{name}.internal:8443
            requests:
              - {{ get: /health, status: 200 }}
    alarms: [{name}-5xx]
"
        );
    }
    yaml
}

/// Errors unless the answer says, and the cloud shows, that one deployment was started. To be
/// asked before anything else happens in the world.
pub fn check_start(answer: &Value, world: &mut World) -> Result<()> {
    ensure!(answer.to_string().contains("\"start\""), "it did not start a deployment, but answered {answer}");
    match deployments(world)? {
        1 => Ok(()),
        n => bail!("it answered {answer}, but the local cloud has {n} deployments"),
    }
}

/// Errors unless there is still one deployment.
pub fn check_duplicates(world: &mut World) -> Result<()> {
    match deployments(world)? {
        1 => Ok(()),
        n => bail!("the same push again started further deployments: there are {n}"),
    }
}

fn deployments(world: &mut World) -> Result<usize> {
    // ListDeployments knows a new one only after a while.
    world.advance(world.now() + 10 * SECOND);
    let group = json!({ "applicationName": format!("{NAME}-deploy"), "deploymentGroupName": format!("{NAME}-group") });
    let list = world.call("codedeploy", "ListDeployments", group).map_err(|fault| anyhow!("{fault}"))?;
    list["deployments"].as_array().map(Vec::len).context("ListDeployments gives no list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_service_of_a_thousand_takes_the_push() {
        let releases = shared::config::Releases::parse(&releases(1_000), "releases.yaml").expect("no faults");
        assert_eq!(releases.services().len(), 1_000);
        let takers: Vec<_> = releases.taking(NAME).map(|(service, _)| service.name.as_str()).collect();
        assert_eq!(takers, ["api-production"]);
    }

    #[test]
    fn the_scene_has_a_push_and_no_deployment_yet() {
        let Pushed { mut world, event } = pushed("https://localhost").expect("a scene");
        assert_eq!(event["detail"]["image-tag"], "v2");
        let refused = check_start(&json!({ "decision": "start" }), &mut world).expect_err("nothing started");
        assert!(refused.to_string().contains("has 0 deployments"), "{refused}");
        let refused = check_start(&json!({ "decision": "wait" }), &mut world).expect_err("no start");
        assert!(refused.to_string().contains("did not start"), "{refused}");
    }
}
