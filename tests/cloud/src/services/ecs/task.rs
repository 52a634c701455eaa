//! What is kept of a task.

use std::net::Ipv4Addr;

use serde::Serialize;
use serde_json::Value;

use crate::time::Ms;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) enum Status {
    Provisioning,
    Pending,
    Activating,
    Running,
    Deactivating,
    Stopping,
    Deprovisioning,
    Stopped,
}

impl Status {
    pub fn text(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Task {
    pub id: String,
    pub arn: String,
    /// In order of creation.
    pub number: u64,
    pub cluster: String,
    /// Key of the service that it belongs to.
    pub service: Option<String>,
    /// Id of the deployment or task set, or what RunTask gave.
    pub started_by: Option<String>,
    pub group: String,
    /// ARN.
    pub definition: String,
    pub status: Status,
    /// Whether the desired status is RUNNING.
    pub wanted: bool,
    pub launch_type: String,
    pub provider: Option<String>,
    pub platform_version: String,
    pub cpu: String,
    pub memory: String,
    pub storage_gib: u64,
    pub overrides: Value,
    pub execute_command: bool,
    pub interface: Interface,
    pub address: Option<Ipv4Addr>,
    pub containers: Vec<Container>,
    pub targets: Vec<Target>,
    /// Whether its processes were asked for.
    pub launched: bool,
    /// When it first counted as healthy.
    pub healthy_at: Option<Ms>,
    pub times: Times,
    pub stop_code: Option<String>,
    pub stopped_reason: Option<String>,
    pub version: u64,
}

/// When what happened to it.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Times {
    pub created: Ms,
    pub pull_started: Option<Ms>,
    pub pull_stopped: Option<Ms>,
    pub started: Option<Ms>,
    pub stopping: Option<Ms>,
    pub execution_stopped: Option<Ms>,
    pub stopped: Option<Ms>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Interface {
    pub attachment: String,
    pub id: String,
    pub mac: String,
    pub subnet: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Container {
    pub name: String,
    pub arn: String,
    pub image: String,
    pub cpu: String,
    pub memory: Option<String>,
    pub digest: Option<String>,
    pub runtime_id: Option<String>,
    pub essential: bool,
    /// Started and not exited.
    pub running: bool,
    pub exit_code: Option<i32>,
    pub reason: Option<String>,
}

/// A place in a target group that the task takes while it runs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Target {
    /// ARN.
    pub group: String,
    pub port: u16,
    pub registered: bool,
    /// As `elbv2` says.
    pub state: String,
}

impl Task {
    pub fn is_pending(&self) -> bool {
        self.wanted && self.status < Status::Running
    }

    /// Whether it counts towards the healthy tasks: behind a load balancer what its
    /// targets say, else once it has run for a while.
    pub fn is_healthy(&self) -> bool {
        self.wanted
            && self.status == Status::Running
            && self.healthy_at.is_some()
            && self.targets.iter().all(Target::is_settled)
    }

    pub fn all_exited(&self) -> bool {
        self.containers.iter().all(|c| !c.running)
    }
}

impl Target {
    /// A group that no listener uses is never checked: its targets do not hold a
    /// deployment up.
    pub fn is_settled(&self) -> bool {
        self.registered && (self.state == "healthy" || self.state == "unused")
    }
}
