//! With incoming webhooks: a post for each message.

use cloud::slack::{Slack, Trouble};
use serde_json::json;

use crate::scene::{Environment, Stage, rolled_back, started, succeeded};

const STARTED: &str = "🚀 api: api:v2 is being deployed";
const LIVE: &str = "✅ api: api:v2 is live";
const BACK: &str = "↩️ api: api:v2 was rolled back";

/// A secret with a webhook for each channel.
fn both() -> String {
    let slack = Slack::default();
    let url = |channel: &str| format!("https://hooks.slack.com{}", slack.webhook(channel));
    json!({ "webhooks": { "#deploys": url("deploys"), "#ops": url("ops") } }).to_string()
}

#[tokio::test(start_paused = true)]
async fn each_message_is_a_post_and_a_late_one_is_none() {
    for environment in [Environment::Warm, Environment::Cold] {
        let stage = Stage::with_secret(environment, &both());
        for (seconds, news) in
            [(0, started()), (0, started()), (90, rolled_back()), (60, succeeded()), (90, rolled_back())]
        {
            stage.say(seconds, news).await;
        }
        assert_eq!(stage.shown("deploys"), [STARTED, BACK]);
        assert_eq!(stage.shown("ops"), [BACK]);
        assert!(stage.tag().unwrap().contains("deploy=webhook/-/5@"));
        assert_eq!(stage.left("notify-dead"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_detail_delivered_twice_is_posted_once() {
    let stage = Stage::with_secret(Environment::Warm, &both());
    let check = || shared::message::News::CheckFailed { event: "AfterInstall".into(), reason: "x".into() };
    for seconds in [30, 30, 40] {
        stage.say(seconds, check()).await;
    }
    let title = "❌ api: a check of api:v2 failed at AfterInstall";
    assert_eq!(stage.shown("deploys"), [title, title], "one of each time");
}

#[tokio::test(start_paused = true)]
async fn slacks_limits_and_errors_delay_a_post() {
    for trouble in [
        Trouble::RateLimited(3),
        Trouble::RateLimited(100),
        Trouble::ServerError,
        Trouble::Refused,
        Trouble::Hangs,
    ] {
        let stage = Stage::with_secret(Environment::Warm, &both());
        stage.slack(|slack| slack.script([Some(trouble.clone()), Some(trouble)]));
        stage.say(0, succeeded()).await;
        assert_eq!(stage.shown("deploys"), [LIVE]);
        assert_eq!(stage.left("notify-dead"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_without_a_webhook_is_for_the_dead_letter_queue() {
    let url = format!("https://hooks.slack.com{}", Slack::default().webhook("ops"));
    let stage = Stage::with_secret(Environment::Warm, &json!({ "webhooks": { "#ops": url } }).to_string());
    stage.say(0, rolled_back()).await;
    assert_eq!(stage.shown("ops"), [BACK], "once, however often the item comes back");
    assert_eq!(stage.left("notify-dead"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_cannot_be_reached_silences_no_other_channel() {
    let ops = format!("https://hooks.slack.com{}", Slack::default().webhook("ops"));
    let urls = json!({ "#deploys": "https://hooks.slack.example/nobody", "#ops": ops });
    let stage = Stage::with_secret(Environment::Warm, &json!({ "webhooks": urls }).to_string());
    stage.batch(rolled_back);
    tokio::time::sleep(std::time::Duration::from_secs(100)).await;
    assert_eq!(stage.shown("ops"), [BACK; 10], "while #deploys is still waited for");
    stage.told().await;
    assert_eq!(stage.shown("ops"), [BACK; 10], "once each, however often the items come back");
    assert!(stage.shown("deploys").is_empty());
    assert_eq!(stage.left("notify-dead"), 10);
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_was_withdrawn_is_read_anew() {
    let old = both().replace("localwebhooksecret", "withdrawn");
    let stage = Stage::with_secret(Environment::Warm, &old);
    stage.publish(&stage.message(0, succeeded())).await;
    tokio::time::sleep(std::time::Duration::from_secs(100)).await;
    assert!(stage.shown("deploys").is_empty());
    stage.call(
        "secretsmanager",
        "PutSecretValue",
        json!({ "SecretId": "slack", "SecretString": both(), "ClientRequestToken": crate::scene::token(2) }),
    );
    stage.told().await;
    assert_eq!(stage.shown("deploys"), [LIVE]);
}
