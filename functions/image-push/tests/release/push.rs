//! A push becomes one deployment, whatever happens to the event: in process, on virtual time.

use std::time::Duration;

use crate::scene::{Release, by_hand, deliver, entry, get, pushed, told};
use cloud::fixture::{self, Scene};
use cloud::in_process::{Faults, Injected};
use futures_util::future::join;
use serde_json::{Value, json};
use shared::config::{Check, Engine, Migrate, OneOff};

#[tokio::test(start_paused = true)]
async fn a_push_becomes_the_live_version_and_nothing_else_changes() {
    let release = Release::new();
    release.settled().await;
    let before = release.live("api");
    let digest = release.push("api", "v2", "2");
    let answer = deliver(&release.function(vec![entry("api")]), &pushed("api", "v2", &digest)).await.unwrap();
    assert_eq!(told(&answer, "api").0, "start", "{answer}");
    let id = answer["services"]["api"]["started"].as_str().unwrap();
    assert_eq!(release.ended(id).await, "Succeeded");
    let info = release.cloud.with(|world| get(world, id));
    let description = info["description"].as_str().unwrap();
    assert!(description.starts_with(&format!("sluice {digest} of api: tag v2 pushed ")), "{description}");
    let rollback = &info["autoRollbackConfiguration"];
    assert_eq!((&rollback["enabled"], rollback["events"].as_array().unwrap().len()), (&json!(true), 3));
    assert_only_the_release_differs(&before, &release.live("api"), &digest);
}

#[tokio::test(start_paused = true)]
async fn the_deployment_asks_for_the_hooks_that_have_checks_and_for_the_services_own_port() {
    let release = Release::new();
    release.settled().await;
    let digest = release.push("api", "v2", "2");
    let task =
        OneOff { container: "app".into(), command: vec!["migrate".into()], timeout: Duration::from_secs(60) };
    let migrate = Check::Migrate(Migrate { task, snapshot: None });
    let mut service = entry("api");
    service.checks.before_install = vec![migrate.clone()];
    service.checks.after_allow_traffic = vec![migrate];
    deliver(&release.function(vec![service]), &pushed("api", "v2", &digest)).await.unwrap();
    let order = release.calls().into_iter().find(|(name, ..)| name == "CreateDeployment").unwrap().1;
    let content = order["revision"]["appSpecContent"]["content"].as_str().unwrap();
    let spec: Value = serde_json::from_str(content).unwrap();
    let hook = "CodeDeployHook_sluice";
    assert_eq!(spec["Hooks"], json!([{ "BeforeInstall": hook }, { "AfterAllowTraffic": hook }]), "{spec}");
    let properties = &spec["Resources"][0]["TargetService"]["Properties"];
    assert_eq!(properties["LoadBalancerInfo"], json!({ "ContainerName": "app", "ContainerPort": 8080 }));
    assert_eq!(properties["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"], json!(["subnet-1"]));
}

/// Two DescribeTaskDefinition answers: the second is the first but for the image and Sluice's tags.
fn assert_only_the_release_differs(before: &Value, after: &Value, digest: &str) {
    let tag = |key: &str| {
        let tags = after["tags"].as_array().unwrap();
        tags.iter().find(|tag| tag["key"] == key).map(|tag| tag["value"].as_str().unwrap().to_owned())
    };
    assert_eq!(tag("sluice:digest").as_deref(), Some(digest));
    assert_eq!(tag("sluice:tag").as_deref(), Some("v2"));
    let replaced = before["taskDefinition"]["taskDefinitionArn"].as_str();
    assert_eq!(tag("sluice:replaces").as_deref(), replaced);
    assert!(tag("sluice:pushed-at").is_some());
    let (mut before, mut after) = (before["taskDefinition"].clone(), after["taskDefinition"].clone());
    let image = after["containerDefinitions"][0]["image"].as_str().unwrap();
    assert!(image.ends_with(&format!("/api@{digest}")), "{image}");
    after["containerDefinitions"][0]["image"] = before["containerDefinitions"][0]["image"].clone();
    for answer in [&mut before, &mut after] {
        let members = answer.as_object_mut().unwrap();
        for name in ["taskDefinitionArn", "revision", "registeredAt"] {
            members.shift_remove(name);
        }
    }
    assert_eq!(before, after);
}

#[tokio::test(start_paused = true)]
async fn however_often_an_event_comes_its_image_is_deployed_once() {
    let release = Release::new();
    release.settled().await;
    let digest = release.push("api", "v2", "2");
    let event = pushed("api", "v2", &digest);
    let (one, two) = (release.function(vec![entry("api")]), release.function(vec![entry("api")]));
    let (first, second) = join(deliver(&one, &event), deliver(&two, &event)).await;
    let (first, second) = (first.unwrap(), second.unwrap());
    let mut decisions = [told(&first, "api").0, told(&second, "api").0];
    decisions.sort_unstable();
    assert_eq!(decisions, ["nothing", "start"], "{first} {second}");
    for _ in 0..3 {
        let again = deliver(&one, &event).await.unwrap();
        assert!(told(&again, "api").1.starts_with("already being deployed by d-"), "{again}");
    }
    let started =
        [&first, &second].into_iter().find_map(|answer| answer["services"]["api"]["started"].as_str());
    assert_eq!(release.ended(started.unwrap()).await, "Succeeded");
    let late = deliver(&two, &event).await.unwrap();
    assert_eq!(told(&late, "api"), ("nothing", "already live with api:2"));
    assert_eq!(release.done("CreateDeployment"), 1);

    let newer = release.push("api", "v3", "3");
    let answer = deliver(&one, &pushed("api", "v3", &newer)).await.unwrap();
    release.ended(answer["services"]["api"]["started"].as_str().unwrap()).await;
    let stale = deliver(&one, &event).await.unwrap();
    assert!(told(&stale, "api").1.starts_with("this image was deployed before by d-"), "{stale}");
    assert_eq!(release.done("CreateDeployment"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_late_duplicate_of_a_rejected_image_starts_nothing() {
    let release = Release::new();
    release.settled().await;
    let digest = release.push("api", "v2", "2");
    let function = release.function(vec![entry("api")]);
    let answer = deliver(&function, &pushed("api", "v2", &digest)).await.unwrap();
    let id = answer["services"]["api"]["started"].as_str().unwrap();
    tokio::time::sleep(Duration::from_secs(120)).await;
    release.call("codedeploy", "StopDeployment", json!({ "deploymentId": id, "autoRollbackEnabled": true }));
    assert_eq!(release.ended(id).await, "Stopped");
    release
        .until("the rollback ends", |world| {
            let id = get(world, id)["rollbackInfo"]["rollbackDeploymentId"].clone();
            id.as_str().is_some_and(|id| get(world, id)["status"] == "Succeeded")
        })
        .await;
    // Under another tag as well: what was rejected is the digest.
    release.cloud.with(|world| fixture::push_image(world, "api", "v9", &[("APP_VERSION", "2")]).unwrap());
    for tag in ["v2", "v9"] {
        let again = deliver(&function, &pushed("api", tag, &digest)).await.unwrap();
        let (decision, reason) = told(&again, "api");
        assert_eq!(decision, "nothing");
        assert!(reason.starts_with(&format!("this image was rejected before ({id}: stopped")), "{reason}");
    }
    assert_eq!((release.done("CreateDeployment"), release.done("RegisterTaskDefinition")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_older_push_never_replaces_a_newer_one() {
    let release = Release::new();
    release.settled().await;
    let older = release.push("api", "v2", "2");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let newer = release.push("api", "v3", "3");
    let function = release.function(vec![entry("api")]);
    let answer = deliver(&function, &pushed("api", "v3", &newer)).await.unwrap();
    assert_eq!(told(&answer, "api").0, "start");
    let waits = deliver(&function, &pushed("api", "v2", &older)).await.unwrap();
    assert_eq!(told(&waits, "api").0, "wait", "{waits}");
    release.ended(answer["services"]["api"]["started"].as_str().unwrap()).await;
    let late = deliver(&function, &pushed("api", "v2", &older)).await.unwrap();
    let (decision, reason) = told(&late, "api");
    assert!(decision == "nothing" && reason.contains("before the image that is live"), "{late}");
    assert_eq!((release.done("CreateDeployment"), release.done("RegisterTaskDefinition")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_push_costs_four_round_trips_among_one_service_or_a_thousand() {
    for others in [0, 999] {
        let release = Release::new();
        release.settled().await;
        let digest = release.push("api", "v2", "2");
        let mut services: Vec<_> = (0..others).map(|n| entry(&format!("other-{n}"))).collect();
        services.push(entry("api"));
        let function = release.function(services);
        release.cloud.call_time(1_000);
        let began = tokio::time::Instant::now();
        let answer = deliver(&function, &pushed("api", "v2", &digest)).await.unwrap();
        assert_eq!(told(&answer, "api").0, "start", "{answer}");
        assert_eq!(began.elapsed().as_secs(), 4, "{}", release.cloud.timeline());
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_history_costs_no_round_trip_more_and_is_read_to_its_end() {
    let release = Release::new();
    release.settled().await;
    let first = release.push("api", "v2", "2");
    let function = release.function(vec![entry("api")]);
    let event = pushed("api", "v2", &first);
    let answer = deliver(&function, &event).await.unwrap();
    let stop = |id: &str| release.call("codedeploy", "StopDeployment", json!({ "deploymentId": id }));
    stop(answer["services"]["api"]["started"].as_str().unwrap());
    let live = release.live("api")["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned();
    for _ in 0..150 {
        let by_hand = release.call("codedeploy", "CreateDeployment", by_hand(&live));
        stop(by_hand["deploymentId"].as_str().unwrap());
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    for longest in [100, 7, 1] {
        release.cloud.with(|world| world.cloud.settings.longest_page = longest);
        let again = deliver(&function, &event).await.unwrap();
        assert!(told(&again, "api").1.starts_with("this image was rejected before"), "{again}");
    }
    release.cloud.with(|world| world.cloud.settings.longest_page = 100);

    let second = release.push("api", "v3", "3");
    release.cloud.call_time(1_000);
    let began = tokio::time::Instant::now();
    let answer = deliver(&function, &pushed("api", "v3", &second)).await.unwrap();
    assert_eq!(told(&answer, "api").0, "start", "{answer}");
    assert_eq!(began.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ours_costs_no_call() {
    let release = Release::new();
    release.settled().await;
    let function = release.function(vec![entry("api")]);
    let digest = release.push("api", "v2", "2");
    let signature = format!("sha256-{}.sig", "a".repeat(64));
    let cases = [
        (pushed("web", "v2", &digest), "no service in releases.yaml takes images of web"),
        (pushed("api", "latest", &digest), "none of the image's tags (latest) matches v[0-9]+"),
        (pushed("api", "", &digest), "the image has no tag"),
        (pushed("api", &signature, &digest), "not an image that runs"),
    ];
    for (event, reason) in cases {
        let answer = deliver(&function, &event).await.unwrap();
        assert!(answer["nothing"].as_str().unwrap().starts_with(reason), "{answer}");
    }
    assert_eq!(release.calls(), []);
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_registering_leaves_a_revision_that_is_used_again() {
    let release = Release::new();
    release.settled().await;
    let digest = release.push("api", "v2", "2");
    let event = pushed("api", "v2", &digest);
    release.cloud.call_time(1_000);
    let crashing = release.function(vec![entry("api")]);
    let crashed = tokio::time::timeout(Duration::from_millis(3_200), deliver(&crashing, &event)).await;
    assert!(crashed.is_err());
    assert_eq!((release.done("RegisterTaskDefinition"), release.done("CreateDeployment")), (1, 0));
    let answer = deliver(&release.function(vec![entry("api")]), &event).await.unwrap();
    assert_eq!(told(&answer, "api").0, "start");
    assert_eq!((release.done("RegisterTaskDefinition"), release.done("CreateDeployment")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn revisions_deregistered_long_ago_are_not_read_one_by_one() {
    let release = Release::new();
    release.settled().await;
    let mut definition = release.live("api")["taskDefinition"].clone();
    let members = definition.as_object_mut().unwrap();
    for name in ANSWER_ONLY {
        members.shift_remove(name);
    }
    for _ in 0..60 {
        let registered = release.call("ecs", "RegisterTaskDefinition", definition.clone());
        let arn = registered["taskDefinition"]["taskDefinitionArn"].clone();
        release.call("ecs", "DeregisterTaskDefinition", json!({ "taskDefinition": arn }));
    }
    let digest = release.push("api", "v2", "2");
    let answer = deliver(&release.function(vec![entry("api")]), &pushed("api", "v2", &digest)).await.unwrap();
    assert_eq!(told(&answer, "api").0, "start", "{answer}");
    assert!(release.done("DescribeTaskDefinition") <= 12, "{}", release.done("DescribeTaskDefinition"));
}

/// What ECS does not take back of its own description.
const ANSWER_ONLY: [&str; 7] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
];

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_the_start_is_found_to_be_the_start() {
    for lost in 0..14 {
        let script = (0..lost).map(|_| None).chain([Some(Injected::AnswerLost)]).collect();
        let faults = Faults { script, ..Faults::default() };
        let release = Release::with(faults, &Scene::default());
        release.settled().await;
        let digest = release.push("api", "v2", "2");
        let answer =
            deliver(&release.function(vec![entry("api")]), &pushed("api", "v2", &digest)).await.unwrap();
        let (decision, reason) = told(&answer, "api");
        assert!(decision == "start" || reason.starts_with("already being deployed"), "call {lost}: {answer}");
        assert_eq!(release.done("CreateDeployment"), 1, "call {lost}");
    }
}

#[tokio::test(start_paused = true)]
async fn throttled_calls_are_repeated_until_they_pass() {
    let faults = Faults { chances: vec![(0.4, Injected::Throttled)], seed: 3, ..Faults::default() };
    let release = Release::with(faults, &Scene::default());
    release.settled().await;
    let digest = release.push("api", "v2", "2");
    let answer = deliver(&release.function(vec![entry("api")]), &pushed("api", "v2", &digest)).await.unwrap();
    assert_eq!(told(&answer, "api").0, "start", "{answer}");
    assert_eq!(release.done("CreateDeployment"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_used_up_its_retries_leaves_others_theirs() {
    let release = Release::new();
    release.settled().await;
    let digest = release.push("api", "v2", "2");
    let event = pushed("api", "v2", &digest);
    let worn = release.function(vec![entry("api")]);
    release.cloud.faults(Faults { chances: vec![(1.0, Injected::Throttled)], ..Faults::default() });
    for _ in 0..40 {
        deliver(&worn, &event).await.unwrap_err();
    }
    // Now its first failure is its last, as the quota of the SDK has it.
    let before = release.cloud.calls();
    deliver(&worn, &event).await.unwrap_err();
    assert!(release.cloud.calls() - before < 16, "{}", release.cloud.calls() - before);
    release.cloud.faults(Faults::default());
    release.cloud.script([Some(Injected::Throttled); 6]);
    let answer = deliver(&release.function(vec![entry("api")]), &event).await.unwrap();
    assert_eq!(told(&answer, "api").0, "start", "{answer}");
}

#[tokio::test(start_paused = true)]
async fn one_repository_feeds_many_services_and_one_that_fails_stops_no_other() {
    let release = Release::new();
    release.settled().await;
    let names: Vec<_> = (0..120).map(|n| format!("api-{n}")).collect();
    release.cloud.with(|world| {
        for (n, name) in names.iter().enumerate() {
            let first = fixture::push_image(world, name, "v1", &[("APP_VERSION", "1")]).unwrap();
            let scene = Scene { port: 9000 + 2 * u16::try_from(n).unwrap(), ..Scene::default() };
            fixture::BlueGreen::create(world, name, &first, &scene).unwrap();
        }
    });
    let digest = release.push("api", "v2", "2");
    let mut services: Vec<_> = names.iter().map(|name| entry(name)).collect();
    for service in &mut services {
        service.images[0].repository = "api".into();
    }
    services[3].service = "gone".into();
    services[4].engine = Engine::CodeDeploy { application: "none".into(), group: "none".into() };
    services[5].images[0].container = "sidecar".into();
    let error = deliver(&release.function(services), &pushed("api", "v2", &digest)).await.unwrap_err();
    let error = format!("{error:#}");
    assert!(error.starts_with("api-4: listing the deployments of none/none"), "{error}");
    assert!(error.contains("ApplicationDoesNotExistException"), "{error}");
    assert!(error.contains("api-3: refuse: ECS has no such active service"), "{error}");
    assert!(error.contains("api-5: refuse: the task definition has no container 'sidecar'"), "{error}");
    assert_eq!(release.done("CreateDeployment"), 117);
}

#[tokio::test(start_paused = true)]
async fn a_red_alarm_or_a_missing_one_lets_nothing_start() {
    let release = Release::new();
    release.settled().await;
    let digest = release.push("api", "v2", "2");
    let mut service = entry("api");
    service.alarms = vec!["api-5xx".into()];
    let function = release.function(vec![service]);
    let event = pushed("api", "v2", &digest);
    let answer = deliver(&function, &event).await.unwrap();
    assert!(told(&answer, "api").1.starts_with("CloudWatch has no such alarm: api-5xx"), "{answer}");
    let alarm = json!({
        "AlarmName": "api-5xx", "Namespace": "Own", "MetricName": "errors", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
    });
    release.call("cloudwatch", "PutMetricAlarm", alarm);
    let set = |state: &str| {
        let input = json!({ "AlarmName": "api-5xx", "StateValue": state, "StateReason": "test" });
        release.call("cloudwatch", "SetAlarmState", input);
    };
    set("ALARM");
    let answer = deliver(&function, &event).await.unwrap();
    assert_eq!(told(&answer, "api"), ("refuse", "in ALARM before the deployment: api-5xx"));
    assert_eq!((release.done("RegisterTaskDefinition"), release.done("CreateDeployment")), (0, 0));
    set("OK");
    let answer = deliver(&function, &event).await.unwrap();
    assert_eq!(told(&answer, "api").0, "start");
}

#[tokio::test(start_paused = true)]
async fn a_red_alarm_of_the_deployment_group_counts_as_much() {
    let scene = Scene { alarms: vec!["group-5xx"], ..Scene::default() };
    let release = Release::with(Faults::default(), &scene);
    release.settled().await;
    let digest = release.push("api", "v2", "2");
    let alarm = json!({
        "AlarmName": "group-5xx", "Namespace": "Own", "MetricName": "errors", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
    });
    release.call("cloudwatch", "PutMetricAlarm", alarm);
    let red = json!({ "AlarmName": "group-5xx", "StateValue": "ALARM", "StateReason": "test" });
    release.call("cloudwatch", "SetAlarmState", red);
    let answer = deliver(&release.function(vec![entry("api")]), &pushed("api", "v2", &digest)).await.unwrap();
    assert_eq!(told(&answer, "api"), ("refuse", "in ALARM before the deployment: group-5xx"));
    assert_eq!(release.done("CreateDeployment"), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_way_back_nothing_starts_and_what_is_gone_is_named() {
    let release = Release::new();
    release.settled().await;
    let function = release.function(vec![entry("api")]);
    let second = release.push("api", "v2", "2");
    let answer = deliver(&function, &pushed("api", "v2", &second)).await.unwrap();
    release.ended(answer["services"]["api"]["started"].as_str().unwrap()).await;
    let third = release.push("api", "v3", "3");
    let remove = |ids: Value| {
        release.call("ecr", "BatchDeleteImage", json!({ "repositoryName": "api", "imageIds": ids }));
    };
    remove(json!([{ "imageDigest": second }]));
    let event = pushed("api", "v3", &third);
    let first_is_left = deliver(&function, &event).await.unwrap();
    assert_eq!(told(&first_is_left, "api").0, "start", "api:1 is still there: {first_is_left}");
    let id = first_is_left["services"]["api"]["started"].as_str().unwrap();
    assert_eq!(release.ended(id).await, "Succeeded");
    remove(json!([{ "imageDigest": third }, { "imageTag": "v1" }]));
    let fourth = release.push("api", "v4", "4");
    let answer = deliver(&function, &pushed("api", "v4", &fourth)).await.unwrap();
    let (decision, reason) = told(&answer, "api");
    assert!(decision == "refuse" && reason.contains("the image of api:3 is gone from api"), "{answer}");
    assert!(reason.contains("api:1 is gone"), "{answer}");
    remove(json!([{ "imageDigest": fourth }]));
    let answer = deliver(&function, &pushed("api", "v4", &fourth)).await.unwrap();
    assert!(told(&answer, "api").1.starts_with("ECR has no such image"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn no_rollback_target_lies_behind_a_migration_that_took_something_away() {
    let release = Release::new();
    release.settled().await;
    let function = release.function(vec![entry("api")]);
    let second = release.push("api", "v2", "2");
    let answer = deliver(&function, &pushed("api", "v2", &second)).await.unwrap();
    release.ended(answer["services"]["api"]["started"].as_str().unwrap()).await;
    let live = release.live("api")["taskDefinition"]["taskDefinitionArn"].clone();
    let tags = json!([{ "key": "sluice:oldest", "value": "the migration of api:3: drop-column" }]);
    release.call("ecs", "TagResource", json!({ "resourceArn": live, "tags": tags }));
    let third = release.push("api", "v3", "3");
    release.call(
        "ecr",
        "BatchDeleteImage",
        json!({ "repositoryName": "api", "imageIds": [{ "imageDigest": second }] }),
    );
    // Version 1 is still there, and could serve but for its database.
    let answer = deliver(&function, &pushed("api", "v3", &third)).await.unwrap();
    let (decision, reason) = told(&answer, "api");
    assert_eq!(decision, "refuse", "{reason}");
    let why = "what is older than api:2 cannot run since the migration of api:3: drop-column";
    assert!(reason.contains(why), "{reason}");
    assert_eq!(release.done("CreateDeployment"), 1);
}

#[tokio::test(start_paused = true)]
async fn two_repositories_feed_two_containers_and_neither_undoes_the_other() {
    let release = Release::new();
    release.settled().await;
    let image = release.live("api")["taskDefinition"]["containerDefinitions"][0]["image"].clone();
    let proxy = release.push("proxy", "v1", "1");
    let with_proxy = json!({
        "family": "api", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
        "memory": "512", "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "containerDefinitions": [
            { "name": "app", "image": image, "essential": true, "portMappings": [{ "containerPort": 8080 }] },
            { "name": "proxy", "image": format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/proxy@{proxy}") },
        ],
    });
    let registered = release.call("ecs", "RegisterTaskDefinition", with_proxy);
    let revision = registered["taskDefinition"]["taskDefinitionArn"].as_str().unwrap();
    let by_hand = release.call("codedeploy", "CreateDeployment", by_hand(revision));
    assert_eq!(release.ended(by_hand["deploymentId"].as_str().unwrap()).await, "Succeeded");

    let mut service = entry("api");
    service.images.push(shared::config::ImageRule {
        repository: "proxy".into(),
        container: "proxy".into(),
        ..service.images[0].clone()
    });
    let function = release.function(vec![service]);
    // Pushed in one order, delivered in the other: they are not compared with each other.
    let proxy = release.push("proxy", "v2", "2");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let app = release.push("api", "v2", "2");
    for (repository, digest) in [("api", &app), ("proxy", &proxy)] {
        let answer = deliver(&function, &pushed(repository, "v2", digest)).await.unwrap();
        assert_eq!(told(&answer, "api").0, "start", "{answer}");
        assert_eq!(release.ended(answer["services"]["api"]["started"].as_str().unwrap()).await, "Succeeded");
    }
    let live = release.live("api");
    let images = live["taskDefinition"]["containerDefinitions"].as_array().unwrap();
    let images: Vec<_> =
        images.iter().map(|c| c["image"].as_str().unwrap().rsplit('/').next().unwrap()).collect();
    assert_eq!(images, [format!("api@{app}"), format!("proxy@{proxy}")]);
}

/// A deployment that a person starts.
#[tokio::test(start_paused = true)]
async fn an_image_for_another_platform_starts_nothing() {
    let release = Release::new();
    release.settled().await;
    let digest = release.cloud.with(|world| {
        let config =
            json!({ "architecture": "arm64", "os": "linux", "config": { "Entrypoint": ["sample-app"] } });
        fixture::push_config(world, "api", "v2", &config).unwrap()
    });
    let answer = deliver(&release.function(vec![entry("api")]), &pushed("api", "v2", &digest)).await.unwrap();
    let (decision, reason) = told(&answer, "api");
    assert_eq!(decision, "nothing", "{answer}");
    assert!(
        reason.starts_with("the image is for linux/arm64 and the service runs on LINUX/X86_64"),
        "{answer}"
    );
    assert_eq!(release.done("CreateDeployment"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hold_on_the_service_holds_until_it_is_taken_off() {
    let release = Release::new();
    release.settled().await;
    let digest = release.push("api", "v2", "2");
    let arn = release.cloud.with(|world| crate::scene::describe(world, "api")["serviceArn"].clone());
    let hold = json!([{ "key": "sluice:hold", "value": "by=anna why=the database moves" }]);
    release.call("ecs", "TagResource", json!({ "resourceArn": arn, "tags": hold }));
    let function = release.function(vec![entry("api")]);
    let event = pushed("api", "v2", &digest);
    let answer = deliver(&function, &event).await.unwrap();
    assert_eq!(told(&answer, "api").0, "wait", "{answer}");
    release.call("ecs", "UntagResource", json!({ "resourceArn": arn, "tagKeys": ["sluice:hold"] }));
    let answer = deliver(&function, &event).await.unwrap();
    assert_eq!(told(&answer, "api").0, "start", "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_scan_is_waited_for_and_its_findings_refuse_the_image() {
    let release = Release::new();
    release.settled().await;
    let digest = release.push("api", "v2", "2");
    let mut service = entry("api");
    let block = vec![shared::config::Severity::Critical];
    service.scan = Some(shared::config::ScanGate { block, wait: Duration::from_secs(600) });
    let function = release.function(vec![service]);
    let event = pushed("api", "v2", &digest);
    let answer = deliver(&function, &event).await.unwrap();
    assert_eq!(told(&answer, "api").0, "wait", "{answer}");
    let image = json!({ "repositoryName": "api", "imageId": { "imageDigest": digest } });
    release.call("ecr", "StartImageScan", image);
    let answer = deliver(&function, &event).await.unwrap();
    assert_eq!(told(&answer, "api").0, "wait", "{answer}");
    tokio::time::sleep(Duration::from_secs(300)).await;
    let scanned = json!({
        "source": "aws.ecr", "detail-type": "ECR Image Scan", "time": "2026-01-01T00:15:00Z",
        "detail": { "scan-status": "COMPLETE", "repository-name": "api", "image-digest": digest, "image-tags": [] },
    });
    let answer = deliver(&function, &scanned).await.unwrap();
    assert_eq!(told(&answer, "api").0, "start", "{answer}");
    let without_gate = deliver(&release.function(vec![entry("api")]), &scanned).await.unwrap();
    assert_eq!(without_gate["nothing"], "no service that takes images of api waits for their scan");
}

#[tokio::test(start_paused = true)]
async fn members_that_no_sdk_knows_reach_ecs_again_as_they_were() {
    let release = Release::new();
    release.settled().await;
    let mut definition = release.live("api")["taskDefinition"].clone();
    definition["newAtTop"] = json!({ "a": [1.5, null] });
    definition["containerDefinitions"][0]["newInContainer"] = json!({ "b": true });
    definition["containerDefinitions"][0]["portMappings"][0]["newInPort"] = json!("c");
    definition["tags"] = json!([{ "key": "team", "value": "payments" }]);
    let members = definition.as_object_mut().unwrap();
    for name in ANSWER_ONLY {
        members.shift_remove(name);
    }
    let registered = release.call("ecs", "RegisterTaskDefinition", definition.clone());
    let revision = registered["taskDefinition"]["taskDefinitionArn"].as_str().unwrap();
    let started = release.call("codedeploy", "CreateDeployment", by_hand(revision));
    release.ended(started["deploymentId"].as_str().unwrap()).await;
    let digest = release.push("api", "v2", "2");
    deliver(&release.function(vec![entry("api")]), &pushed("api", "v2", &digest)).await.unwrap();
    let mut sent = release.calls().into_iter().find(|(name, ..)| name == "RegisterTaskDefinition").unwrap().1;
    let tags: Vec<_> =
        sent["tags"].as_array().unwrap().iter().map(|tag| tag["key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(tags, ["team", "sluice:digest", "sluice:tag", "sluice:pushed-at", "sluice:replaces"]);
    sent["tags"] = definition["tags"].clone();
    sent["containerDefinitions"][0]["image"] = definition["containerDefinitions"][0]["image"].clone();
    assert_eq!(sent, definition);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_runs_out_of_time_says_which_service_it_left() {
    let release = Release::new();
    release.settled().await;
    let digest = release.push("api", "v2", "2");
    release.cloud.call_time(40_000);
    let function = release.function(vec![entry("api")]);
    let error = deliver(&function, &pushed("api", "v2", &digest)).await.unwrap_err();
    assert_eq!(error.to_string(), "api: not finished within the function's time");
}
