//! What wakes lifecycle-hook: CodeDeploy's hook, ECS's own hook in its dialect, and the end
//! of what a check waits for: a one-off task, a database snapshot.
//!
//! Samples: `tests/events/codedeploy-hook.json`, `ecs-native-hook-*.json`,
//! `ecs-task-state-stopped-fargate-observed.json`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
pub enum HookEvent {
    CodeDeploy {
        deployment: String,
        execution: String,
    },
    Native(NativeHook),
    /// A task that somebody started by hand, as against a service's own, has ended.
    TaskStopped {
        cluster: String,
        task: String,
        started_by: String,
    },
    /// ARN of a snapshot that is done, or failed.
    Snapshot {
        arn: String,
    },
    /// An event that is read and means nothing here; what it was.
    Other(String),
}

/// The call of a lifecycle hook by ECS.
#[derive(Debug, Clone, PartialEq)]
pub struct NativeHook {
    pub stage: String,
    /// ARN of the service deployment.
    pub deployment: String,
    pub service: String,
    /// ARN of the service revision that is deployed.
    pub target: String,
    /// What share of the traffic, in percent, each service revision has, where it is told.
    pub production: BTreeMap<String, f64>,
    pub test: BTreeMap<String, f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no event that lifecycle-hook takes: it has neither DeploymentId and \
     LifecycleEventHookExecutionId, as CodeDeploy's hooks have, nor lifecycleStage, resourceArn, serviceArn \
     and targetServiceRevisionArn, as those of ECS, nor is it an event of EventBridge ({0})"
)]
pub struct NotAHook(String);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CodeDeploy {
    deployment_id: String,
    lifecycle_event_hook_execution_id: String,
}

/// ECS's members, of which most stand under `executionDetails` or beside it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Native {
    lifecycle_stage: Option<String>,
    resource_arn: Option<String>,
    service_arn: Option<String>,
    target_service_revision_arn: Option<String>,
    production_traffic_weights: BTreeMap<String, f64>,
    test_traffic_weights: BTreeMap<String, f64>,
    execution_details: Option<Box<Native>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Envelope {
    source: String,
    detail_type: String,
    #[serde(default)]
    detail: Value,
}

impl HookEvent {
    pub fn parse(event: &Value) -> Result<Self, NotAHook> {
        if let Ok(CodeDeploy { deployment_id, lifecycle_event_hook_execution_id }) =
            CodeDeploy::deserialize(event)
        {
            return Ok(Self::CodeDeploy {
                deployment: deployment_id,
                execution: lifecycle_event_hook_execution_id,
            });
        }
        if event.get("lifecycleStage").is_some() {
            return Native::deserialize(event)
                .map_err(|e| NotAHook(e.to_string()))
                .and_then(|native| native.narrowed().map(Self::Native));
        }
        let envelope = Envelope::deserialize(event).map_err(|e| NotAHook(e.to_string()))?;
        Ok(Self::of_event_bridge(&envelope))
    }

    fn of_event_bridge(envelope: &Envelope) -> Self {
        let text = |name: &str| envelope.detail.get(name).and_then(Value::as_str).map(str::to_owned);
        let Envelope { source, detail_type, .. } = envelope;
        let other = || Self::Other(format!("'{detail_type}' from '{source}'"));
        match detail_type.as_str() {
            "ECS Task State Change" => {
                match (text("lastStatus").as_deref(), text("clusterArn"), text("taskArn")) {
                    (Some("STOPPED"), Some(cluster), Some(task)) => {
                        Self::TaskStopped { cluster, task, started_by: text("startedBy").unwrap_or_default() }
                    }
                    _ => other(),
                }
            }
            "RDS DB Snapshot Event" | "RDS DB Cluster Snapshot Event" => {
                text("SourceArn").map_or_else(other, |arn| Self::Snapshot { arn })
            }
            _ => other(),
        }
    }
}

impl Native {
    fn narrowed(self) -> Result<NativeHook, NotAHook> {
        let within = self.execution_details.map(|details| *details).unwrap_or_default();
        let missing = |name: &str| NotAHook(format!("'{name}' is missing"));
        let either = |a: BTreeMap<_, _>, b| if a.is_empty() { b } else { a };
        Ok(NativeHook {
            stage: self
                .lifecycle_stage
                .or(within.lifecycle_stage)
                .ok_or_else(|| missing("lifecycleStage"))?,
            deployment: self.resource_arn.or(within.resource_arn).ok_or_else(|| missing("resourceArn"))?,
            service: self.service_arn.or(within.service_arn).ok_or_else(|| missing("serviceArn"))?,
            target: self
                .target_service_revision_arn
                .or(within.target_service_revision_arn)
                .ok_or_else(|| missing("targetServiceRevisionArn"))?,
            production: either(self.production_traffic_weights, within.production_traffic_weights),
            test: either(self.test_traffic_weights, within.test_traffic_weights),
        })
    }
}

impl NativeHook {
    /// The lifecycle event of CodeDeploy that a stage corresponds to, and by whose name the
    /// configuration knows its checks.
    pub fn event(&self) -> Option<&'static str> {
        match self.stage.as_str() {
            "PRE_SCALE_UP" => Some("BeforeInstall"),
            "POST_SCALE_UP" => Some("AfterInstall"),
            "POST_TEST_TRAFFIC_SHIFT" => Some("AfterAllowTestTraffic"),
            "PRE_PRODUCTION_TRAFFIC_SHIFT" => Some("BeforeAllowTraffic"),
            "POST_PRODUCTION_TRAFFIC_SHIFT" => Some("AfterAllowTraffic"),
            _ => None,
        }
    }

    /// Whether traffic is being taken back: these two stages are called again on a rollback,
    /// with no traffic for what was to be deployed.
    pub fn is_rollback(&self) -> bool {
        let none = |weights: &BTreeMap<String, f64>| weights.get(&self.target).is_some_and(|w| *w == 0.0);
        match self.stage.as_str() {
            "PRODUCTION_TRAFFIC_SHIFT" => none(&self.production),
            "TEST_TRAFFIC_SHIFT" => none(&self.test),
            _ => false,
        }
    }

    /// Names of cluster and service.
    pub fn cluster_and_service(&self) -> Option<(&str, &str)> {
        let mut parts = self.service.rsplit('/');
        let service = parts.next()?;
        Some((parts.next()?, service))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample(name: &str) -> Value {
        let path = format!("{}/../tests/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn native(name: &str) -> NativeHook {
        match HookEvent::parse(&sample(name)).unwrap() {
            HookEvent::Native(hook) => hook,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn codedeploys_hook_is_its_two_ids() {
        let event = HookEvent::parse(&sample("codedeploy-hook")).unwrap();
        let HookEvent::CodeDeploy { deployment, execution } = event else { panic!("{event:?}") };
        assert_eq!(deployment, "d-deploymentId");
        assert!(execution.starts_with("eyJ"));
    }

    #[test]
    fn a_native_hook_is_read_with_its_fields_in_either_place() {
        let hook = native("ecs-native-hook-post-test-traffic-shift");
        assert_eq!(hook.event(), Some("AfterAllowTestTraffic"));
        assert_eq!(hook.cluster_and_service(), Some(("my-cluster", "my-service")));
        let mut flat = sample("ecs-native-hook-post-test-traffic-shift");
        let details = flat.as_object_mut().unwrap().remove("executionDetails").unwrap();
        flat.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
        assert_eq!(HookEvent::parse(&flat), Ok(HookEvent::Native(hook)));
    }

    #[test]
    fn traffic_that_is_taken_back_is_a_rollback_and_the_stage_before_it_is_not() {
        let mut hook = native("ecs-native-hook-production-traffic-shift-rollback");
        assert!(hook.is_rollback());
        hook.stage = "PRE_PRODUCTION_TRAFFIC_SHIFT".into();
        assert!(!hook.is_rollback(), "it has the same weights before the shift");
        assert!(!native("ecs-native-hook-observed-tokyo").is_rollback());
        assert!(!native("ecs-native-hook-post-test-traffic-shift").is_rollback());
        let test = NativeHook {
            stage: "TEST_TRAFFIC_SHIFT".into(),
            test: [(hook.target.clone(), 0.0)].into(),
            ..hook.clone()
        };
        assert!(test.is_rollback());
    }

    #[test]
    fn a_stopped_task_and_a_finished_snapshot_are_told_from_other_events() {
        let stopped = HookEvent::parse(&sample("ecs-task-state-stopped-fargate-observed")).unwrap();
        let HookEvent::TaskStopped { cluster, task, started_by } = stopped else { panic!("{stopped:?}") };
        assert!(cluster.ends_with("cluster/Example") && task.contains(":task/"));
        assert_eq!(started_by, "ecs-svc/2770844949256052681");
        let mut running = sample("ecs-task-state-stopped-fargate-observed");
        running["detail"]["lastStatus"] = json!("RUNNING");
        assert!(matches!(HookEvent::parse(&running), Ok(HookEvent::Other(_))));
        assert!(matches!(HookEvent::parse(&sample("ecs-deployment-completed")), Ok(HookEvent::Other(_))));
        let arn = "arn:aws:rds:us-east-1:123456789012:snapshot:sluice-api";
        let done = json!({
            "source": "aws.rds", "detail-type": "RDS DB Snapshot Event", "detail": { "SourceArn": arn },
        });
        assert_eq!(HookEvent::parse(&done), Ok(HookEvent::Snapshot { arn: arn.into() }));
    }

    #[test]
    fn what_is_no_event_says_what_it_lacks() {
        for (event, named) in [
            (json!({ "DeploymentId": "d-1" }), "LifecycleEventHookExecutionId"),
            (json!({ "lifecycleStage": "PRE_SCALE_UP" }), "'resourceArn' is missing"),
            (json!([]), "no event"),
        ] {
            let text = HookEvent::parse(&event).unwrap_err().to_string();
            assert!(text.contains(named), "{text}");
        }
    }
}
