//! Performs a deployment, one step at each timer.

use serde_json::json;

use super::deployment::{Creator, Deployment, Diagnostics, Error, EventStatus, Phase, Status, TargetStatus};
use super::lifecycle::{Event, Next, after};
use super::{alarms, ending, hooks, install, notify, traffic};
use crate::cloud::Cloud;
use crate::services::ecs;
use crate::time::{MINUTE, Ms};

/// How long an event takes that has nothing to wait for, and the pause between two events; about
/// what AWS shows.
pub(super) const BRIEF: Ms = 250;
const PAUSE: Ms = 150;

/// A timer has come: `step` is the one it was set for.
pub(super) fn step(cloud: &mut Cloud, d: &mut Deployment, step: u64) {
    if d.step != step {
        return;
    }
    match d.phase {
        Phase::Created => begin(cloud, d),
        Phase::Before(event) => start(cloud, d, event),
        Phase::Brief(event) => succeed_event(cloud, d, event),
        Phase::Hook(event) => hooks::time_out(cloud, d, event),
        Phase::AwaitTaskSet { deadline } => install::poll(cloud, d, deadline),
        Phase::Shift { done } => traffic::shift(cloud, d, done),
        Phase::ReadyWait { minutes, .. } => ending::ready_wait_over(cloud, d, minutes),
        Phase::TerminationWait => terminate_blue(cloud, d),
        Phase::Ended => {}
    }
}

fn begin(cloud: &mut Cloud, d: &mut Deployment) {
    if cloud.state.codedeploy.application(&d.application).is_err() {
        let text = format!("The application {} does not exist any more", d.application);
        return ending::fail(cloud, d, Error::new("APPLICATION_MISSING", text));
    }
    if cloud.state.codedeploy.group_of(d).is_none() {
        let text = format!("The deployment group {} does not exist any more", d.group);
        return ending::fail(cloud, d, Error::new("DEPLOYMENT_GROUP_MISSING", text));
    }
    d.status = Status::InProgress;
    d.started = Some(cloud.now);
    d.target_status = TargetStatus::InProgress;
    d.note(cloud, "InProgress", json!({ "status": "InProgress" }));
    notify::state_change(cloud, d, "START");
    alarms::begin(cloud, d);
    if let (false, Some(first)) = (d.status.ended(), d.plan.first().copied()) {
        d.enter(cloud, Phase::Before(first), PAUSE);
    }
}

fn start(cloud: &mut Cloud, d: &mut Deployment, event: Event) {
    let now = cloud.now;
    d.target_updated = now;
    if let Some(started) = d.event_mut(event) {
        started.status = EventStatus::InProgress;
        started.started = Some(now);
    }
    d.note(
        cloud,
        &format!("{} started", event.name()),
        json!({ "event": event.name(), "status": "InProgress" }),
    );
    match (event, d.creator) {
        (Event::Install, _) => install::start(cloud, d),
        (Event::AllowTestTraffic, _) => traffic::test(cloud, d),
        (Event::AllowTraffic, Creator::User) => traffic::shift(cloud, d, 0),
        (Event::AllowTraffic, Creator::Rollback) => traffic::restore(cloud, d),
        (_, _) => hooks::start(cloud, d, event),
    }
}

/// Ends an event well and goes on to what comes after it.
pub(super) fn succeed_event(cloud: &mut Cloud, d: &mut Deployment, event: Event) {
    d.close_event(cloud, event, EventStatus::Succeeded);
    match after(&d.plan, event, d.settings.blue_green.ready) {
        Next::Event(next) => d.enter(cloud, Phase::Before(next), PAUSE),
        Next::ReadyWait { minutes, then } => {
            d.status = Status::Ready;
            d.target_status = TargetStatus::Ready;
            d.note(cloud, "Ready", json!({ "status": "Ready" }));
            notify::state_change(cloud, d, "READY");
            d.enter(cloud, Phase::ReadyWait { then, minutes }, minutes * MINUTE);
        }
        Next::Done => all_events_done(cloud, d),
    }
}

fn all_events_done(cloud: &mut Cloud, d: &mut Deployment) {
    d.target_status = TargetStatus::Succeeded;
    match d.creator {
        Creator::User => {
            d.termination_wait_started = true;
            let wait = d.settings.blue_green.termination_wait;
            d.note(cloud, "waits to terminate the original task set", json!({ "minutes": wait / MINUTE }));
            d.enter(cloud, Phase::TerminationWait, wait);
        }
        Creator::Rollback => {
            if let Some(green) = d.green.clone() {
                let result = ecs::delete_task_set(
                    cloud,
                    &d.settings.service.cluster,
                    &d.settings.service.name,
                    &green.id,
                );
                if let Err(fault) = result {
                    return ending::fail(cloud, d, ecs_error(&fault.message));
                }
            }
            ending::succeed(cloud, d);
        }
    }
}

fn terminate_blue(cloud: &mut Cloud, d: &mut Deployment) {
    if let Some(blue) = d.blue.clone() {
        let service = d.settings.service.clone();
        if let Err(fault) = ecs::delete_task_set(cloud, &service.cluster, &service.name, &blue.id) {
            return ending::fail(cloud, d, ecs_error(&fault.message));
        }
    }
    ending::succeed(cloud, d);
}

/// ContinueDeployment, in a wait.
pub(super) fn resume(cloud: &mut Cloud, d: &mut Deployment) {
    match d.phase {
        Phase::ReadyWait { then, .. } => {
            d.status = Status::InProgress;
            d.target_status = TargetStatus::InProgress;
            d.note(cloud, "InProgress again", json!({ "status": "InProgress" }));
            d.enter(cloud, Phase::Before(then), PAUSE);
        }
        Phase::TerminationWait => {
            d.note(cloud, "need not wait any longer", json!({}));
            d.enter(cloud, Phase::TerminationWait, 0);
        }
        Phase::Created
        | Phase::Before(_)
        | Phase::Brief(_)
        | Phase::Hook(_)
        | Phase::AwaitTaskSet { .. }
        | Phase::Shift { .. }
        | Phase::Ended => {}
    }
}

pub(super) fn ecs_error(text: &str) -> Error {
    Error::new(
        "ECS_UPDATE_ERROR",
        format!("The ECS service cannot be updated due to the following error: {text}"),
    )
}

/// Fails an event, and the deployment with it.
pub(super) fn fail_event(
    cloud: &mut Cloud,
    d: &mut Deployment,
    event: Event,
    why: Diagnostics,
    error: Error,
) {
    if let Some(failed) = d.event_mut(event) {
        failed.diagnostics = Some(why);
    }
    d.close_event(cloud, event, EventStatus::Failed);
    ending::fail(cloud, d, error);
}
