//! Runs a story: its steps one after the other, with the invariants looked at after each and
//! as time passes.

use std::time::Duration;

use cloud::in_process::{Faults, Injected};
use cloud::services::{codedeploy, ecs};
use cloud::{MINUTE, Ms};
use serde_json::json;

use crate::account::{Account, SERVICES, deployment};
use crate::calls::{Called, Calls, Plan};
use crate::functions::again;
use crate::invariants::{Pushed, Violation, Watch};
use crate::mail::Mail;
use crate::outcome::Outcome;
use crate::step::{Image, Step, Story, Weather};
use crate::turns::{Choice, Turns};

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    pub calls: Vec<Called>,
    pub outcome: Outcome,
    /// How long the story lasted.
    pub lasted: Ms,
    /// Where two handlers took turns.
    pub trace: Vec<Choice>,
    pub met: bool,
    /// Empty unless it is wanted: it is long.
    pub timeline: String,
}

/// How long a step that waits for something waits.
const PATIENCE: u64 = 90 * 60;

/// Time passes in such pieces, after each of which the invariants are looked at.
const PIECE: u64 = 30;

/// After this long without an end, a story does not come to rest.
const RESTLESS: Ms = 5 * 60 * MINUTE;

/// Runs a story with these crashes and turns.
pub async fn run(story: &Story, plan: Plan, turns: Turns) -> Result<Run, Box<Violation>> {
    // Boxed: all of Sluice is more than a test's stack holds.
    Box::pin(ran(story, plan, turns)).await.map_err(Box::new)
}

async fn ran(story: &Story, plan: Plan, turns: Turns) -> Result<Run, Violation> {
    let calls = Calls::new(Plan { seed: story.seed, ..plan }, turns);
    let account = Account::new(story.config, calls, Mail::new(story.seed)).await;
    // Ids and the SDK's pauses come from here; what prepared the account made no difference.
    fastrand::seed(story.seed);
    let mut watch = Watch::new(&account);
    for step in &story.steps {
        take(&account, &mut watch, step, story.seed).await?;
        watch.look(&account)?;
    }
    if account_is_foul(&watch) {
        weather(&account, &mut watch, Weather::FAIR, story.seed);
    }
    rest(&account, &mut watch).await?;
    watch.look_at_rest(&account)?;
    Ok(Run {
        calls: account.calls.made(),
        outcome: Outcome::of(&account),
        lasted: account.now() - watch.seen.began,
        trace: account.calls.turns.trace(),
        met: account.calls.turns.met(),
        timeline: if story.is_told { account.cloud.timeline() } else { String::new() },
    })
}

fn account_is_foul(watch: &Watch) -> bool {
    watch.seen.weather != Weather::FAIR
}

/// Time passes until nothing is under way and the functions have done nothing for a watch and
/// two sweeps.
async fn rest(account: &Account, watch: &mut Watch) -> Result<(), Violation> {
    let quiet = (u64::from(account.config.watch) + 2 * u64::from(account.config.sweep) + 2) * MINUTE;
    let (told, end) = (account.now(), account.now() + RESTLESS);
    loop {
        pass(account, watch, PIECE).await?;
        let since = watch.last_effect().max(watch.seen.fair_since).max(told);
        let quiet = account.now() > since + quiet
            && SERVICES.iter().all(|service| active(account, service).is_none())
            && !crate::invariants::is_telling(account);
        if quiet || account.now() > end {
            return Ok(());
        }
    }
}

async fn pass(account: &Account, watch: &mut Watch, seconds: u64) -> Result<(), Violation> {
    let mut left = seconds;
    while left > 0 {
        let piece = left.min(PIECE);
        tokio::time::sleep(Duration::from_secs(piece)).await;
        watch.glance(account)?;
        left -= piece;
    }
    Ok(())
}

/// What is waited for may not come, where a crash changed the course: the story goes on.
async fn until(
    account: &Account,
    watch: &mut Watch,
    holds: impl Fn(&Account) -> bool,
) -> Result<(), Violation> {
    for _ in 0..PATIENCE / 5 {
        if holds(account) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        watch.glance(account)?;
    }
    Ok(())
}

async fn take(account: &Account, watch: &mut Watch, step: &Step, seed: u64) -> Result<(), Violation> {
    match step {
        Step::Push { repository, tag, image } => {
            let digest = account.push(repository, *tag, *image);
            pushed(account, watch, repository, digest, *image, *tag);
            apart().await;
        }
        Step::PushTwo { repository, tag } => {
            for tag in [*tag, tag + 1] {
                let digest = account.push(repository, tag, Image::Good);
                pushed(account, watch, repository, digest, Image::Good, tag);
            }
        }
        Step::Retag { repository, of, image, tag } => {
            let digest = account.push_as(repository, *of, *image, *tag);
            pushed(account, watch, repository, digest, *image, *of);
            apart().await;
        }
        Step::Chaff(repository) => chaff(account, repository),
        Step::Delete { repository, tag } => delete(account, watch, repository, *tag),
        Step::Alarm { service, state } => account.set_alarm(service, state),
        Step::AlarmGone(service) => {
            let name = format!("{service}-5xx");
            account.try_call("cloudwatch", "DeleteAlarms", json!({ "AlarmNames": [name] }));
            watch.seen.alarm(service, account.now(), crate::invariants::Became::Gone);
        }
        Step::AlarmBack(service) => {
            account.alarm(service);
            watch.seen.alarm(service, account.now(), crate::invariants::Became::Green);
        }
        Step::Wait(seconds) => pass(account, watch, *seconds).await?,
        Step::Canary(service) => until(account, watch, |account| has_canary(account, service, 1.0)).await?,
        Step::Shifted(service) => {
            until(account, watch, |account| has_canary(account, service, 100.0)).await?
        }
        Step::Ended(service) => until(account, watch, |account| active(account, service).is_none()).await?,
        Step::Stop { service, rolls_back } => stop(account, service, *rolls_back),
        Step::ByHand(service) => by_hand(account, service),
        Step::Hold(service) => {
            let tags = json!([{ "key": "sluice:hold", "value": "by=ops why=inventory" }]);
            account.call("ecs", "TagResource", json!({ "resourceArn": arn(service), "tags": tags }));
            watch.seen.held.insert(service);
        }
        Step::Unhold(service) => {
            let input = json!({ "resourceArn": arn(service), "tagKeys": ["sluice:hold"] });
            account.call("ecs", "UntagResource", input);
            watch.seen.held.remove(service);
        }
        Step::Scale { service, count } => scale(account, service, *count),
        Step::Deregister(service) => {
            let live = crate::invariants::live_arn(account, service);
            account.try_call("ecs", "DeregisterTaskDefinition", json!({ "taskDefinition": live }));
        }
        Step::SlackDown(seconds) => {
            let end = account.now() + seconds * 1_000;
            account.cloud.with(|world| world.cloud.slack.outage_until(end));
        }
        Step::Next { function, fate } => account.mail.plan(function, *fate),
        Step::Again(function) => tell_again(account, function),
        Step::Together { first, second } => together(account, first, second),
        Step::Weather(new) => weather(account, watch, *new, seed),
    }
    Ok(())
}

/// Pushes of one second are neither older nor newer.
async fn apart() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

fn pushed(
    account: &Account,
    watch: &mut Watch,
    repository: &'static str,
    digest: String,
    image: Image,
    tag: u32,
) {
    let known = watch.seen.pushed.entry(repository).or_default();
    // The same image once more is no newer one.
    if !known.iter().any(|pushed| pushed.digest == digest) {
        known.push(Pushed { digest, image, tag, at: account.now(), deleted: false });
    }
}

/// What is pushed beside versions.
fn chaff(account: &Account, repository: &str) {
    let config = |tag: &str| json!({ "architecture": "amd64", "os": "linux", "chaff": tag });
    for tag in ["latest", "sha256-0000.sig", "build-7"] {
        // The second time, it is there already.
        let _ = account.cloud.with(|world| cloud::fixture::push_config(world, repository, tag, &config(tag)));
    }
}

fn delete(account: &Account, watch: &mut Watch, repository: &'static str, tag: u32) {
    let ids = json!([{ "imageTag": format!("v{tag}") }]);
    let known = json!({ "repositoryName": repository, "imageIds": ids });
    let known = account.ask("ecr", "DescribeImages", known).unwrap_or_default();
    let digest = known["imageDetails"][0]["imageDigest"].as_str().unwrap_or_default().to_owned();
    let input = json!({ "repositoryName": repository, "imageIds": [{ "imageDigest": digest }] });
    account.try_call("ecr", "BatchDeleteImage", input);
    for pushed in watch.seen.pushed.entry(repository).or_default() {
        pushed.deleted |= pushed.digest == digest;
    }
}

fn stop(account: &Account, service: &str, rolls_back: bool) {
    let Some(id) = active(account, service) else { return };
    if id.starts_with("arn:") {
        let kind = if rolls_back { "ROLLBACK" } else { "ABORT" };
        let input = json!({ "serviceDeploymentArn": id, "stopType": kind });
        account.try_call("ecs", "StopServiceDeployment", input);
    } else {
        let input = match rolls_back {
            true => json!({ "deploymentId": id, "autoRollbackEnabled": true }),
            false => json!({ "deploymentId": id }),
        };
        account.try_call("codedeploy", "StopDeployment", input);
    }
}

/// A person changes a setting of what serves, and deploys that.
fn by_hand(account: &Account, service: &str) {
    let live = crate::invariants::live_arn(account, service);
    let input = json!({ "taskDefinition": live, "include": ["TAGS"] });
    let Some(mut known) = account.ask("ecs", "DescribeTaskDefinition", input) else { return };
    let mut definition = known["taskDefinition"].take();
    for name in [
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
    ] {
        definition.as_object_mut().map(|members| members.remove(name));
    }
    definition["containerDefinitions"][0]["environment"] =
        json!([{ "name": "CHANGED_AT", "value": account.now().to_string() }]);
    definition["tags"] = json!([{ "key": "team", "value": "by hand" }]);
    let registered = account.call("ecs", "RegisterTaskDefinition", definition);
    let arn = &registered["taskDefinition"]["taskDefinitionArn"];
    if service == "api" {
        let content = json!({
            "version": 0.0,
            "Resources": [{ "TargetService": {
                "Type": "AWS::ECS::Service",
                "Properties": {
                    "TaskDefinition": arn,
                    "LoadBalancerInfo": { "ContainerName": "app", "ContainerPort": 8080 },
                },
            }}],
        });
        let input = json!({
            "applicationName": "api-deploy", "deploymentGroupName": "api-group",
            "revision": { "revisionType": "AppSpecContent", "appSpecContent": { "content": content.to_string() } },
        });
        account.try_call("codedeploy", "CreateDeployment", input);
    } else {
        let cluster = format!("{service}-cluster");
        let input = json!({ "cluster": cluster, "service": service, "taskDefinition": arn });
        account.try_call("ecs", "UpdateService", input);
    }
}

fn scale(account: &Account, service: &str, count: u32) {
    let input = json!({ "cluster": format!("{service}-cluster"), "service": service, "desiredCount": count });
    account.try_call("ecs", "UpdateService", input);
}

fn tell_again(account: &Account, function: &str) {
    let event = match account.mail.last(function) {
        Some(event) => event,
        None if function == "sweep" => json!({ "source": "aws.events", "detail-type": "Scheduled Event" }),
        None => return,
    };
    again(&account.cloud, function, &event);
}

fn together(account: &Account, first: &'static str, second: &'static str) {
    if first == second {
        // The template lets some run alone: here it is looked at what would be otherwise.
        account.try_call("lambda", "DeleteFunctionConcurrency", json!({ "FunctionName": first }));
    }
    account.calls.turns.expect([first, second]);
}

fn weather(account: &Account, watch: &mut Watch, new: Weather, seed: u64) {
    let share = |share: u8| f64::from(share) / 100.0;
    let half = share(new.stalled) / 2.0;
    let chances = vec![
        (share(new.throttled), Injected::Throttled),
        (share(new.errors), Injected::ServerError),
        (half, Injected::TimeoutBefore(30_000)),
        (half, Injected::Slow(30_000)),
        (share(new.answers_lost), Injected::AnswerLost),
        (share(new.stale), Injected::Stale(5_000)),
    ];
    let chances = chances.into_iter().filter(|(chance, _)| *chance > 0.0).collect();
    account.cloud.faults(Faults { chances, seed, ..Faults::default() });
    account.calls.crash_by_chance(new.crashes);
    account.mail.weather(new);
    account.skew.set(new.skew);
    // What is bad ends now, and not before.
    watch.seen.fair_since = account.now() + u64::from(watch.seen.weather.late) * 1_000;
    watch.seen.weather = new;
}

fn arn(service: &str) -> String {
    format!("arn:aws:ecs:us-east-1:123456789012:service/{service}-cluster/{service}")
}

/// Id or ARN of the service's active deployment.
pub fn active(account: &Account, service: &str) -> Option<String> {
    account.cloud.with(|world| {
        let found = match service {
            "api" => codedeploy::active(&world.cloud, "api-deploy", "api-group"),
            _ => ecs::active_deployment(&world.cloud, &format!("{service}-cluster"), service),
        };
        found.map(str::to_owned)
    })
}

/// Whether the new tasks have so much of the traffic.
fn has_canary(account: &Account, service: &str, percent: f64) -> bool {
    let Some(id) = active(account, service) else { return false };
    if id.starts_with("arn:") {
        return true;
    }
    let input = json!({ "deploymentId": id, "targetIds": [format!("{service}-cluster:{service}")] });
    let answer = account.ask("codedeploy", "BatchGetDeploymentTargets", input).unwrap_or_default();
    let sets = answer["deploymentTargets"][0]["ecsTarget"]["taskSetsInfo"].as_array().cloned();
    let green = sets.into_iter().flatten().find(|set| set["taskSetLabel"] == "Green");
    green.is_some_and(|green| green["trafficWeight"].as_f64().unwrap_or_default() >= percent)
}

/// Status and creator of a deployment of CodeDeploy.
pub fn status(account: &Account, id: &str) -> (String, String) {
    let info = account.cloud.with(|world| deployment(world, id));
    let text = |name: &str| info[name].as_str().unwrap_or_default().to_owned();
    (text("status"), text("creator"))
}
