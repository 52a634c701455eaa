//! The invariants, each a function over what has happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cloud::Ms;
use cloud::timeline::{Entry, Kind};
use serde_json::{Value, json};

use crate::account::{Account, SECRET};

/// What does not hold, and when it was seen.
#[derive(Debug, Clone)]
pub struct Violation {
    pub invariant: &'static str,
    pub what: String,
    pub timeline: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// A call that one of Sluice's functions made, and that AWS took.
#[derive(Debug, Clone)]
pub struct Done {
    pub at: Ms,
    pub function: String,
    pub operation: String,
    pub input: Value,
}

/// What is known of the course of a run.
#[derive(Debug, Default)]
pub struct Seen {
    /// Digests by repository, in the order of their pushes.
    pub pushed: BTreeMap<String, Vec<String>>,
    /// Digests of images that fail their smoke test.
    pub sick: BTreeSet<String>,
    pub done: Vec<Done>,
    /// Since when each alarm is red.
    pub red: BTreeMap<String, Ms>,
    /// Digests that were rejected, and when.
    pub rejected: BTreeMap<String, Ms>,
    /// What was not looked at yet: the new calls.
    fresh: Vec<Done>,
}

/// Looks at a run as it goes on.
#[derive(Debug, Default)]
pub struct Watch {
    entries: usize,
    seen: Seen,
}

type Invariant = (&'static str, fn(&Seen, &Account) -> Result<(), String>);

/// Looked at after every step and each half minute.
const ALWAYS: &[Invariant] = &[
    ("1 a digest takes effect once", once),
    ("2 nothing is touched that releases.yaml does not name", only_named),
    ("3 a rejected digest never starts again", rejected_stays),
    ("4 an older push never replaces a newer one", never_older),
    ("5 a revision differs in images and tags only", only_images),
    ("6 nothing starts without a way back", way_back),
    ("7 nothing starts on a red alarm", not_on_red),
    ("8 a hook has one verdict, and Succeeded only if its check passed", one_verdict),
    ("9 a rollback never triggers a rollback, and nothing is deregistered", no_rollback_of_a_rollback),
    ("10 no secret is seen", no_secret),
];

/// Looked at when all is at rest.
const AT_REST: &[Invariant] = &[
    ("11 each hook has its verdict before its hour", in_time),
    ("12 every deployment has ended, and its service has one version at 100%", at_rest),
    ("13 nothing waits that could start, and nothing is lost", nothing_lost),
];

/// A read may be so old when its decision is carried out, retries included.
const READ: Ms = 60_000;

impl Watch {
    pub fn new(account: &Account) -> Self {
        // What was there before Sluice.
        let entries = account.cloud.with(|world| world.cloud.timeline().len());
        Self { entries, seen: Seen::default() }
    }

    pub fn pushed(&mut self, repository: &str, digest: &str, environment: &[(&str, &str)]) {
        let pushed = self.seen.pushed.entry(repository.to_owned()).or_default();
        if !pushed.iter().any(|known| known == digest) {
            pushed.push(digest.to_owned());
        }
        if environment.iter().any(|(name, _)| *name == "APP_ERROR_RATE") {
            self.seen.sick.insert(digest.to_owned());
        }
    }

    pub fn last_pushed(&self, repository: &str) -> Option<String> {
        self.seen.pushed.get(repository)?.last().cloned()
    }

    pub fn look(&mut self, account: &Account) -> Result<(), Violation> {
        self.read(account);
        self.hold(account, ALWAYS)
    }

    pub fn look_at_rest(&mut self, account: &Account) -> Result<(), Violation> {
        self.look(account)?;
        self.hold(account, AT_REST)
    }

    fn hold(&self, account: &Account, invariants: &[Invariant]) -> Result<(), Violation> {
        for (invariant, holds) in invariants {
            holds(&self.seen, account).map_err(|what| Violation {
                invariant,
                what,
                timeline: account.cloud.timeline(),
            })?;
        }
        Ok(())
    }

    /// Takes in what is new on the timeline.
    fn read(&mut self, account: &Account) {
        let new: Vec<Entry> = account
            .cloud
            .with(|world| world.cloud.timeline().get(self.entries..).unwrap_or_default().to_vec());
        self.entries += new.len();
        self.seen.fresh.clear();
        for entry in new {
            self.seen.take(&entry, account);
        }
    }
}

impl Seen {
    fn take(&mut self, entry: &Entry, account: &Account) {
        match entry.kind {
            Kind::Alarm => {
                let Some((name, change)) = entry.text.split_once(": ") else { return };
                if change.ends_with("-> ALARM") {
                    self.red.insert(name.to_owned(), entry.at);
                } else {
                    self.red.remove(name);
                }
            }
            Kind::Call if entry.data["error"].is_null() => {
                let Some(function) = entry.data["caller"].as_str().and_then(|key| key.strip_prefix("ASIAFN"))
                else {
                    return;
                };
                let done = Done {
                    at: entry.at,
                    function: function.to_owned(),
                    operation: entry.data["operation"].as_str().unwrap_or_default().to_owned(),
                    input: entry.data["input"].clone(),
                };
                self.judged(&done, account);
                self.done.push(done.clone());
                self.fresh.push(done);
            }
            _ => {}
        }
    }

    /// Takes in a verdict on a revision.
    fn judged(&mut self, done: &Done, account: &Account) {
        let tags = done.input["tags"].as_array().into_iter().flatten();
        let rejects =
            tags.into_iter().any(|tag| tag["key"] == "sluice:verdict" && tag["value"] == "rejected");
        if done.operation == "TagResource" && rejects {
            let digest = digest_of(account, &done.input["resourceArn"]);
            self.rejected.entry(digest).or_insert(done.at);
        }
    }

    fn fresh_of<'a>(&'a self, operation: &'a str) -> impl Iterator<Item = &'a Done> {
        self.fresh.iter().filter(move |done| done.operation == operation)
    }

    /// Releases that were started through CodeDeploy: when, and of which digest.
    fn releases(&self) -> impl Iterator<Item = (&Done, String)> {
        self.done.iter().filter_map(|done| Some((done, released(done)?)))
    }

    fn order(&self, digest: &str) -> Option<(&str, usize)> {
        self.pushed.iter().find_map(|(repository, digests)| {
            let position = digests.iter().position(|known| known == digest)?;
            Some((repository.as_str(), position))
        })
    }
}

/// The digest that a call begins to release; none if it is no such call, or a rollback.
fn released(done: &Done) -> Option<String> {
    if done.operation != "CreateDeployment" {
        return None;
    }
    let description = done.input["description"].as_str()?;
    let is_rollback = shared::release::rolled_back(description).is_some();
    let (digest, _) = shared::release::described(description).filter(|_| !is_rollback)?;
    Some(digest.to_string())
}

fn digest_of(account: &Account, revision: &Value) -> String {
    let known = account.try_call("ecs", "DescribeTaskDefinition", json!({ "taskDefinition": revision }));
    let known = known.unwrap_or_default();
    let image = known["taskDefinition"]["containerDefinitions"][0]["image"].as_str().unwrap_or_default();
    image.rsplit('@').next().unwrap_or_default().to_owned()
}

fn once(seen: &Seen, _: &Account) -> Result<(), String> {
    let mut count = BTreeMap::<String, usize>::new();
    for (_, digest) in seen.releases() {
        *count.entry(digest).or_default() += 1;
    }
    for done in
        seen.done.iter().filter(|done| done.operation == "UpdateService" && done.function == "image-push")
    {
        *count.entry(done.input["taskDefinition"].to_string()).or_default() += 1;
    }
    match count.iter().find(|(_, count)| **count > 1) {
        Some((digest, count)) => Err(format!("{digest} was started {count} times")),
        None => Ok(()),
    }
}

fn only_named(seen: &Seen, _: &Account) -> Result<(), String> {
    let named = ["api", "web"];
    let of = |text: &str| text.split(['/', ':', '-', '_']).any(|part| named.contains(&part));
    let members =
        ["cluster", "service", "applicationName", "deploymentGroupName", "repositoryName", "family"];
    for done in &seen.fresh {
        let texts = members.iter().filter_map(|member| done.input[*member].as_str());
        if let Some(text) = texts.into_iter().find(|text| !of(text)) {
            return Err(format!("{} of {} asks for {text}", done.operation, done.function));
        }
    }
    Ok(())
}

fn rejected_stays(seen: &Seen, account: &Account) -> Result<(), String> {
    for done in &seen.fresh {
        let digest = match released(done) {
            Some(digest) => digest,
            None if done.operation == "UpdateService" => digest_of(account, &done.input["taskDefinition"]),
            None => continue,
        };
        // A rejection may come between the reading and the start.
        if seen.rejected.get(&digest).is_some_and(|at| at + READ < done.at) {
            return Err(format!("{digest} was rejected before {} started it", done.function));
        }
    }
    Ok(())
}

fn never_older(seen: &Seen, _: &Account) -> Result<(), String> {
    let mut newest = BTreeMap::<&str, (usize, Ms)>::new();
    for (done, digest) in seen.releases() {
        let Some((repository, order)) = seen.order(&digest) else { continue };
        let before = newest.get(repository).copied();
        if let Some((newer, at)) = before.filter(|(newer, _)| *newer > order) {
            // The newer one was taken back: what was pushed before it may have its turn.
            let digests = &seen.pushed[repository];
            let was_rejected =
                seen.rejected.get(&digests[newer]).is_some_and(|rejected| *rejected <= done.at);
            if !was_rejected {
                return Err(format!("push {order} of {repository} was started after push {newer} of {at}"));
            }
        }
        newest.insert(repository, (order.max(before.map_or(0, |(newer, _)| newer)), done.at));
    }
    Ok(())
}

fn only_images(seen: &Seen, account: &Account) -> Result<(), String> {
    for done in seen.fresh_of("RegisterTaskDefinition") {
        let tags = done.input["tags"].as_array().cloned().unwrap_or_default();
        let replaced =
            tags.iter().find(|tag| tag["key"] == "sluice:replaces").map(|tag| tag["value"].clone());
        let Some(replaced) = replaced else {
            return Err("a revision does not say what it replaces".to_owned());
        };
        let input = json!({ "taskDefinition": replaced, "include": ["TAGS"] });
        let known = account.call("ecs", "DescribeTaskDefinition", input);
        let (before, after) =
            (bare(&known["taskDefinition"], &known["tags"]), bare(&done.input, &done.input["tags"]));
        if before != after {
            return Err(format!("{replaced} became another: {before} {after}"));
        }
    }
    Ok(())
}

/// A task definition without what Sluice or ECS may have put into it.
fn bare(definition: &Value, tags: &Value) -> Value {
    let by_ecs = [
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "tags",
    ];
    let mut bare = definition.clone();
    if let Some(members) = bare.as_object_mut() {
        members.retain(|name, _| !by_ecs.contains(&name.as_str()));
        for container in members["containerDefinitions"].as_array_mut().into_iter().flatten() {
            container["image"] = Value::Null;
        }
    }
    let theirs = |tag: &&Value| !tag["key"].as_str().unwrap_or_default().starts_with("sluice:");
    let tags: Vec<_> = tags.as_array().into_iter().flatten().filter(theirs).collect();
    bare["tags"] = json!(tags);
    bare
}

fn way_back(seen: &Seen, account: &Account) -> Result<(), String> {
    for done in seen.fresh.iter().filter(|done| released(done).is_some()) {
        let content = done.input["revision"]["appSpecContent"]["content"].as_str().unwrap_or_default();
        let arn = content.split('"').find(|part| part.contains(":task-definition/"));
        let Some(arn) = arn else { return Err(format!("no revision in {content}")) };
        let input = json!({ "taskDefinition": arn, "include": ["TAGS"] });
        let known = account.call("ecs", "DescribeTaskDefinition", input);
        let replaced = known["tags"].as_array().and_then(|tags| {
            tags.iter().find(|tag| tag["key"] == "sluice:replaces").map(|tag| tag["value"].clone())
        });
        let before = account.try_call("ecs", "DescribeTaskDefinition", json!({ "taskDefinition": replaced }));
        if before.is_none_or(|before| before["taskDefinition"]["status"] != "ACTIVE") {
            return Err(format!("{arn} replaces nothing that is there"));
        }
    }
    Ok(())
}

fn not_on_red(seen: &Seen, _: &Account) -> Result<(), String> {
    for done in seen.fresh.iter().filter(|done| released(done).is_some()) {
        let service = done.input["applicationName"].as_str().unwrap_or_default().trim_end_matches("-deploy");
        if seen.red.get(&format!("{service}-5xx")).is_some_and(|since| since + READ < done.at) {
            return Err(format!("a release of {service} started on a red alarm"));
        }
    }
    Ok(())
}

fn one_verdict(seen: &Seen, account: &Account) -> Result<(), String> {
    let mut reported = BTreeSet::new();
    for done in seen.done.iter().filter(|done| done.operation == "PutLifecycleEventHookExecutionStatus") {
        let execution = done.input["lifecycleEventHookExecutionId"].to_string();
        if !reported.insert(execution.clone()) {
            return Err(format!("{execution} has two verdicts"));
        }
    }
    for done in seen.fresh_of("PutLifecycleEventHookExecutionStatus") {
        let id = done.input["deploymentId"].as_str().unwrap_or_default();
        let info = account.cloud.with(|world| crate::account::deployment(world, id));
        let digest = info["description"].as_str().and_then(shared::release::described);
        let digest = digest.map(|(digest, _)| digest.to_string()).unwrap_or_default();
        if done.input["status"] == "Succeeded" && seen.sick.contains(&digest) {
            return Err(format!("{digest} passed a check that it fails"));
        }
    }
    Ok(())
}

fn no_rollback_of_a_rollback(seen: &Seen, account: &Account) -> Result<(), String> {
    if let Some(done) = seen.fresh_of("DeregisterTaskDefinition").next() {
        return Err(format!("{} deregisters {}", done.function, done.input));
    }
    let is_rollback = |id: &str| {
        let info = account.cloud.with(|world| crate::account::deployment(world, id));
        let ours =
            info["description"].as_str().is_some_and(|text| shared::release::rolled_back(text).is_some());
        ours || info["creator"] == "codeDeployRollback"
    };
    for done in seen.fresh_of("StopDeployment") {
        let id = done.input["deploymentId"].as_str().unwrap_or_default();
        if is_rollback(id) {
            return Err(format!("{} stops {id}, which is a rollback", done.function));
        }
    }
    for done in seen.fresh_of("CreateDeployment") {
        let back = done.input["description"].as_str().and_then(shared::release::rolled_back);
        if let Some(back) = back.filter(|back| is_rollback(back)) {
            return Err(format!("{} takes back {back}, which is a rollback", done.function));
        }
    }
    Ok(())
}

fn no_secret(seen: &Seen, account: &Account) -> Result<(), String> {
    let seen_in = seen.fresh.iter().find(|done| done.input.to_string().contains(SECRET));
    if let Some(done) = seen_in {
        return Err(format!("{} of {} has the secret in it", done.operation, done.function));
    }
    let posted = account.cloud.with(|world| {
        ["deploys", "ops"]
            .iter()
            .any(|channel| world.cloud.slack.shown(channel).iter().any(|post| post.title().contains(SECRET)))
    });
    if posted { Err("a message has the secret in it".to_owned()) } else { Ok(()) }
}

fn in_time(_: &Seen, account: &Account) -> Result<(), String> {
    for id in deployments(account, "api") {
        let info = account.cloud.with(|world| crate::account::deployment(world, &id));
        let message = info["errorInformation"]["message"].as_str().unwrap_or_default();
        if message.contains("timed out") || message.contains("time limit") {
            return Err(format!("{id}: {message}"));
        }
    }
    Ok(())
}

fn deployments(account: &Account, service: &str) -> Vec<String> {
    let input = json!({
        "applicationName": format!("{service}-deploy"), "deploymentGroupName": format!("{service}-group"),
    });
    let listed = account.try_call("codedeploy", "ListDeployments", input).unwrap_or_default();
    let ids = listed["deployments"].as_array().into_iter().flatten();
    ids.filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

fn at_rest(_: &Seen, account: &Account) -> Result<(), String> {
    for service in ["api", "web"] {
        if let Some(id) = crate::scenario::active(account, service) {
            return Err(format!("{id} of {service} has not ended"));
        }
    }
    Ok(())
}

/// What could not be handled, and what could not be told, stands in the dead-letter queues.
fn nothing_lost(_: &Seen, account: &Account) -> Result<(), String> {
    for queue in ["notify", "notify-dead"] {
        let url = account.call("sqs", "GetQueueUrl", json!({ "QueueName": queue }))["QueueUrl"].clone();
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let input = json!({ "QueueUrl": url, "AttributeNames": names });
        let known = account.call("sqs", "GetQueueAttributes", input)["Attributes"].take();
        if names.iter().any(|name| known[*name] != "0") {
            return Err(format!("{queue} holds {known}"));
        }
    }
    Ok(())
}
