//! A crash after any call, or an answer that is lost: the next delivery makes it whole.

use std::time::Duration;

use crate::scene::{Stage, deliver};
use cloud::in_process::Injected;
use serde_json::Value;

/// A release whose canary is stopped, and CodeDeploy's or Sluice's rollback; nobody has answered yet.
async fn stopped(rolls_back: bool) -> (Stage, Value) {
    let stage = Stage::new().await;
    stage.lose_events();
    let (_, id) = stage.release("api", "v2", &[]).await;
    stage.canary(&id).await;
    stage.stop(&id, Some(rolls_back));
    stage.ended(&id).await;
    let stop = stage.event(&id, "STOP");
    (stage, stop)
}

#[tokio::test(start_paused = true)]
async fn however_far_a_first_delivery_came_the_next_one_completes_it() {
    for calls in 0..30 {
        let (stage, stop) = stopped(false).await;
        // The function ends after so many calls: each is answered in 20 ms.
        let function = stage.function();
        let before = stage.cloud.calls();
        let work = deliver(&function, &stop);
        tokio::pin!(work);
        loop {
            tokio::select! {
                _ = &mut work => break,
                () = tokio::time::sleep(Duration::from_millis(1)) => {
                    if stage.cloud.calls() >= before + calls { break }
                }
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        deliver(&stage.function(), &stop).await.unwrap();
        let (rollback, _) = stage.last("api");
        stage.ended(&rollback).await;
        deliver(&stage.function(), &stage.event(&rollback, "SUCCESS")).await.unwrap();
        assert_eq!((stage.live("api"), stage.deployments("api")), ("api:1".into(), 2), "after {calls} calls");
        let mut ids: Vec<_> = stage.messages().iter().map(shared::message::Message::id).collect();
        ids.dedup();
        assert_eq!(ids.len(), 2, "after {calls} calls: {ids:?}");
        assert!(stage.tag("api:2", "ended").unwrap().starts_with("rolled-back "));
        let [releases, failures, restored] = stage.counts("api");
        // Once more only where it ended between the metrics and the tag that says so.
        assert!((1.0..=2.0).contains(&releases) && releases == failures && restored == 1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn lost_answers_throttles_and_late_ones_change_nothing() {
    for fault in [Injected::Throttled, Injected::ServerError, Injected::AnswerLost, Injected::Slow(3_000)] {
        for at in [0, 3, 6, 9, 12, 15] {
            let (stage, stop) = stopped(true).await;
            stage.cloud.script((0..at).map(|_| None).chain([Some(fault)]));
            let _ = deliver(&stage.function(), &stop).await;
            stage.cloud.script([]);
            deliver(&stage.function(), &stop).await.unwrap();
            assert_eq!(stage.deployments("api"), 2, "{fault:?} at {at}");
            assert_eq!(stage.tag("api:2", "verdict").as_deref(), Some("rejected"));
            assert_eq!(stage.live("api"), "api:1");
        }
    }
}
