//! The function, and what it did.

use std::time::Duration;

use deployment_state::DeploymentState;
use serde_json::{Value, json};
use shared::start::Invocation;
use sweep::Sweep;

use crate::state::Stage;

const ACCESS_KEY: &str = "ASIAFNsweep";

/// Operations that change nothing.
const READS: [&str; 5] = ["Describe", "List", "Get", "BatchGet", "ReceiveMessage"];

/// The function, made anew as in a new execution environment.
pub fn function(stage: &Stage) -> Sweep {
    Sweep::new(DeploymentState { push: stage.image_push(ACCESS_KEY) })
}

/// The event of the schedule.
pub fn scheduled() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/events/eventbridge-rule-schedule.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Sweeps as Lambda would, with four minutes of time.
pub async fn sweep(function: &Sweep) -> anyhow::Result<Value> {
    let invocation = Invocation { event: scheduled(), time: Duration::from_secs(240) };
    Ok(serde_json::to_value(function.handle(invocation).await?)?)
}

/// Sweeps once; gives the steps taken for a service, each with its reason and outcome.
pub async fn swept(stage: &Stage, service: &str) -> Vec<(String, String, String)> {
    let answer = sweep(&function(stage)).await.unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = answer["services"][service].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
    told.iter().map(|told| (text(&told["step"]), text(&told["reason"]), text(&told["outcome"]))).collect()
}

/// The same, the steps alone.
pub async fn steps(stage: &Stage, service: &str) -> Vec<String> {
    swept(stage, service).await.into_iter().map(|(step, ..)| step).collect()
}

/// The sweep's calls since `from` of them.
pub fn calls(stage: &Stage, from: usize) -> Vec<String> {
    stage.calls_of(ACCESS_KEY).into_iter().skip(from).map(|(name, _)| name).collect()
}

/// Those that changed something.
pub fn effects(stage: &Stage, from: usize) -> Vec<String> {
    let is_read = |name: &String| READS.iter().any(|verb| name.starts_with(verb));
    calls(stage, from).into_iter().filter(|name| !is_read(name)).collect()
}

/// Sweeps, and asserts that it changed nothing.
pub async fn nothing_happens(stage: &Stage) {
    let from = calls(stage, 0).len();
    let answer = sweep(&function(stage)).await.unwrap();
    assert_eq!(effects(stage, from), Vec::<String>::new(), "{answer}\n{}", stage.told());
}

/// Puts the tag that a first sweep leaves, and lets a moment pass.
pub async fn with_baseline(stage: &Stage) {
    let names: Vec<_> = stage.services.iter().map(|service| service.name.clone()).collect();
    sweep(&function(stage)).await.unwrap();
    for name in names {
        assert!(baseline(stage, &name).is_some(), "{name}");
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
}

/// The tag that says since when images count.
pub fn baseline(stage: &Stage, name: &str) -> Option<String> {
    let input = json!({ "cluster": format!("{name}-cluster"), "services": [name], "include": ["TAGS"] });
    let tags = stage.call("ecs", "DescribeServices", input)["services"][0]["tags"].as_array().cloned();
    let found = tags.into_iter().flatten().find(|tag| tag["key"] == "sluice:baseline");
    found.map(|tag| tag["value"].as_str().unwrap().to_owned())
}

/// Longer than events have the first turn.
pub async fn later() {
    tokio::time::sleep(Duration::from_secs(150)).await;
}
