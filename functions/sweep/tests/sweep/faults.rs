//! A sweep that ends after any call, AWS in trouble, services that are broken, too little time.

use std::time::Duration;

use cloud::in_process::Injected;
use serde_json::json;
use shared::message::Message;
use shared::start::Invocation;
use sweep::Sweep;

use crate::scene::{effects, function, later, nothing_happens, scheduled, steps, sweep, with_baseline};
use crate::state::Stage;

/// Lets a sweep end after so many calls: each is answered in 20 ms. Gives whether it had ended.
async fn cut(stage: &Stage, function: &Sweep, calls: u64) -> bool {
    let before = stage.cloud.calls();
    let work = sweep(function);
    tokio::pin!(work);
    loop {
        tokio::select! {
            _ = &mut work => return true,
            () = tokio::time::sleep(Duration::from_millis(1)) => {
                if stage.cloud.calls() >= before + calls { break }
            }
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    false
}

fn ids(messages: &[Message]) -> Vec<String> {
    let mut ids: Vec<_> = messages.iter().map(Message::id).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// A canary that was stopped and not taken back, with an image that waits; nobody has heard of it.
async fn stopped() -> (Stage, String) {
    let stage = Stage::new().await;
    with_baseline(&stage).await;
    stage.lose_events();
    let (_, id) = stage.release("api", "v2", &[]).await;
    stage.canary(&id).await;
    stage.stop(&id, Some(false));
    stage.ended(&id).await;
    later().await;
    (stage, id)
}

#[tokio::test(start_paused = true)]
async fn however_far_a_sweep_came_in_an_end_the_next_ones_complete_it_and_do_nothing_twice() {
    for calls in 0.. {
        let (stage, _) = stopped().await;
        let whole = cut(&stage, &function(&stage), calls).await;
        sweep(&function(&stage)).await.unwrap();
        let (rollback, _) = stage.last("api");
        stage.ended(&rollback).await;
        later().await;
        sweep(&function(&stage)).await.unwrap();
        nothing_happens(&stage).await;
        assert_eq!((stage.live("api"), stage.deployments("api")), ("api:1".into(), 2), "after {calls} calls");
        assert_eq!(stage.tag("api:2", "verdict").as_deref(), Some("rejected"));
        assert!(stage.tag("api:2", "ended").unwrap().starts_with("rolled-back "));
        let news = ids(&stage.messages());
        assert!(news.len() <= 2 && news.iter().any(|id| id.contains("/rolled-back/")), "{calls}: {news:?}");
        let [releases, failures, restored] = stage.counts("api");
        // Once more only where it ended between the metrics and the tag that says so.
        assert!((1.0..=2.0).contains(&releases) && releases == failures && restored == 1.0, "after {calls}");
        if whole {
            assert!(calls > 20, "a sweep that settles has more than {calls} calls");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn however_far_a_sweep_came_in_a_push_the_next_one_starts_it_once() {
    for calls in 0.. {
        let stage = Stage::new().await;
        with_baseline(&stage).await;
        stage.push("api", "v2", &[]);
        later().await;
        let whole = cut(&stage, &function(&stage), calls).await;
        later().await;
        sweep(&function(&stage)).await.unwrap();
        later().await;
        nothing_happens(&stage).await;
        assert_eq!(stage.deployments("api"), 1, "after {calls} calls");
        let (id, _) = stage.last("api");
        assert_eq!(stage.ended(&id).await, "Succeeded");
        assert_eq!(stage.live("api"), "api:2", "after {calls} calls");
        if whole {
            assert!(calls > 15, "a sweep that starts an image has more than {calls} calls");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn throttles_lost_and_slow_answers_change_nothing_but_the_time() {
    for fault in [Injected::Throttled, Injected::ServerError, Injected::AnswerLost, Injected::Slow(3_000)] {
        for at in [0, 3, 8, 14] {
            let (stage, _) = stopped().await;
            stage.cloud.script((0..at).map(|_| None).chain([Some(fault); 3]));
            let _ = sweep(&function(&stage)).await;
            stage.cloud.script([]);
            sweep(&function(&stage)).await.unwrap();
            let (rollback, _) = stage.last("api");
            stage.ended(&rollback).await;
            assert_eq!(
                (stage.live("api"), stage.deployments("api")),
                ("api:1".into(), 2),
                "{fault:?} at {at}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_broken_is_named_and_stops_no_other() {
    let mut stage = Stage::with(&["api", "web"]).await;
    with_baseline(&stage).await;
    let broken = |name: &str, change: fn(&mut shared::config::Service)| {
        let mut service = crate::state::entry(name, shared::config::Engine::Ecs);
        service.engine = stage.services[0].engine.clone();
        (service.cluster, service.service) = ("api-cluster".to_owned(), "api".to_owned());
        change(&mut service);
        service
    };
    let others = [
        broken("no-service", |service| service.service = "gone".to_owned()),
        broken("no-cluster", |service| service.cluster = "gone-cluster".to_owned()),
        broken("no-group", |service| {
            let (application, group) = ("api-deploy".to_owned(), "gone-group".to_owned());
            service.engine = shared::config::Engine::CodeDeploy { application, group };
        }),
        broken("no-application", |service| {
            let (application, group) = ("gone-deploy".to_owned(), "gone-group".to_owned());
            service.engine = shared::config::Engine::CodeDeploy { application, group };
        }),
    ];
    stage.services.extend(others);
    for name in ["api", "web"] {
        stage.push(name, "v2", &[]);
    }
    let input = json!({ "repositoryName": "web", "force": true });
    later().await;
    stage.call("ecr", "DeleteRepository", input);
    let error = sweep(&function(&stage)).await.unwrap_err().to_string();
    for (name, why) in [
        ("no-service", "ECS has no service api-cluster/gone, which releases.yaml names"),
        ("no-cluster", "ECS has no service gone-cluster/api, which releases.yaml names"),
        ("no-group", "CodeDeploy has no group api-deploy/gone-group"),
        ("no-application", "reading the deployment groups gone-deploy/gone-group"),
        ("web", "listing the images of web"),
    ] {
        assert!(error.contains(&format!("{name}: {why}")), "{name}: {error}");
    }
    assert!(!error.contains("api: "), "{error}");
    later().await;
    assert_eq!((stage.deployments("api"), stage.deployments("web")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_is_missing_is_not_green() {
    let (stage, id) = {
        let mut stage = Stage::new().await;
        with_baseline(&stage).await;
        stage.services[0].watch = Duration::from_secs(600);
        stage.listen();
        let (_, id) = stage.release("api", "v2", &[]).await;
        (stage, id)
    };
    assert_eq!(stage.ended(&id).await, "Succeeded");
    stage.call("cloudwatch", "DeleteAlarms", json!({ "AlarmNames": ["api-5xx"] }));
    tokio::time::sleep(Duration::from_secs(900)).await;
    nothing_happens(&stage).await;
    assert_eq!(stage.tag("api:2", "verdict"), None);
}

#[tokio::test(start_paused = true)]
async fn services_that_there_was_no_time_for_are_named_and_nothing_is_done_for_them() {
    let stage = Stage::new().await;
    let invocation = Invocation { event: scheduled(), time: Duration::from_secs(5) };
    let error = function(&stage).handle(invocation).await.unwrap_err().to_string();
    assert_eq!(error, "api: no time was left");
    assert_eq!(effects(&stage, 0), Vec::<String>::new());
    stage.cloud.call_time(20_000);
    let invocation = Invocation { event: scheduled(), time: Duration::from_secs(15) };
    let error = function(&stage).handle(invocation).await.unwrap_err().to_string();
    assert!(error.contains("api: not read within the function's time"), "{error}");
    stage.cloud.call_time(20);
    assert_eq!(steps(&stage, "api").await, ["baseline"]);
}

#[tokio::test(start_paused = true)]
async fn whatever_the_schedule_sends_wakes_it_but_nothing_that_is_no_event() {
    let stage = Stage::new().await;
    for event in [json!({}), json!({ "any": ["input"] })] {
        let invocation = Invocation { event, time: Duration::from_secs(60) };
        assert!(function(&stage).handle(invocation).await.is_ok());
    }
    let invocation = Invocation { event: json!("sweep"), time: Duration::from_secs(60) };
    let error = function(&stage).handle(invocation).await.unwrap_err().to_string();
    assert_eq!(error, "this is no event of a schedule: \"sweep\"");
}
