//! RunTask, StopTask.

use serde::Serialize;
use serde_json::{Value, json};

use super::fleet::{self, Workload};
use super::lifecycle::{self, Plan, Why};
use super::names::{self, flag, invalid, items, text};
use super::service_rules as rules;
use super::tags::{self, Tags};
use super::{task_definitions, task_view};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{DAY, Ms};

/// What a clientToken was used for.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Token {
    #[serde(skip)]
    request: Value,
    tasks: Vec<String>,
    used: Ms,
}

/// As ECS's guide on idempotency has it: a day, and no longer than an hour beyond the task's
/// end, which is as long as ECS knows the task.
const TOKEN_KEPT: Ms = DAY;

/// Overrides may be this long.
const LONGEST_OVERRIDES: usize = 8_192;

pub(super) fn run(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let cluster = names::cluster(cloud, input)?;
    if let Some(tasks) = repeated(cloud, &cluster, input)? {
        return Ok(answer(cloud, &tasks));
    }
    let count = match input.get("count").and_then(Value::as_i64).unwrap_or(1) {
        n @ 1..=10 => n,
        n => return Err(invalid(format!("count must be between 1 and 10, not {n}."))),
    };
    if !items(input, "volumeConfigurations").is_empty() {
        return Err(Fault::not_modelled("ecs:RunTask with volumeConfigurations"));
    }
    rules::check_modelled("RunTask", input)?;
    let plan = plan(cloud, &cluster, input)?;
    let mut started = Vec::new();
    for _ in 0..count {
        let provider = fleet::pick(&plan.workload.strategy, |name| started_with(cloud, &started, name));
        started.push(lifecycle::start(cloud, Plan { provider, ..plan.clone() }));
    }
    if let Some(token) = text(input, "clientToken") {
        let token_key = format!("{cluster}/{token}");
        cloud
            .state
            .ecs
            .tokens
            .insert(token_key, Token { request: input.clone(), tasks: started.clone(), used: cloud.now });
    }
    Ok(answer(cloud, &started))
}

fn started_with(cloud: &Cloud, tasks: &[String], provider: &str) -> u64 {
    let tasks = tasks.iter().filter_map(|id| cloud.state.ecs.tasks.get(id));
    tasks.filter(|t| t.provider.as_deref() == Some(provider)).count() as u64
}

/// The tasks that the same request already started.
fn repeated(cloud: &Cloud, cluster: &str, input: &Value) -> Result<Option<Vec<String>>, Fault> {
    let Some(token) = text(input, "clientToken") else { return Ok(None) };
    if token.len() > 64 || !token.bytes().all(|b| (33..=126).contains(&b)) {
        return Err(invalid("clientToken must have at most 64 characters in the range of 33-126."));
    }
    let Some(known) = cloud.state.ecs.tokens.get(&format!("{cluster}/{token}")) else { return Ok(None) };
    let gone = !known.tasks.iter().any(|id| cloud.state.ecs.tasks.contains_key(id));
    if gone || cloud.now >= known.used + TOKEN_KEPT {
        return Ok(None);
    }
    if known.request == *input {
        return Ok(Some(known.tasks.clone()));
    }
    let arns: Vec<String> =
        known.tasks.iter().map(|id| cloud.arn("ecs", &format!("task/{cluster}/{id}"))).collect();
    let text = "The RunTask request could not be processed due to conflicts. The provided clientToken is already in use with a different RunTask request.";
    Err(Fault::new("ConflictException", text).with("resourceIds", json!(arns)))
}

fn answer(cloud: &Cloud, tasks: &[String]) -> Value {
    let tasks: Vec<Value> =
        tasks.iter().filter_map(|id| cloud.state.ecs.tasks.get(id)).map(|t| with_tags(cloud, t)).collect();
    json!({ "tasks": tasks, "failures": [] })
}

fn with_tags(cloud: &Cloud, task: &super::task::Task) -> Value {
    let mut json = task_view::json(cloud, task);
    json["tags"] = tags::json(cloud, &task.arn);
    json
}

fn plan(cloud: &Cloud, cluster: &str, input: &Value) -> Result<Plan, Fault> {
    let definition = task_definitions::active(cloud, text(input, "taskDefinition").unwrap_or_default())?;
    let (launch_type, strategy) = rules::launch(cloud, cluster, input, None)?;
    rules::check_launch(definition)?;
    let network = input.get("networkConfiguration").cloned().unwrap_or_default();
    let workload = Workload {
        task_definition: definition.arn.clone(),
        launch_type,
        strategy,
        platform_version: rules::platform(text(input, "platformVersion"))?,
        network: rules::checked_network(network)?,
        load_balancers: Vec::new(),
    };
    if flag(input, "enableExecuteCommand") {
        rules::check_execute_command(cloud, &workload, "task")?;
    }
    let overrides = input.get("overrides").cloned().unwrap_or_default();
    check_overrides(definition, &overrides)?;
    let started_by = text(input, "startedBy").map(str::to_owned);
    if started_by.as_ref().is_some_and(|s| s.len() > 128) {
        return Err(invalid("startedBy must have at most 128 characters."));
    }
    Ok(Plan {
        cluster: cluster.to_owned(),
        service: None,
        started_by,
        group: text(input, "group").map_or_else(|| format!("family:{}", definition.family), str::to_owned),
        definition: definition.arn.clone(),
        workload,
        provider: None,
        overrides,
        tags: task_tags(cloud, input, cluster, &definition.arn)?,
        execute_command: flag(input, "enableExecuteCommand"),
    })
}

fn check_overrides(definition: &task_definitions::TaskDefinition, overrides: &Value) -> Result<(), Fault> {
    if overrides.to_string().len() > LONGEST_OVERRIDES {
        return Err(invalid(format!("Overrides must have at most {LONGEST_OVERRIDES} characters.")));
    }
    for over in items(overrides, "containerOverrides") {
        let name = text(over, "name").unwrap_or_default();
        if definition.container(name).is_none() {
            return Err(invalid(format!(
                "Override for container named {name} is not a container in the TaskDefinition."
            )));
        }
        if !items(over, "environmentFiles").is_empty() {
            return Err(Fault::not_modelled("ecs:RunTask with environmentFiles"));
        }
    }
    Ok(())
}

fn task_tags(cloud: &Cloud, input: &Value, cluster: &str, definition: &str) -> Result<Tags, Fault> {
    let mut all = Tags::new();
    match text(input, "propagateTags") {
        Some("TASK_DEFINITION") => all.extend(tags::of(cloud, definition).cloned().unwrap_or_default()),
        Some("SERVICE") => {
            return Err(invalid("Tag propagation from a service is not supported when running a task."));
        }
        _ => {}
    }
    all.extend(tags::read(input)?);
    if flag(input, "enableECSManagedTags") {
        all.insert("aws:ecs:clusterName".into(), cluster.to_owned());
    }
    Ok(all)
}

pub(super) fn stop(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let cluster = names::cluster(cloud, input)?;
    let id = names::task_id(cloud, &cluster, text(input, "task").unwrap_or_default())
        .ok_or_else(|| invalid("The referenced task was not found."))?;
    let reason = text(input, "reason").unwrap_or("Task stopped by user").to_owned();
    lifecycle::stop(cloud, &id, &Why::Asked(reason));
    Ok(json!({ "task": with_tags(cloud, &cloud.state.ecs.tasks[&id]) }))
}
