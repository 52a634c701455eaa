//! What Slack and AWS may do, and what must not come of it: a message lost, or one twice.

use std::time::Duration;

use cloud::MINUTE;
use cloud::in_process::{Faults, Injected};
use cloud::slack::Trouble;
use serde_json::json;
use shared::message::News;

use crate::scene::{Environment, Stage, rolled_back, started, succeeded};

const BACK: &str = "↩️ api: api:v2 was rolled back";
const LIVE: &str = "✅ api: api:v2 is live";

fn troubles() -> Vec<Trouble> {
    vec![
        Trouble::RateLimited(3),
        Trouble::RateLimited(600),
        Trouble::Error("ratelimited".into()),
        Trouble::Error("fatal_error".into()),
        Trouble::ServerError,
        Trouble::ServerErrorAfter,
        Trouble::Refused,
        Trouble::AnswerLost,
        Trouble::Hangs,
        Trouble::HangsAfter,
    ]
}

#[tokio::test(start_paused = true)]
async fn each_trouble_at_each_request_neither_loses_nor_doubles_a_message() {
    for trouble in troubles() {
        for at in 0..9 {
            for environment in [Environment::Warm, Environment::Cold] {
                let stage = Stage::new(environment);
                stage.slack(|slack| slack.script((0..at).map(|_| None).chain([Some(trouble.clone())])));
                for (seconds, news) in [(0, started()), (60, succeeded()), (90, rolled_back())] {
                    stage.say(seconds, news).await;
                }
                let context = format!("{trouble:?} at {at}");
                stage.assert_one("deploys", BACK, &context);
                stage.assert_one("ops", BACK, &context);
                assert_eq!(stage.thread("deploys").len(), 1, "{context}");
                assert_eq!(stage.left("notify-dead"), 0, "{context}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_random_run_of_troubles_ends_with_one_message_in_its_last_state() {
    let all = troubles();
    for seed in 0..60_usize {
        let stage = Stage::new(if seed % 2 == 0 { Environment::Warm } else { Environment::Cold });
        // Of a simple generator: no two seeds give the same run.
        let mut x = seed * 7_919 + 13;
        let script: Vec<_> = (0..30)
            .map(|_| {
                x = (x * 1_103_515_245 + 12_345) % 2_147_483_648;
                (x % 2 == 0 || x % 3 == 0).then(|| all[(x / 7) % all.len()].clone())
            })
            .collect();
        stage.slack(|slack| slack.script(script));
        for (seconds, news) in [(0, started()), (90, rolled_back()), (60, succeeded())] {
            stage.publish(&stage.message(seconds, news)).await;
        }
        stage.told().await;
        stage.assert_one("deploys", BACK, &format!("seed {seed}"));
        stage.assert_one("ops", BACK, &format!("seed {seed}"));
        assert_eq!(stage.left("notify-dead"), 0, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_befalls_any_call_of_aws_or_slack_there_is_one_message() {
    let kinds = [
        (0.3, Injected::Throttled),
        (0.3, Injected::ServerError),
        (0.2, Injected::AnswerLost),
        (0.1, Injected::TimeoutBefore(30_000)),
        (0.3, Injected::Stale(60_000)),
    ];
    for (chance, kind) in kinds {
        for seed in 0..6 {
            let stage = Stage::new(Environment::Cold);
            stage.publish(&stage.message(0, started())).await;
            stage.publish(&stage.message(90, rolled_back())).await;
            stage.cloud.faults(Faults { chances: vec![(chance, kind)], seed, ..Faults::default() });
            stage.told().await;
            stage.cloud.faults(Faults::default());
            stage.assert_one("deploys", BACK, &format!("{kind:?} {seed}"));
            assert_eq!(stage.left("notify-dead"), 0, "{kind:?} {seed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_ten_minutes_delays_messages_and_loses_none() {
    let stage = Stage::new(Environment::Cold);
    let end = stage.cloud.now() + 10 * MINUTE;
    stage.slack(|slack| slack.outage_until(end));
    for (seconds, news) in [(0, started()), (60, succeeded()), (90, rolled_back())] {
        stage.publish(&stage.message(seconds, news)).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    assert!(stage.shown("deploys").is_empty());
    stage.told().await;
    stage.assert_one("deploys", BACK, "");
    stage.assert_one("ops", BACK, "");
    assert_eq!(stage.left("notify-dead"), 0);
    assert!(stage.cloud.now() < end + 10 * MINUTE);
}

#[tokio::test(start_paused = true)]
async fn slack_is_left_alone_for_as_long_as_it_asks() {
    let stage = Stage::new(Environment::Warm);
    // The channels, its history, then the post.
    stage.slack(|slack| slack.script([None, None, Some(Trouble::RateLimited(7))]));
    let began = stage.cloud.now();
    stage.say(0, started()).await;
    let posted = stage.slack(|slack| slack.shown("deploys")[0].ts.parse::<f64>().unwrap());
    #[allow(clippy::cast_precision_loss)]
    let after = posted - began as f64 / 1_000.0;
    assert!((7.0..8.0).contains(&after), "{after} s");
}

#[tokio::test(start_paused = true)]
async fn many_deployments_at_once_are_all_told_at_slacks_pace() {
    let stage = Stage::new(Environment::Warm);
    for n in 0..40 {
        let mut message = stage.message(n, started());
        message.release.deployment = Some(format!("d-{n:09}"));
        message.release.revision = None;
        stage.publish(&message).await;
    }
    stage.told().await;
    assert_eq!(stage.shown("deploys").len(), 40);
    assert_eq!(stage.left("notify-dead"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_delivered_is_in_the_dead_letter_queue_and_nothing_overtakes_it() {
    let stage = Stage::new(Environment::Warm);
    stage.slack(|slack| slack.channels.remove("deploys"));
    stage.publish(&stage.message(0, started())).await;
    stage.publish(&stage.message(60, rolled_back())).await;
    stage.told().await;
    assert_eq!(stage.left("notify-dead"), 2);
    stage.assert_one("ops", BACK, "the other channel heard of it");
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_message_that_failed_waits_for_it() {
    let stage = Stage::new(Environment::Warm);
    // The start is tried five times; then Slack is well again.
    stage.slack(|slack| slack.script(std::iter::repeat_n(Some(Trouble::ServerError), 5)));
    let other = shared::message::Message {
        release: shared::message::Release { deployment: Some("d-OTHER".into()), ..Default::default() },
        ..stage.message(30, succeeded())
    };
    stage.concurrency(0);
    for message in [stage.message(60, rolled_back()), stage.message(0, started()), other] {
        stage.queue(&message.to_json().unwrap());
    }
    // All in one batch, now that the function may run.
    stage.concurrency(1);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(stage.shown("deploys"), ["✅ api: a release is live"], "another deployment goes on");
    assert!(stage.shown("ops").is_empty());
    stage.told().await;
    assert_eq!(stage.shown("deploys"), ["✅ api: a release is live", BACK]);
}

#[tokio::test(start_paused = true)]
async fn while_slack_cannot_be_reached_one_message_of_a_batch_asks_for_all() {
    let stage = Stage::new(Environment::Warm);
    let end = stage.cloud.now() + 5 * MINUTE;
    stage.slack(|slack| slack.outage_until(end));
    stage.batch(started);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(stage.cloud.timeline().matches(" slack: Refused befalls").count(), 5);
    stage.told().await;
    assert_eq!(stage.shown("deploys").len(), 10);
    assert_eq!(stage.left("notify-dead"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_goes_to_the_dead_letter_queue_and_holds_nothing_up() {
    let stage = Stage::new(Environment::Warm);
    for body in ["hello", "{}", r#"{"version":2}"#, r#"{"Type":"Notification","Message":"x"}"#] {
        stage.queue(body);
    }
    stage.publish(&stage.message(0, succeeded())).await;
    stage.told().await;
    assert_eq!(stage.left("notify-dead"), 4);
    stage.assert_one("deploys", LIVE, "");
}

#[tokio::test(start_paused = true)]
async fn a_message_delivered_raw_is_told_as_well() {
    let stage = Stage::new(Environment::Warm);
    stage.queue(&stage.message(0, succeeded()).to_json().unwrap());
    stage.told().await;
    stage.assert_one("deploys", LIVE, "");
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_gone_delays_the_function_that_publishes_by_seconds_only() {
    let stage = Stage::new(Environment::Warm);
    let message = stage.message(0, News::Failed { reason: "x".into() });
    let hangs = Faults { chances: vec![(1.0, Injected::TimeoutBefore(60_000))], ..Faults::default() };
    stage.cloud.faults(hangs);
    let began = tokio::time::Instant::now();
    stage.publish(&message).await;
    assert!(began.elapsed() <= Duration::from_secs(6), "{:?}", began.elapsed());
    stage.cloud.faults(Faults::default());
    let topics = stage.call("sns", "ListTopics", json!({}));
    stage.call("sns", "DeleteTopic", json!({ "TopicArn": topics["Topics"][0]["TopicArn"] }));
    stage.publish(&message).await;
    assert!(stage.shown("ops").is_empty());
}
