//! The events that wake Sluice.

use serde_json::Value;
use shared::events::alarm::AlarmEvent;
use shared::events::deployment::DeploymentEvent;
use shared::events::ecr::EcrEvent;
use shared::events::hook::{HookEvent, NativeHook};
use shared::image::{Digest, is_companion_tag, is_image_media_type};
use shared::one_off;

pub fn ecr(input: &[u8]) -> bool {
    let Ok(event) = serde_json::from_slice::<Value>(input) else { return false };
    match EcrEvent::parse(&event) {
        Ok(EcrEvent::Image(image)) => {
            let digest = image.digest.parse::<Digest>();
            assert!(digest.is_err() || digest.is_ok_and(|digest| digest.short().len() < 64));
            let companion = image.tags.iter().any(|tag| is_companion_tag(tag));
            assert!(!companion || image.tags.iter().any(|tag| tag.starts_with("sha256-")));
            is_image_media_type(image.artifact_media_type.as_deref())
        }
        Ok(EcrEvent::Other(_)) => false,
        Err(e) => says_something(&e),
    }
}

pub fn deployment(input: &[u8]) -> bool {
    let Ok(event) = serde_json::from_slice::<Value>(input) else { return false };
    match DeploymentEvent::parse(&event) {
        Ok(DeploymentEvent::Ecs { cluster, .. }) => {
            assert!(!cluster.contains('/'), "{cluster}");
            true
        }
        Ok(other) => matches!(other, DeploymentEvent::CodeDeploy { .. }),
        Err(e) => says_something(&e),
    }
}

pub fn alarm(input: &[u8]) -> bool {
    let Ok(event) = serde_json::from_slice::<Value>(input) else { return false };
    match AlarmEvent::parse(&event) {
        Ok(AlarmEvent::Changes(changes)) => !changes.is_empty(),
        Ok(AlarmEvent::Other(_)) => false,
        Err(e) => says_something(&e),
    }
}

pub fn hook(input: &[u8]) -> bool {
    let Ok(event) = serde_json::from_slice::<Value>(input) else { return false };
    match HookEvent::parse(&event) {
        Ok(HookEvent::CodeDeploy { deployment, execution }) => {
            let tags = one_off::tags(&deployment, Some(&execution));
            assert_eq!(one_off::execution(&tags), Some((deployment.clone(), execution)));
            snapshot_is_named("orders", &deployment);
            true
        }
        Ok(HookEvent::Native(hook)) => native(&hook),
        Ok(HookEvent::TaskStopped { .. } | HookEvent::Snapshot { .. }) => true,
        Ok(HookEvent::Other(_)) => false,
        Err(e) => says_something(&e),
    }
}

fn native(hook: &NativeHook) -> bool {
    // Of one stage, at most one of the two can be.
    assert!(!hook.is_rollback() || hook.event().is_none());
    if let Some((cluster, service)) = hook.cluster_and_service() {
        let by = one_off::started_by(cluster, service);
        assert!(
            by.len() <= 128 && by.chars().all(|c| c.is_ascii_alphanumeric() || "-_/".contains(c)),
            "{by}"
        );
    }
    snapshot_is_named(&hook.service, &hook.deployment);
    true
}

/// As RDS takes it.
pub fn snapshot_is_named(database: &str, deployment: &str) {
    let name = one_off::snapshot_name(database, deployment);
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    assert!(letters && name.len() <= 63 && name.starts_with("sluice"), "{name}");
    assert!(!name.contains("--") && !name.ends_with('-'), "{name}");
}

/// What is refused is told in words.
fn says_something(error: &dyn std::error::Error) -> bool {
    assert!(!error.to_string().is_empty());
    false
}
