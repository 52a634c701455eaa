//! Where a handler stops: at one of its calls of AWS, of Slack or of a service under test.
//!
//! Calls of all functions are numbered in the order in which they are made. A crash names one
//! of these numbers, and what becomes of the call and of its handler.

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::sync::Notify;

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

/// Which calls crash, shared by all handlers of a run.
#[derive(Debug, Clone)]
pub struct Crashes(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    planned: BTreeMap<usize, Crash>,
    redelivery: Redelivery,
    /// What was called so far: the function, and the host or the operation.
    calls: Vec<Called>,
}

/// A call that a function made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    pub function: &'static str,
    pub what: String,
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.what, self.function)
    }
}

impl Crashes {
    pub fn new(planned: BTreeMap<usize, Crash>, redelivery: Redelivery) -> Self {
        Self(Arc::new(Mutex::new(State { planned, redelivery, calls: Vec::new() })))
    }

    pub fn none() -> Self {
        Self::new(BTreeMap::new(), Redelivery::Again)
    }

    pub fn redelivery(&self) -> Redelivery {
        self.lock().redelivery
    }

    /// All calls so far, by number.
    pub fn calls(&self) -> Vec<Called> {
        self.lock().calls.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, function: &'static str, request: &HttpRequest) -> Option<Crash> {
        let mut state = self.lock();
        let what = named(request);
        let number = state.calls.len();
        state.calls.push(Called { function, what });
        state.planned.remove(&number)
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

/// One invocation of a function: its HTTP client, and how it ends.
#[derive(Debug, Clone)]
pub struct Invoked {
    function: &'static str,
    crashes: Crashes,
    dead: Arc<Notify>,
}

impl Invoked {
    pub fn new(function: &'static str, crashes: &Crashes) -> Self {
        Self { function, crashes: crashes.clone(), dead: Arc::default() }
    }

    /// The cloud's client, with the crashes that are planned.
    pub fn http_client(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Client { inner, invoked: self.clone() })
    }

    /// Runs the handler until it ends, or crashes: then there is nothing.
    pub async fn run<T>(&self, handler: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.dead.notified() => None,
            done = handler => Some(done),
        }
    }
}

#[derive(Debug)]
struct Client {
    inner: SharedHttpClient,
    invoked: Invoked,
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector { inner, invoked: self.invoked.clone() })
    }
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    invoked: Invoked,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let crash = self.invoked.crashes.begin(self.invoked.function, &request);
        let dead = Arc::clone(&self.invoked.dead);
        let inner = self.inner.clone();
        HttpConnectorFuture::new(async move {
            match crash {
                None => inner.call(request).await,
                Some(Crash::Before) => {
                    dead.notify_one();
                    pending().await
                }
                Some(Crash::After) => {
                    let _ = inner.call(request).await;
                    dead.notify_one();
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
