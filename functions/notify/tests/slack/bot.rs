//! With a bot token: one message per deployment, edited in place.

use cloud::slack::Trouble;
use serde_json::json;
use shared::message::News;

use crate::scene::{Environment, Stage, rolled_back, started, succeeded};

const STARTED: &str = "🚀 api: api:v2 is being deployed";
const LIVE: &str = "✅ api: api:v2 is live";
const BACK: &str = "↩️ api: api:v2 was rolled back";

fn failed() -> News {
    News::Failed { reason: "a hook failed".into() }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_one_message_that_moves_with_it() {
    let stage = Stage::new(Environment::Warm);
    stage.say(0, started()).await;
    stage.assert_one("deploys", STARTED, "");
    let tag = stage.tag().unwrap();
    assert!(
        tag.starts_with("d-ABCDEFGHI deploy=C0000000001/1767225600.") && tag.ends_with("/1@1767225600000"),
        "{tag}"
    );
    stage.say(720, succeeded()).await;
    stage.assert_one("deploys", LIVE, "");
    assert!(stage.tag().unwrap().ends_with("/2@1767226320000"));
    assert_eq!(stage.shown("ops"), Vec::<String>::new(), "a success is nothing for those on call");
    assert_eq!(stage.thread("deploys"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn in_whatever_order_and_however_often_they_come_the_latest_state_stands() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for environment in [Environment::Warm, Environment::Cold] {
        for order in orders {
            let stage = Stage::new(environment);
            let messages = [(0, started()), (600, succeeded()), (900, rolled_back())];
            // Each one twice, and all of them once more.
            for n in order.iter().flat_map(|n| [*n, *n]).chain(order) {
                let (seconds, news) = messages[n].clone();
                stage.say(seconds, news).await;
            }
            stage.assert_one("deploys", BACK, &format!("{order:?}"));
            stage.assert_one("ops", BACK, &format!("{order:?}"));
            for channel in ["deploys", "ops"] {
                assert_eq!(stage.thread(channel).len(), 1, "one detail: {order:?}");
            }
            assert_eq!(stage.left("notify-dead"), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_that_comes_at_once_is_told_in_the_order_in_which_it_happened() {
    let stage = Stage::new(Environment::Cold);
    for (seconds, news) in [(900, rolled_back()), (0, started()), (800, failed()), (600, succeeded())] {
        stage.publish(&stage.message(seconds, news)).await;
    }
    stage.told().await;
    stage.assert_one("deploys", BACK, "");
    assert_eq!(stage.thread("deploys").len(), 2, "{:?}", stage.thread("deploys"));
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_tag_was_never_written_is_found_through_slack() {
    for environment in [Environment::Warm, Environment::Cold] {
        let stage = Stage::new(environment);
        stage.say(0, started()).await;
        let untag = json!({ "resourceArn": stage.revision, "tagKeys": ["sluice:thread"] });
        stage.call("ecs", "UntagResource", untag);
        stage.say(0, started()).await;
        stage.say(60, succeeded()).await;
        stage.assert_one("deploys", LIVE, "");
        assert!(stage.tag().is_some(), "and it is recorded by now");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tag_from_before_the_last_edit_does_not_bring_an_earlier_state_back() {
    let stage = Stage::new(Environment::Cold);
    stage.say(0, started()).await;
    let old = json!([{ "key": "sluice:thread", "value": stage.tag().unwrap() }]);
    stage.say(90, rolled_back()).await;
    stage.call("ecs", "TagResource", json!({ "resourceArn": stage.revision, "tags": old }));
    stage.say(60, succeeded()).await;
    stage.assert_one("deploys", BACK, "");
    assert!(stage.tag().unwrap().contains("/5@"), "and the tag is right again");
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_look_the_tag_alone_keeps_it_one_message() {
    let stage = Stage::new(Environment::Cold);
    stage.slack(|slack| slack.scopes.retain(|scope| scope == "chat:write"));
    for (seconds, news) in [(0, started()), (0, started()), (60, rolled_back()), (30, succeeded())] {
        stage.say(seconds, news).await;
    }
    stage.assert_one("deploys", BACK, "");
    stage.assert_one("ops", BACK, "");
    assert_eq!(stage.left("notify-dead"), 0);
}

#[tokio::test(start_paused = true)]
async fn details_stand_in_the_thread_each_once_and_whole() {
    let stage = Stage::new(Environment::Cold);
    let reason = format!("smoke: GET /health: {}", "x".repeat(5_000));
    let check = || News::CheckFailed { event: "BeforeAllowTraffic".into(), reason: reason.clone() };
    // The detail overtakes the start.
    stage.say(30, check()).await;
    stage.assert_one("deploys", "❌ api: a check of api:v2 failed at BeforeAllowTraffic", "");
    stage.say(0, started()).await;
    stage.assert_one("deploys", STARTED, "");
    stage.say(30, check()).await;
    assert_eq!(stage.thread("deploys").len(), 1);
    let whole: String = stage.slack(|slack| {
        let ts = slack.shown("deploys")[0].ts.clone();
        let blocks = slack.thread("deploys", &ts)[0].blocks.clone();
        let texts = blocks.as_array().unwrap().iter().map(|block| block["text"]["text"].as_str().unwrap());
        // After the first sentence, which holds its beginning only.
        texts.skip(1).map(str::to_owned).collect()
    });
    assert!(whole.starts_with(&format!("Reason: {reason}")), "{whole}");
}

#[tokio::test(start_paused = true)]
async fn what_a_person_must_see_is_in_the_channel_and_not_only_in_a_thread() {
    let stage = Stage::new(Environment::Warm);
    stage.say(0, started()).await;
    stage.say(60, News::AlarmStopped { alarm: "api-5xx".into(), reason: "red".into() }).await;
    stage.say(90, News::RollbackFailed { reason: "stuck".into() }).await;
    let title = "🆘 api: the rollback of api:v2 FAILED";
    stage.assert_one("deploys", title, "");
    stage.assert_one("ops", title, "");
    stage.slack(|slack| {
        for channel in ["deploys", "ops"] {
            let ts = slack.shown(channel)[0].ts.clone();
            let loud = slack.thread(channel, &ts).into_iter().filter(|reply| reply.broadcast).count();
            assert_eq!(loud, 1, "{channel}");
        }
    });
}

#[tokio::test(start_paused = true)]
async fn an_image_that_waits_and_is_refused_is_one_message_of_its_own() {
    let stage = Stage::new(Environment::Cold);
    let mut message = stage.message(0, News::Waiting { reason: "a freeze".into() });
    (message.release.deployment, message.release.revision) = (None, None);
    for (seconds, news) in [
        (0, News::Waiting { reason: "a freeze".into() }),
        (300, News::Waiting { reason: "d-OTHER is active".into() }),
        (900, News::Refused { reason: "its scan found 1 CRITICAL".into() }),
        (300, News::Waiting { reason: "d-OTHER is active".into() }),
    ] {
        let at = message.at + jiff::SignedDuration::from_secs(seconds);
        stage.publish(&shared::message::Message { at, news, ..message.clone() }).await;
        stage.told().await;
    }
    stage.assert_one("deploys", "⛔ api: api:v2 was refused", "");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_a_person_deleted_is_posted_anew_when_there_is_news() {
    let stage = Stage::new(Environment::Warm);
    stage.say(0, started()).await;
    stage.slack(|slack| slack.channels.get_mut("deploys").unwrap().messages.clear());
    stage.say(60, succeeded()).await;
    stage.assert_one("deploys", LIVE, "");
    stage.say(90, rolled_back()).await;
    stage.assert_one("deploys", BACK, "");
}

#[tokio::test(start_paused = true)]
async fn a_service_without_a_channel_and_one_that_is_not_named_are_told_nowhere() {
    let stage = Stage::new(Environment::Warm);
    for service in ["quiet", "unheard-of"] {
        let mut message = stage.message(0, failed());
        message.service = service.into();
        stage.publish(&message).await;
        stage.told().await;
    }
    assert!(stage.shown("deploys").is_empty() && stage.shown("ops").is_empty());
    assert_eq!(stage.left("notify-dead"), 0);
    assert_eq!(stage.slack(|slack| slack.calls.len()), 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_subscribes_by_e_mail_reads_a_sentence() {
    let stage = Stage::new(Environment::Warm);
    stage.say(0, started()).await;
    let (subject, text) = stage.mails().pop().unwrap();
    assert_eq!(subject, "api: api:v2 is being deployed");
    assert!(text.starts_with("api:v2 is being deployed to api (tag v2 was pushed).\n\nReason: "), "{text}");
    assert!(!text.contains('{'));
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_was_changed_is_read_anew_when_slack_refuses_the_old_one() {
    let stage = Stage::new(Environment::Warm);
    stage.say(0, started()).await;
    let token = "xoxb-0001-another";
    stage.slack(|slack| slack.tokens = [token.to_owned()].into());
    stage.call(
        "secretsmanager",
        "PutSecretValue",
        json!({ "SecretId": "slack", "SecretString": token, "ClientRequestToken": crate::scene::token(2) }),
    );
    let before = stage.cloud.now();
    stage.say(60, succeeded()).await;
    stage.assert_one("deploys", LIVE, "");
    assert!(stage.cloud.now() - before < 30_000, "without a second delivery");
}

#[tokio::test(start_paused = true)]
async fn a_deployment_costs_few_calls() {
    let stage = Stage::new(Environment::Warm);
    stage.slack(|slack| slack.script([None::<Trouble>]));
    stage.say(0, started()).await;
    stage.say(60, succeeded()).await;
    let calls = stage.slack(|slack| slack.calls.clone());
    let expected = [
        ("chat.postMessage", 1),
        ("chat.update", 1),
        ("conversations.history", 2),
        ("conversations.list", 1),
    ];
    assert_eq!(calls, expected.map(|(name, count)| (name.to_owned(), count)).into());
}
