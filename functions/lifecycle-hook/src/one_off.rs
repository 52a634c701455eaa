//! One-off tasks of the new revision: once per hook, however often that is delivered, and
//! judged by the exit code. Nobody waits for one: its end wakes the function.

use std::time::Duration;

use anyhow::Context as _;
use shared::aws::{Run, Task, TaskState};
use shared::config::OneOff;
use shared::one_off::{self, DEPLOYMENT, hash, started_by};
use tokio::time::Instant;

use crate::LifecycleHook;
use crate::decide::Outcome;
use crate::hook::{Caller, Hook};

/// How often a task of somebody else is looked at that has to end first.
const LOOK: Duration = Duration::from_secs(5);

/// How many lines of a failed task's log are told.
const LAST_LINES: i32 = 20;

/// A task that ended with exit code 0, or what else came of it.
pub type Ended = Result<Task, Outcome>;

impl LifecycleHook {
    /// Starts the task of a check, or finds it if an earlier delivery did.
    pub(crate) async fn one_off(&self, hook: &Hook<'_>, n: usize, what: &OneOff) -> anyhow::Result<Ended> {
        let cluster = &hook.service.cluster;
        let started_by = started_by(cluster, &hook.service.service);
        if let Some(why) = self.others(hook, &started_by).await? {
            return Ok(Err(Outcome::Inconclusive(why)));
        }
        let run = Run {
            cluster,
            revision: hook.revision,
            container: &what.container,
            command: &what.command,
            service: hook.ecs,
            token: &token(hook, n),
            started_by: &started_by,
            tags: &tags(hook),
        };
        let arn = self.aws.run_task(&run).await?;
        let task = self.aws.tasks(cluster, std::slice::from_ref(&arn)).await?.pop();
        let Some(task) = task else {
            return Ok(Err(Outcome::Pending(format!("{} has just been started", id(&arn)))));
        };
        match &task.state {
            TaskState::Stopped { exits, reason } => {
                let exit = exits.iter().find(|(name, _)| *name == what.container).and_then(|(_, code)| *code);
                if exit == Some(0) {
                    Ok(Ok(task))
                } else {
                    self.failed(&task, what, exit, reason).await.map(Err)
                }
            }
            TaskState::Starting | TaskState::Running => self.goes_on(hook, &task, what).await.map(Err),
        }
    }

    /// What else is running for the service and does not end in time; nothing if nothing is.
    async fn others(&self, hook: &Hook<'_>, started_by: &str) -> anyhow::Result<Option<String>> {
        let cluster = &hook.service.cluster;
        loop {
            let running = self.aws.tasks_started_by(cluster, started_by).await?;
            let running = self.aws.tasks(cluster, &running).await?;
            let is_over = |task: &Task| matches!(task.state, TaskState::Stopped { .. });
            let other =
                running.iter().find(|task| !is_over(task) && task.tag(DEPLOYMENT) != Some(hook.deployment));
            let Some(other) = other else { return Ok(None) };
            if matches!(hook.caller, Caller::Ecs) || Instant::now() + LOOK * 2 >= hook.end {
                let of = other.tag(DEPLOYMENT).unwrap_or("somebody else");
                return Ok(Some(format!("the task {} of {of} is still running", id(&other.arn))));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn goes_on(&self, hook: &Hook<'_>, task: &Task, what: &OneOff) -> anyhow::Result<Outcome> {
        let (name, now) = (id(&task.arn), self.aws.now());
        let age =
            task.created_at.map_or(Duration::ZERO, |created| now.duration_since(created).unsigned_abs());
        if age < what.timeout {
            return Ok(Outcome::Pending(format!("{name} is running since {age:?}")));
        }
        let why = format!("not finished within its timeout, {:?}", what.timeout);
        self.aws.stop_task(&hook.service.cluster, &task.arn, &format!("Sluice: {why}")).await?;
        Ok(Outcome::Failed(format!("{name}: {why}; it was stopped")))
    }

    async fn failed(
        &self,
        task: &Task,
        what: &OneOff,
        exit: Option<i64>,
        reason: &str,
    ) -> anyhow::Result<Outcome> {
        let name = id(&task.arn);
        let how = match exit {
            Some(code) => format!("{name} ended with exit code {code}"),
            None => format!("{name} ended before '{}' gave an exit code: {reason}", what.container),
        };
        let lines = match self.log_of(task, &what.container).await {
            Ok(Some((group, stream))) => self.logs.last_lines(&group, &stream, LAST_LINES).await,
            Ok(None) => Ok(Vec::new()),
            Err(e) => Err(e),
        };
        let lines = lines.unwrap_or_else(|e| vec![format!("(its log cannot be read: {e:#})")]);
        let last =
            if lines.is_empty() { String::new() } else { format!("; its last lines: {}", lines.join(" | ")) };
        Ok(Outcome::Failed(format!("{how}{last}")))
    }

    /// Group and stream of a container's log, where its revision writes to CloudWatch.
    pub(crate) async fn log_of(
        &self,
        task: &Task,
        container: &str,
    ) -> anyhow::Result<Option<(String, String)>> {
        let revision = self.aws.revision(&task.revision).await?;
        let revision = revision.with_context(|| format!("ECS does not know {}", task.revision))?;
        let log = revision.awslogs(container);
        Ok(log.map(|(group, prefix)| (group, format!("{prefix}/{container}/{}", id(&task.arn)))))
    }
}

/// The id at the end of a task's ARN.
pub fn id(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The same for each delivery of a hook, and 64 characters, as many as ECS takes.
fn token(hook: &Hook<'_>, n: usize) -> String {
    hash(&format!("{} {} {n}", hook.deployment, hook.event))
}

/// What a task or snapshot carries.
pub fn tags(hook: &Hook<'_>) -> Vec<(String, String)> {
    let execution = match &hook.caller {
        Caller::CodeDeploy { execution, .. } => Some(*execution),
        Caller::Ecs => None,
    };
    one_off::tags(hook.deployment, execution)
}
