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
pub enum NotAHook {
    #[error(
        "this is no event that lifecycle-hook takes: it has neither DeploymentId and \
         LifecycleEventHookExecutionId, as CodeDeploy's hooks have, nor lifecycleStage, as those of ECS, and \
         for an event of EventBridge '{0}' is missing"
    )]
    Foreign(&'static str),
    #[error("{kind} cannot be read: '{member}' {problem}")]
    Unreadable { kind: &'static str, member: &'static str, problem: String },
}

impl HookEvent {
    pub fn parse(event: &Value) -> Result<Self, NotAHook> {
        let has = |members: [&str; 2]| members.iter().any(|member| event.get(member).is_some());
        if has(["DeploymentId", "LifecycleEventHookExecutionId"]) {
            let members = Members { kind: "this hook of CodeDeploy", places: vec![event] };
            return Ok(Self::CodeDeploy {
                deployment: members.text("DeploymentId")?,
                execution: members.text("LifecycleEventHookExecutionId")?,
            });
        }
        if has(["lifecycleStage", "executionDetails"]) {
            return NativeHook::read(event).map(Self::Native);
        }
        Self::of_event_bridge(event)
    }

    fn of_event_bridge(event: &Value) -> Result<Self, NotAHook> {
        let text = |name| event.get(name).and_then(Value::as_str).ok_or(NotAHook::Foreign(name));
        let (source, detail_type) = (text("source")?, text("detail-type")?);
        let detail = event.get("detail").unwrap_or(&Value::Null);
        let members = |kind| Members { kind, places: vec![detail] };
        match detail_type {
            "ECS Task State Change" => {
                let members = members("this change of a task's state");
                if members.text("lastStatus")? == "STOPPED" {
                    return Ok(Self::TaskStopped {
                        cluster: members.text("clusterArn")?,
                        task: members.text("taskArn")?,
                        started_by: members.text_if_any("startedBy")?.unwrap_or_default(),
                    });
                }
            }
            "RDS DB Snapshot Event" | "RDS DB Cluster Snapshot Event" => {
                return Ok(Self::Snapshot { arn: members("this event of a snapshot").text("SourceArn")? });
            }
            _ => {}
        }
        Ok(Self::Other(format!("'{detail_type}' from '{source}'")))
    }
}

/// The members of an event that is known for what it is; most of ECS's stand under
/// `executionDetails` or beside it.
struct Members<'a> {
    kind: &'static str,
    places: Vec<&'a Value>,
}

impl Members<'_> {
    fn find(&self, member: &str) -> Option<&Value> {
        let empty =
            |value: &Value| value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
        self.places.iter().filter_map(|place| place.get(member)).find(|value| !empty(value))
    }

    fn wrong(&self, member: &'static str, problem: impl Into<String>) -> NotAHook {
        NotAHook::Unreadable { kind: self.kind, member, problem: problem.into() }
    }

    fn text_if_any(&self, member: &'static str) -> Result<Option<String>, NotAHook> {
        match self.find(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.wrong(member, format!("is {other}, which is no text"))),
        }
    }

    /// Text that is not empty.
    fn text(&self, member: &'static str) -> Result<String, NotAHook> {
        let text = self.text_if_any(member)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| self.wrong(member, "is missing"))
    }

    fn weights(&self, member: &'static str) -> Result<BTreeMap<String, f64>, NotAHook> {
        let weights = self.find(member).map(BTreeMap::deserialize).transpose();
        let weights = weights.map_err(|e| self.wrong(member, format!("has no weights: {e}")))?;
        Ok(weights.unwrap_or_default())
    }
}

/// The lifecycle event of CodeDeploy that a stage of ECS corresponds to.
pub fn lifecycle_event(stage: &str) -> Option<&'static str> {
    match stage {
        "PRE_SCALE_UP" => Some("BeforeInstall"),
        "POST_SCALE_UP" => Some("AfterInstall"),
        "POST_TEST_TRAFFIC_SHIFT" => Some("AfterAllowTestTraffic"),
        "PRE_PRODUCTION_TRAFFIC_SHIFT" => Some("BeforeAllowTraffic"),
        "POST_PRODUCTION_TRAFFIC_SHIFT" => Some("AfterAllowTraffic"),
        _ => None,
    }
}

impl NativeHook {
    fn read(event: &Value) -> Result<Self, NotAHook> {
        let places = [Some(event), event.get("executionDetails")].into_iter().flatten().collect();
        let members = Members { kind: "this hook of ECS", places };
        Ok(Self {
            stage: members.text("lifecycleStage")?,
            deployment: members.text("resourceArn")?,
            service: members.text("serviceArn")?,
            target: members.text("targetServiceRevisionArn")?,
            production: members.weights("productionTrafficWeights")?,
            test: members.weights("testTrafficWeights")?,
        })
    }

    /// The lifecycle event of CodeDeploy by whose name the configuration knows its checks.
    pub fn event(&self) -> Option<&'static str> {
        lifecycle_event(&self.stage)
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
    fn what_cannot_be_read_names_the_member_that_is_wrong() {
        let stopped = |detail: Value| json!({ "source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": detail });
        for (event, named) in [
            (json!({ "DeploymentId": "d-1" }), "'LifecycleEventHookExecutionId' is missing"),
            (json!({ "LifecycleEventHookExecutionId": "eyJ" }), "'DeploymentId' is missing"),
            (
                json!({ "DeploymentId": 7, "LifecycleEventHookExecutionId": "eyJ" }),
                "'DeploymentId' is 7, which",
            ),
            (
                json!({ "DeploymentId": "", "LifecycleEventHookExecutionId": "eyJ" }),
                "'DeploymentId' is missing",
            ),
            (json!({ "lifecycleStage": "PRE_SCALE_UP" }), "'resourceArn' is missing"),
            (json!({ "lifecycleStage": ["PRE_SCALE_UP"] }), r#"'lifecycleStage' is ["PRE_SCALE_UP"], which"#),
            (json!({ "executionDetails": {} }), "'lifecycleStage' is missing"),
            (stopped(json!({ "clusterArn": "c", "taskArn": "t" })), "'lastStatus' is missing"),
            (stopped(json!({ "lastStatus": "STOPPED", "clusterArn": "c" })), "'taskArn' is missing"),
            (
                json!({ "source": "aws.rds", "detail-type": "RDS DB Snapshot Event" }),
                "'SourceArn' is missing",
            ),
            (json!({ "source": "aws.rds" }), "'detail-type' is missing"),
            (json!([]), "no event"),
        ] {
            let text = HookEvent::parse(&event).unwrap_err().to_string();
            assert!(text.contains(named), "{text}");
        }
    }

    #[test]
    fn weights_that_are_null_are_none_and_others_than_numbers_are_refused() {
        let mut event = sample("ecs-native-hook-production-traffic-shift-rollback");
        event["executionDetails"]["testTrafficWeights"] = Value::Null;
        assert!(matches!(HookEvent::parse(&event), Ok(HookEvent::Native(hook)) if hook.test.is_empty()));
        event["executionDetails"]["productionTrafficWeights"] = json!({ "arn": "all" });
        let text = HookEvent::parse(&event).unwrap_err().to_string();
        assert!(text.contains("'productionTrafficWeights' has no weights"), "{text}");
    }
}
