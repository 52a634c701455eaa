//! What each thing that happens is told as, and which facts it is.

use cloud::Ms;
use cloud::timeline::{Entry, Kind};
use serde_json::Value;

use crate::facts::{Asked, Check, Decision, Ended, Guarded, Move, Red, Verdict};
use crate::follow::News;
use crate::functions::{ALARM, FUNCTION, HOOK, STATE};
use crate::revision::differences;
use crate::scene::SERVICE;
use crate::shares::before;
use crate::story::{Story, text};

impl Story<'_> {
    pub fn tell(&mut self, at: Ms, news: News) -> anyhow::Result<()> {
        match news {
            News::Entry(entry) => self.entry(&entry),
            News::Logged(FUNCTION, line) if line["decision"].is_string() => self.decision(at, &line)?,
            News::Logged(HOOK, line) if line["check"].is_string() => self.check(at, &line),
            News::Logged(HOOK, line) if line["verdict"].is_string() => self.verdict(at, &line),
            News::Logged(ALARM, line) if line["decision"].is_string() => self.guarded(at, &line),
            News::Logged(STATE, line) if line["deployment"].is_string() && line["decision"].is_string() => {
                self.settled(at, &line);
            }
            News::Logged(function, line) if ["WARN", "ERROR"].iter().any(|level| line["level"] == *level) => {
                let told = format!("{function}: {} {}", text(&line["level"]), text(&line["message"]));
                self.line(at, "log", &told);
            }
            // Each step in between.
            News::Logged(..) => {}
        }
        Ok(())
    }

    fn line(&self, at: Ms, topic: &str, told: &str) {
        self.stage.paper.line(at, topic, told);
    }

    fn because(&self, line: &Value) {
        self.stage.paper.detail(&format!("because {}", text(&line["message"])));
    }

    fn guarded(&mut self, at: Ms, line: &Value) {
        let [kind, alarm, service] =
            ["decision", "alarm", "service"].map(|name| text(&line[name]).to_owned());
        self.line(at, "decision", &format!("{ALARM}: {kind} {service}, on {alarm}"));
        self.because(line);
        let did = line["did"].as_str().map(str::to_owned);
        self.facts.guarded.push(Guarded { alarm, kind, did });
    }

    fn settled(&self, at: Ms, line: &Value) {
        let [kind, deployment] = ["decision", "deployment"].map(|name| text(&line[name]));
        self.line(at, "state", &format!("{STATE}: {deployment} {kind}"));
    }

    fn check(&mut self, at: Ms, line: &Value) {
        let [check, outcome] = ["check", "outcome"].map(|name| text(&line[name]));
        self.line(at, "check", &format!("{check}: {outcome}"));
        self.facts.checks.push(Check { at, outcome: outcome.to_owned() });
    }

    fn verdict(&mut self, at: Ms, line: &Value) {
        let [status, event, reason] =
            ["verdict", "event", "message"].map(|name| text(&line[name]).to_owned());
        self.line(at, "hook", &format!("{HOOK} reports {status} for {event}"));
        self.because(line);
        self.facts.verdicts.push(Verdict { event, status, reason });
    }

    fn decision(&mut self, at: Ms, line: &Value) -> anyhow::Result<()> {
        let started = line["started"].as_str();
        let [kind, digest, reason] =
            ["decision", "digest", "message"].map(|name| text(&line[name]).to_owned());
        self.line(at, "decision", &format!("{FUNCTION}: {kind} {}", text(&line["service"])));
        self.because(line);
        self.facts.decisions.push(Decision { kind, digest, reason, started: started.map(str::to_owned) });
        let Some(deployment) = started else { return Ok(()) };
        let new = self.stage.scene.deployed(deployment)?;
        let name = |revision: &Value| format!("{SERVICE}:{}", revision["taskDefinition"]["revision"]);
        self.line(at, "revision", &format!("{} → {}", name(&self.before), name(&new)));
        differences(&self.before, &new).iter().for_each(|difference| self.stage.paper.detail(difference));
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) {
        match entry.kind {
            Kind::Call => self.call(entry.at, &entry.data),
            Kind::Event if entry.data["detail-type"] == "ECR Image Action" => self.pushed(entry),
            Kind::Message if entry.text.starts_with("slack ") => {
                self.line(entry.at, "slack", entry.text.trim_start_matches("slack "));
                self.facts.posts.push(entry.text.clone());
            }
            Kind::Function if !entry.data["error"].is_null() => self.line(entry.at, "function", &entry.text),
            Kind::Traffic if !entry.data["weights"].is_null() => self.weights(entry),
            Kind::Alarm => {
                self.line(entry.at, "alarm", &entry.text);
                if entry.data["to"] == "ALARM" {
                    self.stage.paper.detail(text(&entry.data["reason"]));
                    let alarm = text(&entry.data["alarm"]).to_owned();
                    self.facts.reds.push(Red { at: entry.at, alarm });
                }
            }
            Kind::Deployment => self.deployment(entry),
            _ => {}
        }
    }

    fn call(&mut self, at: Ms, data: &Value) {
        let asked = || Asked {
            at,
            caller: text(&data["caller"]).to_owned(),
            input: data["input"].clone(),
            refused: data["error"].as_str().map(str::to_owned),
        };
        match text(&data["operation"]) {
            "CreateDeployment" => self.facts.created.push(asked()),
            "PutLifecycleEventHookExecutionStatus" => self.facts.reported.push(asked()),
            "TagResource" if asked().is_by(STATE) => {
                let tags = data["input"]["tags"].as_array().into_iter().flatten();
                let ended = tags.filter(|tag| tag["key"] == "sluice:ended");
                self.facts.noted.extend(ended.map(|tag| text(&tag["value"]).to_owned()));
            }
            "StopDeployment" => {
                let stop = asked();
                let (by, id) = (stop.by().to_owned(), text(&stop.input["deploymentId"]).to_owned());
                let came = stop.refused.as_deref().unwrap_or("accepted");
                self.line(at, "stop", &format!("{by} calls StopDeployment of {id}: {came}"));
                self.facts.stops.push(stop);
            }
            _ => {}
        }
    }

    fn pushed(&mut self, entry: &Entry) {
        self.facts.pushed.get_or_insert(entry.at);
        let detail = &entry.data["detail"];
        let [repository, tag, digest] =
            ["repository-name", "image-tag", "image-digest"].map(|name| text(&detail[name]));
        self.line(entry.at, "push", &format!("{repository}:{tag} is {digest}"));
    }

    fn weights(&mut self, entry: &Entry) {
        let (sides, port) = (self.sides.clone(), self.stage.scene.service.port);
        let [old, new] =
            [&sides.old, &sides.new].map(|group| entry.data["weights"][group].as_u64().unwrap_or(0));
        let production = entry.data["port"] == port;
        if production {
            let until = before(&self.served(), &sides, [old, new]);
            self.serve(entry.at, until);
            self.facts.most = self.facts.most.max(new);
            self.facts.moves.push(Move { at: entry.at, old, new });
        }
        let listener = if production { "production" } else { "test" };
        let (first, second) = (self.facts.old.name, self.facts.new.name);
        self.line(
            entry.at,
            "traffic",
            &format!("{listener} listener: {old}% to {first}, {new}% to {second}"),
        );
    }

    fn deployment(&mut self, entry: &Entry) {
        let (data, at) = (&entry.data, entry.at);
        let (Some(id), Some(status)) = (data["deployment"].as_str(), data["status"].as_str()) else { return };
        let ours = self.facts.deployment() == Some(id);
        if data["creator"] == "codeDeployRollback" {
            self.facts.rollback = Some(id.to_owned());
        }
        match data["event"].as_str() {
            Some(_) if status == "InProgress" => {}
            Some(event) => {
                let rollback = if ours { "" } else { "rollback: " };
                self.line(at, "lifecycle", &format!("{rollback}{event} {}", status.to_lowercase()));
                if ours {
                    self.facts.events.insert(event.to_owned(), status.to_owned());
                }
            }
            None => {
                let by = match text(&data["creator"]) {
                    "" => String::new(),
                    "user" => format!(" by {}", self.facts.creator()),
                    other => format!(" by {other}"),
                };
                self.line(at, "deployment", &format!("{}{by}", entry.text));
                let ended = ["Succeeded", "Failed", "Stopped"].contains(&status);
                let ended = ended.then(|| Ended { at, status: status.to_owned() });
                if ours {
                    self.facts.ended = ended;
                } else if self.facts.rollback.as_deref() == Some(id) {
                    self.facts.rolled_back = ended;
                }
            }
        }
    }
}
