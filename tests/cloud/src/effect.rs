//! What the core asks of the world outside, and what it hears back.
//!
//! The server answers with real processes and sockets, the in-process driver with
//! a simulation; the core cannot tell which.

use std::net::Ipv4Addr;

use serde::Serialize;
use serde_json::Value;

use crate::time::Ms;

/// One container of a task, ready to be run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContainerSpec {
    pub name: String,
    /// Entry point and command, never empty.
    pub command: Vec<String>,
    /// The image's environment, overlaid by the container definition's and overrides'.
    pub environment: Vec<(String, String)>,
    pub working_directory: Option<String>,
    /// CloudWatch log group and stream, with the `awslogs` driver.
    pub log: Option<(String, String)>,
    /// Seconds between SIGTERM and SIGKILL.
    pub stop_timeout_seconds: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Run these processes; answer [`Report::TaskStarted`], later [`Report::ContainerExited`]
    /// for each.
    StartTask { task: String, address: Ipv4Addr, containers: Vec<ContainerSpec> },
    /// SIGTERM, then SIGKILL; the exits are reported.
    StopTask { task: String },
    /// One health check request; answer [`Report::Health`].
    CheckHealth {
        target_group: String,
        address: Ipv4Addr,
        port: u16,
        path: String,
        timeout: Ms,
        /// As `matcher.HttpCode`: `200`, `200,202` or `200-299`.
        codes: String,
    },
    /// Listeners, rules, weights or targets changed: read `elb::routes` anew.
    Routes,
    /// Run a function once; answer [`Report::Invoked`] with the same `invocation`.
    Invoke {
        invocation: String,
        function: String,
        payload: Value,
        timeout: Ms,
        environment: Vec<(String, String)>,
        /// Base64 of the deployment package (a zip with `bootstrap`).
        code_sha256: String,
    },
    /// POST a body to an `http(s)` SNS subscriber on this machine.
    Post { url: String, headers: Vec<(String, String)>, body: String },
    /// A pending answer is ready: `Cloud::take` it.
    Answered,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    TaskStarted {
        task: String,
    },
    /// The processes could not be started at all.
    TaskFailed {
        task: String,
        reason: String,
    },
    ContainerExited {
        task: String,
        container: String,
        exit_code: i32,
    },
    /// Lines that a container or function wrote.
    Logged {
        group: String,
        stream: String,
        lines: Vec<String>,
    },
    Health {
        target_group: String,
        address: Ipv4Addr,
        port: u16,
        healthy: bool,
        detail: String,
    },
    /// Requests that the load balancer served. `target_group: None` where no
    /// target was reached; `status` is then the balancer's own.
    Served {
        load_balancer: String,
        target_group: Option<String>,
        status: u16,
        latency_ms: f64,
        count: u64,
    },
    Invoked {
        invocation: String,
        outcome: Result<Value, FunctionError>,
    },
}

/// How a function failed: what it reported, or the runtime's word for it.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionError {
    /// `Function.Error`, `Runtime.ExitError`, `Sandbox.Timedout` …
    pub kind: String,
    pub message: String,
}
