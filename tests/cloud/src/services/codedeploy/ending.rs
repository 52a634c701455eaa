//! The end of a deployment: succeeded, failed or stopped.

use serde_json::json;

use super::deployment::{Deployment, Error, EventStatus, Phase, Status, TargetStatus};
use super::rollback::{self, Cause};
use super::{notify, targets};
use crate::cloud::Cloud;

pub(super) fn succeed(cloud: &mut Cloud, d: &mut Deployment) {
    close(cloud, d, Status::Succeeded, None);
    let id = d.id.clone();
    if let Some(group) = cloud.state.codedeploy.group_of(d) {
        group.last_successful = Some(id);
    }
    notify::state_change(cloud, d, "SUCCESS");
}

pub(super) fn fail(cloud: &mut Cloud, d: &mut Deployment, error: Error) {
    close(cloud, d, Status::Failed, Some(error));
    notify::state_change(cloud, d, "FAILURE");
    rollback::consider(cloud, d, Cause::Failure);
}

pub(super) fn stop_on_alarm(cloud: &mut Cloud, d: &mut Deployment, error: Error) {
    stop(cloud, d, error, Cause::Alarm);
}

/// StopDeployment takes effect, unless the deployment ended in the meantime.
pub(super) fn stop_as_requested(cloud: &mut Cloud, d: &mut Deployment) {
    let (false, Some(rollback)) = (d.status.ended(), d.stop_requested) else { return };
    let error = Error::new("MANUAL_STOP", "The deployment was stopped by a request to StopDeployment");
    stop(cloud, d, error, Cause::Request { rollback });
}

/// Nobody continued the deployment in time.
pub(super) fn ready_wait_over(cloud: &mut Cloud, d: &mut Deployment, minutes: u64) {
    let text = format!(
        "The deployment timed out while waiting for a notification to continue. This time out period is \
         {minutes} minutes."
    );
    stop(cloud, d, Error::new("TIMEOUT", text), Cause::Failure);
}

fn stop(cloud: &mut Cloud, d: &mut Deployment, error: Error, cause: Cause) {
    close(cloud, d, Status::Stopped, Some(error));
    notify::state_change(cloud, d, "STOP");
    rollback::consider(cloud, d, cause);
}

/// The event in progress has failed with the deployment, and those after it are skipped.
fn close(cloud: &mut Cloud, d: &mut Deployment, status: Status, error: Option<Error>) {
    let running = d.events.iter().find(|e| e.status == EventStatus::InProgress).map(|e| e.event);
    if let Some(event) = running {
        d.close_event(cloud, event, EventStatus::Failed);
    }
    for event in d.events.iter_mut().filter(|e| e.status == EventStatus::Pending) {
        event.status = EventStatus::Skipped;
    }
    if d.target_status != TargetStatus::Succeeded {
        d.target_status = TargetStatus::Failed;
    }
    targets::observe(cloud, d);
    d.status = status;
    d.completed = Some(cloud.now);
    d.phase = Phase::Ended;
    d.step += 1;
    let text = match &error {
        None => status.name().to_owned(),
        Some(error) => format!("{}: {} {}", status.name(), error.code, error.message),
    };
    d.note(cloud, &text, json!({ "status": status.name(), "error": error }));
    d.error = error;
}
