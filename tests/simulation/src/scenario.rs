//! What happens in an account, as data: so it can be drawn, shrunk, printed and run again.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::account::{Account, RELEASES, deployment};
use crate::crash::{Called, Crashes};
use crate::invariants::{Violation, Watch};
use crate::outcome::Outcome;

/// Something that happens to an account.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// An image is pushed under a tag. The same environment makes the same image.
    Push {
        repository: &'static str,
        tag: &'static str,
        environment: &'static [(&'static str, &'static str)],
    },
    /// The event of a repository's last push is delivered once more.
    Repeat(&'static str),
    Alarm {
        service: &'static str,
        state: &'static str,
    },
    /// Time passes.
    Wait(u64),
    /// Time passes until the service's canary has traffic, or its new tasks run.
    Canary(&'static str),
    /// Time passes until no deployment of the service is active.
    Ended(&'static str),
    /// A person stops what is active, with or without CodeDeploy's rollback.
    Stop {
        service: &'static str,
        rolls_back: bool,
    },
    /// A person puts a hold on a service, or takes it off.
    Hold(&'static str),
    Unhold(&'static str),
    /// Slack does not answer for so many seconds.
    SlackDown(u64),
}

#[derive(Debug, Clone)]
pub struct Scenario {
    pub name: &'static str,
    pub releases: &'static str,
    pub steps: Vec<Step>,
}

impl Scenario {
    pub fn new(name: &'static str, steps: impl Into<Vec<Step>>) -> Self {
        Self { name, releases: RELEASES, steps: steps.into() }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Push { repository, tag, environment } => {
                write!(f, "push {repository}:{tag} {environment:?}")
            }
            Self::Repeat(repository) => write!(f, "the last push of {repository} is told again"),
            Self::Alarm { service, state } => write!(f, "the alarm of {service}: {state}"),
            Self::Wait(seconds) => write!(f, "{seconds} s"),
            Self::Canary(service) => write!(f, "until {service} has a canary"),
            Self::Ended(service) => write!(f, "until nothing of {service} is active"),
            Self::Stop { service, rolls_back } => {
                write!(
                    f,
                    "a person stops {service}, {} rollback",
                    if *rolls_back { "with" } else { "without" }
                )
            }
            Self::Hold(service) => write!(f, "a person holds {service}"),
            Self::Unhold(service) => write!(f, "a person takes the hold off {service}"),
            Self::SlackDown(seconds) => write!(f, "Slack is down for {seconds} s"),
        }
    }
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    pub calls: Vec<Called>,
    pub outcome: Outcome,
    pub timeline: String,
}

/// How long after the last step all is to be at rest: a watch, and some sweeps.
const REST: Duration = Duration::from_secs(45 * 60);

/// How long a step that waits for something waits.
const PATIENCE: u64 = 3 * 3_600;

/// Time passes in such pieces, after each of which the invariants are looked at.
const PIECE: u64 = 30;

/// Runs a scenario; the invariants are looked at after each step, and as time passes.
pub async fn run(scenario: &Scenario, crashes: Crashes) -> Result<Run, Box<Violation>> {
    // Boxed: all of Sluice is more than a test's stack holds.
    Box::pin(ran(scenario, crashes)).await.map_err(Box::new)
}

async fn ran(scenario: &Scenario, crashes: Crashes) -> Result<Run, Violation> {
    let account = Account::new(crashes, scenario.releases).await;
    let mut watch = Watch::new(&account);
    for step in &scenario.steps {
        take(&account, &mut watch, step).await?;
        watch.look(&account)?;
    }
    pass(&account, &mut watch, REST.as_secs()).await?;
    watch.look_at_rest(&account)?;
    Ok(Run {
        calls: account.crashes.calls(),
        outcome: Outcome::of(&account),
        timeline: account.cloud.timeline(),
    })
}

async fn pass(account: &Account, watch: &mut Watch, seconds: u64) -> Result<(), Violation> {
    let mut left = seconds;
    while left > 0 {
        let piece = left.min(PIECE);
        tokio::time::sleep(Duration::from_secs(piece)).await;
        watch.look(account)?;
        left -= piece;
    }
    Ok(())
}

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
    }
    watch.look(account)?;
    // What was waited for may not come, where a crash changed the course: the story goes on.
    Ok(())
}

async fn take(account: &Account, watch: &mut Watch, step: &Step) -> Result<(), Violation> {
    match step {
        Step::Push { repository, tag, environment } => {
            let digest = account.push(repository, tag, environment);
            watch.pushed(repository, &digest, environment);
        }
        Step::Repeat(repository) => repeat(account, watch, repository),
        Step::Alarm { service, state } => account.set_alarm(&format!("{service}-5xx"), state),
        Step::Wait(seconds) => pass(account, watch, *seconds).await?,
        Step::Canary(service) => until(account, watch, |account| has_canary(account, service)).await?,
        Step::Ended(service) => until(account, watch, |account| active(account, service).is_none()).await?,
        Step::Stop { service, rolls_back } => {
            if let Some(id) = active(account, service) {
                let input = match rolls_back {
                    true => json!({ "deploymentId": id, "autoRollbackEnabled": true }),
                    false => json!({ "deploymentId": id }),
                };
                account.try_call("codedeploy", "StopDeployment", input);
            }
        }
        Step::Hold(service) => {
            let tags = json!([{ "key": "sluice:hold", "value": "by=ops why=inventory" }]);
            account.call("ecs", "TagResource", json!({ "resourceArn": arn(service), "tags": tags }));
        }
        Step::Unhold(service) => {
            let input = json!({ "resourceArn": arn(service), "tagKeys": ["sluice:hold"] });
            account.call("ecs", "UntagResource", input);
        }
        Step::SlackDown(seconds) => {
            let end = account.now() + seconds * 1_000;
            account.cloud.with(|world| world.cloud.slack.outage_until(end));
        }
    }
    Ok(())
}

fn arn(service: &str) -> String {
    format!("arn:aws:ecs:us-east-1:123456789012:service/{service}-cluster/{service}")
}

fn repeat(account: &Account, watch: &Watch, repository: &str) {
    let Some(digest) = watch.last_pushed(repository) else { return };
    let images = json!({ "repositoryName": repository, "imageIds": [{ "imageDigest": digest }] });
    let known = account.call("ecr", "DescribeImages", images);
    let event = json!({
        "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482", "detail-type": "ECR Image Action",
        "source": "aws.ecr", "account": "123456789012", "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1", "resources": [],
        "detail": {
            "result": "SUCCESS", "repository-name": repository, "image-digest": digest,
            "action-type": "PUSH", "image-tag": known["imageDetails"][0]["imageTags"][0],
        },
    });
    let invocation = json!({
        "FunctionName": "image-push", "InvocationType": "Event", "Payload": STANDARD.encode(event.to_string()),
    });
    account.call("lambda", "Invoke", invocation);
}

/// Id of the service's active deployment.
pub fn active(account: &Account, service: &str) -> Option<String> {
    let input = json!({
        "applicationName": format!("{service}-deploy"), "deploymentGroupName": format!("{service}-group"),
        "includeOnlyStatuses": ["Created", "Queued", "InProgress", "Baking", "Ready"],
    });
    if let Some(listed) = account.try_call("codedeploy", "ListDeployments", input) {
        return listed["deployments"][0].as_str().map(str::to_owned);
    }
    let input = json!({ "cluster": format!("{service}-cluster"), "service": service });
    let listed = account.try_call("ecs", "ListServiceDeployments", input)?["serviceDeployments"].take();
    let ended = ["SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"];
    let is_active = |one: &&Value| !ended.contains(&one["status"].as_str().unwrap_or_default());
    let found = listed.as_array()?.iter().find(is_active)?;
    found["serviceDeploymentArn"].as_str().map(str::to_owned)
}

fn has_canary(account: &Account, service: &str) -> bool {
    let Some(id) = active(account, service) else { return false };
    if id.starts_with("arn:") {
        return true;
    }
    let target = format!("{service}-cluster:{service}");
    let input = json!({ "deploymentId": id, "targetIds": [target] });
    let answer = account.try_call("codedeploy", "BatchGetDeploymentTargets", input).unwrap_or_default();
    let sets = answer["deploymentTargets"][0]["ecsTarget"]["taskSetsInfo"].as_array().cloned();
    let green = sets.into_iter().flatten().find(|set| set["taskSetLabel"] == "Green");
    green.is_some_and(|green| green["trafficWeight"].as_f64().unwrap_or_default() > 0.0)
}

/// Status and creator of a deployment of CodeDeploy.
pub fn status(account: &Account, id: &str) -> (String, String) {
    let info = account.cloud.with(|world| deployment(world, id));
    let text = |name: &str| info[name].as_str().unwrap_or_default().to_owned();
    (text("status"), text("creator"))
}
