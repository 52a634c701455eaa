//! The hook that is under way in a service's active deployment, and the tasks and snapshots
//! that it waits for.

use futures_util::future::try_join;
use jiff::{SignedDuration, Timestamp};
use shared::aws::{Aws, EventState, SnapshotState, Snapshots, Task, TaskState};
use shared::config::{Check, OneOff, Service};
use shared::one_off::{DEPLOYMENT, execution, snapshot_name, started_by};
use shared::release::State;

use crate::decide::{By, Facts, Last};
use crate::hook::{Carrier, Hook, OWN_TURN};

/// No configuration gives a task more.
const LONGEST: SignedDuration = SignedDuration::from_mins(55);

/// What a deployment that ended so long ago has left, has ended or was ended.
const LEFT_OVER: SignedDuration = SignedDuration::from_hours(6);

/// The only event in which one-off tasks run.
const WITH_TASKS: &str = "BeforeInstall";

/// The deployment whose hooks must be looked at, if Sluice started it.
pub fn is_open<'a>(facts: &'a Facts<'_>) -> Option<&'a Last> {
    let last = facts.last.as_ref().filter(|last| last.state == State::Active)?;
    let has_hooks = last.id.is_some() && !facts.service.checks.lifecycle_events().is_empty();
    (has_hooks && age(facts.now, last.began) >= OWN_TURN).then_some(last)
}

/// Looks for the hook of a deployment by Sluice, and for what it waits for.
pub async fn look(aws: &Aws, snapshots: &Snapshots, facts: &Facts<'_>) -> anyhow::Result<Option<Hook>> {
    let by_sluice = is_open(facts).filter(|last| last.by == Some(By::Sluice));
    match by_sluice.and_then(|last| last.id.as_deref()) {
        Some(id) => hook(aws, snapshots, facts, id).await,
        None => Ok(None),
    }
}

async fn hook(
    aws: &Aws,
    snapshots: &Snapshots,
    facts: &Facts<'_>,
    deployment: &str,
) -> anyhow::Result<Option<Hook>> {
    let service = facts.service;
    let target = aws.target(deployment, &service.cluster, &service.service).await?;
    let with_checks = service.checks.lifecycle_events();
    let under_way = target
        .iter()
        .flat_map(|target| &target.events)
        .find(|event| event.state == EventState::InProgress && with_checks.contains(&event.name.as_str()));
    let Some((event, began)) = under_way.and_then(|event| Some((event.name.clone(), event.began?))) else {
        return Ok(None);
    };
    let carriers = if event == WITH_TASKS && age(aws.now(), began) >= OWN_TURN {
        carriers(aws, snapshots, facts, deployment).await?
    } else {
        Vec::new()
    };
    Ok(Some(Hook { deployment: deployment.to_owned(), event, began, carriers }))
}

async fn carriers(
    aws: &Aws,
    snapshots: &Snapshots,
    facts: &Facts<'_>,
    deployment: &str,
) -> anyhow::Result<Vec<Carrier>> {
    let Service { cluster, service, .. } = facts.service;
    let word = started_by(cluster, service);
    let (mut arns, stopped) =
        try_join(aws.tasks_started_by(cluster, &word), aws.stopped_tasks(cluster, facts.live.family()))
            .await?;
    arns.extend(stopped);
    let tasks = if arns.is_empty() { Vec::new() } else { aws.tasks(cluster, &arns).await? };
    let ours = tasks.iter().filter(|task| task.tag(DEPLOYMENT) == Some(deployment));
    let found: Vec<_> = ours.filter_map(|task| of_task(task, facts.service, aws.now())).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    // The migration comes after its snapshot.
    let databases = facts.service.checks.before_install.iter().filter_map(|check| match check {
        Check::Migrate(migrate) => migrate.snapshot.as_deref(),
        Check::MigrationCheck(_) | Check::Smoke(_) => None,
    });
    let mut found = Vec::new();
    for database in databases {
        let snapshot = snapshots.find(&snapshot_name(database, deployment)).await?;
        found.extend(snapshot.and_then(|(state, tags)| of_snapshot(&state, &tags)));
    }
    Ok(found)
}

/// Tasks of checks that still run for longer than they may, when the deployment they ran for has
/// ended: no hook waits for them any more, and no other migration begins beside them.
pub async fn left_over(aws: &Aws, facts: &Facts<'_>) -> anyhow::Result<Vec<String>> {
    let service = facts.service;
    let last = facts.last.as_ref().filter(|last| last.state != State::Active);
    let recently = last.and_then(|last| last.ended).is_some_and(|ended| age(facts.now, ended) < LEFT_OVER);
    if !recently || one_offs(service).next().is_none() {
        return Ok(Vec::new());
    }
    let (cluster, word) = (&service.cluster, started_by(&service.cluster, &service.service));
    let arns = aws.tasks_started_by(cluster, &word).await?;
    let tasks = if arns.is_empty() { Vec::new() } else { aws.tasks(cluster, &arns).await? };
    let runs = |task: &&Task| !matches!(task.state, TaskState::Stopped { .. });
    let late = tasks.iter().filter(runs).filter(|task| is_late(task, service, aws.now()).is_some());
    Ok(late.map(|task| task.arn.clone()).collect())
}

/// None for a task of somebody else.
fn of_task(task: &Task, service: &Service, now: Timestamp) -> Option<Carrier> {
    let (_, execution) = execution(&task.tags)?;
    let since = match task.state {
        TaskState::Stopped { .. } => Some(task.stopped_at),
        // The hook function stops it.
        TaskState::Starting | TaskState::Running => is_late(task, service, now).map(Some),
    };
    Some(since.map_or(Carrier::AtWork, |since| Carrier::Over { execution, since }))
}

/// Since when a task runs for longer than it may, if it does.
fn is_late(task: &Task, service: &Service, now: Timestamp) -> Option<Timestamp> {
    let until = task.created_at?.checked_add(timeout(task, service)).ok()?;
    (until <= now).then_some(until)
}

/// That of the check whose command the task runs.
fn timeout(task: &Task, service: &Service) -> SignedDuration {
    let is_it = |one: &&OneOff| {
        let ran = task.ran.as_ref();
        ran.is_some_and(|(container, command)| (container, command) == (&one.container, &one.command))
    };
    let timeouts = one_offs(service).filter(is_it).map(|one| one.timeout);
    timeouts.max().and_then(|timeout| SignedDuration::try_from(timeout).ok()).unwrap_or(LONGEST)
}

fn one_offs(service: &Service) -> impl Iterator<Item = &OneOff> {
    service.checks.before_install.iter().filter_map(|check| match check {
        Check::Migrate(migrate) => Some(&migrate.task),
        Check::MigrationCheck(check) => Some(&check.task),
        Check::Smoke(_) => None,
    })
}

fn of_snapshot(state: &SnapshotState, tags: &[(String, String)]) -> Option<Carrier> {
    let (_, execution) = execution(tags)?;
    Some(match state {
        SnapshotState::Creating => Carrier::AtWork,
        SnapshotState::Available | SnapshotState::Failed(_) => Carrier::Over { execution, since: None },
    })
}

fn age(now: Timestamp, since: Timestamp) -> SignedDuration {
    now.max(since).duration_since(since)
}
