//! The state changes of deployments, as EventBridge delivers them: CodeDeploy's, and those of
//! services under the ECS controller.
//!
//! Samples: `tests/events/codedeploy-deployment-*.json`, `ecs-deployment-*.json`.

use serde::Deserialize;
use serde_json::Value;

/// What an event means to Sluice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeploymentEvent {
    CodeDeploy {
        application: String,
        group: String,
        deployment: String,
        change: Change,
    },
    /// Its deployment has another id in ECS's record: the service is named alone.
    Ecs {
        cluster: String,
        service: String,
        change: Change,
    },
    /// Of CodeDeploy or ECS, and nothing to do; what it was.
    Other(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Began,
    /// However it ended: AWS is asked for that.
    Ended,
    /// No event told of it: it was found.
    Unheard,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotADeployment {
    #[error(
        "this is not an event of EventBridge: {0}; deployment-state takes what a rule of EventBridge sends"
    )]
    NoEnvelope(String),
    #[error(
        "'{detail_type}' from '{source_name}' is not an event that deployment-state handles (CodeDeploy \
         Deployment State-change Notification, ECS Deployment State Change); correct the rule that sends it \
         here"
    )]
    Foreign { source_name: String, detail_type: String },
    #[error("the detail of this '{0}' cannot be read: {1}")]
    Detail(String, String),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Envelope {
    source: String,
    detail_type: String,
    #[serde(default)]
    resources: Vec<String>,
    detail: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CodeDeploy {
    application: String,
    deployment_group: String,
    deployment_id: String,
    state: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ecs {
    event_name: String,
}

impl DeploymentEvent {
    pub fn parse(event: &Value) -> Result<Self, NotADeployment> {
        let envelope = Envelope::deserialize(event).map_err(|e| NotADeployment::NoEnvelope(e.to_string()))?;
        let Envelope { source, detail_type, resources, detail } = envelope;
        let unreadable = |why: String| NotADeployment::Detail(detail_type.clone(), why);
        match (source.as_str(), detail_type.as_str()) {
            ("aws.codedeploy", "CodeDeploy Deployment State-change Notification") => {
                CodeDeploy::deserialize(&detail).map(codedeploy).map_err(|e| unreadable(e.to_string()))
            }
            ("aws.ecs", "ECS Deployment State Change") => {
                let detail = Ecs::deserialize(&detail).map_err(|e| unreadable(e.to_string()))?;
                ecs(&detail, &resources).map_err(unreadable)
            }
            // They share the source, and a rule may be wider than it should be.
            ("aws.codedeploy" | "aws.ecs", _) => Ok(Self::Other(detail_type)),
            _ => Err(NotADeployment::Foreign { source_name: source, detail_type }),
        }
    }
}

fn codedeploy(detail: CodeDeploy) -> DeploymentEvent {
    let change = match detail.state.as_str() {
        "START" => Change::Began,
        "SUCCESS" | "FAILURE" | "STOP" => Change::Ended,
        other => return DeploymentEvent::Other(format!("{} is {other}", detail.deployment_id)),
    };
    DeploymentEvent::CodeDeploy {
        application: detail.application,
        group: detail.deployment_group,
        deployment: detail.deployment_id,
        change,
    }
}

fn ecs(detail: &Ecs, resources: &[String]) -> Result<DeploymentEvent, String> {
    let change = match detail.event_name.as_str() {
        "SERVICE_DEPLOYMENT_IN_PROGRESS" => Change::Began,
        "SERVICE_DEPLOYMENT_COMPLETED" | "SERVICE_DEPLOYMENT_FAILED" => Change::Ended,
        other => return Ok(DeploymentEvent::Other(other.to_owned())),
    };
    let names = resources.iter().find_map(|arn| arn.split_once(":service/")?.1.split_once('/'));
    let (cluster, service) = names.ok_or_else(|| {
        format!("'resources' names no service by its cluster and name: {}", resources.join(", "))
    })?;
    Ok(DeploymentEvent::Ecs { cluster: cluster.to_owned(), service: service.to_owned(), change })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str) -> Value {
        let path = format!("{}/../tests/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn codedeploys_events_name_a_deployment_and_whether_it_has_ended() {
        let of = |deployment: &str, change| DeploymentEvent::CodeDeploy {
            application: "todolist-codeDeploy".into(),
            group: "bluegreen-deploy".into(),
            deployment: deployment.into(),
            change,
        };
        let start = event("codedeploy-deployment-start-seoul");
        assert_eq!(DeploymentEvent::parse(&start), Ok(of("d-2AC3D7I80", Change::Began)));
        let mut success = event("codedeploy-deployment-success-seoul");
        for state in ["SUCCESS", "FAILURE", "STOP"] {
            success["detail"]["state"] = state.into();
            assert_eq!(DeploymentEvent::parse(&success), Ok(of("d-IWFN8WH80", Change::Ended)), "{state}");
        }
        for state in ["READY", "QUEUED", "SOMETHING_NEW"] {
            success["detail"]["state"] = state.into();
            let other = DeploymentEvent::Other(format!("d-IWFN8WH80 is {state}"));
            assert_eq!(DeploymentEvent::parse(&success), Ok(other));
        }
    }

    #[test]
    fn ecs_names_the_service_alone() {
        let of = |change| DeploymentEvent::Ecs {
            cluster: "default".into(),
            service: "servicetest".into(),
            change,
        };
        let cases = [("in-progress", Change::Began), ("completed", Change::Ended), ("failed", Change::Ended)];
        for (name, change) in cases {
            assert_eq!(DeploymentEvent::parse(&event(&format!("ecs-deployment-{name}"))), Ok(of(change)));
        }
        let mut old = event("ecs-deployment-completed");
        old["resources"] = serde_json::json!(["arn:aws:ecs:us-west-2:111122223333:service/servicetest"]);
        let error = DeploymentEvent::parse(&old).unwrap_err().to_string();
        assert!(error.contains("'resources' names no service") && error.contains("/servicetest"), "{error}");
    }

    #[test]
    fn what_else_comes_is_nothing_to_do_or_an_error_that_says_so() {
        let task = DeploymentEvent::parse(&event("ecs-task-state-stopped-fargate-observed"));
        assert_eq!(task, Ok(DeploymentEvent::Other("ECS Task State Change".into())));
        let error = DeploymentEvent::parse(&event("ecr-image-action-push-tag")).unwrap_err().to_string();
        assert!(error.contains("'ECR Image Action' from 'aws.ecr'") && error.contains("rule"), "{error}");
        let error = DeploymentEvent::parse(&event("codedeploy-hook")).unwrap_err().to_string();
        assert!(error.contains("missing field `source`"), "{error}");
        let mut broken = event("codedeploy-deployment-success-seoul");
        broken["detail"]["state"] = 1.into();
        let error = DeploymentEvent::parse(&broken).unwrap_err().to_string();
        assert!(error.contains("State-change Notification' cannot be read: invalid type"), "{error}");
    }
}
