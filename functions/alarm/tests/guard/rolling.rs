//! Services of the ECS controller.

use std::collections::VecDeque;
use std::time::Duration;

use cloud::in_process::{Faults, Injected};
use serde_json::{Value, json};

use crate::release::{deliver as push, describe, pushed, rolling, steady};
use crate::scene::{ALARM, Stage, deliver};

/// A service `web` whose version 2 is being rolled out, or is live.
async fn rolled(live: bool) -> Stage {
    let mut stage = Stage::new().await;
    let service = rolling(&stage.release).await;
    let guarded = stage.services.remove(0);
    let service = shared::config::Service { alarms: guarded.alarms, watch: guarded.watch, ..service };
    stage.services = vec![service];
    let digest = stage.release.push("web", "v2", "2");
    let function = stage.release.function(stage.services.clone());
    let answer = push(&function, &pushed("web", "v2", &digest)).await.unwrap();
    assert_eq!(answer["services"]["web"]["started"], "web:2", "{answer}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    if live {
        steady(&stage.release).await;
    }
    stage
}

async fn told(stage: &Stage, event: &Value) -> (String, String) {
    let answer = deliver(&stage.function(), event).await.unwrap();
    let told = &answer["alarms"][ALARM]["web"];
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    (text(&told["decision"]), text(&told["reason"]))
}

fn live(stage: &Stage) -> String {
    let service = stage.release.cloud.with(|world| describe(world, "web"));
    service["taskDefinition"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned()
}

#[tokio::test(start_paused = true)]
async fn an_active_deployment_is_stopped_and_rolled_back_by_ecs() {
    let stage = rolled(false).await;
    let event = stage.red();
    let (decision, reason) = told(&stage, &event).await;
    assert_eq!(decision, "stop", "{reason}");
    steady(&stage.release).await;
    assert_eq!(live(&stage), "web:1");
    assert_eq!(stage.tag("web:2", "sluice:verdict").as_deref(), Some("rejected"));
    assert_eq!(stage.tag("web:1", "sluice:verdict"), None);
    assert_eq!(told(&stage, &event).await.0, "nothing");
    assert_eq!((stage.done("StopServiceDeployment"), stage.done("UpdateService")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn within_the_watch_the_service_is_rolled_to_what_served_before_once() {
    let stage = rolled(true).await;
    assert_eq!(live(&stage), "web:2");
    tokio::time::sleep(Duration::from_secs(600)).await;
    let event = stage.red();
    assert_eq!(told(&stage, &event).await.0, "roll-back");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (decision, reason) = told(&stage, &event).await;
    assert_eq!(decision, "nothing", "{reason}");
    steady(&stage.release).await;
    assert_eq!(told(&stage, &event).await.0, "nothing");
    assert_eq!((live(&stage).as_str(), stage.done("UpdateService")), ("web:1", 1));
    // Red again: nobody rolls further.
    stage.set(ALARM, "OK");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let (decision, reason) = told(&stage, &stage.red()).await;
    assert_eq!(decision, "escalate", "{reason}");
    assert_eq!((live(&stage).as_str(), stage.done("UpdateService")), ("web:1", 1));
    assert_eq!(json!(stage.done("StopServiceDeployment")), json!(0));
}

/// Starts version 3, with a past of ten seconds that late reads can be answered from.
async fn started_with_a_past(stage: &Stage) {
    // It is kept from the first fault on that can read it.
    stage.release.cloud.faults(late(VecDeque::new()));
    let function = stage.release.function(stage.services.clone());
    let known = stage.tag("web:2", "sluice:digest").unwrap();
    push(&function, &pushed("web", "v2", &known)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let digest = stage.release.push("web", "v3", "3");
    let answer = push(&function, &pushed("web", "v3", &digest)).await.unwrap();
    assert_eq!(answer["services"]["web"]["started"], "web:3", "{answer}");
    tokio::time::sleep(Duration::from_secs(1)).await;
}

fn late(script: VecDeque<Option<Injected>>) -> Faults {
    Faults { script, chances: vec![(1e-9, Injected::Stale(5_000))], ..Faults::default() }
}

/// The next call of this number, of alarms, service and deployments, is answered from the past.
fn lags(stage: &Stage, call: usize) {
    let mut script: VecDeque<_> = vec![None; 3].into();
    script[call] = Some(Injected::Stale(5_000));
    stage.release.cloud.faults(late(script));
}

/// The alarm was red before the release, which a list of deployments that lags does not show.
#[tokio::test(start_paused = true)]
async fn what_began_after_the_alarm_is_not_taken_for_what_was_red() {
    let stage = rolled(true).await;
    let red = stage.red();
    stage.set(ALARM, "OK");
    tokio::time::sleep(Duration::from_secs(10)).await;
    started_with_a_past(&stage).await;
    for lagging in 0..3 {
        lags(&stage, lagging);
        let (decision, reason) = told(&stage, &red).await;
        assert_eq!(decision, "nothing", "{reason}");
    }
    steady(&stage.release).await;
    assert_eq!((live(&stage).as_str(), stage.tag("web:3", "sluice:verdict")), ("web:3", None));
}

/// What ECS says of the service is from before the release: it names the revision that served.
#[tokio::test(start_paused = true)]
async fn what_served_before_is_not_rejected_where_the_service_is_read_late() {
    let stage = rolled(true).await;
    started_with_a_past(&stage).await;
    let red = stage.red();
    lags(&stage, 1);
    let (decision, reason) = told(&stage, &red).await;
    assert_eq!((decision.as_str(), stage.done("StopServiceDeployment")), ("stop", 1), "{reason}");
    steady(&stage.release).await;
    assert_eq!((live(&stage).as_str(), stage.tag("web:2", "sluice:verdict")), ("web:2", None));
}
