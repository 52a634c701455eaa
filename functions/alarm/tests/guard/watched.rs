//! An alarm after a deployment has succeeded.

use std::time::Duration;

use serde_json::json;

use crate::scene::{ALARM, Stage, is_rollback};

/// Version 2 is live, its deployment has just succeeded.
async fn succeeded() -> (Stage, String, String) {
    let stage = Stage::new().await;
    let before = stage.live().0;
    let (id, _) = stage.pushed("v2").await;
    assert_eq!(stage.release.ended(&id).await, "Succeeded");
    (stage, before, id)
}

#[tokio::test(start_paused = true)]
async fn within_the_watch_what_served_before_is_deployed_again_at_once() {
    let (stage, before, id) = succeeded().await;
    tokio::time::sleep(Duration::from_secs(20 * 60)).await;
    let event = stage.red();
    let (decision, reason) = stage.deliver(&event).await;
    assert_eq!(decision, "roll-back", "{reason}");
    stage.settled_on(&before).await;
    assert_eq!(stage.tag("api:2", "sluice:verdict").as_deref(), Some("rejected"));
    // Told again, and red again when version 1 is back: one rollback.
    assert_eq!(stage.deliver(&event).await.0, "nothing");
    stage.set(ALARM, "OK");
    assert_eq!(stage.deliver(&event).await.0, "nothing");
    assert_eq!((stage.rollbacks(), stage.done("CreateDeployment")), (1, 1));
    assert_eq!(stage.messages(), ["alarm-stopped"]);
    let names = json!({ "applicationName": "api-deploy", "deploymentGroupName": "api-group" });
    let ids = stage.call("codedeploy", "ListDeployments", names)["deployments"].as_array().unwrap().clone();
    let infos: Vec<_> = ids.iter().map(|id| stage.deployment(id.as_str().unwrap())).collect();
    let ours = infos.iter().find(|info| is_rollback(info)).unwrap();
    assert_eq!(ours["deploymentConfigName"], "CodeDeployDefault.ECSAllAtOnce");
    assert!(
        ours["description"].as_str().unwrap().ends_with(&format!("rollback of {id}: alarm {ALARM}")),
        "{ours}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rollback_of_ours_is_not_stopped_by_the_alarm_that_goes_red_meanwhile() {
    let (stage, before, _) = succeeded().await;
    stage.deliver(&stage.red()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    stage.set(ALARM, "OK");
    let (decision, reason) = stage.deliver(&stage.red()).await;
    assert_eq!(decision, "escalate", "{reason}");
    stage.settled_on(&before).await;
    assert_eq!((stage.rollbacks(), stage.done("StopDeployment")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn after_the_watch_it_is_told_only_where_that_is_asked_for() {
    for asked in [false, true] {
        let (mut stage, before, _) = succeeded().await;
        stage.services[0].notify.unwatched = asked;
        tokio::time::sleep(Duration::from_secs(31 * 60)).await;
        let (decision, reason) = stage.deliver(&stage.red()).await;
        assert_eq!(decision, "nothing", "{reason}");
        assert_ne!(stage.live().0, before);
        let expected: &[&str] = if asked { &["alarm-after-watch"] } else { &[] };
        assert_eq!(stage.messages(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_late_is_judged_by_when_the_alarm_went_red() {
    let (stage, before, _) = succeeded().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let event = stage.red();
    tokio::time::sleep(Duration::from_secs(6 * 3_600)).await;
    assert_eq!(stage.deliver(&event).await.0, "roll-back");
    stage.settled_on(&before).await;
}

#[tokio::test(start_paused = true)]
async fn where_there_is_nothing_to_go_back_to_a_person_is_called() {
    let (stage, before, _) = succeeded().await;
    let v1 = before.split_once('@').unwrap().1;
    let images = json!({ "repositoryName": "api", "imageIds": [{ "imageDigest": v1 }] });
    stage.call("ecr", "BatchDeleteImage", images);
    let (decision, reason) = stage.deliver(&stage.red()).await;
    assert_eq!(decision, "escalate");
    assert!(reason.contains("the image of api:1 is gone from api"), "{reason}");
    assert_eq!((stage.rollbacks(), stage.messages()), (0, vec!["no-way-back".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_took_something_away_keeps_the_older_version_from_coming_back() {
    let (stage, _, _) = succeeded().await;
    let live = stage.release.live("api")["taskDefinition"]["taskDefinitionArn"].clone();
    let tags = json!([{ "key": "sluice:oldest", "value": "the migration of api:3: drop-column" }]);
    stage.call("ecs", "TagResource", json!({ "resourceArn": live, "tags": tags }));
    let (decision, reason) = stage.deliver(&stage.red()).await;
    assert_eq!(decision, "escalate");
    assert!(reason.contains("what is older than api:2 cannot run since the migration of api:3"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn nothing_that_was_ever_deployed_is_nothing_to_take_back() {
    let stage = Stage::new().await;
    let (decision, reason) = stage.deliver(&stage.red()).await;
    assert_eq!(
        (decision.as_str(), reason.as_str()),
        ("nothing", "nothing was deployed that could be taken back")
    );
}
