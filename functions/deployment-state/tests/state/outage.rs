//! Slack is down for a day: deployments end as they do without that, call for call, and what
//! there was to say is said afterwards, once.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cloud::effect::FunctionError;
use cloud::slack::{Post, TOKEN};
use cloud::timeline::{Entry, Kind};
use notify::Notify;
use serde_json::{Value, json};
use shared::config::Releases;
use shared::start::Invocation;

use crate::scene::{Stage, get};

const DAY: Duration = Duration::from_secs(24 * 3_600);
const NOTIFY: &str = "ASIAFNnotify";

/// What the README says of the queue.
const VISIBILITY: &str = "180";
const RECEIVES: u32 = 600;

/// What a day with a success, a rollback and an image that waits comes to.
#[derive(Debug, PartialEq)]
struct Story {
    /// Status and creator of each deployment.
    deployments: Vec<(Value, Value)>,
    /// Who called what with which input, but for notify.
    calls: Vec<[String; 3]>,
    live: String,
    verdicts: Vec<Option<String>>,
    counts: [f64; 3],
}

async fn story(stage: &Stage) -> Story {
    let (_, good) = stage.release("api", "v2", &[]).await;
    assert_eq!(stage.ended(&good).await, "Succeeded");
    let (_, bad) = stage.release("api", "v3", &[]).await;
    stage.canary(&bad).await;
    assert_eq!(stage.release("api", "v4", &[]).await.0, "wait");
    stage.set_alarm("api", "ALARM");
    stage.until("it is stopped", |world| get(world, &bad)["status"] == "Stopped").await;
    // What waited would not start on a red alarm.
    stage.set_alarm("api", "OK");
    stage.ended(&bad).await;
    let rollback = stage.cloud.with(|world| get(world, &bad)["rollbackInfo"]["rollbackDeploymentId"].clone());
    let rollback = rollback.as_str().unwrap().to_owned();
    let (next, _) = stage.last("api");
    stage.ended(&next).await;
    let outcome = |id: &String| {
        let info = stage.cloud.with(|world| get(world, id));
        (info["status"].clone(), info["creator"].clone())
    };
    let calls = stage.cloud.with(|world| {
        let entries = world.cloud.timeline().iter().filter(|entry| entry.kind == Kind::Call);
        let theirs = entries.filter(|entry| entry.data["caller"].as_str().is_some_and(is_other_function));
        theirs.map(call).collect()
    });
    Story {
        deployments: [good, bad, rollback, next].iter().map(outcome).collect(),
        calls,
        live: stage.live("api"),
        verdicts: ["api:1", "api:2", "api:3", "api:4"]
            .map(|revision| stage.tag(revision, "verdict"))
            .to_vec(),
        counts: stage.counts("api"),
    }
}

/// A call without digits and capitals: moments and ids depend on the world's chance, of which
/// notify's own calls draw as well.
fn call(entry: &Entry) -> [String; 3] {
    ["caller", "operation", "input"].map(|member| {
        let mut value = entry.data[member].clone();
        // The SDK sends these in any order; the message has the same.
        value.as_object_mut().map(|input| input.remove("MessageAttributes"));
        let text = value.to_string();
        let parts = text
            .split(|c: char| c.is_ascii_digit() || (member == "input" && c.is_ascii_uppercase()))
            .filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("#")
    })
}

fn is_other_function(access_key: &str) -> bool {
    access_key.starts_with("ASIAFN") && access_key != NOTIFY
}

/// The function behind its queue, with the channels of `api`.
fn tell_slack(stage: &mut Stage) {
    stage.services[0].notify = shared::config::Notify {
        slack: Some("#deploys".into()),
        alarms: Some("#ops".into()),
        unwatched: false,
    };
    stage.listen();
    let dead = arn(stage, "notify-dead", json!({ "MessageRetentionPeriod": "1209600" }));
    let redrive = json!({ "deadLetterTargetArn": dead, "maxReceiveCount": RECEIVES }).to_string();
    let queue = arn(stage, "notify", json!({ "VisibilityTimeout": VISIBILITY, "RedrivePolicy": redrive }));
    stage.subscribe(&queue);
    let secret = json!({ "Name": "slack", "SecretString": TOKEN, "ClientRequestToken": "-".repeat(32) });
    stage.call("secretsmanager", "CreateSecret", secret);
    let mut package = zip::ZipWriter::new(Cursor::new(Vec::new()));
    package.start_file("bootstrap", zip::write::SimpleFileOptions::default()).unwrap();
    let package = STANDARD.encode(package.finish().unwrap().into_inner());
    let function = json!({
        "FunctionName": "notify", "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 30,
        "Role": "arn:aws:iam::123456789012:role/function", "Code": { "ZipFile": package },
    });
    stage.call("lambda", "CreateFunction", function);
    let alone = json!({ "FunctionName": "notify", "ReservedConcurrentExecutions": 1 });
    stage.call("lambda", "PutFunctionConcurrency", alone);
    let mapping = json!({
        "FunctionName": "notify", "EventSourceArn": queue, "FunctionResponseTypes": ["ReportBatchItemFailures"],
    });
    stage.call("lambda", "CreateEventSourceMapping", mapping);
    let releases = Releases::new(stage.services.clone());
    let function =
        Arc::new(Notify::new(stage.aws(NOTIFY), releases, "slack".into(), "https://slack.com/api"));
    stage.cloud.function("notify", move |event| {
        let function = Arc::clone(&function);
        async move {
            let invocation = Invocation { event, time: Duration::from_secs(28) };
            let failed = |e| FunctionError { kind: "Sluice.Error".to_owned(), message: format!("{e:#}") };
            function.handle(invocation).await.map(|answer| json!(answer)).map_err(failed)
        }
    });
}

/// Makes a queue.
fn arn(stage: &Stage, name: &str, attributes: Value) -> String {
    stage.call("sqs", "CreateQueue", json!({ "QueueName": name, "Attributes": attributes }));
    format!("arn:aws:sqs:us-east-1:123456789012:{name}")
}

fn left(stage: &Stage, queue: &str) -> u64 {
    let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
    let url = stage.call("sqs", "GetQueueUrl", json!({ "QueueName": queue }))["QueueUrl"].clone();
    let input = json!({ "QueueUrl": url, "AttributeNames": names });
    let attributes = stage.call("sqs", "GetQueueAttributes", input)["Attributes"].take();
    names.iter().map(|name| attributes[*name].as_str().unwrap().parse::<u64>().unwrap()).sum()
}

/// Titles of what a channel shows, each with those of its thread.
fn shown(stage: &Stage, channel: &str) -> Vec<Vec<String>> {
    stage.cloud.with(|world| {
        let slack = &world.cloud.slack;
        let told = |post: &Post| {
            let thread = slack.thread(channel, &post.ts).into_iter().map(Post::title);
            let mut titles: Vec<_> = thread.collect();
            titles.sort();
            titles.insert(0, post.title());
            titles
        };
        let mut all: Vec<_> = slack.shown(channel).into_iter().map(told).collect();
        all.sort();
        all
    })
}

#[tokio::test(start_paused = true)]
async fn a_day_without_slack_changes_no_deployment_and_loses_no_message() {
    let mut up = Stage::new().await;
    tell_slack(&mut up);
    let usual = story(&up).await;
    assert_eq!(usual.live, "api:4", "{}", up.told());
    assert!(shown(&up, "deploys").len() >= 4, "{:?}", shown(&up, "deploys"));

    let mut down = Stage::new().await;
    tell_slack(&mut down);
    let end = down.cloud.now() + u64::try_from(DAY.as_millis()).unwrap();
    down.cloud.with(|world| world.cloud.slack.outage_until(end));
    let without = story(&down).await;
    for (without, with) in without.calls.iter().zip(&usual.calls) {
        assert_eq!(without, with);
    }
    assert_eq!(without, usual);
    tokio::time::sleep(DAY / 2).await;
    assert_eq!(shown(&down, "deploys"), Vec::<Vec<String>>::new());
    tokio::time::sleep(DAY / 2).await;
    assert_eq!((left(&down, "notify"), left(&down, "notify-dead")), (0, 0));
    for channel in ["deploys", "ops"] {
        assert_eq!(shown(&down, channel), shown(&up, channel), "{channel}");
    }
}
