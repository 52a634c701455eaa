//! Many services, many alarms, many events at once.

use std::time::Duration;

use cloud::fixture::{BlueGreen, Scene, push_image};
use cloud::timeline::Kind;
use cloud::world::World;
use shared::config::Service;

use crate::release::entry;
use crate::scene::{Stage, deliver};

#[tokio::test(start_paused = true)]
async fn a_thousand_services_cost_no_round_trip_more() {
    let mut stage = Stage::new().await;
    let others =
        (0..1_000).map(|n| Service { alarms: vec![format!("other-{n}")], ..entry(&format!("other-{n}")) });
    stage.services.extend(others);
    let (id, _) = stage.pushed("v2").await;
    stage.canary().await;
    let event = stage.red();
    let function = stage.function();
    stage.release.cloud.call_time(1_000);
    let began = stage.release.cloud.now();
    deliver(&function, &event).await.unwrap();
    let stop = stage.release.cloud.with(|world| {
        let calls = world.cloud.timeline().iter();
        let stop =
            calls.filter(|entry| entry.data["operation"] == "StopDeployment").map(|entry| entry.at).next();
        stop.unwrap()
    });
    assert!((stop - began).div_ceil(1_000) <= 2);
    stage.release.cloud.call_time(0);
    assert_eq!(stage.release.ended(&id).await, "Stopped");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_events_for_two_hundred_services_make_one_stop_each() {
    const SERVICES: u16 = 200;
    const EVENTS: usize = 5;
    let mut stage = Stage::new().await;
    let names: Vec<_> = (0..SERVICES).map(|n| format!("svc-{n}")).collect();
    stage.services = names.iter().map(|name| Service { alarms: vec![name.clone()], ..entry(name) }).collect();
    let services = stage.release.cloud.with(|world| {
        let made = (0..SERVICES).zip(&names).map(|(n, name)| {
            let digest = push_image(world, name, "v1", &[("APP_VERSION", "1")]).unwrap();
            let scene = Scene { port: 10_000 + 2 * n, desired_count: 1, ..Scene::default() };
            BlueGreen::create(world, name, &digest, &scene).unwrap()
        });
        made.collect::<Vec<_>>()
    });
    tokio::time::sleep(Duration::from_secs(120)).await;
    stage.release.cloud.with(|world| {
        for (service, name) in services.iter().zip(&names) {
            let digest = push_image(world, name, "v2", &[("APP_VERSION", "2")]).unwrap();
            let revision = service.register(world, &digest).unwrap();
            service.deploy(world, &revision, &[]).unwrap();
        }
    });
    stage
        .release
        .until("all deployments have begun", |world| told(world, " AllowTraffic started") >= SERVICES)
        .await;
    let events: Vec<_> = names
        .iter()
        .map(|name| {
            stage.alarm(name);
            stage.set(name, "ALARM")
        })
        .collect();
    let function = stage.function();
    let all = events.iter().cycle().take(EVENTS * events.len()).map(|event| deliver(&function, event));
    let answers = futures_util::future::join_all(all).await;
    let stops = answers.iter().filter(|answer| answer.as_ref().unwrap().to_string().contains("\"stop\""));
    assert!(stops.count() >= usize::from(SERVICES), "{:?}", answers.first());
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(stage.release.cloud.with(|world| told(world, " Stopped")), SERVICES);
    assert!(names.iter().all(|name| stage.rollbacks_of(name) == 1));
    assert!(names.iter().all(|name| stage.tag(&format!("{name}:2"), "sluice:verdict").is_some()));
}

fn told(world: &World, text: &str) -> u16 {
    let entries = world.cloud.timeline().iter().filter(|entry| entry.kind == Kind::Deployment);
    u16::try_from(entries.filter(|entry| entry.text.contains(text)).count()).unwrap()
}
