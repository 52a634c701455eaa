//! What is known of the course of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use cloud::services::codedeploy;
use cloud::timeline::{Entry, Kind};
use cloud::world::World;
use cloud::{MINUTE, Ms, SECOND};
use serde_json::{Value, json};

use crate::account::{Account, SERVICES};
use crate::functions::{ACCESS_KEY, ENDED};
use crate::step::{Image, Weather};

/// A pushed image.
#[derive(Debug, Clone)]
pub struct Pushed {
    pub digest: String,
    pub image: Image,
    pub tag: u32,
    pub at: Ms,
    pub deleted: bool,
}

/// A call that one of Sluice's functions made, and that AWS took.
#[derive(Debug, Clone)]
pub struct Done {
    pub at: Ms,
    pub function: String,
    pub operation: String,
    pub input: Value,
    /// What was, just before it was executed.
    pub moment: Arc<Moment>,
}

/// The world just before a call that changes it.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    /// ARN of the revision that serves, by service.
    pub live: BTreeMap<&'static str, String>,
    /// The lifecycle event of a hook that is under way.
    pub event: Option<String>,
}

/// A revision that Sluice's functions make live.
#[derive(Debug, Clone)]
pub struct Start {
    pub at: Ms,
    pub function: String,
    pub service: String,
    pub revision: String,
    pub digest: String,
    /// ARN of what served just before.
    pub before: String,
    /// What it takes back, or replaces, as an id or an ARN; none for a release.
    pub takes_back: Option<String>,
}

/// A revision of a task definition, which never changes but for its tags.
#[derive(Debug, Clone, Default)]
pub struct Revision {
    pub family: String,
    pub number: u64,
    pub digest: String,
    pub repository: String,
    pub replaces: Option<String>,
}

/// A deployment of CodeDeploy.
#[derive(Debug, Clone)]
pub struct Deployment {
    pub began: Ms,
    pub status: String,
    pub since: Ms,
    pub error: String,
}

impl Deployment {
    pub fn has_failed(&self) -> bool {
        ["Failed", "Stopped"].contains(&self.status.as_str())
    }

    pub fn is_active(&self) -> bool {
        !["Succeeded", "Failed", "Stopped"].contains(&self.status.as_str())
    }
}

/// What an alarm became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    Red,
    Green,
    Gone,
}

#[derive(Debug)]
pub struct Seen {
    /// Images by repository, in the order of their pushes.
    pub pushed: BTreeMap<&'static str, Vec<Pushed>>,
    pub done: Vec<Done>,
    /// From here on, calls were not looked at yet.
    pub fresh: usize,
    pub starts: Vec<Start>,
    pub fresh_starts: usize,
    /// Its changes, by service.
    pub alarms: BTreeMap<String, Vec<(Ms, Became)>>,
    /// When they were rejected first, by service and digest.
    pub rejected: BTreeMap<(String, String), Ms>,
    pub deployments: BTreeMap<String, Deployment>,
    /// Answers of the application: when, URL, status.
    pub answers: Vec<(Ms, String, u64)>,
    pub revisions: BTreeMap<String, Revision>,
    pub live: BTreeMap<&'static str, String>,
    /// Revisions that were live at some time.
    pub served: BTreeSet<String>,
    /// Whether a deployment is under way now, by service.
    pub active: BTreeMap<&'static str, bool>,
    /// Since when nothing of a person's or AWS's stands in a release's way, by service.
    pub clear_since: BTreeMap<&'static str, Ms>,
    /// Services that a person holds.
    pub held: BTreeSet<&'static str>,
    pub weather: Weather,
    pub fair_since: Ms,
    pub last_effect: Ms,
    /// Functions that failed though nothing had befallen them: what they said.
    pub failed: Vec<String>,
    pub began: Ms,
    /// How long releases are watched.
    pub watch: Ms,
    moments: Arc<Mutex<BTreeMap<usize, Arc<Moment>>>>,
}

const LOOKED_AT: [&str; 5] = [
    "RegisterTaskDefinition",
    "CreateDeployment",
    "UpdateService",
    "StopDeployment",
    "PutLifecycleEventHookExecutionStatus",
];

impl Seen {
    pub fn new(account: &Account) -> Self {
        let moments = Arc::<Mutex<BTreeMap<_, _>>>::default();
        let keep = Arc::clone(&moments);
        account.cloud.before_each_call(move |world, _, operation| {
            if LOOKED_AT.contains(&operation) {
                let entry = world.cloud.timeline().len();
                let moment = Arc::new(Moment::of(world));
                keep.lock().unwrap_or_else(PoisonError::into_inner).insert(entry, moment);
            }
        });
        let now = account.now();
        let first = |name: &'static str| {
            let image = live_revision(account, name);
            let pushed = Pushed { digest: image.digest, image: Image::Good, tag: 1, at: 0, deleted: false };
            (name, vec![pushed])
        };
        Self {
            pushed: BTreeMap::from(SERVICES.map(first)),
            done: Vec::new(),
            fresh: 0,
            starts: Vec::new(),
            fresh_starts: 0,
            alarms: BTreeMap::new(),
            rejected: BTreeMap::new(),
            deployments: BTreeMap::new(),
            answers: Vec::new(),
            revisions: BTreeMap::new(),
            live: BTreeMap::new(),
            served: BTreeSet::new(),
            active: BTreeMap::new(),
            clear_since: BTreeMap::from(SERVICES.map(|name| (name, now))),
            held: BTreeSet::new(),
            weather: Weather::FAIR,
            fair_since: now,
            last_effect: now,
            failed: Vec::new(),
            began: now,
            watch: Ms::from(account.config.watch) * MINUTE,
            moments,
        }
    }

    pub fn forget_fresh(&mut self) {
        (self.fresh, self.fresh_starts) = (self.done.len(), self.starts.len());
    }

    /// Whether [`Self::take`] looks at such entries.
    pub fn takes(kind: Kind) -> bool {
        matches!(kind, Kind::Alarm | Kind::Http | Kind::Deployment | Kind::Function | Kind::Call)
    }

    pub fn take(&mut self, n: usize, entry: &Entry, account: &Account) {
        match entry.kind {
            Kind::Alarm => {
                let Some((name, change)) = entry.text.split_once(": ") else { return };
                let became = if change.ends_with("-> ALARM") { Became::Red } else { Became::Green };
                self.alarm(name.trim_end_matches("-5xx"), entry.at, became);
            }
            Kind::Http if entry.data["url"].as_str().is_some_and(|url| url.contains("localhost")) => {
                let url = entry.data["url"].as_str().unwrap_or_default().to_owned();
                self.answers.push((entry.at, url, entry.data["status"].as_u64().unwrap_or_default()));
            }
            Kind::Deployment => self.deployment(entry),
            Kind::Function if self.fails_for_nothing(entry) => self.failed.push(entry.text.clone()),
            Kind::Call if entry.data["error"].is_null() => {
                let caller = entry.data["caller"].as_str();
                if let Some(function) = caller.and_then(|key| key.strip_prefix(ACCESS_KEY)) {
                    self.call(n, function, entry, account);
                }
            }
            _ => {}
        }
    }

    /// The deployment of CodeDeploy that a start made.
    pub fn deployment_of(&self, start: &Start) -> Option<&Deployment> {
        let mut deployments = self.deployments.values();
        deployments.rfind(|own| start.service == "api" && own.began.abs_diff(start.at) < 5_000)
    }

    pub fn alarm(&mut self, service: &str, at: Ms, became: Became) {
        self.alarms.entry(service.to_owned()).or_default().push((at, became));
    }

    /// A handler lasts two minutes at most: of one that began in bad weather, nothing is known. The
    /// first call after a clock was put right may come later.
    fn fails_for_nothing(&self, entry: &Entry) -> bool {
        let is_fair = self.weather == Weather::FAIR && entry.at > self.fair_since + 3 * MINUTE;
        let is_meant = [ENDED, "to be delivered again", "Signature expired"]
            .iter()
            .any(|meant| entry.text.contains(meant));
        is_fair && entry.text.contains(" fails: ") && !is_meant
    }

    fn deployment(&mut self, entry: &Entry) {
        let (Some(id), Some(status)) = (entry.data["deployment"].as_str(), entry.data["status"].as_str())
        else {
            return;
        };
        // Events within a deployment have a status as well.
        if !id.starts_with("d-") || !entry.data["event"].is_null() {
            return;
        }
        let known = self.deployments.entry(id.to_owned()).or_insert_with(|| Deployment {
            began: entry.at,
            status: String::new(),
            since: entry.at,
            error: String::new(),
        });
        status.clone_into(&mut known.status);
        known.since = entry.at;
        known.error = entry.data["error"].to_string();
    }

    fn call(&mut self, n: usize, function: &str, entry: &Entry, account: &Account) {
        let operation = entry.data["operation"].as_str().unwrap_or_default();
        let moment = {
            let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
            moments.remove(&n).unwrap_or_default()
        };
        let reads = ["Get", "List", "Describe", "BatchGet"];
        if !reads.iter().any(|verb| operation.starts_with(verb)) && function != "notify" {
            self.last_effect = entry.at;
        }
        let done = Done {
            at: entry.at,
            function: function.to_owned(),
            operation: operation.to_owned(),
            input: entry.data["input"].clone(),
            moment,
        };
        self.served.extend(done.moment.live.values().cloned());
        self.judged(&done, account);
        self.started(&done, account);
        self.done.push(done);
    }

    /// Takes in a verdict on a revision.
    fn judged(&mut self, done: &Done, account: &Account) {
        if done.operation == "TagResource" && tag(&done.input, "sluice:verdict") == Some("rejected") {
            let revision = self.revision(account, done.input["resourceArn"].as_str().unwrap_or_default());
            self.rejected.entry((revision.family, revision.digest)).or_insert(done.at);
        }
    }

    fn started(&mut self, done: &Done, account: &Account) {
        let input = &done.input;
        let (service, revision) = match done.operation.as_str() {
            "CreateDeployment" => {
                let content = input["revision"]["appSpecContent"]["content"].as_str().unwrap_or_default();
                let arn = content.split('"').find(|part| part.contains(":task-definition/"));
                let group = input["applicationName"].as_str().unwrap_or_default();
                (group.trim_end_matches("-deploy").to_owned(), arn.unwrap_or_default().to_owned())
            }
            "UpdateService" => {
                let service = input["service"].as_str().unwrap_or_default();
                let service = service.rsplit('/').next().unwrap_or_default();
                (service.to_owned(), input["taskDefinition"].as_str().unwrap_or_default().to_owned())
            }
            _ => return,
        };
        // Rolling a service to what it runs already starts nothing.
        if done.operation == "UpdateService" && done.moment.live.get(service.as_str()) == Some(&revision) {
            return;
        }
        let known = self.revision(account, &revision);
        let before = done.moment.live.get(service.as_str()).cloned().unwrap_or_default();
        let takes_back = if done.operation == "CreateDeployment" {
            input["description"].as_str().and_then(shared::release::rolled_back).map(str::to_owned)
        } else {
            // ECS's deployments have no description: what served before takes back what serves.
            let serves = self.revision(account, &before);
            (known.number < serves.number && self.served.contains(&revision)).then(|| before.clone())
        };
        let (at, function, digest) = (done.at, done.function.clone(), known.digest);
        self.starts.push(Start { at, function, service, revision, digest, before, takes_back });
    }

    /// What a revision is; known once, known for ever.
    pub fn revision(&mut self, account: &Account, arn: &str) -> Revision {
        if let Some(known) = self.revisions.get(arn) {
            return known.clone();
        }
        let revision = described(account, arn);
        self.revisions.insert(arn.to_owned(), revision.clone());
        revision
    }

    pub fn fresh(&self) -> &[Done] {
        self.done.get(self.fresh..).unwrap_or_default()
    }

    pub fn fresh_of<'a>(&'a self, operation: &'a str) -> impl Iterator<Item = &'a Done> {
        self.fresh().iter().filter(move |done| done.operation == operation)
    }

    pub fn fresh_starts(&self) -> &[Start] {
        self.starts.get(self.fresh_starts..).unwrap_or_default()
    }

    /// What was started to make a pushed image live.
    pub fn releases(&self) -> impl Iterator<Item = &Start> {
        self.starts.iter().filter(|start| start.takes_back.is_none())
    }

    /// Whose images a service takes.
    pub fn repository(account: &Account, service: &str) -> &'static str {
        if account.config.one_repository || service == "api" { "api" } else { "web" }
    }

    /// When an alarm of a service went red, the last time before `at`, if it still was then.
    pub fn red_at(&self, service: &str, at: Ms) -> Option<(Ms, Became)> {
        let changes = self.alarms.get(service)?;
        let last = changes.iter().rev().find(|(when, _)| *when <= at)?;
        (last.1 != Became::Green).then_some(*last)
    }

    /// Whether only people can go on: a rollback failed, or nothing is there to go back to.
    pub fn stuck(&self, account: &Account, service: &str) -> bool {
        let noted = |known: &Value| {
            let ended = tag(known, "sluice:ended").unwrap_or_default();
            ended.starts_with("rollback-failed") || ended.starts_with("failed")
        };
        let known = |arn: &str| {
            let input = json!({ "taskDefinition": arn, "include": ["TAGS"] });
            account.ask("ecs", "DescribeTaskDefinition", input).unwrap_or_default()
        };
        let live = self.live.get(service).map(String::as_str).unwrap_or_default();
        let last = self.starts.iter().rev().find(|start| start.service == service);
        let serves = known(live);
        let image_gone = || {
            let image = serves["taskDefinition"]["containerDefinitions"][0]["image"].as_str();
            let digest = image.and_then(|image| image.rsplit('@').next()).unwrap_or_default();
            self.pushed.values().flatten().any(|pushed| pushed.digest == digest && pushed.deleted)
        };
        noted(&serves) || last.is_some_and(|last| noted(&known(&last.revision))) || image_gone()
    }

    /// Looks at what is now.
    pub fn look_around(&mut self, account: &Account) {
        let now = account.now();
        if self.weather != Weather::FAIR {
            self.fair_since = now;
        }
        for service in SERVICES {
            let live = live_arn(account, service);
            let before = self.live.insert(service, live.clone());
            self.served.insert(live.clone());
            let active = crate::run::active(account, service).is_some();
            self.active.insert(service, active);
            let red = self.red_at(service, now).is_some();
            let frozen = account.config.gate == crate::config::Gate::Freeze
                && (30 * 60 * SECOND..150 * 60 * SECOND).contains(&(now - crate::account::START));
            let moved = before.is_some_and(|before| before != live);
            if active || red || frozen || moved || self.held.contains(service) || self.fair_since == now {
                self.clear_since.insert(service, now);
            }
        }
    }
}

impl Moment {
    fn of(world: &mut World) -> Self {
        let live = SERVICES.map(|name| (name, serving(world, name)));
        let active = codedeploy::active(&world.cloud, "api-deploy", "api-group").map(str::to_owned);
        let event = active.and_then(|id| {
            let input = json!({ "deploymentId": id, "targetIds": ["api-cluster:api"] });
            let answer = world.cloud.ask("codedeploy", "BatchGetDeploymentTargets", input).ok()?;
            let events = &answer["deploymentTargets"][0]["ecsTarget"]["lifecycleEvents"];
            let under_way = |event: &&Value| event["status"] == "InProgress";
            let event = events.as_array()?.iter().find(under_way)?;
            event["lifecycleEventName"].as_str().map(str::to_owned)
        });
        Self { live: live.into(), event }
    }
}

/// ARN of the revision that serves.
fn serving(world: &World, name: &str) -> String {
    let arn = cloud::services::ecs::serving(&world.cloud, &format!("{name}-cluster"), name);
    arn.unwrap_or_default().to_owned()
}

pub fn live_arn(account: &Account, name: &str) -> String {
    account.cloud.with(|world| serving(world, name))
}

fn live_revision(account: &Account, name: &str) -> Revision {
    described(account, &live_arn(account, name))
}

fn described(account: &Account, arn: &str) -> Revision {
    let input = json!({ "taskDefinition": arn, "include": ["TAGS"] });
    let Some(known) = account.ask("ecs", "DescribeTaskDefinition", input) else {
        return Revision::default();
    };
    let definition = &known["taskDefinition"];
    let image = definition["containerDefinitions"][0]["image"].as_str().unwrap_or_default();
    let (name, digest) = image.rsplit_once('@').unwrap_or((image, ""));
    Revision {
        family: definition["family"].as_str().unwrap_or_default().to_owned(),
        number: definition["revision"].as_u64().unwrap_or_default(),
        digest: digest.to_owned(),
        repository: name.rsplit('/').next().unwrap_or_default().to_owned(),
        replaces: tag(&known, "sluice:replaces").map(str::to_owned),
    }
}

/// A tag's value, of what has `tags`.
pub fn tag<'a>(of: &'a Value, key: &str) -> Option<&'a str> {
    let tags = of["tags"].as_array()?;
    tags.iter().find(|tag| tag["key"] == key)?["value"].as_str()
}
