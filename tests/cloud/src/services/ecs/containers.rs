//! From container definitions, images, overrides and secrets to processes to run.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::names::{flag, items, text, texts};
use super::task::Task;
use super::task_definitions::{self, TaskDefinition};
use crate::cloud::{Call, Cloud, Reply};
use crate::effect::ContainerSpec;
use crate::fault::Fault;
use crate::image::ImageConfig;
use crate::services::{ecr, secretsmanager};

pub(super) struct Launch {
    pub specs: Vec<ContainerSpec>,
    /// Digest of each container's image, where it is known.
    pub digests: BTreeMap<String, String>,
    /// What this cloud does not do as the definition wants it.
    pub remarks: Vec<String>,
}

/// Refuses what would change how a task runs and is not there, before it is started.
pub(super) fn check(definition: &TaskDefinition) -> Result<(), Fault> {
    let refuse = |what: &str, name: &str| {
        Err(Fault::not_modelled(format!("ecs tasks with {what} (container {name} of {})", definition.arn)))
    };
    for container in definition.containers() {
        let name = text(container, "name").unwrap_or_default();
        if items(container, "dependsOn").iter().any(|d| text(d, "condition") != Some("START")) {
            return refuse("dependsOn conditions other than START", name);
        }
        if !items(container, "environmentFiles").is_empty() {
            return refuse("environmentFiles", name);
        }
        if container.get("restartPolicy").is_some_and(|p| flag(p, "enabled")) {
            return refuse("restartPolicy", name);
        }
        let secrets = items(container, "secrets").iter().filter_map(|s| text(s, "valueFrom"));
        if secrets.clone().any(|from| !from.contains(":secretsmanager:")) {
            return refuse("secrets from SSM parameters", name);
        }
    }
    Ok(())
}

/// What to run for a task; `Err` is the reason for which it fails to start.
pub(super) fn launch(cloud: &mut Cloud, task: &Task, address: Ipv4Addr) -> Result<Launch, String> {
    let definition = task_definitions::find(cloud, &task.definition)
        .ok_or_else(|| "ResourceInitializationError: the task definition is gone".to_owned())?;
    let containers = in_order(definition.containers());
    let mut launch = Launch { specs: Vec::new(), digests: BTreeMap::new(), remarks: Vec::new() };
    for container in &containers {
        let over = items(&task.overrides, "containerOverrides")
            .iter()
            .find(|o| text(o, "name") == text(container, "name"))
            .cloned()
            .unwrap_or_default();
        let (config, digest) = image(cloud, task, container, &over)?;
        let name = text(container, "name").unwrap_or_default().to_owned();
        let mut environment = environment(&config, container, &over);
        environment.extend(secrets(cloud, container)?);
        surroundings(cloud, task, &name, address, &mut environment);
        launch.digests.extend(digest.map(|d| (name.clone(), d)));
        launch.remarks.extend(remarks(container, &name));
        launch.specs.push(ContainerSpec {
            command: command(&config, container, &over, &name)?,
            environment: environment.into_iter().collect(),
            working_directory: text(container, "workingDirectory")
                .map(str::to_owned)
                .or(config.working_directory),
            log: log(container, &name, &task.id),
            stop_timeout_seconds: container.get("stopTimeout").and_then(Value::as_u64).unwrap_or(30),
            name,
        });
    }
    Ok(launch)
}

/// Containers after those that they wait for to START; in a circle, as written.
fn in_order(definitions: &[Value]) -> Vec<Value> {
    let mut waiting: Vec<&Value> = definitions.iter().collect();
    let mut ordered: Vec<Value> = Vec::new();
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|container| {
            items(container, "dependsOn")
                .iter()
                .all(|needed| ordered.iter().any(|done| text(done, "name") == text(needed, "containerName")))
        });
        ordered.push(waiting.remove(ready.unwrap_or(0)).clone());
    }
    ordered
}

/// An image that is not in this account's registry can only be stood in for by a
/// command of the definition's own.
fn image(
    cloud: &Cloud,
    task: &Task,
    container: &Value,
    over: &Value,
) -> Result<(ImageConfig, Option<String>), String> {
    let reference = text(container, "image").unwrap_or_default();
    if !ecr::is_ours(cloud, reference) {
        let runs = [over, container]
            .iter()
            .any(|c| !items(c, "command").is_empty() || !items(c, "entryPoint").is_empty());
        return if runs {
            Ok((ImageConfig::default(), None))
        } else {
            Err(format!(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {reference}: the local cloud only pulls from {}",
                cloud.registry()
            ))
        };
    }
    let pinned = pinned(cloud, task, container).map(|digest| {
        let repository = reference.split('@').next().unwrap_or_default();
        let slash = repository.rfind('/').unwrap_or(0);
        let end = repository[slash..].find(':').map_or(repository.len(), |colon| slash + colon);
        format!("{}@{digest}", &repository[..end])
    });
    let resolved = ecr::resolve(cloud, pinned.as_deref().unwrap_or(reference))?;
    Ok((resolved.config, Some(resolved.digest)))
}

/// The digest that the service's deployment first resolved this container's tag to.
fn pinned(cloud: &Cloud, task: &Task, container: &Value) -> Option<String> {
    if text(container, "versionConsistency") == Some("disabled") {
        return None;
    }
    let service = cloud.state.ecs.services.get(task.service.as_ref()?)?;
    let fleet = service.fleets().find(|f| Some(&f.id) == task.started_by.as_ref())?;
    fleet.digests.get(text(container, "name")?).cloned()
}

/// Remembers what the first task of a deployment or task set resolved.
pub(super) fn keep_digests(cloud: &mut Cloud, task: &Task, digests: &BTreeMap<String, String>) {
    let (Some(key), Some(fleet)) = (&task.service, &task.started_by) else { return };
    let Some(service) = cloud.state.ecs.services.get_mut(key) else { return };
    let revision = service.deployments.iter().find(|d| d.fleet.id == *fleet).map(|d| d.revision.clone());
    let Some(fleet) = service.fleet_mut(fleet) else { return };
    for (name, digest) in digests {
        fleet.digests.entry(name.clone()).or_insert_with(|| digest.clone());
    }
    let digests = fleet.digests.clone();
    if let Some(revision) = revision.and_then(|arn| service.revisions.get_mut(&arn)) {
        revision.digests = digests;
    }
}

fn command(config: &ImageConfig, container: &Value, over: &Value, name: &str) -> Result<Vec<String>, String> {
    let entry_point = texts(container, "entryPoint");
    // As docker does: an entry point of one's own drops the image's command.
    let own = !entry_point.is_empty();
    let mut words = if own { entry_point } else { config.entrypoint.clone() };
    let given = [over, container].into_iter().map(|c| texts(c, "command")).find(|c| !c.is_empty());
    words.extend(given.unwrap_or_else(|| if own { Vec::new() } else { config.command.clone() }));
    if words.is_empty() {
        return Err(format!("CannotCreateContainerError: container {name}: no command specified"));
    }
    Ok(words)
}

fn environment(config: &ImageConfig, container: &Value, over: &Value) -> BTreeMap<String, String> {
    let image = config.environment.iter().filter_map(|e| e.split_once('='));
    let mut environment: BTreeMap<String, String> =
        image.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for source in [container, over] {
        for pair in items(source, "environment") {
            if let Some(name) = text(pair, "name") {
                environment.insert(name.to_owned(), text(pair, "value").unwrap_or_default().to_owned());
            }
        }
    }
    environment
}

/// What Fargate itself puts into the environment; and HOST, which keeps tasks that share
/// this machine's network apart.
fn surroundings(
    cloud: &Cloud,
    task: &Task,
    container: &str,
    address: Ipv4Addr,
    environment: &mut BTreeMap<String, String>,
) {
    let metadata = format!("{}/_cloud/tasks/{}/v4/{container}", cloud.settings.endpoint, task.id);
    for (name, value) in [
        ("HOST", address.to_string()),
        ("AWS_REGION", cloud.region().to_owned()),
        ("AWS_DEFAULT_REGION", cloud.region().to_owned()),
        ("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE".to_owned()),
    ] {
        environment.entry(name.to_owned()).or_insert(value);
    }
    environment.insert("ECS_CONTAINER_METADATA_URI_V4".into(), metadata);
}

fn secrets(cloud: &mut Cloud, container: &Value) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    for secret in items(container, "secrets") {
        let name = text(secret, "name").unwrap_or_default();
        let from = text(secret, "valueFrom").unwrap_or_default();
        let value = secret_value(cloud, from).map_err(|why| {
            format!("ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: {why}")
        })?;
        found.push((name.to_owned(), value));
    }
    Ok(found)
}

/// `arn:…:secret:<name>[:json-key[:version-stage[:version-id]]]`
fn secret_value(cloud: &mut Cloud, from: &str) -> Result<String, String> {
    let parts: Vec<&str> = from.split(':').collect();
    let part = |n: usize| parts.get(n).copied().filter(|p| !p.is_empty());
    let mut input = json!({ "SecretId": parts[..parts.len().min(7)].join(":") });
    if let Some(stage) = part(8) {
        input["VersionStage"] = json!(stage);
    }
    if let Some(version) = part(9) {
        input["VersionId"] = json!(version);
    }
    let call = Call { operation: "GetSecretValue", input: &input, caller: "ecs-tasks.amazonaws.com" };
    let reply = secretsmanager::call(cloud, &call).map_err(|fault| fault.to_string())?;
    let Reply::Now(reply) = reply else { return Err("no answer".into()) };
    let secret = text(&reply, "SecretString").ok_or("the secret is not text")?;
    let Some(key) = part(7) else { return Ok(secret.to_owned()) };
    let parsed: Value = serde_json::from_str(secret).map_err(|_| "the secret is not JSON".to_owned())?;
    match parsed.get(key) {
        Some(Value::String(value)) => Ok(value.clone()),
        Some(value) => Ok(value.to_string()),
        None => Err(format!("retrieved secret did not contain json key {key}")),
    }
}

fn log(container: &Value, name: &str, task: &str) -> Option<(String, String)> {
    let configuration =
        container.get("logConfiguration").filter(|l| text(l, "logDriver") == Some("awslogs"))?;
    let options = configuration.get("options")?;
    let group = text(options, "awslogs-group")?.to_owned();
    let stream = match text(options, "awslogs-stream-prefix") {
        Some(prefix) => format!("{prefix}/{name}/{task}"),
        None => task.to_owned(),
    };
    Some((group, stream))
}

fn remarks(container: &Value, name: &str) -> Vec<String> {
    let driver = container.get("logConfiguration").and_then(|l| text(l, "logDriver"));
    let log = driver
        .filter(|d| *d != "awslogs")
        .map(|driver| format!("container {name}: its log goes nowhere, driver {driver} is not modelled"));
    let health = container
        .get("healthCheck")
        .map(|_| format!("container {name}: its healthCheck is not executed, healthStatus stays UNKNOWN"));
    let mounts = (!items(container, "mountPoints").is_empty())
        .then(|| format!("container {name}: its mountPoints are not mounted"));
    [log, health, mounts].into_iter().flatten().collect()
}
