//! What AWS answers, where Sluice reads the JSON itself: manifests, task definitions, services,
//! tasks; and the AppSpec that somebody else's deployment has.

use serde_json::{Value, json};
use shared::appspec;
use shared::aws::{EcsService, Placement, Task, tag_value};
use shared::image::{Platform, Pushed};
use shared::revision::{Release, Rendered, Revision};

/// An image's manifest, or its configuration.
pub fn manifest(input: &[u8]) -> bool {
    let platform = serde_json::from_slice::<Platform>(input).is_ok();
    let Ok(text) = str::from_utf8(input) else { return platform };
    match Pushed::from_manifest(text) {
        Ok(Pushed::Image { .. }) => true,
        Ok(Pushed::Index { platforms }) => {
            assert!(!platforms.is_empty() && platforms.iter().all(|one| one.platform.os != "unknown"));
            true
        }
        Ok(Pushed::Artifact(_)) | Err(_) => platform,
    }
}

/// As DescribeTaskDefinition answers it, and the revision that is made of it for a release of
/// its first container.
pub fn task_definition(input: &[u8]) -> bool {
    let Ok(revision) = Revision::from_answer(input) else { return false };
    let Ok(answer) = serde_json::from_slice::<Value>(input) else { return true };
    let Some(first) = revision.containers.first() else { return true };
    let release = Release {
        digest: format!("sha256:{}", "ab".repeat(32)).parse().expect("it is one"),
        tag: "v2".to_owned(),
        pushed_at: jiff::Timestamp::UNIX_EPOCH,
    };
    let image = "1.dkr.ecr.eu-west-1.amazonaws.com/api@sha256:abab";
    let Ok(rendered) = revision.next(&[(&first.name, image.to_owned())], &release) else { return true };
    let body: Value = serde_json::from_str(&rendered.body).expect("what is registered is JSON");
    assert_eq!(body, by_hand(answer, image, &release), "{}", rendered.body);
    is_its_own_copy(&rendered, &body["tags"]);
    let _ = (revision.awslogs(&first.name), revision.number(), revision.family());
    true
}

/// The same answer with the changes that Sluice makes, and no other.
fn by_hand(answer: Value, image: &str, release: &Release) -> Value {
    let mut definition = answer["taskDefinition"].clone();
    let arn = definition["taskDefinitionArn"].clone();
    definition["containerDefinitions"][0]["image"] = image.into();
    let members = definition.as_object_mut().expect("it was read as an object");
    for name in [
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
        "deleteRequestedAt",
    ] {
        members.shift_remove(name);
    }
    let tags = answer["tags"].as_array().into_iter().flatten();
    let tags = tags.map(|tag| (tag["key"].clone(), tag.get("value").cloned().unwrap_or_else(|| "".into())));
    let of_others =
        |key: &Value| !key.as_str().is_some_and(|key| key.starts_with("sluice:") || key.starts_with("aws:"));
    let own = [
        ("sluice:digest", json!(release.digest.to_string())),
        ("sluice:tag", json!(release.tag)),
        ("sluice:pushed-at", json!(release.pushed_at.to_string())),
        ("sluice:replaces", arn),
    ];
    let tags = tags.filter(|(key, _)| of_others(key)).chain(own.map(|(key, value)| (key.into(), value)));
    let tags: Vec<_> = tags.map(|(key, value)| json!({ "key": key, "value": value })).collect();
    members.insert("tags".to_owned(), tags.into());
    definition
}

/// Registered, it is what would be registered again.
fn is_its_own_copy(rendered: &Rendered, tags: &Value) {
    let members = rendered.body.strip_prefix('{').expect("an object begins so");
    let head = r#""taskDefinitionArn":"arn:aws:ecs:eu-west-1:1:task-definition/api:8","status":"ACTIVE""#;
    let described = format!(r#"{{"taskDefinition":{{{head},{members},"tags":{tags}}}"#);
    let registered = Revision::from_answer(described.as_bytes()).expect("it was read before");
    assert!(registered.is_already(rendered), "{described}");
}

/// As DescribeServices or DescribeTasks answers.
pub fn ecs_answer(input: &[u8]) -> bool {
    let services = EcsService::of_answer(input).unwrap_or_default();
    for service in services.iter().filter_map(|(_, service)| service.as_ref().ok()) {
        let _ = service.hold.as_ref().map(|hold| hold.is_on(jiff::Timestamp::UNIX_EPOCH));
        for hook in &service.hooks {
            let _ = hook.answers("arn:aws:lambda:eu-west-1:1:function:sluice", "BeforeInstall");
        }
        let text = appspec::appspec(&service.revision, "app", 80, &service.placement, &[]);
        assert_eq!(appspec::task_definition(&text).ok().as_ref(), Some(&service.revision), "{text}");
    }
    let tasks = Task::of_answer(input).unwrap_or_default();
    tasks.iter().for_each(|task| assert!(tag_value(&task.revision).chars().count() <= 256));
    !services.is_empty() || !tasks.is_empty()
}

/// Somebody's AppSpec; and ours, which reads back whatever stands in it.
pub fn appspec(input: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(input) else { return false };
    let ours = appspec::appspec(text, text, 80, &Placement::default(), &[("BeforeInstall", text)]);
    assert_eq!(appspec::task_definition(&ours).ok().as_deref(), Some(text), "{ours}");
    appspec::task_definition(text).is_ok()
}
