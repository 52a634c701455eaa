//! The schedule alone: nobody hears of any event.

use std::sync::Arc;
use std::time::Duration;

use cloud::effect::FunctionError;
use serde_json::json;
use shared::start::Invocation;

use crate::scene::{function, with_baseline};
use crate::state::Stage;

const FUNCTION: &str = "sweep";

/// A rule wakes the function every five minutes.
fn scheduled(stage: &Stage) {
    let arn = stage.lambda(FUNCTION);
    let rule = json!({ "Name": FUNCTION, "ScheduleExpression": "rate(5 minutes)" });
    let rule = stage.call("events", "PutRule", rule)["RuleArn"].clone();
    let permission = json!({
        "FunctionName": FUNCTION, "StatementId": FUNCTION, "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com", "SourceArn": rule,
    });
    stage.call("lambda", "AddPermission", permission);
    let targets = json!({ "Rule": FUNCTION, "Targets": [{ "Id": "1", "Arn": arn }] });
    stage.call("events", "PutTargets", targets);
    let sweep = Arc::new(function(stage));
    stage.cloud.function(FUNCTION, move |event| {
        let sweep = Arc::clone(&sweep);
        async move {
            let answer = sweep.handle(Invocation { event, time: Duration::from_secs(100) }).await;
            let answer = answer.map(|answer| serde_json::to_value(answer).unwrap());
            answer.map_err(|e| FunctionError { kind: "Sluice.Error".to_owned(), message: format!("{e:#}") })
        }
    });
}

#[tokio::test(start_paused = true)]
async fn where_no_event_is_ever_heard_images_go_live_and_bad_ones_are_taken_back_all_the_same() {
    let stage = Stage::new().await;
    with_baseline(&stage).await;
    stage.lose_events();
    scheduled(&stage);
    stage.push("api", "v2", &[]);
    tokio::time::sleep(Duration::from_secs(480)).await;
    let (id, _) = stage.last("api");
    assert_eq!(stage.ended(&id).await, "Succeeded");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(stage.tag("api:2", "verdict").as_deref(), Some("good"));

    stage.push("api", "v3", &[]);
    tokio::time::sleep(Duration::from_secs(480)).await;
    let (id, _) = stage.last("api");
    stage.canary(&id).await;
    stage.stop(&id, Some(false));
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!((stage.live("api"), stage.deployments("api")), ("api:2".into(), 3));
    assert_eq!(stage.tag("api:3", "verdict").as_deref(), Some("rejected"));
    assert_eq!(stage.news(), ["succeeded", "failed", "rolled-back"]);
    assert_eq!(stage.counts("api"), [2.0, 1.0, 1.0]);
}
