//! The cloud behind the SDK: deployments in virtual time, faults, and sameness by seed.

use std::time::Duration;

use aws_sdk_codedeploy::config::{BehaviorVersion, Credentials, Region};
use cloud::fixture::{self, BlueGreen, Scene};
use cloud::in_process::{Faults, InProcess, Injected};
use cloud::world::World;
use cloud::{HOUR, MINUTE, SECOND, Settings};
use serde_json::json;

const START: cloud::Ms = 1_767_225_600_000; // 2026-01-01T00:00:00Z

fn scene(world: &mut World, scene: &Scene) -> BlueGreen {
    let first = fixture::push_image(world, "api", "v1", &[("APP_VERSION", "1")]).unwrap();
    let service = BlueGreen::create(world, "api", &first, scene).unwrap();
    assert!(service.settle(world), "the first tasks never got healthy");
    service
}

fn canary(seed: u64) -> (World, BlueGreen, String) {
    let mut world = World::new(Settings { seed, ..Settings::default() }, START);
    let service = scene(&mut world, &Scene::default());
    world.traffic(service.port, 10);
    let second = fixture::push_image(&mut world, "api", "v2", &[("APP_VERSION", "2")]).unwrap();
    let revision = service.register(&mut world, &second).unwrap();
    let deployment = service.deploy(&mut world, &revision, &[]).unwrap();
    (world, service, deployment)
}

fn text(world: &World) -> String {
    world.cloud.timeline().iter().map(|entry| format!("{entry} {}\n", entry.data)).collect()
}

#[test]
fn a_canary_goes_from_a_tenth_to_all_and_loses_no_request() {
    let (mut world, service, deployment) = canary(1);
    let share = |world: &World| {
        let served = world.served.get(&service.port).into_iter().flatten();
        served.filter(|((version, _), _)| version == "2").map(|(_, n)| n).sum::<u64>()
    };
    assert!(world.advance_until(HOUR, |w| share(w) > 0), "green never got a request");
    let (at, before) = (world.now(), share(&world));
    world.advance(at + 4 * MINUTE);
    let green = share(&world) - before;
    assert!((230..=250).contains(&green), "10% of 10 requests/s for 4 minutes, not {green}");
    assert_eq!(service.await_end(&mut world, &deployment), "Succeeded");
    let served = &world.served[&service.port];
    assert!(served.keys().all(|(_, status)| *status == 200), "{served:?}");
    world.served.clear();
    world.send(service.port, 100);
    assert_eq!(world.served[&service.port], [(("2".to_owned(), 200), 100)].into());
}

#[test]
fn one_seed_gives_one_timeline_a_hundred_times() {
    let run = |seed| {
        let (mut world, service, deployment) = canary(seed);
        service.await_end(&mut world, &deployment);
        text(&world)
    };
    let first = run(7);
    assert!(first.lines().count() > 100, "{first}");
    for _ in 1..100 {
        assert!(run(7) == first, "two runs of one seed differ");
    }
    assert!(run(8) != first, "the seed changes nothing");
}

#[test]
fn a_second_deployment_of_the_group_is_refused_while_one_is_active() {
    let (mut world, service, deployment) = canary(2);
    let again = fixture::push_image(&mut world, "api", "v3", &[("APP_VERSION", "3")]).unwrap();
    let revision = service.register(&mut world, &again).unwrap();
    let refused = service.deploy(&mut world, &revision, &[]).unwrap_err();
    assert_eq!(refused.shape, "DeploymentLimitExceededException");
    assert!(refused.message.contains(&deployment), "{refused}");
    assert_eq!(service.await_end(&mut world, &deployment), "Succeeded");
}

#[test]
fn an_image_that_never_gets_healthy_takes_no_request_and_is_rolled_back() {
    let (mut world, service, _) = {
        let mut world = World::new(Settings::default(), START);
        let service = scene(&mut world, &Scene::default());
        (world, service, ())
    };
    world.traffic(service.port, 10);
    let sick = fixture::push_image(&mut world, "api", "v2", &[("APP_VERSION", "2"), ("APP_HEALTH", "fail")])
        .unwrap();
    let revision = service.register(&mut world, &sick).unwrap();
    let deployment = service.deploy(&mut world, &revision, &[]).unwrap();
    assert_eq!(service.await_end(&mut world, &deployment), "Failed");
    world.advance(world.now() + 5 * MINUTE);
    assert!(world.served[&service.port].keys().all(|(version, status)| version == "1" && *status == 200));
}

struct Clients {
    cloud: InProcess,
    codedeploy: aws_sdk_codedeploy::Client,
    ecs: aws_sdk_ecs::Client,
}

macro_rules! config {
    ($sdk:ident, $cloud:expr) => {
        $sdk::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(Credentials::new("AKIATEST", "secret", None, None, "test"))
            .http_client($cloud.http_client())
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .build()
    };
}

fn clients(faults: Faults) -> Clients {
    // The SDK's own jitter comes from the thread's generator.
    fastrand::seed(faults.seed);
    let settings = Settings { region: Some("eu-west-1".into()), ..Settings::default() };
    let cloud = InProcess::with_faults(settings, START, faults);
    Clients {
        codedeploy: aws_sdk_codedeploy::Client::from_conf(config!(aws_sdk_codedeploy, cloud)),
        ecs: aws_sdk_ecs::Client::from_conf(config!(aws_sdk_ecs, cloud)),
        cloud,
    }
}

fn faults(script: impl IntoIterator<Item = Option<Injected>>) -> Faults {
    Faults { script: script.into_iter().collect(), ..Faults::default() }
}

async fn cluster(clients: &Clients) -> Result<(), String> {
    let call = clients.ecs.create_cluster().cluster_name("one").send().await;
    call.map(drop).map_err(|e| format!("{:?}", e.into_service_error()))
}

fn calls_of(clients: &Clients, operation: &str) -> usize {
    let named = |world: &mut World| {
        world
            .cloud
            .timeline()
            .iter()
            .filter(|e| e.data["operation"] == operation && e.data["fault"].is_null())
            .count()
    };
    clients.cloud.with(named)
}

#[tokio::test(start_paused = true)]
async fn the_sdk_sees_a_canary_of_ten_minutes_end_in_virtual_time() {
    let clients = clients(Faults::default());
    let service = clients.cloud.with(|world| scene(world, &Scene::default()));
    let revision = clients.cloud.with(|world| {
        let second = fixture::push_image(world, "api", "v2", &[]).unwrap();
        service.register(world, &second).unwrap()
    });
    let content = json!({
        "version": 0.0,
        "Resources": [{ "TargetService": { "Type": "AWS::ECS::Service", "Properties": {
            "TaskDefinition": revision, "LoadBalancerInfo": { "ContainerName": "app", "ContainerPort": 8080 },
        }}}],
    });
    let appspec = aws_sdk_codedeploy::types::AppSpecContent::builder().content(content.to_string()).build();
    let location = aws_sdk_codedeploy::types::RevisionLocation::builder()
        .revision_type(aws_sdk_codedeploy::types::RevisionLocationType::AppSpecContent)
        .app_spec_content(appspec)
        .build();
    let created = clients
        .codedeploy
        .create_deployment()
        .application_name(&service.application)
        .deployment_group_name(&service.group)
        .revision(location)
        .send()
        .await
        .unwrap();
    let id = created.deployment_id().unwrap().to_owned();
    let began = clients.cloud.now();
    loop {
        tokio::time::sleep(Duration::from_secs(15)).await;
        let answer = clients.codedeploy.get_deployment().deployment_id(&id).send().await.unwrap();
        let info = answer.deployment_info.unwrap();
        match info.status().unwrap().as_str() {
            "Succeeded" => break,
            "Created" | "Queued" | "InProgress" => assert!(clients.cloud.now() < began + HOUR, "no end"),
            other => panic!("{other}: {:?}", info.error_information()),
        }
    }
    assert!(clients.cloud.now() - began >= 10 * MINUTE, "5 minutes of canary and 5 until blue ends");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_is_retried_by_the_sdk_and_executed_once() {
    let clients = clients(faults([Some(Injected::Throttled), Some(Injected::ServerError)]));
    assert_eq!(cluster(&clients).await, Ok(()));
    assert_eq!((clients.cloud.calls(), calls_of(&clients, "CreateCluster")), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_was_executed_and_a_timeout_was_not() {
    let clients = clients(faults([Some(Injected::AnswerLost), Some(Injected::TimeoutBefore(3_000))]));
    assert_eq!(cluster(&clients).await, Ok(()));
    assert_eq!((clients.cloud.calls(), calls_of(&clients, "CreateCluster")), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn a_stale_read_does_not_see_what_was_just_written() {
    let pass = None;
    let clients = clients(faults([pass, Some(Injected::Slow(30_000)), Some(Injected::Stale(10_000)), pass]));
    let list = || async { clients.ecs.list_clusters().send().await.unwrap().cluster_arns().len() };
    assert_eq!(list().await, 0);
    assert_eq!(cluster(&clients).await, Ok(()));
    assert_eq!(list().await, 0, "the cluster is younger than the read");
    assert_eq!(list().await, 1);
}

#[tokio::test(start_paused = true)]
async fn round_trips_are_counted_by_the_virtual_clock() {
    let clients = clients(Faults::default());
    clients.cloud.call_time(1_000);
    let before = clients.cloud.now();
    cluster(&clients).await.unwrap();
    clients.ecs.list_clusters().send().await.unwrap();
    assert_eq!((clients.cloud.now() - before) / SECOND, 2);
}

#[test]
fn chance_faults_of_one_seed_are_the_same_each_time() {
    let run = |seed| {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let chances = vec![(0.3, Injected::Throttled), (0.1, Injected::AnswerLost)];
            let clients = clients(Faults { chances, seed, ..Faults::default() });
            for _ in 0..20 {
                // Whether it came through is part of what must be the same.
                let _ = clients.ecs.list_clusters().send().await;
            }
            clients.cloud.timeline()
        })
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
