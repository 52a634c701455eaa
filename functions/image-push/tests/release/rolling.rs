//! Services of the ECS controller: a push rolls them, once.

use crate::scene::{CONFIGURATION, Release, deliver, pushed, rolling, steady, told};
use cloud::fixture;
use futures_util::future::join;
use serde_json::{Value, json};
use shared::config::{Check, Migrate, OneOff};
use std::time::Duration;

fn image(release: &Release) -> String {
    let live = release.live("web");
    live["taskDefinition"]["containerDefinitions"][0]["image"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_push_rolls_the_service_with_its_own_configuration_and_the_breaker_on() {
    let release = Release::new();
    let service = rolling(&release).await;
    // A person, or scaling, has moved the number of tasks since.
    release.call(
        "ecs",
        "UpdateService",
        json!({ "cluster": "web-cluster", "service": "web", "desiredCount": 5 }),
    );
    steady(&release).await;
    let digest = release.push("web", "v2", "2");
    let answer = deliver(&release.function(vec![service]), &pushed("web", "v2", &digest)).await.unwrap();
    assert_eq!(answer["services"]["web"]["started"], "web:2", "{answer}");
    steady(&release).await;
    assert!(image(&release).ends_with(&format!("/web@{digest}")));
    let after = release.cloud.with(|world| crate::scene::describe(world, "web"));
    assert_eq!(after["desiredCount"], 5);
    let configuration = &after[CONFIGURATION];
    assert_eq!(
        (&configuration["maximumPercent"], &configuration["minimumHealthyPercent"]),
        (&json!(150), &json!(50))
    );
    assert_eq!(configuration["deploymentCircuitBreaker"]["rollback"], true, "{configuration}");
    let update = release.calls().into_iter().find(|(name, ..)| name == "UpdateService").unwrap().1;
    assert_eq!(update["desiredCount"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn checks_that_a_rolling_service_never_calls_keep_it_from_being_released() {
    let release = Release::new();
    let mut service = rolling(&release).await;
    let task = OneOff { container: "web".into(), command: Vec::new(), timeout: Duration::from_secs(60) };
    service.checks.before_install = vec![Check::Migrate(Migrate { task, snapshot: None })];
    let digest = release.push("web", "v2", "2");
    let answer = deliver(&release.function(vec![service]), &pushed("web", "v2", &digest)).await.unwrap();
    let (decision, reason) = told(&answer, "web");
    assert_eq!(decision, "refuse");
    assert!(reason.starts_with("the service calls no checks at BeforeInstall"), "{reason}");
    let writes = ["RegisterTaskDefinition", "UpdateService"];
    assert!(!release.calls().iter().any(|(name, ..)| writes.contains(&name.as_str())));
}

#[tokio::test(start_paused = true)]
async fn two_handlers_at_once_and_late_duplicates_make_one_deployment() {
    let release = Release::new();
    let service = rolling(&release).await;
    let digest = release.push("web", "v2", "2");
    let event = pushed("web", "v2", &digest);
    let (one, two) = (release.function(vec![service.clone()]), release.function(vec![service]));
    let (first, second) = join(deliver(&one, &event), deliver(&two, &event)).await;
    assert_eq!(first.unwrap()["services"]["web"]["started"], "web:2");
    let second = second.unwrap();
    assert_eq!(told(&second, "web"), ("nothing", "already being deployed by web:2"));
    let during = deliver(&one, &event).await.unwrap();
    assert!(told(&during, "web").1.starts_with("already being deployed by"), "{during}");
    steady(&release).await;
    let late = deliver(&two, &event).await.unwrap();
    assert_eq!(told(&late, "web"), ("nothing", "already live with web:2"));
    assert_eq!(deployments(&release), 2, "the service's creation and one more");
}

#[tokio::test(start_paused = true)]
async fn of_two_images_at_once_the_slower_decides_anew() {
    let release = Release::new();
    let service = rolling(&release).await;
    let (older, newer) = (release.push("web", "v2", "2"), release.push("web", "v3", "3"));
    let (one, two) = (release.function(vec![service.clone()]), release.function(vec![service]));
    let (event, slower) = (pushed("web", "v3", &newer), pushed("web", "v2", &older));
    let (first, second) = join(deliver(&one, &event), deliver(&two, &slower)).await;
    assert_eq!(told(&first.unwrap(), "web").0, "start");
    let error = second.unwrap_err().to_string();
    assert!(error.contains("web-cluster/web was changed to web:2 meanwhile"), "{error}");
    let again = deliver(&two, &slower).await.unwrap();
    assert_eq!(told(&again, "web").0, "wait", "{again}");
    steady(&release).await;
    assert!(image(&release).ends_with(&newer));
}

fn deployments(release: &Release) -> usize {
    let listed =
        release.call("ecs", "ListServiceDeployments", json!({ "cluster": "web-cluster", "service": "web" }));
    listed["serviceDeployments"].as_array().unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn what_the_circuit_breaker_took_back_never_starts_again() {
    let release = Release::new();
    let service = rolling(&release).await;
    let before = image(&release);
    let digest = release.cloud.with(|world| {
        let crash = [("APP_VERSION", "2"), ("APP_EXIT_AFTER_MS", "100"), ("APP_EXIT_CODE", "1")];
        fixture::push_image(world, "web", "v2", &crash).unwrap()
    });
    let event = pushed("web", "v2", &digest);
    let function = release.function(vec![service]);
    let answer = deliver(&function, &event).await.unwrap();
    assert_eq!(told(&answer, "web").0, "start", "{answer}");
    release
        .until("the breaker trips", |world| {
            let input = json!({ "cluster": "web-cluster", "service": "web" });
            let listed = world.call("ecs", "ListServiceDeployments", input).unwrap();
            let states = listed["serviceDeployments"].as_array().unwrap().iter();
            states.filter(|deployment| deployment["status"] == "ROLLBACK_SUCCESSFUL").count() == 1
        })
        .await;
    assert_eq!(image(&release), before);
    let again = deliver(&function, &event).await.unwrap();
    assert!(told(&again, "web").1.starts_with("this image was rejected before"), "{again}");
    assert_eq!(release.done("UpdateService"), 1);
}
