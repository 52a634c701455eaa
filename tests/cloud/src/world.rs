//! The cloud with a simulated world around it, on virtual time: no process, no
//! socket, the same run for the same seed.
//!
//! A container behaves as the sample application does with the same environment
//! (`APP_HEALTH`, `APP_ERROR_RATE`, `APP_LATENCY_MS`, `APP_START_DELAY_MS`,
//! `APP_EXIT_AFTER_MS`, `APP_EXIT_CODE`), whatever its command.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::Value;

use crate::effect::{ContainerSpec, FunctionError};
use crate::http::{Request, Response};
use crate::services::elbv2::{self, RouteAction};
use crate::weighted::Rotation;
use crate::{Answer, Cloud, Effect, Fault, Ms, Report, SECOND, Settings, Ticket};

/// How long processes take to start, and to end after SIGTERM.
const START: Ms = 500;
const END: Ms = 200;

/// A function that the world runs at once; what it does to the world happens in no time.
pub type Function = fn(&mut World, &Value) -> Result<Value, FunctionError>;

/// An invocation that nobody in here answers: the in-process driver, or the test, does.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    pub id: String,
    pub function: String,
    pub payload: Value,
    pub timeout: Ms,
}

pub struct World {
    pub cloud: Cloud,
    /// Requests served, by listener port, then by the version that answered (`-` for the
    /// balancer itself) and status.
    pub served: BTreeMap<u16, BTreeMap<(String, u16), u64>>,
    agenda: BTreeMap<(Ms, u64), Happening>,
    count: u64,
    tasks: BTreeMap<String, Vec<Container>>,
    rotations: BTreeMap<String, Rotation>,
    traffic: BTreeMap<u16, u64>,
    functions: BTreeMap<String, Function>,
    invocations: Vec<Invocation>,
}

#[derive(Debug, Clone)]
enum Happening {
    Report(Report),
    /// A second's requests on a listener.
    Traffic(u16),
}

/// A running container, as its environment makes it behave.
#[derive(Debug, Clone)]
struct Container {
    name: String,
    address: Ipv4Addr,
    version: String,
    healthy: bool,
    error_rate: f64,
    owed: f64,
    latency_ms: f64,
    listens_from: Ms,
}

impl Container {
    fn new(spec: &ContainerSpec, address: Ipv4Addr, started: Ms) -> Self {
        let number =
            |name| variable(spec, name).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let delay = number("APP_START_DELAY_MS") as Ms;
        Self {
            name: spec.name.clone(),
            address,
            version: variable(spec, "APP_VERSION").unwrap_or("unversioned").to_owned(),
            healthy: variable(spec, "APP_HEALTH") != Some("fail"),
            error_rate: number("APP_ERROR_RATE"),
            owed: 0.0,
            latency_ms: number("APP_LATENCY_MS"),
            listens_from: started + delay,
        }
    }

    fn status(&mut self) -> u16 {
        self.owed += self.error_rate;
        if self.owed < 1.0 - 1e-9 {
            return 200;
        }
        self.owed -= 1.0;
        500
    }
}

fn variable<'a>(spec: &'a ContainerSpec, name: &str) -> Option<&'a str> {
    spec.environment.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

impl World {
    pub fn new(settings: Settings, start: Ms) -> Self {
        Self {
            cloud: Cloud::new(settings, start),
            served: BTreeMap::new(),
            agenda: BTreeMap::new(),
            count: 0,
            tasks: BTreeMap::new(),
            rotations: BTreeMap::new(),
            traffic: BTreeMap::new(),
            functions: BTreeMap::new(),
            invocations: Vec::new(),
        }
    }

    pub fn now(&self) -> Ms {
        self.cloud.now()
    }

    /// When something happens next.
    pub fn next_wakeup(&self) -> Option<Ms> {
        let agenda = self.agenda.keys().next().map(|(at, _)| *at);
        self.cloud.next_wakeup().into_iter().chain(agenda).min()
    }

    /// Lets time pass, one happening after the other.
    pub fn advance(&mut self, until: Ms) {
        while let Some(at) = self.next_wakeup().filter(|at| *at <= until) {
            if self.cloud.next_wakeup().is_some_and(|timer| timer <= at) {
                self.cloud.advance(at);
                self.settle();
            } else if let Some(entry) = self.agenda.first_entry() {
                let happening = entry.remove();
                self.happens(happening, at);
            }
        }
        self.cloud.advance(until);
    }

    /// Lets time pass until something is true, at the longest until `limit` from now.
    /// Gives whether it became true.
    pub fn advance_until(&mut self, limit: Ms, mut what: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now() + limit;
        while !what(self) {
            match self.next_wakeup().filter(|at| *at <= end) {
                Some(at) => self.advance(at),
                None => {
                    self.advance(end);
                    return what(self);
                }
            }
        }
        true
    }

    /// A request over the wire, now.
    pub fn handle(&mut self, request: &Request) -> Answer {
        let now = self.now();
        let answer = self.cloud.handle(request, now);
        self.settle();
        answer
    }

    pub fn take(&mut self, ticket: Ticket) -> Option<Response> {
        self.cloud.take(ticket)
    }

    /// A call without a wire, now.
    pub fn call(&mut self, service: &str, operation: &str, input: Value) -> Result<Value, Fault> {
        let now = self.now();
        let result = self.cloud.call(service, operation, input, now);
        self.settle();
        result
    }

    /// Answers a function's invocations from now on.
    pub fn function(&mut self, name: &str, function: Function) {
        self.functions.insert(name.to_owned(), function);
    }

    /// Invocations since the last time that no function in here answers.
    pub fn take_invocations(&mut self) -> Vec<Invocation> {
        std::mem::take(&mut self.invocations)
    }

    pub fn report(&mut self, report: Report) {
        let now = self.now();
        self.cloud.report(report, now);
        self.settle();
    }

    /// Sends a listener so many requests a second from now on; 0 ends it.
    pub fn traffic(&mut self, port: u16, per_second: u64) {
        let before = self.traffic.insert(port, per_second);
        if before.unwrap_or(0) == 0 && per_second > 0 {
            self.later(SECOND, Happening::Traffic(port));
        }
    }

    fn later(&mut self, delay: Ms, happening: Happening) {
        self.count += 1;
        self.agenda.insert((self.now() + delay, self.count), happening);
    }

    fn happens(&mut self, happening: Happening, at: Ms) {
        self.cloud.advance(at);
        match happening {
            Happening::Report(report) => {
                if let Report::ContainerExited { task, container, .. } = &report
                    && !self.exits(task, container)
                {
                    return;
                }
                self.cloud.report(report, at);
            }
            Happening::Traffic(port) => {
                let requests = self.traffic.get(&port).copied().unwrap_or_default();
                if requests > 0 {
                    self.send(port, requests);
                    self.later(SECOND, Happening::Traffic(port));
                }
            }
        }
        self.settle();
    }

    /// Whether it was still running.
    fn exits(&mut self, task: &str, container: &str) -> bool {
        let Some(containers) = self.tasks.get_mut(task) else { return false };
        let before = containers.len();
        containers.retain(|c| c.name != container);
        let ran = containers.len() < before;
        if containers.is_empty() {
            self.tasks.remove(task);
        }
        ran
    }

    /// Does what the core asks for, until it asks for nothing more.
    fn settle(&mut self) {
        loop {
            let effects = self.cloud.take_effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                self.does(effect);
            }
        }
    }

    fn does(&mut self, effect: Effect) {
        match effect {
            Effect::StartTask { task, address, containers } => self.start(task, address, &containers),
            Effect::StopTask { task } => {
                for container in self.tasks.get(&task).cloned().unwrap_or_default() {
                    let exit = Report::ContainerExited {
                        task: task.clone(),
                        container: container.name,
                        exit_code: 143,
                    };
                    self.later(END, Happening::Report(exit));
                }
            }
            Effect::CheckHealth { target_group, address, port, .. } => {
                let (healthy, detail) = self.health(address);
                let report = Report::Health { target_group, address, port, healthy, detail };
                self.later(1, Happening::Report(report));
            }
            Effect::Invoke { invocation, function, payload, timeout, .. } => {
                let invocation = Invocation { id: invocation, function, payload, timeout };
                match self.functions.get(&invocation.function).copied() {
                    Some(function) => {
                        let outcome = function(self, &invocation.payload);
                        let report = Report::Invoked { invocation: invocation.id, outcome };
                        self.later(1, Happening::Report(report));
                    }
                    None => self.invocations.push(invocation),
                }
            }
            Effect::Routes | Effect::Answered | Effect::Post { .. } => {}
        }
    }

    fn start(&mut self, task: String, address: Ipv4Addr, containers: &[ContainerSpec]) {
        let started = self.now() + START;
        let running = containers.iter().map(|spec| Container::new(spec, address, started)).collect();
        self.tasks.insert(task.clone(), running);
        self.later(START, Happening::Report(Report::TaskStarted { task: task.clone() }));
        for spec in containers {
            let after = variable(spec, "APP_EXIT_AFTER_MS").and_then(|text| text.parse::<Ms>().ok());
            if let Some(after) = after {
                let exit_code =
                    variable(spec, "APP_EXIT_CODE").and_then(|text| text.parse().ok()).unwrap_or(0);
                let exit =
                    Report::ContainerExited { task: task.clone(), container: spec.name.clone(), exit_code };
                self.later(START + after, Happening::Report(exit));
            }
        }
    }

    fn at(&mut self, address: Ipv4Addr) -> Option<&mut Container> {
        self.tasks.values_mut().flatten().find(|c| c.address == address)
    }

    fn health(&mut self, address: Ipv4Addr) -> (bool, String) {
        let now = self.now();
        match self.at(address) {
            Some(c) if c.listens_from > now => (false, "Health checks failed".into()),
            Some(c) if c.healthy => (true, String::new()),
            Some(_) => (false, "Health checks failed with these codes: [503]".into()),
            None => (false, "Request timed out".into()),
        }
    }

    /// Sends requests to `/` on a listener, now.
    pub fn send(&mut self, port: u16, requests: u64) {
        let Some(route) = elbv2::routes(&self.cloud).into_iter().find(|r| r.port == port) else { return };
        let Some(RouteAction::Forward(groups)) = route.rules.last().map(|rule| rule.action.clone()) else {
            return;
        };
        let weights: Vec<_> = groups.iter().map(|g| (g.target_group.clone(), g.weight)).collect();
        let mut outcomes: BTreeMap<(Option<String>, u16), (u64, f64)> = BTreeMap::new();
        for _ in 0..requests {
            let chosen = self.rotations.entry(route.listener.clone()).or_default().next(&weights);
            let group = chosen.map(|n| &groups[n]);
            let target = group.and_then(|group| {
                let key = format!("{} {}", route.listener, group.target_group);
                let targets: Vec<_> = group.targets.iter().map(|(ip, p)| (format!("{ip}:{p}"), 1)).collect();
                self.rotations.entry(key).or_default().next(&targets).map(|n| group.targets[n].0)
            });
            let now = self.now();
            let answer = target
                .and_then(|ip| self.at(ip))
                .filter(|c| c.listens_from <= now)
                .map(|c| (c.version.clone(), c.status(), c.latency_ms));
            let (served_by, version, status, latency) = match answer {
                Some((version, status, latency)) => {
                    (group.map(|g| g.target_group.clone()), version, status, latency)
                }
                None => (None, "-".to_owned(), if target.is_some() { 502 } else { 503 }, 0.0),
            };
            *self.served.entry(port).or_default().entry((version, status)).or_default() += 1;
            let outcome = outcomes.entry((served_by, status)).or_default();
            *outcome = (outcome.0 + 1, latency);
        }
        for ((target_group, status), (count, latency_ms)) in outcomes {
            let load_balancer = route.load_balancer.clone();
            self.report(Report::Served { load_balancer, target_group, status, latency_ms, count });
        }
    }
}

impl crate::fixture::Call for World {
    fn call(&mut self, service: &str, operation: &str, input: Value) -> Result<Value, Fault> {
        Self::call(self, service, operation, input)
    }
}
