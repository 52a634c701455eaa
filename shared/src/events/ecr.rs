//! ECR's events, as EventBridge delivers them: a push, or the end of a scan.
//!
//! An event is a hint: what it says of an image is only used to leave early or to know
//! what to ask ECR for. Samples: `tests/events/ecr-*.json`, `inspector2-scan-complete.json`.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// Why an image is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageEvent {
    pub repository: String,
    /// As the event spells it, perhaps empty; ECR's own samples are not valid digests.
    pub digest: String,
    /// Empty where the image has none, or the event does not name one.
    pub tags: Vec<String>,
    pub artifact_media_type: Option<String>,
    pub time: Option<Timestamp>,
    pub cause: Cause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Push,
    Scanned,
}

/// What an event means to Sluice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EcrEvent {
    Image(ImageEvent),
    /// Of ECR or Inspector, and nothing to do; what it was.
    Other(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEcr {
    #[error(
        "this is not an event of EventBridge but {kind}: '{missing}' is missing or not text; image-push takes \
         what a rule of EventBridge sends"
    )]
    NoEnvelope { kind: String, missing: &'static str },
    #[error(
        "'{detail_type}' from '{source_name}' is not an event that image-push handles (ECR Image Action, \
         ECR Image Scan, Inspector2 Scan); correct the rule that sends it here"
    )]
    Foreign { source_name: String, detail_type: String },
    #[error("the detail of this '{0}' cannot be read: {1}")]
    Detail(String, String),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Action {
    action_type: String,
    result: String,
    repository_name: String,
    image_digest: Option<String>,
    image_tag: Option<String>,
    artifact_media_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Scan {
    scan_status: String,
    /// Inspector scans instances and functions as well, which have none.
    repository_name: Option<String>,
    image_digest: Option<String>,
    image_tags: Option<Vec<String>>,
}

impl EcrEvent {
    pub fn parse(event: &Value) -> Result<Self, NotEcr> {
        let without = |missing| NotEcr::NoEnvelope { kind: kind_of(event), missing };
        let text = |name| event.get(name).and_then(Value::as_str).ok_or(without(name));
        let (source, kind) = (text("source")?, text("detail-type")?);
        let detail = event.get("detail").ok_or(without("detail"))?;
        let time = text("time").ok().and_then(|text| text.parse().ok());
        let unreadable = |e: serde_json::Error| NotEcr::Detail(kind.to_owned(), e.to_string());
        match (source, kind) {
            ("aws.ecr", "ECR Image Action") => {
                Ok(pushed(Action::deserialize(detail).map_err(unreadable)?, time))
            }
            ("aws.ecr", "ECR Image Scan") | ("aws.inspector2", "Inspector2 Scan") => {
                Ok(scanned(Scan::deserialize(detail).map_err(unreadable)?, time))
            }
            ("aws.ecr", _) | ("aws.inspector2", _) => Ok(Self::Other(kind.to_owned())),
            _ => Err(NotEcr::Foreign { source_name: source.to_owned(), detail_type: kind.to_owned() }),
        }
    }
}

/// What came in place of an event, as far as it can be told.
fn kind_of(event: &Value) -> String {
    let source = |name: &str| event.pointer(&format!("/Records/0/{name}")).and_then(Value::as_str);
    if let Some(source) = source("eventSource").or_else(|| source("EventSource")) {
        return format!("a record of {source}");
    }
    let known = [
        ("LifecycleEventHookExecutionId", "a hook of CodeDeploy"),
        ("lifecycleStage", "a hook of ECS"),
        ("alarmArn", "a CloudWatch alarm's own action"),
        ("requestContext", "a record of a failed invocation"),
    ];
    let found = known.iter().find(|(member, _)| event.get(member).is_some());
    match (found, event.as_object()) {
        (Some((_, kind)), _) => (*kind).to_owned(),
        (None, Some(members)) => {
            let names: Vec<_> = members.keys().take(5).map(String::as_str).collect();
            format!("an object of {}", names.join(", "))
        }
        (None, None) => "no object".to_owned(),
    }
}

fn pushed(action: Action, time: Option<Timestamp>) -> EcrEvent {
    if (action.action_type.as_str(), action.result.as_str()) != ("PUSH", "SUCCESS") {
        return EcrEvent::Other(format!("{} of an image: {}", action.action_type, action.result));
    }
    EcrEvent::Image(ImageEvent {
        repository: action.repository_name,
        digest: action.image_digest.unwrap_or_default(),
        tags: action.image_tag.into_iter().filter(|tag| !tag.is_empty()).collect(),
        artifact_media_type: action.artifact_media_type,
        time,
        cause: Cause::Push,
    })
}

/// Basic scanning says COMPLETE or FAILED, Inspector INITIAL_SCAN_COMPLETE and others: all
/// of them are a reason to look, since ECR says what was found. Inspector names the
/// repository by its ARN.
fn scanned(scan: Scan, time: Option<Timestamp>) -> EcrEvent {
    let Some(name) = scan.repository_name else {
        return EcrEvent::Other("a scan of something other than an image".to_owned());
    };
    let repository = name.split_once(":repository/").map_or(name.as_str(), |(_, name)| name).to_owned();
    if scan.scan_status.is_empty() {
        return EcrEvent::Other("a scan without a status".to_owned());
    }
    EcrEvent::Image(ImageEvent {
        repository,
        digest: scan.image_digest.unwrap_or_default(),
        tags: scan.image_tags.into_iter().flatten().filter(|tag| !tag.is_empty()).collect(),
        artifact_media_type: None,
        time,
        cause: Cause::Scanned,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str) -> Value {
        let path = format!("{}/../tests/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    fn image(name: &str) -> ImageEvent {
        match EcrEvent::parse(&event(name)) {
            Ok(EcrEvent::Image(image)) => image,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pushes_and_scans_name_an_image() {
        let push = image("ecr-image-action-push-tag");
        assert_eq!((push.repository.as_str(), push.tags), ("my-repository-name", vec!["latest".into()]));
        assert!(image("ecr-image-action-push-empty-tag").tags.is_empty());
        let typed = image("ecr-image-action-push-media-types").artifact_media_type;
        assert_eq!(typed.as_deref(), Some("application/vnd.oci.image.config.v1+json"));
        assert_eq!(image("ecr-image-scan-basic").cause, Cause::Scanned);
        assert_eq!(image("inspector2-scan-complete").repository, "amazon/amazon-ecs-sample");
    }

    #[test]
    fn a_push_without_the_key_of_its_tag_is_untagged() {
        let mut event = event("ecr-image-action-push-tag");
        event["detail"].as_object_mut().unwrap().shift_remove("image-tag");
        assert!(matches!(EcrEvent::parse(&event), Ok(EcrEvent::Image(image)) if image.tags.is_empty()));
    }

    #[test]
    fn what_an_event_leaves_out_is_asked_of_ecr() {
        let mut push = event("ecr-image-action-push-tag");
        let detail = push["detail"].as_object_mut().unwrap();
        detail["image-tag"] = Value::Null;
        detail.shift_remove("image-digest");
        let Ok(EcrEvent::Image(image)) = EcrEvent::parse(&push) else { panic!() };
        assert_eq!((image.digest.as_str(), image.tags.len()), ("", 0));
        let mut scan = event("inspector2-scan-complete");
        scan["detail"]["image-tags"] = Value::Null;
        assert!(matches!(EcrEvent::parse(&scan), Ok(EcrEvent::Image(image)) if image.tags.is_empty()));
        scan["detail"].as_object_mut().unwrap().shift_remove("repository-name");
        assert!(matches!(EcrEvent::parse(&scan), Ok(EcrEvent::Other(_))));
    }

    #[test]
    fn what_ecr_tells_besides_is_nothing_to_do() {
        for name in
            ["ecr-image-action-delete", "ecr-referrer-action-restore", "ecr-replication-action-success"]
        {
            assert!(matches!(EcrEvent::parse(&event(name)), Ok(EcrEvent::Other(_))), "{name}");
        }
        let mut failed = event("ecr-image-action-push-tag");
        failed["detail"]["result"] = "FAILURE".into();
        assert!(matches!(EcrEvent::parse(&failed), Ok(EcrEvent::Other(_))));
    }

    #[test]
    fn an_event_of_another_service_is_an_error_that_names_it() {
        let error = EcrEvent::parse(&event("cloudwatch-alarm-state-metric")).unwrap_err().to_string();
        assert!(error.contains("CloudWatch Alarm State Change") && error.contains("rule"), "{error}");
        let error = EcrEvent::parse(&event("codedeploy-hook")).unwrap_err().to_string();
        assert!(error.contains("a hook of CodeDeploy: 'source' is missing"), "{error}");
        let mut broken = event("ecr-image-action-push-tag");
        broken["detail"]["image-digest"] = 1.into();
        let error = EcrEvent::parse(&broken).unwrap_err().to_string();
        assert!(error.contains("ECR Image Action") && error.contains("integer"), "{error}");
    }
}
