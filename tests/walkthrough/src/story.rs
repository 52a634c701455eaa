//! One act from its push to its end: what happens is told, and kept as facts.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use cloud::Ms;
use cloud::server::Spell;
use serde_json::Value;

use crate::acts::Stage;
use crate::facts::Facts;
use crate::follow::Follower;
use crate::functions::{FUNCTION, STATE};
use crate::shares::{Shares, Sides, at_weight, greatest_weight, since};
use crate::traffic::Traffic;
use crate::versions::Version;

/// How often the timeline is looked at, and how often live traffic is told.
const LOOK: Duration = Duration::from_millis(100);
const BEAT: Duration = Duration::from_secs(2);

/// So long there is traffic before the push, and at the end.
const CALM: Duration = Duration::from_secs(1);

pub struct Story<'a> {
    pub stage: &'a mut Stage,
    pub facts: Facts,
    pub sides: Sides,
    /// The revision that is live at the beginning.
    pub before: Value,
    follower: Follower,
    traffic: Traffic,
    /// What the production and the test listener had served at the beginning.
    beginning: [Vec<Spell>; 2],
    told: Shares,
    beat: Instant,
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The image of the one container.
fn image(revision: &Value) -> String {
    text(&revision["taskDefinition"]["containerDefinitions"][0]["image"]).to_owned()
}

impl<'a> Story<'a> {
    /// Sends live traffic to the version that serves, and pushes the next one.
    pub async fn begin(
        stage: &'a mut Stage,
        old: &'static Version,
        new: &'static Version,
    ) -> anyhow::Result<Self> {
        let scene = &mut stage.scene;
        let (before, sides, port) = (scene.live()?, scene.sides()?, scene.service.port);
        let beginning = [port, port + 1].map(|port| scene.cloud.served(port));
        let traffic = Traffic::to(port)?;
        tokio::time::sleep(CALM).await;
        let follower = Follower::begin(scene);
        stage.paper.count_from(scene.cloud.now());
        let (digest, image) = (scene.push(new, new.commit)?, image(&before));
        let alarm = scene.alarm_of(&sides.new);
        let facts = Facts { digest, alarm, before: image, ..Facts::new(old, new) };
        let (told, beat) = (Shares::default(), Instant::now());
        Ok(Self { stage, facts, sides, before, follower, traffic, beginning, told, beat })
    }

    /// Until the deployment has ended that comes of the push, if one does.
    pub async fn deployed(&mut self) -> anyhow::Result<()> {
        let decision = format!("the decision of {FUNCTION}");
        self.until(60, &decision, |facts| !facts.decisions.is_empty()).await?;
        if self.facts.deployment().is_some() {
            self.until(120, "the end of the deployment", |facts| facts.ended.is_some()).await?;
        }
        Ok(())
    }

    /// Until all traffic is back, and that is told to all who are to hear it.
    pub async fn taken_back(&mut self) -> anyhow::Result<()> {
        self.until(30, "the end of the rollback", |facts| facts.rolled_back.is_some()).await?;
        self.until(30, "the message that it was rolled back", |facts| {
            ["#deploys", "#ops"].iter().all(|channel| facts.shown(channel, "was rolled back"))
        })
        .await?;
        self.noted("rolled-back").await
    }

    /// Until deployment-state has noted how it ended.
    pub async fn noted(&mut self, how: &str) -> anyhow::Result<()> {
        let what = format!("the note of {STATE} that it {how}");
        self.until(30, &what, |facts| facts.noted.iter().any(|noted| noted.starts_with(how))).await
    }

    /// Pushes the same image under another tag, and awaits what becomes of that.
    pub async fn again(&mut self, tag: &str) -> anyhow::Result<()> {
        let digest = self.stage.scene.push(self.facts.new, tag)?;
        ensure!(digest == self.facts.digest, "the second push is of another image, {digest}");
        self.until(30, "the decision on the second push", |facts| facts.decisions.len() > 1).await
    }

    /// Tells what happens until something holds. Errors: it did not within so many real seconds.
    pub async fn until(
        &mut self,
        seconds: u64,
        what: &str,
        holds: impl Fn(&Facts) -> bool,
    ) -> anyhow::Result<()> {
        let end = Instant::now() + Duration::from_secs(seconds);
        while !holds(&self.facts) {
            if Instant::now() > end {
                bail!("waited {seconds} seconds for {what}");
            }
            tokio::time::sleep(LOOK).await;
            self.look()?;
            self.traffic();
        }
        Ok(())
    }

    fn look(&mut self) -> anyhow::Result<()> {
        self.follower.look(&mut self.stage.scene);
        while let Some((at, news)) = self.follower.next(&self.facts) {
            self.tell(at, news)?;
        }
        Ok(())
    }

    /// What a listener served in this act: production's, or the test listener's next to it.
    fn spells(&self, listener: usize) -> Vec<Spell> {
        let scene = &self.stage.scene;
        let ports = [scene.service.port, scene.service.port + 1];
        since(&scene.cloud.served(ports[listener]), &self.beginning[listener])
    }

    /// In production.
    pub fn served(&self) -> Vec<Spell> {
        self.spells(0)
    }

    /// What the proxy served since it was last told; a live line in between.
    fn traffic(&mut self) {
        let shares = Shares::of(&self.served(), &self.sides);
        if self.beat.elapsed() >= BEAT {
            return self.serve(self.stage.scene.cloud.now(), shares);
        }
        let fresh = shares.since(&self.told);
        self.stage.paper.live(fresh.old, fresh.new, &fresh.told(self.facts.old, self.facts.new));
    }

    pub fn serve(&mut self, at: Ms, until: Shares) {
        let fresh = until.since(&self.told);
        if fresh.total() > 0 {
            self.stage.paper.line(at, "served", &fresh.told(self.facts.old, self.facts.new));
        }
        (self.told, self.beat) = (until, Instant::now());
    }

    /// A last second of traffic, then every count and what is live.
    pub async fn end(mut self) -> anyhow::Result<Facts> {
        let before = Shares::of(&self.served(), &self.sides);
        tokio::time::sleep(CALM).await;
        self.look()?;
        self.facts.clients = self.traffic.end().await?;
        self.deployment_facts()?;
        let (spells, tested, sides) = (self.served(), self.spells(1), &self.sides);
        let facts = &mut self.facts;
        facts.proxy = Shares::of(&spells, sides);
        facts.errors = Shares::errors(&spells, sides);
        facts.last = facts.proxy.since(&before);
        facts.canary = at_weight(&spells, sides, 10);
        facts.tested = Shares::of(&tested, sides);
        facts.most = facts.most.max(greatest_weight(&spells, &sides.new));
        facts.image = image(&self.stage.scene.live()?);
        self.count();
        Ok(self.facts)
    }

    /// What CodeDeploy and ECS say of what was deployed.
    fn deployment_facts(&mut self) -> anyhow::Result<()> {
        let Some(deployment) = self.facts.deployment().map(str::to_owned) else { return Ok(()) };
        let scene = &mut self.stage.scene;
        let (info, revision) = (scene.deployment(&deployment)?, scene.deployed(&deployment)?);
        self.facts.error = info["errorInformation"]["code"].as_str().map(str::to_owned);
        let tags = revision["tags"].as_array().into_iter().flatten();
        self.facts.tags =
            tags.map(|tag| (text(&tag["key"]).to_owned(), text(&tag["value"]).to_owned())).collect();
        Ok(())
    }

    fn count(&self) {
        let (facts, now) = (&self.facts, self.stage.scene.cloud.now());
        let Facts { old, new, canary, proxy, clients, .. } = facts;
        if canary.total() > 0 {
            self.stage.paper.line(now, "at 10%", &format!("the proxy served {}", canary.told(old, new)));
        }
        let counts = format!("{} of {} and {} of {}", proxy.old, old.name, proxy.new, new.name);
        let told = format!("the proxy served {counts}; its clients were answered {clients}");
        self.stage.paper.line(now, "in all", &told);
    }
}
