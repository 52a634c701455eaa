//! ECS tasks: one-off ones that a check starts, and those of a task set.

use std::net::IpAddr;

use anyhow::{Context as _, bail};
use aws_sdk_ecs::error::ProvideErrorMetadata as _;
use aws_sdk_ecs::types::{DesiredStatus, TaskField};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::raw::Raw;
use super::{Aws, failed};
use crate::aws::EcsService;
use crate::revision::from_epoch_seconds;

/// A task to be started.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    pub cluster: &'a str,
    /// ARN of the task definition revision.
    pub revision: &'a str,
    pub container: &'a str,
    pub command: &'a [String],
    /// Whose network, capacity and platform it takes.
    pub service: &'a EcsService,
    /// At most 64 characters; the same token is the same task.
    pub token: &'a str,
    /// At most 128 letters, digits, `-`, `_` and `/`.
    pub started_by: &'a str,
    pub tags: &'a [(String, String)],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub arn: String,
    pub revision: String,
    pub state: TaskState,
    pub created_at: Option<Timestamp>,
    pub stopped_at: Option<Timestamp>,
    /// Container and command, where it was started with a command of its own.
    pub ran: Option<(String, Vec<String>)>,
    /// Its own address in the VPC, if it has one.
    pub address: Option<IpAddr>,
    pub tags: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// Not begun to run yet.
    Starting,
    Running,
    /// Exit code by container, where it has one, and what ECS says of the end.
    Stopped {
        exits: Vec<(String, Option<i64>)>,
        reason: String,
    },
}

#[derive(Deserialize)]
struct Tasks {
    #[serde(default)]
    tasks: Vec<TaskView>,
    #[serde(default)]
    failures: Vec<FailureView>,
}

#[derive(Deserialize)]
struct FailureView {
    reason: Option<String>,
    detail: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskView {
    task_arn: String,
    task_definition_arn: String,
    last_status: String,
    created_at: Option<f64>,
    stopped_at: Option<f64>,
    overrides: Option<OverridesView>,
    stopped_reason: Option<String>,
    #[serde(default)]
    containers: Vec<ContainerView>,
    #[serde(default)]
    attachments: Vec<AttachmentView>,
    #[serde(default)]
    tags: Vec<TagView>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerView {
    name: String,
    exit_code: Option<i64>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OverridesView {
    #[serde(default)]
    container_overrides: Vec<OverrideView>,
}

#[derive(Deserialize)]
struct OverrideView {
    name: Option<String>,
    command: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct AttachmentView {
    #[serde(default)]
    details: Vec<DetailView>,
}

#[derive(Deserialize)]
struct DetailView {
    name: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct TagView {
    key: String,
    #[serde(default)]
    value: String,
}

/// DescribeTasks takes so many ARNs.
const BATCH: usize = 100;

impl Aws {
    /// Starts a task, or finds the one that was started with this token; gives its ARN.
    pub async fn run_task(&self, run: &Run<'_>) -> anyhow::Result<String> {
        let placement = &run.service.placement;
        let mut body = json!({
            "cluster": run.cluster, "taskDefinition": run.revision, "count": 1,
            "clientToken": run.token, "startedBy": run.started_by,
            "overrides": { "containerOverrides": [{ "name": run.container, "command": run.command }] },
            "tags": run.tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect::<Vec<_>>(),
        });
        let given = [
            ("networkConfiguration", placement.network.clone()),
            ("capacityProviderStrategy", placement.capacity_providers.clone()),
            ("platformVersion", placement.platform_version.clone().map(Value::from)),
            ("launchType", run.service.launch_type.clone().map(Value::from)),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        let raw = Raw::sending(body.to_string());
        let what = || format!("running a task of {}", run.revision);
        let call = self.ecs.run_task().task_definition(run.revision).client_token(run.token);
        call.customize().interceptor(raw.clone()).send().await.map_err(failed(what()))?;
        let answer: Tasks = serde_json::from_slice(&raw.answer()).with_context(what)?;
        match (answer.tasks.into_iter().next(), answer.failures.into_iter().next()) {
            (Some(task), _) => Ok(task.task_arn),
            (None, Some(failure)) => bail!("{}: ECS could not start it: {}", what(), failure.text()),
            (None, None) => bail!("{}: ECS answered without a task", what()),
        }
    }

    /// Those of `arns` that ECS still knows: it forgets a task an hour after its end.
    pub async fn tasks(&self, cluster: &str, arns: &[String]) -> anyhow::Result<Vec<Task>> {
        let mut tasks = Vec::new();
        for chunk in arns.chunks(BATCH) {
            let raw = Raw::default();
            let call = self.ecs.describe_tasks().cluster(cluster).set_tasks(Some(chunk.to_vec()));
            let call = call.include(TaskField::Tags).customize().interceptor(raw.clone());
            let what = || format!("describing the tasks {}", chunk.join(", "));
            call.send().await.map_err(failed(what()))?;
            tasks.extend(Task::of_answer(&raw.answer()).with_context(what)?);
        }
        Ok(tasks)
    }

    /// ARNs of the tasks that are to run and were started by `started_by`: a caller's own
    /// word, or a task set's id.
    pub async fn tasks_started_by(&self, cluster: &str, started_by: &str) -> anyhow::Result<Vec<String>> {
        let (mut arns, mut token) = (Vec::new(), None);
        loop {
            let call = self.ecs.list_tasks().cluster(cluster).started_by(started_by);
            let answer = call.set_next_token(token).send().await;
            let answer = answer.map_err(failed(format!("listing the tasks started by {started_by}")))?;
            arns.extend_from_slice(answer.task_arns());
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(arns);
            }
        }
    }

    /// ARNs of the tasks of a task definition family that have stopped, within the hour that ECS
    /// remembers them.
    pub async fn stopped_tasks(&self, cluster: &str, family: &str) -> anyhow::Result<Vec<String>> {
        let (mut arns, mut token) = (Vec::new(), None);
        loop {
            let call = self.ecs.list_tasks().cluster(cluster).family(family);
            let call = call.desired_status(DesiredStatus::Stopped).set_next_token(token);
            let answer =
                call.send().await.map_err(failed(format!("listing the stopped tasks of {family}")))?;
            arns.extend_from_slice(answer.task_arns());
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(arns);
            }
        }
    }

    /// ARNs of the tasks of a service that are to run.
    pub async fn tasks_of_service(&self, cluster: &str, service: &str) -> anyhow::Result<Vec<String>> {
        let (mut arns, mut token) = (Vec::new(), None);
        loop {
            let call = self.ecs.list_tasks().cluster(cluster).service_name(service);
            let answer = call.set_next_token(token).send().await;
            let answer = answer.map_err(failed(format!("listing the tasks of {cluster}/{service}")))?;
            arns.extend_from_slice(answer.task_arns());
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(arns);
            }
        }
    }

    pub async fn stop_task(&self, cluster: &str, arn: &str, reason: &str) -> anyhow::Result<()> {
        let call = self.ecs.stop_task().cluster(cluster).task(arn).reason(reason);
        match call.send().await {
            // It is gone already.
            Err(e) if e.code() == Some("InvalidParameterException") => Ok(()),
            other => other.map(drop).map_err(failed(format!("stopping the task {arn}"))),
        }
    }
}

impl OverridesView {
    fn ran(self) -> Option<(String, Vec<String>)> {
        self.container_overrides.into_iter().find_map(|one| Some((one.name?, one.command?)))
    }
}

impl FailureView {
    fn text(self) -> String {
        let parts = [self.reason, self.detail].into_iter().flatten().collect::<Vec<_>>();
        if parts.is_empty() { "for no reason that it tells".to_owned() } else { parts.join(", ") }
    }
}

impl Task {
    /// Reads the body of a DescribeTasks answer.
    pub fn of_answer(body: &[u8]) -> Result<Vec<Self>, serde_json::Error> {
        let answer: Tasks = serde_json::from_slice(body)?;
        Ok(answer.tasks.into_iter().map(Self::narrowed).collect())
    }

    fn narrowed(view: TaskView) -> Self {
        let details = view.attachments.iter().flat_map(|attachment| &attachment.details);
        let address = details.filter(|d| d.name.as_deref() == Some("privateIPv4Address"));
        let address = address.filter_map(|detail| detail.value.as_deref()?.parse().ok()).next();
        let reasons = view.containers.iter().filter_map(|c| c.reason.clone());
        let reasons: Vec<_> = view.stopped_reason.clone().into_iter().chain(reasons).collect();
        Self {
            arn: view.task_arn,
            revision: view.task_definition_arn,
            created_at: view.created_at.and_then(from_epoch_seconds),
            stopped_at: view.stopped_at.and_then(from_epoch_seconds),
            ran: view.overrides.and_then(OverridesView::ran),
            address,
            tags: view.tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
            state: match view.last_status.as_str() {
                "STOPPED" => TaskState::Stopped {
                    exits: view.containers.into_iter().map(|c| (c.name, c.exit_code)).collect(),
                    reason: reasons.join("; "),
                },
                "PROVISIONING" | "PENDING" | "ACTIVATING" => TaskState::Starting,
                _ => TaskState::Running,
            },
        }
    }

    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
