//! The services: one module each, with its state, its operations, its timers, and
//! functions for the others.

pub mod cloudwatch;
pub mod codedeploy;
pub mod ecr;
pub mod ecs;
pub mod elbv2;
pub mod events;
pub mod lambda;
pub mod logs;
mod paging;
pub mod rds;
pub mod secretsmanager;
pub mod sns;
pub mod sqs;
pub mod sts;
mod tags;

use serde::Serialize;

use crate::cloud::{Call, Cloud, Reply};
use crate::effect::Report;
use crate::fault::Fault;

macro_rules! services {
    ($($module:ident $variant:ident),* $(,)?) => {
        /// What each service knows.
        #[derive(Debug, Clone, Default, Serialize)]
        pub struct State { $(pub $module: $module::State),* }

        /// Something that a service wants to do later.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Timer { $($variant($module::Timer)),* }

        $(impl From<$module::Timer> for Timer {
            fn from(timer: $module::Timer) -> Self { Self::$variant(timer) }
        })*

        pub(crate) fn fire(cloud: &mut Cloud, timer: Timer) {
            match timer { $(Timer::$variant(timer) => $module::fire(cloud, timer)),* }
        }

        /// `service` is a name of [`crate::model::models`].
        pub(crate) fn call(cloud: &mut Cloud, service: &str, call: &Call) -> Result<Reply, Fault> {
            match service {
                $(stringify!($module) => $module::call(cloud, call),)*
                other => Err(Fault::not_modelled(other)),
            }
        }
    };
}

services! {
    cloudwatch CloudWatch,
    codedeploy CodeDeploy,
    ecr Ecr,
    ecs Ecs,
    elbv2 Elb,
    events Events,
    lambda Lambda,
    logs Logs,
    rds Rds,
    secretsmanager SecretsManager,
    sns Sns,
    sqs Sqs,
    sts Sts,
}

/// What runs from the beginning.
pub(crate) fn start(cloud: &mut Cloud) {
    cloudwatch::start(cloud);
}

pub(crate) fn report(cloud: &mut Cloud, report: Report) {
    match report {
        Report::TaskStarted { task } => ecs::task_started(cloud, &task),
        Report::TaskFailed { task, reason } => ecs::task_failed(cloud, &task, &reason),
        Report::ContainerExited { task, container, exit_code } => {
            ecs::container_exited(cloud, &task, &container, exit_code);
        }
        Report::Logged { group, stream, lines } => logs::append(cloud, &group, &stream, &lines),
        Report::Health { target_group, address, port, healthy, detail } => {
            elbv2::health_checked(cloud, &target_group, address, port, healthy, &detail);
        }
        Report::Served { load_balancer, target_group, status, latency_ms, count } => {
            cloudwatch::served(cloud, &load_balancer, target_group.as_deref(), status, latency_ms, count);
        }
        Report::Invoked { invocation, outcome } => lambda::invoked(cloud, &invocation, outcome),
    }
}
