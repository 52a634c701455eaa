//! Live traffic: a steady stream of requests over connections that are kept, counted by the
//! version that answered.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Empty};
use hyper::Uri;
use hyper::body::Bytes;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::versions::name;

/// So many clients send a request each in every such span: 40 requests a second.
const CLIENTS: u32 = 4;
const EVERY: Duration = Duration::from_millis(100);

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What clients were answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Status 200, by what the version calls itself.
    pub served: BTreeMap<String, u64>,
    /// Status 5xx, by the same.
    pub errors: BTreeMap<String, u64>,
    /// Nothing that a version answers.
    pub lost: u64,
    /// What happened to the last one that failed.
    pub why: String,
}

/// What came of a request that a version answered.
enum Answer {
    Served(String),
    Error(String),
}

pub struct Traffic {
    ended: Rc<Cell<bool>>,
    counts: Rc<RefCell<Counts>>,
    clients: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// Starts on this thread, within a [`tokio::task::LocalSet`].
    pub fn to(port: u16) -> anyhow::Result<Self> {
        let uri: Uri = format!("http://localhost:{port}/").parse()?;
        let (ended, counts) = (Rc::new(Cell::new(false)), Rc::new(RefCell::new(Counts::default())));
        let clients = (0..CLIENTS).map(|n| {
            let delay = EVERY * n / CLIENTS;
            tokio::task::spawn_local(client(uri.clone(), delay, Rc::clone(&ended), Rc::clone(&counts)))
        });
        Ok(Self { clients: clients.collect(), ended, counts })
    }

    /// Sends no more, awaits what is under way, and gives what was answered.
    pub async fn end(&mut self) -> anyhow::Result<Counts> {
        self.ended.set(true);
        for client in self.clients.drain(..) {
            client.await.context("a client of the live traffic broke off")?;
        }
        Ok(self.counts.take())
    }
}

async fn client(uri: Uri, delay: Duration, ended: Rc<Cell<bool>>, counts: Rc<RefCell<Counts>>) {
    let http = Client::builder(TokioExecutor::new()).build_http();
    tokio::time::sleep(delay).await;
    let mut ticks = tokio::time::interval(EVERY);
    while !ended.get() {
        ticks.tick().await;
        let answer = tokio::time::timeout(PATIENCE, request(&http, uri.clone())).await;
        let answer = answer.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in time")));
        let mut counts = counts.borrow_mut();
        match answer {
            Ok(Answer::Served(version)) => *counts.served.entry(version).or_default() += 1,
            Ok(Answer::Error(version)) => {
                counts.why = format!("an error of {}", name(&version));
                *counts.errors.entry(version).or_default() += 1;
            }
            Err(e) => {
                counts.lost += 1;
                counts.why = format!("{e:#}");
            }
        }
    }
}

async fn request(http: &Client<HttpConnector, Empty<Bytes>>, uri: Uri) -> anyhow::Result<Answer> {
    let answer = http.get(uri).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    let told = || format!("status {status}: {}", String::from_utf8_lossy(&body));
    let body: Value = serde_json::from_slice(&body).with_context(told)?;
    let version = body["version"].as_str().with_context(told)?.to_owned();
    match status.as_u16() {
        200 => Ok(Answer::Served(version)),
        500.. => Ok(Answer::Error(version)),
        _ => anyhow::bail!(told()),
    }
}

impl Counts {
    /// Requests without a good answer.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum::<u64>() + self.lost
    }

    pub fn total(&self) -> u64 {
        self.served.values().sum::<u64>() + self.failed()
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = self.served.iter().map(|(shown, count)| format!("{count} times by {}", name(shown)));
        write!(f, "{}, {} failed", parts.collect::<Vec<_>>().join(", "), self.failed())
    }
}
