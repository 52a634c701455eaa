//! What is registered differs from what was described in images and `sluice:` tags only:
//! shown for random JSON, whether anyone knows its members or not.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

fn release() -> Release {
    Release {
        digest: format!("sha256:{}", "ab".repeat(32)).parse().unwrap(),
        tag: "v2".into(),
        pushed_at: "2026-11-20T12:00:00Z".parse().unwrap(),
    }
}

const IMAGE: &str = "1.dkr.ecr.eu-west-1.amazonaws.com/api@sha256:abab";

fn revision(text: &str) -> Revision {
    Revision::from_answer(text.as_bytes()).unwrap()
}

/// What must come of an answer: its text with the changes made by hand.
fn tags_added(before: &str, arn: &str) -> String {
    let release = release();
    let own = [
        ("sluice:digest", release.digest.to_string()),
        ("sluice:tag", release.tag),
        ("sluice:pushed-at", release.pushed_at.to_string()),
        ("sluice:replaces", arn.to_owned()),
    ];
    let own: Vec<_> = own.map(|(key, value)| json!({ "key": key, "value": value }).to_string()).into();
    let comma = if before.is_empty() { "" } else { "," };
    format!("[{before}{comma}{}]", own.join(","))
}

#[test]
fn members_that_nobody_knows_come_out_byte_for_byte() {
    let arn = "arn:aws:ecs:eu-west-1:1:task-definition/api:7";
    // Unknown at three depths, with numbers, spaces and escapes as only a text can keep them.
    let kept = r#""family":"api","newAtTop":{"a" : [1.0, 1e3,12345678901234567890123, "\u00e9\/"]},"#;
    let sidecar = r#"{"name":"log","image":"fluent:1","newInContainer":{"x":{"y":null}},"cpu":0}"#;
    let (head, tail) =
        (r#"{"name":"app","image":""#, r#"","portMappings":[{"containerPort":80,"newInPort":0.10}]}"#);
    let answer = format!(
        r#"{{"taskDefinition":{{"taskDefinitionArn":"{arn}",{kept}"containerDefinitions":[{head}old:1{tail},{sidecar}],
        "revision":7,"status":"ACTIVE","requiresAttributes":[{{"name":"x"}}],"compatibilities":["EC2"],
        "registeredAt":1.7e9,"registeredBy":"me","deregisteredAt":1,"deleteRequestedAt":2,"volumes":[]}},
        "tags":[{{"key":"team","value":"a b"}},{{"key":"sluice:verdict","value":"good"}},{{"key":"aws:x","value":"y"}}]}}"#
    );
    let rendered = revision(&answer).next(&[("app", IMAGE.to_owned())], &release()).unwrap();
    let tags = tags_added(r#"{"key":"team","value":"a b"}"#, arn);
    let expected = format!(
        r#"{{{kept}"containerDefinitions":[{head}{IMAGE}{tail},{sidecar}],"volumes":[],"tags":{tags}}}"#
    );
    assert_eq!(rendered.body, expected);
    assert_eq!(rendered.family, "api");
}

#[test]
fn a_member_that_stands_twice_is_refused() {
    let answer = |more: &str| {
        format!(
            r#"{{"taskDefinition":{{"taskDefinitionArn":"arn:x/api:1","tags":[],{more}"containerDefinitions":[]}}}}"#
        )
    };
    assert!(Revision::from_answer(answer("").as_bytes()).is_ok());
    let error = Revision::from_answer(answer(r#""tags":[1],"#).as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with("'tags' stands there twice"), "{error}");
}

#[test]
fn what_ecs_would_refuse_is_refused_here() {
    let answer = |filler: usize, tags: usize| {
        let tags: Vec<_> = (0..tags).map(|n| json!({ "key": format!("k{n}"), "value": "v" })).collect();
        let definition = json!({
            "taskDefinitionArn": "arn:x/api:1", "family": "x".repeat(filler),
            "containerDefinitions": [{ "name": "app", "image": "a" }],
        });
        json!({ "taskDefinition": definition, "tags": tags }).to_string()
    };
    let next = |text: &str, name: &str| revision(text).next(&[(name, IMAGE.to_owned())], &release());
    assert!(next(&answer(60_000, 38), "app").is_ok());
    assert!(next(&answer(1, 39), "app").is_err());
    assert!(matches!(next(&answer(66_000, 0), "app"), Err(RenderError::TooLarge(_))));
    let error = next(&answer(1, 45), "app").unwrap_err();
    assert_eq!(error, RenderError::TooManyTags("api:1".into(), 45, 7));
    let error = next(&answer(1, 0), "web").unwrap_err().to_string();
    assert_eq!(error, "api:1 has no container 'web'; name one of its containers in releases.yaml: app");
}

#[test]
fn a_revision_of_just_64_kib_is_taken() {
    let body = |filler: usize| {
        let definition = json!({
            "taskDefinitionArn": "arn:x/api:1", "family": "x".repeat(filler),
            "containerDefinitions": [{ "name": "app", "image": "a" }],
        });
        let text = json!({ "taskDefinition": definition }).to_string();
        revision(&text).next(&[("app", IMAGE.to_owned())], &release()).map(|rendered| rendered.body.len())
    };
    let room = 64 * 1024 - body(0).unwrap();
    assert_eq!(body(room), Ok(64 * 1024));
    assert_eq!(body(room + 1), Err(RenderError::TooLarge(64 * 1024 + 1)));
}

#[test]
fn a_revision_tells_its_parts_apart() {
    let logs = |driver: &str, group: &str| json!({ "logDriver": driver, "options": { "awslogs-group": group, "awslogs-stream-prefix": "ecs" } });
    let digest = format!("sha256:{}", "ab".repeat(32));
    let tags = [
        ("team", "a"),
        ("sluice:digest", &digest),
        ("sluice:tag", "v2"),
        ("sluice:pushed-at", "2026-11-20T12:00:00Z"),
        ("sluice:replaces", "arn:x/api:11"),
        ("sluice:verdict", "rejected"),
        ("sluice:reason", "its alarm is red"),
        ("sluice:contracted", "drop-column"),
        ("sluice:oldest", "api:9"),
        ("sluice:escalated", "2026-11-20T12:00:00Z api-5xx"),
    ];
    let answer = json!({
        "taskDefinition": {
            "taskDefinitionArn": "arn:x/api:12", "status": "ACTIVE", "registeredAt": 1_700_000_000.25,
            "containerDefinitions": [
                { "name": "log", "image": "fluent:1", "logConfiguration": logs("awsfirelens", "/log") },
                { "name": "app", "image": "nginx:1.27", "logConfiguration": logs("awslogs", "/api") },
                { "name": "bare", "image": "bare" },
            ],
        },
        "tags": tags.map(|(key, value)| json!({ "key": key, "value": value })),
    });
    let api = revision(&answer.to_string());
    assert_eq!((api.short(), api.family(), api.number()), ("api:12", "api", Some(12)));
    assert_eq!(api.registered_at, Some("2023-11-14T22:13:20.25Z".parse().unwrap()));
    assert_eq!((api.tag("team"), api.tag("sluice:tag"), api.tag("none")), (Some("a"), Some("v2"), None));
    assert_eq!(api.container("app").map(|app| app.image.repository.as_str()), Some("nginx"));
    assert_eq!(api.container("web"), None);
    assert_eq!(api.awslogs("app"), Some(("/api".to_owned(), "ecs".to_owned())));
    assert_eq!(["log", "bare", "web"].map(|name| api.awslogs(name)), [None, None, None]);
    let release = ReleaseTags {
        digest: Some(digest.parse().unwrap()),
        tag: Some("v2".into()),
        pushed_at: Some("2026-11-20T12:00:00Z".parse().unwrap()),
        replaces: Some("arn:x/api:11".into()),
        verdict: Some(Verdict::Rejected),
        reason: Some("its alarm is red".into()),
        contracted: Some("drop-column".into()),
        oldest: Some("api:9".into()),
        ended: None,
        escalated: Some("2026-11-20T12:00:00Z api-5xx".into()),
    };
    assert_eq!(api.release, release);
    let good = answer.to_string().replace("rejected", "good");
    assert_eq!(revision(&good).release.verdict, Some(Verdict::Good));
}

#[test]
fn an_image_runs_where_its_platform_is() {
    let platform = |said: Value, kind: &str| {
        let definition = json!({
            "taskDefinitionArn": "arn:x/api:1", "containerDefinitions": [],
            "runtimePlatform": said, "requiresCompatibilities": [kind],
        });
        revision(&json!({ "taskDefinition": definition }).to_string()).platform
    };
    let arm = json!({ "cpuArchitecture": "ARM64" });
    let windows = json!({ "operatingSystemFamily": "WINDOWS_SERVER_2022_CORE", "cpuArchitecture": "X86_64" });
    let told = |said: &Value, kind| platform(said.clone(), kind).map(|platform| platform.to_string());
    assert_eq!(told(&Value::Null, "FARGATE").as_deref(), Some("LINUX/X86_64"));
    assert_eq!(told(&arm, "FARGATE").as_deref(), Some("LINUX/ARM64"));
    assert_eq!(told(&windows, "EC2").as_deref(), Some("WINDOWS_SERVER_2022_CORE/X86_64"));
    assert_eq!((told(&Value::Null, "EC2"), told(&arm, "EC2")), (None, None), "the instances decide");
    let images = [("linux", "amd64"), ("linux", "arm64"), ("windows", "amd64"), ("windows", "arm64")];
    let runs = |said: &Value| {
        let here = platform(said.clone(), "FARGATE").unwrap();
        images.map(|(os, architecture)| {
            here.runs(&Platform { os: os.into(), architecture: architecture.into() })
        })
    };
    assert_eq!(runs(&Value::Null), [true, false, false, false]);
    assert_eq!(runs(&arm), [false, true, false, false]);
    assert_eq!(runs(&windows), [false, false, true, false]);
}

#[test]
fn a_revision_is_its_own_copy_until_it_is_judged() {
    let before = json!({
        "taskDefinition": {
            "taskDefinitionArn": "arn:x/api:1", "status": "ACTIVE", "family": "api",
            "containerDefinitions": [{ "name": "app", "image": "old" }],
        },
        "tags": [{ "key": "team", "value": "a" }],
    });
    let rendered = revision(&before.to_string()).next(&[("app", IMAGE.to_owned())], &release()).unwrap();
    let mut registered: Value = serde_json::from_str(&rendered.body).unwrap();
    let mut tags = registered.as_object_mut().unwrap().shift_remove("tags").unwrap();
    for (name, value) in [("taskDefinitionArn", "arn:x/api:2"), ("status", "ACTIVE"), ("registeredBy", "me")]
    {
        registered[name] = value.into();
    }
    let described = |definition: &Value, tags: &Value| {
        revision(&json!({ "taskDefinition": definition, "tags": tags }).to_string())
    };
    assert!(described(&registered, &tags).is_already(&rendered));
    tags.as_array_mut().unwrap().reverse();
    assert!(described(&registered, &tags).is_already(&rendered), "tags have no order");
    let mut inactive = registered.clone();
    inactive["status"] = "INACTIVE".into();
    assert!(!described(&inactive, &tags).is_already(&rendered));
    let mut other = registered.clone();
    other["cpu"] = "512".into();
    assert!(!described(&other, &tags).is_already(&rendered));
    let mut more = tags.clone();
    more.as_array_mut().unwrap().push(json!({ "key": "aws:x", "value": "y" }));
    assert!(described(&registered, &more).is_already(&rendered), "AWS's own tags do not count");
    more.as_array_mut().unwrap().push(json!({ "key": "team", "value": "b" }));
    assert!(!described(&registered, &more).is_already(&rendered));
    tags.as_array_mut().unwrap().push(json!({ "key": "sluice:verdict", "value": "rejected" }));
    assert!(!described(&registered, &tags).is_already(&rendered));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,8}", inner), 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Random members, none of which Sluice reads or ECS only answers.
fn any_members() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec(("x.{0,8}", any_json()), 0..6).prop_map(|members| members.into_iter().collect())
}

proptest! {
    #[test]
    fn random_task_definitions_lose_nothing(
        top in any_members(),
        containers in prop::collection::vec(any_members(), 1..4),
        chosen in any::<prop::sample::Index>(),
        tags in prop::collection::btree_map("t.{0,8}", ".{0,8}", 0..4),
    ) {
        let chosen = chosen.index(containers.len());
        let mut definition = top;
        let containers: Vec<_> = containers.into_iter().enumerate().map(|(n, mut container)| {
            container.insert("name".into(), format!("c{n}").into());
            container.insert("image".into(), "old:1".into());
            Value::Object(container)
        }).collect();
        definition.insert("family".into(), "api".into());
        definition.insert("containerDefinitions".into(), containers.into());
        let tags: Vec<_> = tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        let mut answered = definition.clone();
        answered.insert("taskDefinitionArn".into(), "arn:x/api:1".into());
        answered.insert("status".into(), "ACTIVE".into());
        let answer = json!({ "taskDefinition": answered, "tags": tags }).to_string();

        let name = format!("c{chosen}");
        let rendered = revision(&answer).next(&[(&name, IMAGE.to_owned())], &release()).unwrap();

        let mut expected = definition;
        expected["containerDefinitions"][chosen]["image"] = IMAGE.into();
        let own = tags_added(&tags.iter().map(Value::to_string).collect::<Vec<_>>().join(","), "arn:x/api:1");
        expected.insert("tags".into(), serde_json::from_str(&own).unwrap());
        prop_assert_eq!(rendered.body, Value::Object(expected).to_string());
    }
}
