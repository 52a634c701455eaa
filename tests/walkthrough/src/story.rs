//! Follows the cloud's timeline: tells what is new in it, and keeps the facts of it.

use std::time::{Duration, Instant};

use anyhow::bail;
use cloud::Ms;
use cloud::timeline::{Entry, Kind};
use serde_json::Value;

use crate::paper::Paper;
use crate::revision::differences;
use crate::scene::{FUNCTION, HOOK, SERVICE, Scene};
use crate::shares::{Shares, at_weight, before};
use crate::traffic::Traffic;
use crate::verify::{Asked, Decision, Facts};

/// How often the timeline is looked at, and how often live traffic is told.
const LOOK: Duration = Duration::from_millis(100);
const BEAT: Duration = Duration::from_secs(2);

pub struct Story {
    paper: Paper,
    scene: Scene,
    pub facts: Facts,
    /// The revision that was live before.
    before: Value,
    /// Entries of the timeline that were told.
    seen: usize,
    /// Lines of each function's log that were read.
    read: [usize; 2],
    /// What was read and is not told yet, in its order.
    ahead: Vec<(Ms, News)>,
    /// The lifecycle event that is under way.
    event: String,
    told: Shares,
    beat: Instant,
}

enum News {
    Entry(Entry),
    Decision(Value),
    Verdict(Value),
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn is_of_deployment(news: &News) -> bool {
    matches!(news, News::Entry(entry) if entry.kind == Kind::Deployment)
}

impl Story {
    /// Pushes version 2.
    pub fn begin(mut paper: Paper, mut scene: Scene) -> anyhow::Result<Self> {
        let before = scene.live()?;
        let seen = scene.cloud.entries_since(0).len();
        let told = Shares::of(&scene.cloud.served(scene.service.port), &scene.service);
        paper.count_from(scene.cloud.now());
        let facts = Facts { digest: scene.push()?, ..Facts::default() };
        let (read, ahead, event, beat) = ([0; 2], Vec::new(), String::new(), Instant::now());
        Ok(Self { paper, scene, facts, before, seen, read, ahead, event, told, beat })
    }

    /// Tells what happens until something holds. Errors: it did not within so many real seconds.
    pub async fn until(&mut self, seconds: u64, what: &str, holds: fn(&Facts) -> bool) -> anyhow::Result<()> {
        let end = Instant::now() + Duration::from_secs(seconds);
        while !holds(&self.facts) {
            if Instant::now() > end {
                bail!("waited {seconds} seconds for {what}");
            }
            tokio::time::sleep(LOOK).await;
            self.look();
            self.tell()?;
            self.traffic();
        }
        Ok(())
    }

    /// Reads what is new in the timeline and in the functions' logs.
    fn look(&mut self) {
        let entries = self.scene.cloud.entries_since(self.seen);
        self.seen += entries.len();
        let kept = entries.into_iter().filter(|entry| entry.kind != Kind::Task);
        self.ahead.extend(kept.map(|entry| (entry.at, News::Entry(entry))));
        for (n, function) in [FUNCTION, HOOK].into_iter().enumerate() {
            let lines = self.scene.log(function);
            let fresh = lines.into_iter().skip(self.read[n]).collect::<Vec<_>>();
            self.read[n] += fresh.len();
            let news = |line| if n == 0 { News::Decision(line) } else { News::Verdict(line) };
            // The log comes by a pipe, a moment after the calls that it tells of.
            let created = self.ahead.iter().find(|(_, news)| is_of_deployment(news)).map(|(at, _)| *at);
            let at = |at: Ms| created.filter(|_| n == 0).map_or(at, |created| at.min(created));
            self.ahead.splice(0..0, fresh.into_iter().map(|(time, line)| (at(time), news(line))));
        }
        self.ahead.sort_by_key(|(at, _)| *at);
    }

    /// Tells what was read; of a deployment only after the decision that began it.
    fn tell(&mut self) -> anyhow::Result<()> {
        let mut ahead = std::mem::take(&mut self.ahead).into_iter();
        for (at, news) in ahead.by_ref() {
            if is_of_deployment(&news) && self.facts.decisions.is_empty() {
                self.ahead.push((at, news));
                break;
            }
            match news {
                News::Entry(entry) => self.entry(&entry),
                News::Decision(line) => self.decision(at, &line)?,
                News::Verdict(line) => self.verdict(at, &line),
            }
        }
        self.ahead.extend(ahead);
        Ok(())
    }

    fn verdict(&self, at: Ms, line: &Value) {
        let [status, url, saw] = ["status", "url", "saw"].map(|name| text(&line[name]));
        self.paper.line(at, "hook", &format!("{HOOK} reports {status} for {}", self.event));
        self.paper.detail(&format!("because {url} answered {saw}"));
    }

    fn decision(&mut self, now: Ms, line: &Value) -> anyhow::Result<()> {
        let Some(kind) = line["decision"].as_str() else {
            self.paper.line(now, FUNCTION, &format!("{}: {}", text(&line["level"]), text(&line["message"])));
            return Ok(());
        };
        let started = line["started"].as_str();
        self.paper.line(now, "decision", &format!("{FUNCTION}: {kind} {}", text(&line["service"])));
        self.paper.detail(&format!("because {}", text(&line["message"])));
        self.facts.decisions.push(Decision {
            kind: kind.to_owned(),
            digest: text(&line["digest"]).to_owned(),
            started: started.map(str::to_owned),
        });
        let Some(deployment) = started else { return Ok(()) };
        let (old, new) = (self.before.clone(), self.scene.deployed(deployment)?);
        let name = |revision: &Value| format!("{SERVICE}:{}", revision["taskDefinition"]["revision"]);
        self.paper.line(now, "revision", &format!("{} → {}", name(&old), name(&new)));
        differences(&old, &new).iter().for_each(|difference| self.paper.detail(difference));
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) {
        match entry.kind {
            Kind::Call => self.call(&entry.data),
            Kind::Event if entry.data["detail-type"] == "ECR Image Action" => self.pushed(entry),
            Kind::Function if !entry.data["error"].is_null() => {
                self.paper.line(entry.at, "function", &entry.text);
            }
            Kind::Traffic if !entry.data["weights"].is_null() => self.weights(entry),
            Kind::Alarm => self.paper.line(entry.at, "alarm", &entry.text),
            Kind::Deployment => self.deployment(entry),
            _ => {}
        }
    }

    fn call(&mut self, data: &Value) {
        let asked = || Asked {
            caller: text(&data["caller"]).to_owned(),
            status: text(&data["input"]["status"]).to_owned(),
            refused: data["error"].as_str().map(str::to_owned),
        };
        match text(&data["operation"]) {
            "CreateDeployment" => self.facts.created.push(asked()),
            "PutLifecycleEventHookExecutionStatus" => self.facts.verdicts.push(asked()),
            _ => {}
        }
    }

    fn pushed(&self, entry: &Entry) {
        let detail = &entry.data["detail"];
        let [repository, tag, digest] =
            ["repository-name", "image-tag", "image-digest"].map(|name| text(&detail[name]));
        self.paper.line(entry.at, "push", &format!("{repository}:{tag} is {digest}"));
    }

    fn weights(&mut self, entry: &Entry) {
        let Self { scene: Scene { cloud, service }, .. } = &self;
        let weights =
            service.target_groups.each_ref().map(|group| entry.data["weights"][group].as_u64().unwrap_or(0));
        let (production, [blue, green]) = (entry.data["port"] == service.port, weights);
        if production {
            let until = before(&cloud.served(service.port), service, weights);
            self.serve(entry.at, until);
        }
        let listener = if production { "production" } else { "test" };
        let told = format!("{listener} listener: {blue}% to version 1, {green}% to version 2");
        self.paper.line(entry.at, "traffic", &told);
    }

    fn deployment(&mut self, entry: &Entry) {
        let (data, at) = (&entry.data, entry.at);
        let (Some(id), Some(status)) = (data["deployment"].as_str(), data["status"].as_str()) else { return };
        if let Some(event) = data["event"].as_str() {
            if status == "InProgress" {
                event.clone_into(&mut self.event);
            } else {
                self.facts.events.insert(event.to_owned(), status.to_owned());
                self.paper.line(at, "lifecycle", &format!("{event} {}", status.to_lowercase()));
            }
            return;
        }
        let by = match text(&data["creator"]) {
            "" => String::new(),
            "user" => format!(" by {}", self.facts.creator()),
            other => format!(" by {other}"),
        };
        self.paper.line(at, "deployment", &format!("{}{by}", entry.text));
        if ["Succeeded", "Failed", "Stopped"].contains(&status)
            && self.facts.decisions.iter().any(|decision| decision.started.as_deref() == Some(id))
        {
            self.facts.ended = Some(status.to_owned());
        }
    }

    fn served(&self) -> Shares {
        Shares::of(&self.scene.cloud.served(self.scene.service.port), &self.scene.service)
    }

    /// What the proxy served since it was last told; a live line in between.
    fn traffic(&mut self) {
        let shares = self.served();
        if self.beat.elapsed() >= BEAT {
            return self.serve(self.scene.cloud.now(), shares);
        }
        let fresh = shares.since(&self.told);
        self.paper.live(fresh.old, fresh.new, &fresh.to_string());
    }

    fn serve(&mut self, at: Ms, until: Shares) {
        let fresh = until.since(&self.told);
        if fresh.total() > 0 {
            self.paper.line(at, "served", &fresh.to_string());
        }
        (self.told, self.beat) = (until, Instant::now());
    }

    /// A last second of traffic, then every count and what is live.
    pub async fn last_act(&mut self, traffic: Traffic) -> anyhow::Result<()> {
        let before = self.served();
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.look();
        self.tell()?;
        let facts = &mut self.facts;
        facts.clients = traffic.end().await?;
        let spells = self.scene.cloud.served(self.scene.service.port);
        facts.proxy = Shares::of(&spells, &self.scene.service);
        facts.last = facts.proxy.since(&before);
        facts.canary = at_weight(&spells, &self.scene.service, 10);
        let live = self.scene.live()?;
        facts.image = text(&live["taskDefinition"]["containerDefinitions"][0]["image"]).to_owned();
        self.told = facts.proxy;
        let (now, proxy, clients) = (self.scene.cloud.now(), facts.proxy, facts.clients.clone());
        self.paper.line(now, "at 10%", &format!("the proxy served {}", facts.canary));
        self.paper.line(
            now,
            "in all",
            &format!(
                "the proxy served {} of version 1 and {} of version 2; its clients were answered {clients}",
                proxy.old, proxy.new
            ),
        );
        Ok(())
    }

    pub fn conclude(&self) {
        self.paper.line(self.scene.cloud.now(), "live", &format!("version 2, {}", self.facts.image));
    }
}
