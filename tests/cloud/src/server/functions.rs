//! Functions as processes: the real Lambda Runtime API around the real bootstrap.
//!
//! Each execution environment has a Runtime API of its own on a free port, and is
//! used again while it is warm. Time is real in here: a function's deadline is on
//! the machine's clock, whatever the cloud's speed, since its work is real.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{Cursor, Read as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify, mpsc};

use super::{Host, process};
use crate::effect::FunctionError;
use crate::{Ms, Report};

/// How long the start of an environment may take, as on Lambda.
const START: Duration = Duration::from_secs(10);

/// How long a warm environment is kept idle, in real time.
const IDLE: Duration = Duration::from_secs(300);

#[derive(Debug, Clone)]
pub struct Work {
    pub invocation: String,
    pub function: String,
    pub payload: Value,
    pub timeout: Ms,
    pub environment: Vec<(String, String)>,
    pub code_sha256: String,
}

impl Work {
    /// What must be the same for an environment to be used again.
    fn kind(&self) -> String {
        format!("{} {} {:?}", self.function, self.code_sha256, self.environment)
    }
}

#[derive(Default)]
pub struct Functions {
    idle: RefCell<BTreeMap<String, Vec<Rc<Environment>>>>,
    groups: RefCell<Vec<u32>>,
}

/// One process and its side of the Runtime API.
struct Environment {
    group: u32,
    /// What it is given next; taken by its `next` request.
    given: RefCell<Option<Work>>,
    work_there: Notify,
    /// How its invocation ended, or that the process is gone.
    said: Mutex<mpsc::UnboundedReceiver<Said>>,
}

#[derive(Debug)]
enum Said {
    /// It asks for work: its start is over.
    Ready,
    Answer {
        invocation: String,
        outcome: Result<Value, FunctionError>,
    },
    InitError(FunctionError),
    Exited(i32),
}

impl Functions {
    pub fn kill_all(&self) {
        for group in self.groups.borrow().iter() {
            process::signal(*group, Signal::KILL);
        }
    }
}

/// Runs one invocation and reports its outcome.
pub fn invoke(host: &Rc<Host>, work: Work, package: Option<Vec<u8>>) {
    let host = Rc::clone(host);
    tokio::task::spawn_local(async move {
        let invocation = work.invocation.clone();
        let outcome = run(&host, work, package).await;
        host.report(Report::Invoked { invocation, outcome });
    });
}

async fn run(host: &Rc<Host>, work: Work, package: Option<Vec<u8>>) -> Result<Value, FunctionError> {
    let kind = work.kind();
    let idle = host.functions.idle.borrow_mut().get_mut(&kind).and_then(Vec::pop);
    let environment = match idle {
        Some(environment) => environment,
        None => started(host, &work, package).await?,
    };
    let timeout = Duration::from_millis(work.timeout);
    let (function, invocation) = (work.function.clone(), work.invocation.clone());
    *environment.given.borrow_mut() = Some(work);
    environment.work_there.notify_one();
    let outcome = tokio::time::timeout(timeout, answer(&environment, &invocation)).await;
    match outcome {
        Ok((outcome, Alive::Yes)) => {
            keep(host, kind, environment);
            outcome
        }
        Ok((outcome, Alive::No)) => outcome,
        Err(_) => {
            process::signal(environment.group, Signal::KILL);
            let seconds = timeout.as_secs_f64();
            let message = format!("{} {invocation} Task timed out after {seconds:.2} seconds", function);
            Err(FunctionError { kind: "Sandbox.Timedout".into(), message })
        }
    }
}

enum Alive {
    Yes,
    No,
}

async fn answer(environment: &Environment, wanted: &str) -> (Result<Value, FunctionError>, Alive) {
    loop {
        let said = environment.said.lock().await.recv().await;
        match said {
            Some(Said::Answer { invocation, outcome }) if invocation == wanted => {
                return (outcome, Alive::Yes);
            }
            Some(Said::InitError(error)) => return (Err(error), Alive::No),
            Some(Said::Exited(code)) => return (Err(exited(code)), Alive::No),
            None => return (Err(exited(255)), Alive::No),
            Some(Said::Ready | Said::Answer { .. }) => {}
        }
    }
}

fn exited(code: i32) -> FunctionError {
    let message = match code {
        137 => "Runtime exited with error: signal: killed".into(),
        code if code > 128 => format!("Runtime exited with error: signal {}", code - 128),
        0 => "Runtime exited without providing a reason".into(),
        code => format!("Runtime exited with error: exit status {code}"),
    };
    FunctionError { kind: "Runtime.ExitError".into(), message }
}

/// Keeps a warm environment for the next event of its kind, for a while.
fn keep(host: &Rc<Host>, kind: String, environment: Rc<Environment>) {
    host.functions.idle.borrow_mut().entry(kind.clone()).or_default().push(Rc::clone(&environment));
    let host = Rc::clone(host);
    tokio::task::spawn_local(async move {
        tokio::time::sleep(IDLE).await;
        let mut idle = host.functions.idle.borrow_mut();
        let Some(kept) = idle.get_mut(&kind) else { return };
        if let Some(n) = kept.iter().position(|e| Rc::ptr_eq(e, &environment)) {
            kept.remove(n);
            process::signal(environment.group, Signal::KILL);
        }
    });
}

/// Unpacks, starts the bootstrap and waits until it asks for work.
async fn started(
    host: &Rc<Host>,
    work: &Work,
    package: Option<Vec<u8>>,
) -> Result<Rc<Environment>, FunctionError> {
    let failed = |message: String| FunctionError { kind: "Runtime.InvalidEntrypoint".into(), message };
    let package =
        package.ok_or_else(|| failed(format!("function {} has no deployment package", work.function)))?;
    let folder = unpacked(&host.scratch, &work.code_sha256, &package).map_err(failed)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|e| failed(e.to_string()))?;
    let address = listener.local_addr().map_err(|e| failed(e.to_string()))?;
    let variables = variables(host, work, &folder, &address.to_string());
    let bootstrap = folder.join("bootstrap");
    let mut child = process::command(&bootstrap.display().to_string(), &[], &variables)
        .current_dir(&folder)
        .spawn()
        .map_err(|e| failed(format!("bootstrap of {} cannot be started: {e}", work.function)))?;
    let (say, said) = mpsc::unbounded_channel();
    let group = child.id().unwrap_or_default();
    host.functions.groups.borrow_mut().push(group);
    let environment = Rc::new(Environment {
        group,
        given: RefCell::default(),
        work_there: Notify::new(),
        said: Mutex::new(said),
    });
    let api =
        tokio::task::spawn_local(serve(Rc::clone(host), Rc::clone(&environment), listener, say.clone()));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let log = logger(host, work);
    let log_too = log.clone();
    if let Some(stdout) = stdout {
        tokio::task::spawn_local(async move { process::each_line(stdout, log).await });
    }
    if let Some(stderr) = stderr {
        tokio::task::spawn_local(async move { process::each_line(stderr, log_too).await });
    }
    let watcher = Rc::clone(host);
    tokio::task::spawn_local(async move {
        let code = process::exit_code(&mut child).await;
        process::signal(group, Signal::KILL);
        watcher.functions.groups.borrow_mut().retain(|g| *g != group);
        watcher.functions.idle.borrow_mut().values_mut().for_each(|kept| kept.retain(|e| e.group != group));
        // Nobody listens any more if the invocation has ended.
        let _ = say.send(Said::Exited(code));
        api.abort();
    });
    ready(&environment).await?;
    Ok(environment)
}

async fn ready(environment: &Environment) -> Result<(), FunctionError> {
    let said = tokio::time::timeout(START, async { environment.said.lock().await.recv().await }).await;
    match said {
        Ok(Some(Said::Ready)) => Ok(()),
        Ok(Some(Said::InitError(error))) => Err(error),
        Ok(Some(Said::Exited(code))) => Err(exited(code)),
        Ok(Some(Said::Answer { .. }) | None) => Err(exited(255)),
        Err(_) => {
            process::signal(environment.group, Signal::KILL);
            let message = "the bootstrap did not ask for its first event within 10 seconds".into();
            Err(FunctionError { kind: "Sandbox.Timedout".into(), message })
        }
    }
}

fn logger(host: &Rc<Host>, work: &Work) -> impl Fn(String) + Clone + 'static {
    let host = Rc::clone(host);
    let (group, stream) = log_names(work);
    move |line| {
        host.report(Report::Logged { group: group.clone(), stream: stream.clone(), lines: vec![line] });
    }
}

fn log_names(work: &Work) -> (String, String) {
    (format!("/aws/lambda/{}", work.function), format!("[$LATEST]{}", work.invocation.replace('-', "")))
}

fn variables(host: &Host, work: &Work, folder: &Path, runtime_api: &str) -> Vec<(String, String)> {
    let cloud = host.cloud.borrow();
    let (log_group, log_stream) = log_names(work);
    let mut variables: BTreeMap<String, String> = [
        ("PATH", process::search_path(&host.scratch)),
        ("HOME", folder.display().to_string()),
        ("TZ", ":UTC".into()),
        ("LAMBDA_TASK_ROOT", folder.display().to_string()),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.into()),
        ("AWS_LAMBDA_FUNCTION_NAME", work.function.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128".into()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", log_group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream),
        ("_HANDLER", "bootstrap".into()),
        ("AWS_REGION", cloud.region().into()),
        ("AWS_DEFAULT_REGION", cloud.region().into()),
        ("AWS_ACCESS_KEY_ID", format!("ASIAFN{}", work.function)),
        ("AWS_SECRET_ACCESS_KEY", "local".into()),
        ("AWS_SESSION_TOKEN", "local".into()),
        ("AWS_ENDPOINT_URL", cloud.settings.endpoint.clone()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    variables.extend(work.environment.iter().cloned());
    variables.into_iter().collect()
}

/// The package's files in a folder of their own, made once for each package.
fn unpacked(scratch: &Path, sha256: &str, package: &[u8]) -> Result<PathBuf, String> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = scratch.join("functions").join(sha256.replace(['/', '+', '='], "-"));
    if folder.is_dir() {
        return Ok(folder);
    }
    let mut archive =
        zip::ZipArchive::new(Cursor::new(package)).map_err(|e| format!("package is no zip: {e}"))?;
    for n in 0..archive.len() {
        let mut file = archive.by_index(n).map_err(|e| format!("package: {e}"))?;
        let Some(name) = file.enclosed_name().filter(|_| file.is_file()) else { continue };
        let path = folder.join(name);
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(|e| format!("package: {e}"))?;
        let write = || {
            std::fs::create_dir_all(path.parent().unwrap_or(&folder))?;
            std::fs::write(&path, &content)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
        };
        write().map_err(|e| format!("package cannot be unpacked: {e}"))?;
    }
    if folder.join("bootstrap").is_file() {
        Ok(folder)
    } else {
        Err("package has no file 'bootstrap'".into())
    }
}

async fn serve(
    host: Rc<Host>,
    environment: Rc<Environment>,
    listener: TcpListener,
    say: mpsc::UnboundedSender<Said>,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (host, environment, say) = (Rc::clone(&host), Rc::clone(&environment), say.clone());
        let service = service_fn(move |request| {
            runtime_api(Rc::clone(&host), Rc::clone(&environment), say.clone(), request)
        });
        tokio::task::spawn_local(async move {
            // The process may go away in the middle of its long poll.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn runtime_api(
    host: Rc<Host>,
    environment: Rc<Environment>,
    say: mpsc::UnboundedSender<Said>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().trim_start_matches("/2018-06-01/runtime/").to_owned();
    let kind = request.headers().get("lambda-runtime-function-error-type").and_then(|v| v.to_str().ok());
    let kind = kind.map(str::to_owned);
    let body = request.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let parts: Vec<_> = path.split('/').collect();
    // The receiver is gone when the invocation has timed out: nobody wants to know.
    Ok(match parts.as_slice() {
        ["invocation", "next"] => {
            let _ = say.send(Said::Ready);
            next(&host, &environment).await
        }
        ["invocation", id, "response"] => {
            let _ = say.send(Said::Answer { invocation: (*id).to_owned(), outcome: returned(&body) });
            accepted()
        }
        ["invocation", id, "error"] => {
            let _ =
                say.send(Said::Answer { invocation: (*id).to_owned(), outcome: Err(raised(&body, kind)) });
            accepted()
        }
        ["init", "error"] => {
            let _ = say.send(Said::InitError(raised(&body, kind)));
            accepted()
        }
        _ => status(404, &json!({ "errorType": "NotFound", "errorMessage": path })),
    })
}

/// An empty body is `null`; one that is not JSON is an error of the function's, as on Lambda.
fn returned(body: &[u8]) -> Result<Value, FunctionError> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|e| FunctionError {
        kind: "Runtime.InvalidResponse".into(),
        message: format!("the function's answer is not JSON: {e}"),
    })
}

fn raised(body: &[u8], kind: Option<String>) -> FunctionError {
    let error: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    FunctionError {
        kind: text("errorType").or(kind).unwrap_or_else(|| "Function.Error".into()),
        message: text("errorMessage").unwrap_or_default(),
    }
}

async fn next(host: &Host, environment: &Environment) -> hyper::Response<Full<Bytes>> {
    let work = loop {
        if let Some(work) = environment.given.borrow_mut().take() {
            break work;
        }
        environment.work_there.notified().await;
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let deadline = now + Duration::from_millis(work.timeout);
    let arn = host.cloud.borrow().arn("lambda", &format!("function:{}", work.function));
    let mut response = status(200, &work.payload);
    let headers = [
        ("lambda-runtime-aws-request-id", work.invocation.clone()),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", arn),
        ("lambda-runtime-trace-id", trace_id(&work.invocation)),
    ];
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn trace_id(invocation: &str) -> String {
    let hex = invocation.replace('-', "");
    format!("Root=1-{}-{};Parent={};Sampled=0", &hex[..8], &hex[8..], &hex[..16])
}

fn accepted() -> hyper::Response<Full<Bytes>> {
    status(202, &json!({ "status": "OK" }))
}

fn status(code: u16, body: &Value) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::new(Full::from(body.to_string()));
    *response.status_mut() = hyper::StatusCode::from_u16(code).unwrap_or_default();
    response
        .headers_mut()
        .insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    response
}
