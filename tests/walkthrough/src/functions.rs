//! Sluice in the scene: image-push behind a rule on ECR's events, lifecycle-hook under the
//! name that AppSpecs call, and the `releases.yaml` that both read.

use std::io::{Cursor, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cloud::fixture::BlueGreen;
use serde_json::{Value, json};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::programs::Programs;
use crate::scene::{ALARMS, SERVICE, Scene};

pub const FUNCTION: &str = "image-push";
pub const HOOK: &str = "CodeDeployHook_sluice";

/// The lifecycle events that `releases.yaml` has checks for.
pub const AFTER_TEST: &str = "AfterAllowTestTraffic";
pub const BEFORE_TRAFFIC: &str = "BeforeAllowTraffic";

/// What the smoke test before production traffic asks for.
pub const SMOKED: &str = "/orders";

pub fn create(scene: &mut Scene, programs: &Programs) -> anyhow::Result<()> {
    let releases = scene.cloud.scratch().join("releases.yaml");
    std::fs::write(&releases, releases_yaml(&scene.service))?;
    let variables = json!({ "SLUICE_RELEASES": releases, "SLUICE_HOOK_FUNCTION": HOOK });
    function(scene, FUNCTION, &programs.image_push, &variables)?;
    function(scene, HOOK, &programs.lifecycle_hook, &json!({ "SLUICE_RELEASES": releases }))?;
    rule(scene)
}

/// A function that is a program of this machine.
fn function(scene: &mut Scene, name: &str, program: &Path, variables: &Value) -> anyhow::Result<()> {
    let mut package = ZipWriter::new(Cursor::new(Vec::new()));
    package.start_file("bootstrap", SimpleFileOptions::default())?;
    writeln!(package, "#!/bin/sh\nexec '{}'", program.to_string_lossy().replace('\'', r"'\''"))?;
    let input = json!({
        "FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 60,
        "Role": "arn:aws:iam::123456789012:role/function",
        "Code": { "ZipFile": STANDARD.encode(package.finish()?.into_inner()) },
        "Environment": { "Variables": variables },
    });
    scene.call("lambda", "CreateFunction", input).map(drop)
}

/// Pushes go to image-push.
fn rule(scene: &mut Scene) -> anyhow::Result<()> {
    let function = scene.call("lambda", "GetFunction", json!({ "FunctionName": FUNCTION }))?;
    let pattern = json!({
        "source": ["aws.ecr"], "detail-type": ["ECR Image Action"],
        "detail": { "action-type": ["PUSH"], "result": ["SUCCESS"] },
    });
    let rule = json!({ "Name": FUNCTION, "EventPattern": pattern.to_string() });
    let rule = scene.call("events", "PutRule", rule)?["RuleArn"].clone();
    let permission = json!({
        "FunctionName": FUNCTION, "StatementId": "rule", "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com", "SourceArn": rule,
    });
    scene.call("lambda", "AddPermission", permission)?;
    let target = json!({ "Id": FUNCTION, "Arn": function["Configuration"]["FunctionArn"] });
    let answer = scene.call("events", "PutTargets", json!({ "Rule": FUNCTION, "Targets": [target] }))?;
    anyhow::ensure!(answer["FailedEntryCount"] == 0, "the rule has no target: {answer}");
    Ok(())
}

fn releases_yaml(service: &BlueGreen) -> String {
    let BlueGreen { cluster, application, group, port, .. } = service;
    let ([blue, green], test_listener) = (ALARMS, format!("http://localhost:{}", port + 1));
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
        - smoke:
            base-url: {test_listener}
            requests: [{{ get: /health, json: {{ status: healthy }}, version: {{ header: x-version }} }}]
      before-allow-traffic:
        - smoke:
            base-url: {test_listener}
            requests: [{{ get: {SMOKED}, status: 200, version: {{ header: x-version }} }}]
    alarms: [{blue}, {green}]
    watch: 30m
"
    )
}
