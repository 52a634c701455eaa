//! The cloud behind the SDK's HTTP client interface, on tokio's clock.
//!
//! With the clock paused an hour of canary takes no time, and the code under test,
//! SDK with its signing, retries and timeouts included, is what runs in production.
//! Faults are injected at each call, by seed or by script.
//!
//! Requests that are not for AWS go through the same client: to listeners on `localhost`, and
//! to tasks by their addresses ([`World::request`]).

mod client;
mod destination;

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::effect::FunctionError;
use crate::http::{Request, Response};
use crate::world::{Invocation, World};
use crate::{Answer, Cloud, MINUTE, Ms, Report, Settings, wire};

/// What befalls one call, of AWS or over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injected {
    /// HTTP: 429.
    Throttled,
    /// HTTP: 500, which no target gave.
    ServerError,
    /// The call never arrives; the client waits so long and gives up.
    TimeoutBefore(Ms),
    /// Executed, but the connection breaks before the answer.
    AnswerLost,
    /// Executed and answered after so long.
    Slow(Ms),
    /// A read that is answered from the state of so long ago; a write is not touched, nor is HTTP.
    Stale(Ms),
}

/// Which calls are hit: first the script, a call an entry (`None` lets it pass), then by chance.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    pub script: VecDeque<Option<Injected>>,
    /// Chance of each fault at each call, 0 to 1; together at most 1.
    pub chances: Vec<(f64, Injected)>,
    pub seed: u64,
}

type Running = Pin<Box<dyn Future<Output = Result<Value, FunctionError>> + Send>>;
type Function = Arc<dyn Fn(Value) -> Running + Send + Sync>;
type Observer = Arc<dyn Fn(&mut World, &str, &str) + Send + Sync>;

struct Shared {
    world: World,
    began: Instant,
    start: Ms,
    script: VecDeque<Option<Injected>>,
    chances: Vec<(f64, Injected)>,
    chance: fastrand::Rng,
    /// Earlier states, oldest first, kept only where stale reads can happen.
    past: VecDeque<(Ms, Cloud)>,
    /// How long each call takes, there and back.
    call_time: Ms,
    calls: u64,
    functions: BTreeMap<String, Function>,
    running: Vec<AbortHandle>,
    observer: Option<Observer>,
    /// How far a signature's time may be off; any, if not set.
    tolerance: Option<Ms>,
}

/// The cloud in this process. Dropping the last clone ends everything it runs.
#[derive(Clone)]
pub struct InProcess {
    shared: Arc<Mutex<Shared>>,
    changed: Arc<Notify>,
    _driver: Arc<Driver>,
}

struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl InProcess {
    /// Must be called within a tokio runtime; `start` is the virtual time of now.
    pub fn new(settings: Settings, start: Ms) -> Self {
        Self::with_faults(settings, start, Faults::default())
    }

    pub fn with_faults(settings: Settings, start: Ms, faults: Faults) -> Self {
        Self::of(World::new(settings, start), faults)
    }

    /// Goes on with a world as it was.
    pub fn continued(world: World) -> Self {
        Self::of(world, Faults::default())
    }

    fn of(world: World, faults: Faults) -> Self {
        let start = world.now();
        let shared = Arc::new(Mutex::new(Shared {
            world,
            began: Instant::now(),
            start,
            script: faults.script,
            chances: faults.chances,
            chance: fastrand::Rng::with_seed(faults.seed),
            past: VecDeque::new(),
            call_time: 20,
            calls: 0,
            functions: BTreeMap::new(),
            running: Vec::new(),
            observer: None,
            tolerance: None,
        }));
        let changed = Arc::new(Notify::new());
        let driver = tokio::spawn(drive(Arc::clone(&shared), Arc::clone(&changed))).abort_handle();
        Self { shared, changed, _driver: Arc::new(Driver(driver)) }
    }

    /// For the SDK: `Config::builder().http_client(cloud.http_client())`; and for HTTP of any
    /// other kind. A connector's read timeout holds for that, not for calls of AWS.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(client::Client::new(Arc::clone(&self.shared), Arc::clone(&self.changed)))
    }

    /// The same as one connector, for code that sends requests without an SDK.
    pub fn connector(&self, read_timeout: Option<Duration>) -> SharedHttpConnector {
        let client = client::Client::new(Arc::clone(&self.shared), Arc::clone(&self.changed));
        SharedHttpConnector::new(client.patient(read_timeout))
    }

    /// Looks at, or changes, the world as it is now.
    pub fn with<T>(&self, what: impl FnOnce(&mut World) -> T) -> T {
        let mut shared = lock(&self.shared);
        shared.catch_up();
        let out = what(&mut shared.world);
        drop(shared);
        self.changed.notify_one();
        out
    }

    /// Runs an async function for a Lambda function's invocations, within its timeout.
    pub fn function<F, R>(&self, name: &str, function: F)
    where
        F: Fn(Value) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Value, FunctionError>> + Send + 'static,
    {
        let function: Function = Arc::new(move |payload| Box::pin(function(payload)));
        lock(&self.shared).functions.insert(name.to_owned(), function);
    }

    /// What befalls the calls from now on.
    pub fn faults(&self, faults: Faults) {
        let mut shared = lock(&self.shared);
        (shared.script, shared.chances) = (faults.script, faults.chances);
        shared.chance = fastrand::Rng::with_seed(faults.seed);
    }

    /// What befalls the next calls, one an entry.
    pub fn script(&self, script: impl IntoIterator<Item = Option<Injected>>) {
        lock(&self.shared).script = script.into_iter().collect();
    }

    /// How long each call takes from now on, there and back: with a fixed time the
    /// virtual clock counts sequential round trips.
    pub fn call_time(&self, time: Ms) {
        lock(&self.shared).call_time = time;
    }

    /// Ends what runs and forgets the functions, which may hold this cloud themselves.
    pub fn end(&self) {
        let mut shared = lock(&self.shared);
        let functions = std::mem::take(&mut shared.functions);
        let (running, observer) = (std::mem::take(&mut shared.running), shared.observer.take());
        drop(shared);
        running.iter().for_each(AbortHandle::abort);
        drop((functions, observer));
    }

    /// Looks at the world just before a call of AWS is executed: at service and operation.
    pub fn before_each_call(&self, look: impl Fn(&mut World, &str, &str) + Send + Sync + 'static) {
        lock(&self.shared).observer = Some(Arc::new(look));
    }

    /// Refuses what is signed at another time than now, as AWS does beyond five minutes.
    pub fn signed_within(&self, tolerance: Ms) {
        lock(&self.shared).tolerance = Some(tolerance);
    }

    /// Calls made so far: of AWS, and requests over HTTP.
    pub fn calls(&self) -> u64 {
        lock(&self.shared).calls
    }

    pub fn now(&self) -> Ms {
        lock(&self.shared).now()
    }

    /// The timeline as text, a line an entry.
    pub fn timeline(&self) -> String {
        self.with(|world| world.cloud.timeline().iter().map(|entry| format!("{entry}\n")).collect())
    }
}

/// A panic in a test's closure must not hide behind a poisoned lock.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn now(&self) -> Ms {
        self.start + u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn catch_up(&mut self) {
        let now = self.now();
        self.world.advance(now);
    }

    fn draw(&mut self) -> Option<Injected> {
        if let Some(scripted) = self.script.pop_front() {
            return scripted;
        }
        if self.chances.is_empty() {
            return None;
        }
        let mut at = self.chance.f64();
        self.chances.iter().find_map(|(chance, fault)| {
            at -= chance;
            (at < 0.0).then_some(*fault)
        })
    }

    fn can_be_stale(&self) -> bool {
        let stale = |fault: &Injected| matches!(fault, Injected::Stale(_));
        self.chances.iter().any(|(_, f)| stale(f)) || self.script.iter().flatten().any(stale)
    }

    fn remember(&mut self) {
        if self.can_be_stale() {
            let now = self.world.now();
            self.past.push_back((now, self.world.cloud.snapshot()));
            while self.past.len() > 64 || self.past.front().is_some_and(|(at, _)| at + 10 * MINUTE < now) {
                self.past.pop_front();
            }
        }
    }

    /// A read answered from the newest state that is at least so old, if one is kept.
    fn stale(&mut self, request: &Request, age: Ms) -> Option<Response> {
        let (_, operation) = wire::named(request)?;
        let read = ["Get", "List", "Describe", "BatchGet"].iter().any(|verb| operation.starts_with(verb));
        let before = self.world.now().checked_sub(age)?;
        let (at, past) = self.past.iter_mut().rev().find(|(at, _)| *at <= before).filter(|_| read)?;
        let at = *at;
        match past.snapshot().handle(request, at) {
            Answer::Ready(response) => Some(response),
            Answer::Pending(_) => None,
        }
    }
}

/// Lets virtual time pass, and runs functions.
async fn drive(shared: Arc<Mutex<Shared>>, changed: Arc<Notify>) {
    loop {
        let wait = {
            let mut state = lock(&shared);
            state.catch_up();
            for invocation in state.world.take_invocations() {
                run(&mut state, Arc::clone(&shared), Arc::clone(&changed), invocation);
            }
            let next = state.world.next_wakeup();
            next.map_or(Duration::from_secs(86_400), |at| {
                Duration::from_millis(at.saturating_sub(state.now()))
            })
        };
        tokio::select! {
            // Or a dice would say how often this goes round, and with it who is woken first.
            biased;
            () = tokio::time::sleep(wait) => {}
            () = changed.notified() => {}
        }
    }
}

fn run(state: &mut Shared, shared: Arc<Mutex<Shared>>, changed: Arc<Notify>, invocation: Invocation) {
    let Invocation { id, function, payload, timeout } = invocation;
    let code = state.functions.get(&function).cloned();
    let task = tokio::spawn(async move {
        let outcome = match code {
            Some(code) => {
                let work = tokio::spawn(code(payload));
                let abort = work.abort_handle();
                match tokio::time::timeout(Duration::from_millis(timeout), work).await {
                    Ok(Ok(outcome)) => outcome,
                    Ok(Err(e)) => Err(error("Runtime.ExitError", format!("the function ended: {e}"))),
                    Err(_) => {
                        abort.abort();
                        let seconds = Duration::from_millis(timeout).as_secs_f64();
                        Err(error(
                            "Sandbox.Timedout",
                            format!("{id} Task timed out after {seconds:.2} seconds"),
                        ))
                    }
                }
            }
            None => {
                Err(error("Runtime.InvalidEntrypoint", format!("nothing runs for function '{function}'")))
            }
        };
        let mut state = lock(&shared);
        state.catch_up();
        state.world.report(Report::Invoked { invocation: id, outcome });
        drop(state);
        changed.notify_one();
    });
    state.running.retain(|handle| !handle.is_finished());
    state.running.push(task.abort_handle());
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.running.iter().for_each(AbortHandle::abort);
    }
}

fn error(kind: &str, message: String) -> FunctionError {
    FunctionError { kind: kind.to_owned(), message }
}
