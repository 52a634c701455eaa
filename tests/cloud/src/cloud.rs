//! One account in one region: state, time, timers, and the way in and out.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::effect::{Effect, Report};
use crate::fault::Fault;
use crate::http::{Request, Response};
use crate::ids::Ids;
use crate::services::{self, Timer};
use crate::slack::{self, Slack};
use crate::time::{self, Ms};
use crate::timeline::{Entry, Kind};
use crate::wire;

/// What may be chosen. Delays are virtual milliseconds.
#[derive(Debug, Clone)]
pub struct Settings {
    pub account: String,
    /// `None`: the region of the first signed request.
    pub region: Option<String>,
    pub partition: String,
    pub seed: u64,
    /// First address that tasks get; 253 from here are used, each by one task at a time.
    pub first_task_address: Ipv4Addr,
    /// How many there are from that one on.
    pub task_addresses: u32,
    /// Scheme and authority of this cloud, as functions and clients reach it.
    pub endpoint: String,
    /// How long ListDeployments does not yet know a new deployment.
    pub list_deployments_lag: Ms,
    /// Whether an alarm that is red when a CodeDeploy deployment starts stops it (unverified on AWS).
    pub red_alarm_stops_at_start: bool,
    /// Whether `deployments` of a service under CODE_DEPLOY or EXTERNAL shows its task sets, so
    /// that the waiter `services-stable` returns. On AWS the list is empty, and the waiter
    /// never does (botocore #2865).
    pub task_sets_as_deployments: bool,
    /// The most rows that a page of ECR, ECS, CodeDeploy or CloudWatch has: AWS may give fewer
    /// than are asked for.
    pub longest_page: usize,
    /// How long an event takes from its source to its targets.
    pub event_delay: Ms,
    /// Whether a listener could be opened on a port of this machine.
    pub port_is_free: fn(u16) -> bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account: "123456789012".into(),
            region: None,
            partition: "aws".into(),
            seed: 0,
            first_task_address: Ipv4Addr::new(127, 77, 0, 2),
            task_addresses: 65_000,
            endpoint: "http://127.0.0.1".into(),
            list_deployments_lag: 2_000,
            red_alarm_stops_at_start: true,
            task_sets_as_deployments: true,
            longest_page: usize::MAX,
            event_delay: 500,
            port_is_free: |_| true,
        }
    }
}

/// A pending answer: a long poll, or a function that has not returned yet.
pub type Ticket = u64;

/// Where the layers of images are downloaded from: S3's part, by a link that ECR gives.
pub(crate) const BLOBS: &str = "/_cloud/blobs/";

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Ready(Response),
    /// Ask [`Cloud::take`] after each [`Effect::Answered`].
    Pending(Ticket),
}

/// What a service's operation gives back.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Now(Value),
    Later(Ticket),
}

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        Self::Now(value)
    }
}

/// One API call on its way to a service.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    pub operation: &'a str,
    /// Validated against the model: required members are there, types, enums, lengths and
    /// patterns are right, `null` members are gone.
    pub input: &'a Value,
    /// Access key id: who asks.
    pub caller: &'a str,
}

#[derive(Clone)]
pub struct Cloud {
    pub settings: Settings,
    pub(crate) now: Ms,
    pub(crate) ids: Ids,
    timers: BTreeMap<(Ms, u64), Timer>,
    timer_count: u64,
    effects: Vec<Effect>,
    timeline: Vec<Entry>,
    tickets: u64,
    waiting: BTreeMap<Ticket, wire::Envelope>,
    answered: BTreeMap<Ticket, Response>,
    pub(crate) state: services::State,
    /// Beside AWS: where messages end.
    pub slack: Slack,
}

impl Cloud {
    pub fn new(settings: Settings, now: Ms) -> Self {
        let mut cloud = Self {
            now,
            ids: Ids::new(settings.seed),
            timers: BTreeMap::new(),
            timer_count: 0,
            effects: Vec::new(),
            timeline: Vec::new(),
            tickets: 0,
            waiting: BTreeMap::new(),
            answered: BTreeMap::new(),
            state: services::State::default(),
            slack: Slack::default(),
            settings,
        };
        services::start(&mut cloud);
        cloud
    }

    /// Answers one AWS request, as it would come over HTTP.
    pub fn handle(&mut self, request: &Request, now: Ms) -> Answer {
        self.advance(now);
        let answer = match request.path().strip_prefix(BLOBS) {
            Some(digest) => Answer::Ready(services::ecr::download(self, digest)),
            None => wire::handle(self, request),
        };
        match answer {
            Answer::Ready(response) => Answer::Ready(self.dated(response)),
            pending @ Answer::Pending(_) => pending,
        }
    }

    /// Answers a request to Slack; `path` is what [`slack::path`] gave.
    pub fn slack(&mut self, path: &str, request: &Request, now: Ms) -> slack::Outcome {
        self.advance(now);
        let (outcome, notes) = self.slack.handle(path, request, self.now);
        for text in notes {
            self.note(Kind::Message, text, Value::Null);
        }
        outcome
    }

    /// Every answer of AWS carries the time by its own clock.
    fn dated(&self, mut response: Response) -> Response {
        response.headers.push(("date".to_owned(), time::http_date(self.now)));
        response
    }

    /// Calls an operation with an input as its model writes it, without a wire. Times are
    /// epoch seconds, blobs base64.
    pub fn call(&mut self, service: &str, operation: &str, input: Value, now: Ms) -> Result<Value, Fault> {
        self.advance(now);
        wire::direct(self, service, operation, input)
    }

    /// The same for whoever watches a run: what is asked leaves no trace.
    pub fn ask(&mut self, service: &str, operation: &str, input: Value) -> Result<Value, Fault> {
        let (timeline, ids) = (std::mem::take(&mut self.timeline), self.ids.clone());
        let answer = wire::direct(self, service, operation, input);
        (self.timeline, self.ids) = (timeline, ids);
        answer
    }

    /// A copy to read old state from: without the timeline, which only grows.
    pub fn snapshot(&mut self) -> Self {
        let timeline = std::mem::take(&mut self.timeline);
        let copy = self.clone();
        self.timeline = timeline;
        copy
    }

    /// Takes note of something that happened outside.
    pub fn report(&mut self, report: Report, now: Ms) {
        self.advance(now);
        services::report(self, report);
    }

    /// Fires all timers due until `now`, in order. Time never goes back.
    pub fn advance(&mut self, now: Ms) {
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let ((at, _), timer) = entry.remove_entry();
            self.now = self.now.max(at);
            services::fire(self, timer);
        }
        self.now = self.now.max(now);
    }

    /// When [`Cloud::advance`] has something to do next.
    pub fn next_wakeup(&self) -> Option<Ms> {
        self.timers.keys().next().map(|(at, _)| *at)
    }

    /// What is asked of the outside since the last time, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// A pending answer, once it is there.
    pub fn take(&mut self, ticket: Ticket) -> Option<Response> {
        self.answered.remove(&ticket)
    }

    pub fn now(&self) -> Ms {
        self.now
    }

    pub fn timeline(&self) -> &[Entry] {
        &self.timeline
    }

    /// The whole state as JSON, for reading.
    pub fn dump(&self) -> Value {
        json!({
            "now": self.now,
            "account": self.settings.account,
            "region": self.region(),
            "timers": self.timers.len(),
            "state": self.state,
        })
    }

    pub fn region(&self) -> &str {
        self.settings.region.as_deref().unwrap_or("us-east-1")
    }

    /// `arn:<partition>:<service>:<region>:<account>:<resource>`
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let Settings { partition, account, .. } = &self.settings;
        format!("arn:{partition}:{service}:{}:{account}:{resource}", self.region())
    }

    /// The host of this account's image registry.
    pub fn registry(&self) -> String {
        format!("{}.dkr.ecr.{}.amazonaws.com", self.settings.account, self.region())
    }

    // What services use, beside the state.

    /// Fires `timer` after `delay`. A timer cannot be taken back: whoever gets it
    /// looks whether it still means something.
    pub(crate) fn after(&mut self, delay: Ms, timer: impl Into<Timer>) {
        self.timer_count += 1;
        self.timers.insert((self.now + delay, self.timer_count), timer.into());
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn note(&mut self, kind: Kind, text: impl Into<String>, data: Value) {
        self.timeline.push(Entry { at: self.now, kind, text: text.into(), data });
    }

    /// Adds how a call ended to its entry.
    pub(crate) fn outcome(&mut self, entry: usize, text: &str, error: Value) {
        if let Some(entry) = self.timeline.get_mut(entry) {
            entry.text = format!("{} {text}", entry.text);
            entry.data["error"] = error;
        }
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    pub(crate) fn wait(&mut self, ticket: Ticket, envelope: wire::Envelope) {
        self.waiting.insert(ticket, envelope);
    }

    /// Answers a call that a service put off with [`Reply::Later`].
    pub(crate) fn complete(&mut self, ticket: Ticket, result: Result<Value, Fault>) {
        if let Some(envelope) = self.waiting.remove(&ticket) {
            let answer = envelope.answer(self, result);
            let response = self.dated(answer);
            self.answered.insert(ticket, response);
            self.effect(Effect::Answered);
        }
    }
}
