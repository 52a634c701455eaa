//! A hook of ECS itself: the same checks, answered in its dialect. It calls again while the
//! answer is not final, so nothing is waited for in here.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::{FutureExt as _, join, try_join};
use serde::Serialize;
use serde_json::{Value, json};
use shared::events::hook::NativeHook;
use shared::message::Release;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::codedeploy::checks;
use crate::decide::{Decision, Outcome, decide};
use crate::hook::{Caller, Hook, caught};
use crate::secrets::Values;
use crate::{LifecycleHook, reserve};

/// When ECS is to call again, in seconds.
const AGAIN: u64 = 15;

/// What ECS reads. It ignores members that it does not know.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    hook_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_back_delay: Option<u64>,
    hook_details: Value,
}

impl LifecycleHook {
    /// Always gives an answer: ECS rolls back without one, but does not say why.
    pub(crate) async fn native(&self, hook: &NativeHook, time: Duration) -> Answer {
        let span = tracing::info_span!("hook", deployment = hook.deployment, service = hook.service);
        let end = Instant::now() + time.saturating_sub(reserve(time));
        let work = async {
            let decision = caught(end, self.judge_native(hook, end).boxed()).await;
            let decision = decision.unwrap_or_else(|outcome: Outcome| {
                Decision::Failed(format!("no check was made: {}", outcome.reason()))
            });
            answer(&hook.stage, decision)
        };
        work.instrument(span).await
    }

    async fn judge_native(&self, native: &NativeHook, end: Instant) -> anyhow::Result<Decision> {
        if native.is_rollback() {
            return Ok(Decision::Succeeded("traffic is taken back".to_owned()));
        }
        let names = native.cluster_and_service();
        let (cluster, name) = names.with_context(|| format!("'{}' is no service's ARN", native.service))?;
        let service = self.releases.by_service(cluster, name).with_context(|| {
            format!("releases.yaml names no service {cluster}/{name}; remove the lifecycle hook, or name it")
        })?;
        let Some(event) = native.event() else {
            return Ok(decide(&format!("the stage {}", native.stage), 0, &[]));
        };
        let facts = try_join(self.aws.service(cluster, name), self.aws.task_definition_of(&native.target));
        let secrets = Values::fetch(&self.secrets, service.checks.secrets());
        let (facts, secrets) = join(facts, secrets).await;
        let (ecs, revision) = facts?;
        let ecs = ecs.with_context(|| format!("ECS has no service {cluster}/{name}"))?;
        let hook = Hook {
            service,
            event,
            deployment: &native.deployment,
            caller: Caller::Ecs,
            revision: &revision,
            ecs: &ecs,
            secrets: &secrets,
            end,
        };
        let checks = checks(service, event);
        let outcomes = self.run(&hook, checks).await;
        let decision = decide(event, checks.len(), &outcomes).map(|why| secrets.redacted(&why));
        if let Decision::Failed(reason) = &decision {
            let (deployment, revision) = (Some(native.deployment.clone()), Some(revision.clone()));
            self.tell(service, event, reason, Release { deployment, revision, ..Release::default() }).await;
        }
        Ok(decision)
    }
}

fn answer(stage: &str, decision: Decision) -> Answer {
    let (hook_status, call_back_delay, reason) = match decision {
        Decision::Succeeded(why) => ("SUCCEEDED", None, why),
        Decision::Failed(why) => ("FAILED", None, why),
        Decision::Later(why) => ("IN_PROGRESS", Some(AGAIN), why),
    };
    if hook_status == "FAILED" {
        tracing::warn!(stage, verdict = hook_status, "{reason}");
    } else {
        tracing::info!(stage, verdict = hook_status, "{reason}");
    }
    Answer { hook_status, call_back_delay, hook_details: json!({ "reason": reason }) }
}
