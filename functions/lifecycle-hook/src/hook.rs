//! One hook of one deployment: its checks one after the other, each caught in time.

use std::panic::AssertUnwindSafe;

use futures_util::future::FutureExt as _;
use shared::aws::EcsService;
use shared::config::{Check, Service};
use tokio::time::Instant;

use crate::LifecycleHook;
use crate::decide::Outcome;
use crate::secrets::Values;

/// What the checks of a hook look at.
pub struct Hook<'a> {
    pub service: &'a Service,
    /// By CodeDeploy's name, whoever calls: `BeforeInstall` …
    pub event: &'a str,
    /// CodeDeploy's id, or the ARN of an ECS service deployment.
    pub deployment: &'a str,
    pub caller: Caller<'a>,
    /// ARN of the task definition revision that is deployed.
    pub revision: &'a str,
    pub ecs: &'a EcsService,
    pub secrets: &'a Values,
    /// When all has to be over, with time left to report.
    pub end: Instant,
}

/// Who called, and what the call is known by.
#[derive(Debug, Clone)]
pub enum Caller<'a> {
    /// Waits for a report of this execution; the new tasks are those of the green task set.
    CodeDeploy { execution: &'a str, green: Option<String> },
    /// Takes the function's answer, and calls again if that is not final.
    Ecs,
}

impl LifecycleHook {
    /// Runs checks in their order until one does not pass.
    pub(crate) async fn run<'c>(&self, hook: &Hook<'_>, checks: &'c [Check]) -> Vec<(&'c str, Outcome)> {
        let mut outcomes = Vec::new();
        for (n, check) in checks.iter().enumerate() {
            let outcome =
                caught(hook.end, self.check(hook, n, check).boxed()).await.unwrap_or_else(|outcome| outcome);
            let reason = hook.secrets.redacted(outcome.reason());
            tracing::info!(check = check.as_str(), outcome = outcome.kind(), "{reason}");
            let goes_on = matches!(outcome, Outcome::Passed(_));
            outcomes.push((check.as_str(), outcome));
            if !goes_on {
                break;
            }
        }
        outcomes
    }

    async fn check(&self, hook: &Hook<'_>, n: usize, check: &Check) -> anyhow::Result<Outcome> {
        match check {
            Check::Migrate(migrate) => self.migrate(hook, n, migrate).await,
            Check::MigrationCheck(check) => self.migration_check(hook, n, check).await,
            Check::Smoke(smoke) => self.smoke(hook, smoke).await,
        }
    }
}

/// What work gives, unless it fails, panics or takes too long: then what came of it instead.
pub async fn caught<T>(end: Instant, work: impl Future<Output = anyhow::Result<T>>) -> Result<T, Outcome> {
    let caught = AssertUnwindSafe(work).catch_unwind();
    match tokio::time::timeout_at(end, caught).await {
        Ok(Ok(Ok(done))) => Ok(done),
        Ok(Ok(Err(e))) => Err(Outcome::Error(format!("{e:#}"))),
        Ok(Err(_)) => {
            Err(Outcome::Error("it panicked, which is a fault of Sluice; the log says where".to_owned()))
        }
        Err(_) => Err(Outcome::Inconclusive("not finished in the time that the function has".to_owned())),
    }
}
