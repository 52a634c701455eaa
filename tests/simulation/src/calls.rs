//! The calls that handlers make of AWS, of Slack and of a service under test: numbered, and
//! where they end their handler.
//!
//! Calls of all functions are numbered in the order in which they are made. A crash names one
//! of these numbers, and what becomes of the call and of its handler.

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use fastrand::Rng;
use serde_json::Value;
use tokio::sync::Notify;

use crate::turns::Turns;

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Crash {
    /// The handler ends before it.
    Before,
    /// It is executed, and the handler ends before it has the answer.
    After,
    /// It is executed, its answer is lost, and the handler goes on.
    AnswerLost,
}

impl Crash {
    pub const ALL: [Self; 3] = [Self::Before, Self::After, Self::AnswerLost];
}

/// What becomes of an event whose handler crashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redelivery {
    /// Lambda delivers it again, as it does with what is invoked asynchronously.
    Again,
    /// It is lost.
    Never,
}

/// What a call does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    /// It tells somebody, and no function ever reads it.
    Tell,
}

/// What of the world a call reads or changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What functions only read: images, alarms, secrets.
    Given,
    /// A task definition, with its tags, by a number for its name.
    Definition(u64),
    /// The newest of a family, or all of it.
    Family,
    /// A service, with its tags, its deployments and their hooks; of none in particular, all.
    Deployments(Option<&'static str>),
    /// Tasks that a hook starts.
    Tasks,
    Databases,
    /// Not known: it may be any.
    Any,
}

/// A call as another one may meet it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    pub access: Access,
    pub part: Part,
}

/// In the names of reads of what functions only read.
const GIVEN: [&str; 4] = ["Image", "Layer", "Alarm", "Secret"];

impl Touch {
    fn of(request: &HttpRequest, what: &str) -> Self {
        let body = request.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
        let deployments = || Part::Deployments(service(request, &body));
        let part = match what {
            "DescribeTaskDefinition" => definition(&body, "taskDefinition"),
            "ListTaskDefinitions" | "RegisterTaskDefinition" => Part::Family,
            "TagResource" | "UntagResource" if body.contains(":task-definition/") => {
                definition(&body, "resourceArn")
            }
            "TagResource" | "UntagResource" if body.contains(":service/") => deployments(),
            "RunTask" | "StopTask" | "ListTasks" | "DescribeTasks" => Part::Tasks,
            _ if what.contains("DB") => Part::Databases,
            _ if what.contains("Deployment") || what.contains("Service") || what.contains("Lifecycle") => {
                deployments()
            }
            // The application answers as its deployment has come.
            _ if what.contains(' ') || what == "GetApplicationRevision" => deployments(),
            _ if access(what) == Access::Read && GIVEN.iter().any(|given| what.contains(given)) => {
                Part::Given
            }
            _ => Part::Any,
        };
        Self { access: access(what), part }
    }

    /// Whether two calls come to the same in either order.
    pub fn commutes(self, other: Self) -> bool {
        let reads = self.access == Access::Read && other.access == Access::Read;
        let tells = self.access == Access::Tell || other.access == Access::Tell;
        reads || tells || !self.part.meets(other.part)
    }
}

impl Part {
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            // The newest of a family may be any.
            (Self::Family, Self::Definition(_)) | (Self::Definition(_), Self::Family) => true,
            (Self::Deployments(one), Self::Deployments(two)) => one.is_none() || two.is_none() || one == two,
            _ => self == other,
        }
    }
}

/// The task definition that a member of a body names.
fn definition(body: &str, member: &str) -> Part {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let name = body[member].as_str().and_then(|name| name.rsplit('/').next());
    // Without a revision it is the newest.
    name.filter(|name| name.contains(':')).map_or(Part::Family, |name| {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Part::Definition(hasher.finish())
    })
}

/// The service that a call is about, if it names one alone: CodeDeploy deploys `api` only.
fn service(request: &HttpRequest, body: &str) -> Option<&'static str> {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    match (target.starts_with("CodeDeploy") || body.contains("api"), body.contains("web")) {
        (true, false) => Some("api"),
        (false, true) => Some("web"),
        _ => None,
    }
}

/// A call that a function made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    pub function: &'static str,
    /// Which of all invocations made it.
    pub invocation: usize,
    /// The operation, or method and URL.
    pub what: String,
    pub access: Access,
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.what, self.function)
    }
}

/// Where handlers of a run end.
#[derive(Debug, Clone)]
pub struct Plan {
    pub crashes: BTreeMap<usize, Crash>,
    pub redelivery: Redelivery,
    pub seed: u64,
}

impl Plan {
    pub fn none() -> Self {
        Self { crashes: BTreeMap::new(), redelivery: Redelivery::Again, seed: 0 }
    }
}

/// The calls of a run, shared by all its handlers.
#[derive(Debug, Clone)]
pub struct Calls {
    state: Arc<Mutex<State>>,
    pub turns: Turns,
}

#[derive(Debug)]
struct State {
    plan: Plan,
    made: Vec<Called>,
    invocations: usize,
    /// Calls of a hundred at which the handler ends, by chance.
    share: u8,
    chance: Rng,
}

/// One invocation of a function.
#[derive(Debug, Clone)]
pub struct Invoked {
    pub function: &'static str,
    pub number: usize,
    dead: Arc<Notify>,
}

tokio::task_local! {
    /// Whose call it is.
    static INVOKED: Invoked;
}

impl Calls {
    pub fn new(plan: Plan, turns: Turns) -> Self {
        let chance = Rng::with_seed(plan.seed);
        let state = State { plan, made: Vec::new(), invocations: 0, share: 0, chance };
        Self { state: Arc::new(Mutex::new(state)), turns }
    }

    pub fn redelivery(&self) -> Redelivery {
        self.lock().plan.redelivery
    }

    /// All calls so far, by number.
    pub fn made(&self) -> Vec<Called> {
        self.lock().made.clone()
    }

    /// From now on, so many calls of a hundred end their handler.
    pub fn crash_by_chance(&self, share: u8) {
        self.lock().share = share;
    }

    /// Runs a handler until it ends, or crashes: then there is nothing.
    pub async fn run<T>(&self, function: &'static str, handler: impl Future<Output = T>) -> Option<T> {
        let number = {
            let mut state = self.lock();
            state.invocations += 1;
            state.invocations
        };
        self.turns.begins(function, number);
        let dead = Arc::new(Notify::new());
        let invoked = Invoked { function, number, dead: Arc::clone(&dead) };
        let outcome = tokio::select! {
            biased;
            () = dead.notified() => None,
            done = INVOKED.scope(invoked, handler) => Some(done),
        };
        self.turns.ends(number);
        outcome
    }

    /// The cloud's client, with the crashes that are planned.
    pub fn http_client(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Client { inner, calls: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, invoked: &Invoked, request: &HttpRequest) -> (Touch, Option<Crash>) {
        let mut state = self.lock();
        let what = named(request);
        let touch = Touch::of(request, &what);
        let number = state.made.len();
        let (function, invocation) = (invoked.function, invoked.number);
        state.made.push(Called { function, invocation, what, access: touch.access });
        let mut crash = state.plan.crashes.remove(&number);
        if crash.is_none() && state.share > 0 && state.chance.u8(0..100) < state.share {
            crash = Some(Crash::ALL[state.chance.usize(0..Crash::ALL.len())]);
        }
        (touch, crash)
    }
}

fn access(what: &str) -> Access {
    let reads = ["Get", "List", "Describe", "BatchGet", "GET ", "HEAD "];
    // Slack's own state is read by notify alone.
    let tells = ["Publish", "PutMetricData", "POST slack.com"];
    if tells.iter().any(|prefix| what.starts_with(prefix)) {
        Access::Tell
    } else if reads.iter().any(|prefix| what.starts_with(prefix)) {
        Access::Read
    } else {
        Access::Write
    }
}

/// The operation of a call of AWS, or method and URL.
fn named(request: &HttpRequest) -> String {
    let target = request.headers().get("x-amz-target");
    if let Some(operation) = target.and_then(|target| target.rsplit('.').next()) {
        return operation.to_owned();
    }
    let uri = request.uri();
    let path = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if let Some((_, operation)) = path.rsplit_once("/operation/") {
        return operation.to_owned();
    }
    let body = request.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
    let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
    action.map_or_else(|| format!("{} {path}", request.method()), str::to_owned)
}

#[derive(Debug)]
struct Client {
    inner: SharedHttpClient,
    calls: Calls,
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector { inner, calls: self.calls.clone() })
    }
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    calls: Calls,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let inner = self.inner.clone();
        let Ok(invoked) = INVOKED.try_with(Clone::clone) else { return inner.call(request) };
        let (touch, crash) = self.calls.begin(&invoked, &request);
        let turn = self.calls.turns.stand(invoked.number, touch, &request);
        HttpConnectorFuture::new(async move {
            // Whoever lets all through drops the senders.
            let _turn = match turn {
                Some(turn) => turn.await.ok(),
                None => None,
            };
            match crash {
                None => inner.call(request).await,
                Some(Crash::Before) => {
                    invoked.dead.notify_one();
                    pending().await
                }
                Some(Crash::After) => {
                    let _ = inner.call(request).await;
                    invoked.dead.notify_one();
                    pending().await
                }
                Some(Crash::AnswerLost) => {
                    let _ = inner.call(request).await;
                    Err(ConnectorError::io("the connection broke before the answer (planned)".into()))
                }
            }
        })
    }
}
