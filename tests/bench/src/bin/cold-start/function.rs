//! One process of a function and its side of the Runtime API.

use std::cell::Cell;
use std::convert::Infallible;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::figures;

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(30);

const ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

/// Killed when dropped. Should the benchmark itself be killed, the function's next request
/// for an event fails, which ends it.
pub struct Function {
    child: Child,
    api: Rc<Api>,
    said: mpsc::UnboundedReceiver<Said>,
    log: PathBuf,
    _serving: JoinSet<()>,
}

struct Api {
    event: Bytes,
    /// How many events may go out.
    due: Semaphore,
    /// When the last event did.
    gone_out: Cell<Option<Instant>>,
    /// When it first asked for an event: its start is over.
    ready: Cell<Option<Instant>>,
    say: mpsc::UnboundedSender<Said>,
}

enum Said {
    Answer { at: Instant, body: Bytes },
    Error(Bytes),
}

/// The first answer.
pub struct First {
    pub value: Value,
    /// From just before exec to the first question for an event.
    pub ready: Duration,
    /// From just before exec to the answer.
    pub cold: Duration,
}

/// What `/proc` tells of a process.
pub struct Usage {
    pub cpu: Duration,
    /// KiB.
    pub memory: u64,
}

impl Function {
    /// Starts the binary and waits for its first answer, given no other environment than this
    /// and Lambda's own.
    pub async fn start(
        binary: &Path,
        variables: &[(String, String)],
        event: &Value,
        log: &Path,
    ) -> Result<(Self, First)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (say, said) = mpsc::unbounded_channel();
        let api = Rc::new(Api {
            event: event.to_string().into(),
            due: Semaphore::new(1),
            gone_out: Cell::default(),
            ready: Cell::default(),
            say,
        });
        let mut serving = JoinSet::new();
        serving.spawn_local(serve(Rc::clone(&api), listener));
        let mut command = command(binary, variables, &address, log)?;
        let began = Instant::now();
        let child = command.spawn().with_context(|| format!("{} cannot be started", binary.display()))?;
        let mut function = Self { child, api, said, log: log.to_owned(), _serving: serving };
        let (at, value) = function.answer().await?;
        let ready = function.api.ready.get().context("an answer without an event")? - began;
        Ok((function, First { value, ready, cold: at - began }))
    }

    /// Gives it the same event again. Gives how long it worked on it.
    pub async fn invoke(&mut self) -> Result<Duration> {
        self.api.due.add_permits(1);
        let (at, _) = self.answer().await?;
        Ok(at - self.api.gone_out.take().context("an answer without an event")?)
    }

    pub fn usage(&self) -> Result<Usage> {
        let folder = PathBuf::from(format!("/proc/{}", self.child.id().context("it has ended")?));
        let status = fs::read_to_string(folder.join("status"))?;
        let memory = figures::peak_memory(&status).context("its status tells no peak memory")?;
        let mut cpu = Duration::ZERO;
        for thread in fs::read_dir(folder.join("task"))? {
            let schedstat = fs::read_to_string(thread?.path().join("schedstat"))?;
            cpu += figures::time_on_cpu(&schedstat).context("its schedstat tells no time")?;
        }
        Ok(Usage { cpu, memory })
    }

    pub async fn end(mut self) -> Result<()> {
        self.child.kill().await.context("it cannot be ended")
    }

    async fn answer(&mut self) -> Result<(Instant, Value)> {
        let what = tokio::select! {
            said = self.said.recv() => said.context("its Runtime API is gone"),
            status = self.child.wait() => Err(anyhow!("it ended early: {}", status?)),
            () = tokio::time::sleep(PATIENCE) => Err(anyhow!("no answer within {} s", PATIENCE.as_secs())),
        };
        let what = what.and_then(|said| match said {
            Said::Answer { at, body } => {
                Ok((at, serde_json::from_slice(&body).context("its answer is not JSON")?))
            }
            Said::Error(body) => bail!("it answered an error: {}", String::from_utf8_lossy(&body)),
        });
        what.with_context(|| format!("its log:\n{}", fs::read_to_string(&self.log).unwrap_or_default()))
    }
}

fn command(binary: &Path, variables: &[(String, String)], api: &str, log: &Path) -> Result<Command> {
    let log = File::create(log)?;
    let mut command = Command::new(binary);
    command
        .env_clear()
        .envs([
            ("TZ", ":UTC"),
            ("_HANDLER", "bootstrap"),
            ("AWS_LAMBDA_RUNTIME_API", api),
            ("AWS_LAMBDA_FUNCTION_NAME", "cold-start"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/cold-start"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0"),
        ])
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true);
    Ok(command)
}

async fn serve(api: Rc<Api>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let api = Rc::clone(&api);
        connections.spawn_local(async move {
            let service = service_fn(|request| answer(&api, request));
            // The process may go away in the middle of its long poll.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    api: &Api,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().trim_start_matches("/2018-06-01/runtime/").to_owned();
    let body = request.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let at = Instant::now();
    let said = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["invocation", "next"] => return Ok(api.next().await),
        ["invocation", ID, "response"] => Said::Answer { at, body },
        ["invocation", ID, "error"] | ["init", "error"] => Said::Error(body),
        _ => return Ok(status(404)),
    };
    // Nobody listens any more when the function is about to be ended.
    let _ = api.say.send(said);
    Ok(status(202))
}

impl Api {
    async fn next(&self) -> hyper::Response<Full<Bytes>> {
        self.ready.set(self.ready.get().or(Some(Instant::now())));
        if let Ok(permit) = self.due.acquire().await {
            permit.forget();
        }
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + PATIENCE;
        let mut response = hyper::Response::new(Full::from(self.event.clone()));
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("lambda-runtime-aws-request-id", HeaderValue::from_static(ID));
        headers.insert(
            "lambda-runtime-invoked-function-arn",
            HeaderValue::from_static("arn:aws:lambda:eu-west-1:123456789012:function:cold-start"),
        );
        if let Ok(deadline) = deadline.as_millis().to_string().parse() {
            headers.insert("lambda-runtime-deadline-ms", deadline);
        }
        self.gone_out.set(Some(Instant::now()));
        response
    }
}

fn status(code: u16) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::new(Full::default());
    *response.status_mut() = hyper::StatusCode::from_u16(code).unwrap_or_default();
    response
}
