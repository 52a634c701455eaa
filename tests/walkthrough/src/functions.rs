//! Sluice in the scene: its functions, the `releases.yaml` that all of them read, and what each
//! is told by its environment.

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cloud::fixture::BlueGreen;
use serde_json::{Value, json};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::programs::Programs;
use crate::scene::{ALARMS, SERVICE, Scene};
use crate::wiring;

pub const FUNCTION: &str = "image-push";
pub const HOOK: &str = "CodeDeployHook_sluice";
pub const ALARM: &str = "alarm";
pub const STATE: &str = "deployment-state";
pub const NOTIFY: &str = "notify";

/// The lifecycle events that `releases.yaml` has checks for.
pub const AFTER_TEST: &str = "AfterAllowTestTraffic";
pub const BEFORE_TRAFFIC: &str = "BeforeAllowTraffic";

/// What the smoke test before production traffic asks for.
pub const SMOKED: &str = "/orders";

/// Seconds of real time, whatever the cloud's speed.
pub const TIMEOUT: u32 = 30;

/// Makes the functions, and all that leads to them.
pub fn create(scene: &mut Scene, programs: &Programs) -> anyhow::Result<()> {
    let messages = wiring::messages(scene)?;
    let releases = scene.cloud.scratch().join("releases.yaml");
    std::fs::write(&releases, releases_yaml(&scene.service))?;
    let program = |name: &str| programs.program(name);
    let plain = json!({ "SLUICE_RELEASES": releases, "SLUICE_TOPIC": messages.topic });
    let with_hook = with(&plain, "SLUICE_HOOK_FUNCTION", HOOK);
    let slack = json!({
        "SLUICE_RELEASES": releases, "SLUICE_SLACK_SECRET": messages.secret,
        "SLUICE_SLACK_URL": format!("{}{}/api", scene.cloud.url(), cloud::slack::PATH),
    });
    let functions: [(&str, PathBuf, &Value); 5] = [
        (FUNCTION, program(FUNCTION), &with_hook),
        (HOOK, program("lifecycle-hook"), &plain),
        (ALARM, program(ALARM), &plain),
        (STATE, program(STATE), &with_hook),
        (NOTIFY, program(NOTIFY), &slack),
    ];
    for (name, program, variables) in functions {
        function(scene, name, &program, variables)?;
    }
    wiring::rules(scene)?;
    messages.lead_to_notify(scene)
}

fn with(variables: &Value, name: &str, value: &str) -> Value {
    let mut variables = variables.clone();
    variables[name] = value.into();
    variables
}

/// A function that is a program of this machine.
fn function(scene: &mut Scene, name: &str, program: &Path, variables: &Value) -> anyhow::Result<()> {
    let mut package = ZipWriter::new(Cursor::new(Vec::new()));
    package.start_file("bootstrap", SimpleFileOptions::default())?;
    writeln!(package, "#!/bin/sh\nexec '{}'", program.to_string_lossy().replace('\'', r"'\''"))?;
    let input = json!({
        "FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": TIMEOUT,
        "Role": "arn:aws:iam::123456789012:role/function",
        "Code": { "ZipFile": STANDARD.encode(package.finish()?.into_inner()) },
        "Environment": { "Variables": variables },
    });
    scene.call("lambda", "CreateFunction", input).map(drop)
}

/// Without a `watch`: what is live and quiet counts as good at once, so that the acts can
/// follow each other.
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
    notify: {{ slack: '#deploys', alarms: '#ops' }}
"
    )
}
