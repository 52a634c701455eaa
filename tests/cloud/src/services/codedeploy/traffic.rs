//! Moves test and production traffic between the original and the replacement task set.

use super::deployment::{Creator, Deployment, Diagnostics, Error, Phase, TaskSet};
use super::lifecycle::Event;
use super::run::{BRIEF, ecs_error, fail_event, succeed_event};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::{ecs, elbv2};

fn elb_error(fault: &Fault) -> Error {
    let text = format!("The ELB could not be updated due to the following error: {}", fault.message);
    Error::new("ELASTIC_LOAD_BALANCING_INVALID", text)
}

/// All production traffic to the original target group, the other one behind the listener too, but
/// with weight 0: ECS takes no target group that no load balancer has, and the load balancer
/// checks no health there. A stopped deployment may have left another share.
pub(super) fn reset(cloud: &mut Cloud, listener: &str, blue: &str, green: &str) -> Result<(), Error> {
    let forward = elbv2::forward(cloud, listener);
    let has = |group: &str, fits: fn(u32) -> bool| {
        forward.iter().any(|(arn, weight)| arn == group && fits(*weight))
    };
    if forward.len() == 2 && has(blue, |weight| weight > 0) && has(green, |weight| weight == 0) {
        return Ok(());
    }
    let weights = [(blue.to_owned(), 100), (green.to_owned(), 0)];
    elbv2::set_forward(cloud, listener, &weights).map_err(|fault| elb_error(&fault))
}

/// Sets the percentage that the replacement task set gets from a listener.
fn set(cloud: &mut Cloud, d: &Deployment, listener: &str, green_percentage: u32) -> Result<(), Error> {
    let arn = |task_set: &Option<TaskSet>| task_set.as_ref().map(|t| t.target_group.0.clone());
    let mut weights = Vec::new();
    if let Some(blue) = arn(&d.blue) {
        weights.push((blue, 100 - green_percentage));
    }
    if let Some(green) = arn(&d.green) {
        weights.push((green, green_percentage));
    }
    elbv2::set_forward(cloud, listener, &weights).map_err(|fault| elb_error(&fault))
}

fn fail(cloud: &mut Cloud, d: &mut Deployment, event: Event, error: Error) {
    let why = Diagnostics { code: "UnknownError", message: error.message.clone() };
    fail_event(cloud, d, event, why, error);
}

/// AllowTestTraffic: the test listener goes to the replacement task set, in a rollback back to the
/// original one.
pub(super) fn test(cloud: &mut Cloud, d: &mut Deployment) {
    let percentage = match d.creator {
        Creator::User => 100,
        Creator::Rollback => 0,
    };
    let listener = d.settings.routes.test.clone().unwrap_or_default();
    match set(cloud, d, &listener, percentage) {
        Ok(()) => d.enter(cloud, Phase::Brief(Event::AllowTestTraffic), BRIEF),
        Err(error) => fail(cloud, d, Event::AllowTestTraffic, error),
    }
}

/// AllowTraffic: performs one shift and waits for the next. With the last one the replacement task
/// set becomes primary.
pub(super) fn shift(cloud: &mut Cloud, d: &mut Deployment, done: usize) {
    let shifts = d.routing.shifts();
    let Some(shift) = shifts.get(done) else { return succeed_event(cloud, d, Event::AllowTraffic) };
    let listener = d.settings.routes.production.clone();
    if let Err(error) = set(cloud, d, &listener, shift.percentage) {
        return fail(cloud, d, Event::AllowTraffic, error);
    }
    match shifts.get(done + 1) {
        Some(next) => d.enter(cloud, Phase::Shift { done: done + 1 }, next.after),
        None => {
            let green = d.green.clone();
            make_primary(cloud, d, green);
        }
    }
}

/// AllowTraffic of a rollback: all traffic to the original task set, which is primary again.
pub(super) fn restore(cloud: &mut Cloud, d: &mut Deployment) {
    let listener = d.settings.routes.production.clone();
    if let Err(error) = set(cloud, d, &listener, 0) {
        return fail(cloud, d, Event::AllowTraffic, error);
    }
    let blue = d.blue.clone();
    make_primary(cloud, d, blue);
}

fn make_primary(cloud: &mut Cloud, d: &mut Deployment, task_set: Option<TaskSet>) {
    let service = d.settings.service.clone();
    let id = task_set.map(|t| t.id).unwrap_or_default();
    match ecs::set_primary(cloud, &service.cluster, &service.name, &id) {
        Ok(()) => d.enter(cloud, Phase::Brief(Event::AllowTraffic), BRIEF),
        Err(fault) => fail(cloud, d, Event::AllowTraffic, ecs_error(&fault.message)),
    }
}
