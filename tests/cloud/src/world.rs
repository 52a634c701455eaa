//! The cloud with a simulated world around it, on virtual time: no process, no
//! socket, the same run for the same seed.
//!
//! A container runs the sample programs, by its command and environment: see
//! [`crate::sample_app`]. A command that names neither stands for the application.

mod containers;
mod requests;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::effect::FunctionError;
use crate::http::{Request, Response};
use crate::weighted::Rotation;
use crate::{Answer, Cloud, Effect, Fault, Ms, Report, SECOND, Settings, Ticket};

use containers::Container;

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

#[derive(Clone)]
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
    /// A container writes, if it still runs.
    Writes {
        task: String,
        container: String,
        lines: Vec<String>,
    },
    /// A second's requests on a listener.
    Traffic(u16),
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
            Happening::Writes { task, container, lines } => self.writes(&task, &container, lines),
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
            Effect::StopTask { task } => self.stop(&task),
            Effect::CheckHealth { target_group, address, port, path, timeout, codes } => {
                let (after, healthy, detail) = self.health((address, port), &path, timeout, &codes);
                let report = Report::Health { target_group, address, port, healthy, detail };
                self.later(after, Happening::Report(report));
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
}

impl crate::fixture::Call for World {
    fn call(&mut self, service: &str, operation: &str, input: Value) -> Result<Value, Fault> {
        Self::call(self, service, operation, input)
    }
}
