//! Many services, many alarms, many events at once.

use cloud::fixture::{BlueGreen, Scene, push_image};
use futures_util::stream::{self, StreamExt as _};
use shared::config::Service;

use crate::release::{deliver as push, entry, pushed};
use crate::scene::{ALARM, Stage, deliver, guarded};

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
    let mut stage = Stage::new().await;
    let names: Vec<_> = (0..SERVICES).map(|n| format!("svc-{n}")).collect();
    stage.services = names.iter().map(|name| Service { name: name.clone(), ..guarded_as(name) }).collect();
    stage.release.cloud.with(|world| {
        for (n, name) in (0..SERVICES).zip(&names) {
            let digest = push_image(world, name, "v1", &[("APP_VERSION", "1")]).unwrap();
            let scene = Scene { port: 10_000 + 2 * n, ..Scene::default() };
            BlueGreen::create(world, name, &digest, &scene).unwrap();
        }
    });
    tokio::time::sleep(std::time::Duration::from_secs(120)).await;
    let function = stage.release.function(stage.services.clone());
    for name in &names {
        let digest = stage.release.push(name, "v2", "2");
        let answer = push(&function, &pushed(name, "v2", &digest)).await.unwrap();
        assert_eq!(answer["services"][name]["decision"], "start", "{answer}");
    }
    stage
        .release
        .until("all deployments have begun", |world| {
            let begun =
                world.cloud.timeline().iter().filter(|entry| entry.text.contains("AllowTraffic started"));
            begun.count() >= usize::from(SERVICES)
        })
        .await;
    let event = stage.red();
    let function = stage.function();
    let events = stream::iter(0..5).map(|_| deliver(&function, &event));
    let answers: Vec<_> = events.buffer_unordered(5).collect().await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    stage
        .release
        .until("all are taken back", |world| {
            let ends = world.cloud.timeline().iter().filter(|entry| entry.text.contains(" Stopped"));
            ends.count() >= usize::from(SERVICES)
        })
        .await;
    assert_eq!(stage.taken_back(&names), vec![1; usize::from(SERVICES)]);
}

fn guarded_as(name: &str) -> Service {
    Service { alarms: vec![ALARM.into()], watch: guarded().watch, ..entry(name) }
}
