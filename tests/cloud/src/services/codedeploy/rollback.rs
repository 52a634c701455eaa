//! Automatic rollback: a new deployment that gives all traffic back to the original task set.

use serde_json::json;

use super::configurations::Routing;
use super::deployment::{
    Creator, Deployment, EventStatus, LifecycleEvent, Phase, RollbackInfo, Status, TargetStatus,
};
use super::group_settings::AutoRollback;
use super::lifecycle::{events, rollback_events};
use super::{deployments, notify, with_deployment};
use crate::cloud::Cloud;
use crate::time::{Ms, SECOND};

const START_DELAY: Ms = SECOND;

/// Rollbacks shift all traffic at once, whatever the group's configuration is.
const CONFIGURATION: &str = "CodeDeployDefault.ECSAllAtOnce";

/// Why a deployment did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Failure,
    Alarm,
    /// StopDeployment, with its `autoRollbackEnabled`.
    Request {
        rollback: Option<bool>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    RollBack,
    /// It would be rolled back, but nothing has been replaced yet.
    NothingToUndo,
    NotAsked,
    /// A rollback is never rolled back.
    IsRollback,
}

fn decide(creator: Creator, cause: Cause, config: &AutoRollback, install_began: bool) -> Decision {
    let on = |event: &str| config.enabled && config.events.iter().any(|e| e == event);
    let asked = match cause {
        Cause::Failure => on("DEPLOYMENT_FAILURE"),
        Cause::Alarm => on("DEPLOYMENT_STOP_ON_ALARM"),
        Cause::Request { rollback } => rollback.unwrap_or_else(|| on("DEPLOYMENT_STOP_ON_REQUEST")),
    };
    match (creator, asked, install_began) {
        (Creator::Rollback, _, _) => Decision::IsRollback,
        (Creator::User, false, _) => Decision::NotAsked,
        (Creator::User, true, false) => Decision::NothingToUndo,
        (Creator::User, true, true) => Decision::RollBack,
    }
}

/// Starts a rollback of a deployment that has ended, if one is wanted and possible.
pub(super) fn consider(cloud: &mut Cloud, d: &mut Deployment, cause: Cause) {
    match decide(d.creator, cause, &d.settings.rollback, d.blue.is_some()) {
        Decision::NotAsked | Decision::IsRollback => {}
        Decision::NothingToUndo => {
            let text = format!(
                "Deployment {} terminated before the replacement task set was created. There is nothing to roll back.",
                d.id
            );
            d.note(cloud, "has nothing to roll back", json!({}));
            d.rollback.message = Some(text);
        }
        Decision::RollBack => {
            let id = deployments::add(cloud, rollback_of(cloud, d), START_DELAY);
            d.rollback.deployment = Some(id.clone());
            d.rollback.message = Some(format!(
                "Deployment {} terminated. Automatic rollback is triggered with a DeploymentId {id}.",
                d.id
            ));
            let message = format!("Deployment {id} is triggered to roll back deployment {}.", d.id);
            with_deployment(cloud, &id, |cloud, rollback| {
                rollback.rollback.message = Some(message);
                notify::triggers(cloud, rollback, "DeploymentRollback", "CREATED");
            });
        }
    }
}

fn rollback_of(cloud: &Cloud, d: &Deployment) -> Deployment {
    let test = d.settings.routes.test.as_deref();
    let plan = rollback_events(test);
    let shown = events(test).into_iter().map(|event| {
        let status = if plan.contains(&event) { EventStatus::Pending } else { EventStatus::Skipped };
        LifecycleEvent { status, ..LifecycleEvent::new(event, None) }
    });
    Deployment {
        creator: Creator::Rollback,
        configuration: CONFIGURATION.into(),
        routing: Routing::AllAtOnce,
        revision: d.previous_revision.clone(),
        appspec: None,
        description: None,
        override_alarms: None,
        created: cloud.now,
        started: None,
        completed: None,
        status: Status::Created,
        error: None,
        rollback: RollbackInfo { triggering: Some(d.id.clone()), ..RollbackInfo::default() },
        phase: Phase::Created,
        events: shown.collect(),
        plan,
        target_status: TargetStatus::Pending,
        target_updated: cloud.now,
        termination_wait_started: false,
        stop_requested: None,
        ..d.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(events: &[&str]) -> AutoRollback {
        AutoRollback { enabled: true, events: events.iter().map(|e| (*e).to_owned()).collect() }
    }

    #[test]
    fn each_cause_needs_its_own_event() {
        let alarm = on(&["DEPLOYMENT_STOP_ON_ALARM"]);
        assert_eq!(decide(Creator::User, Cause::Alarm, &alarm, true), Decision::RollBack);
        assert_eq!(decide(Creator::User, Cause::Failure, &alarm, true), Decision::NotAsked);
        let off = AutoRollback { enabled: false, ..alarm };
        assert_eq!(decide(Creator::User, Cause::Alarm, &off, true), Decision::NotAsked);
    }

    #[test]
    fn a_stop_request_says_itself_whether_to_roll_back() {
        let stop = |rollback| Cause::Request { rollback };
        let on_request = on(&["DEPLOYMENT_STOP_ON_REQUEST"]);
        let off = AutoRollback::default();
        assert_eq!(decide(Creator::User, stop(Some(true)), &off, true), Decision::RollBack);
        assert_eq!(decide(Creator::User, stop(Some(false)), &on_request, true), Decision::NotAsked);
        assert_eq!(decide(Creator::User, stop(None), &on_request, true), Decision::RollBack);
        assert_eq!(decide(Creator::User, stop(None), &off, true), Decision::NotAsked);
    }

    #[test]
    fn neither_before_install_nor_in_a_rollback_is_there_anything_to_roll_back() {
        let failure = on(&["DEPLOYMENT_FAILURE"]);
        assert_eq!(decide(Creator::User, Cause::Failure, &failure, false), Decision::NothingToUndo);
        assert_eq!(decide(Creator::Rollback, Cause::Failure, &failure, true), Decision::IsRollback);
        let stop = Cause::Request { rollback: Some(true) };
        assert_eq!(decide(Creator::Rollback, stop, &failure, true), Decision::IsRollback);
    }
}
