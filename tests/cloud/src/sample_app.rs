//! The sample programs that the local cloud deploys: a small web service with switches, all of
//! them environment variables, and a one-off task.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `HOST`, `PORT` | address to listen on (the local cloud sets `HOST`; port 8080) |
//! | `APP_VERSION` | what `/` and `/version` say, and the header `x-version` of each answer |
//! | `APP_HEALTH=fail` | `/health` answers 503 |
//! | `APP_JSON` | what `/json` answers |
//! | `APP_ERROR_RATE` | share of requests other than `/health` answered 500, 0 to 1, spread evenly |
//! | `APP_LATENCY_MS` | how long each of them takes |
//! | `APP_HANG` | paths that are never answered: patterns with `*` and `?`, separated by commas |
//! | `APP_LOG` | lines that it writes at its start |
//! | `APP_START_DELAY_MS` | how long it does not listen |
//! | `APP_EXIT_AFTER_MS`, `APP_EXIT_CODE` | ends by itself |
//!
//! `/echo` answers with the method, headers and body that arrived, `/redirect?to=…` with 302.
//!
//! `sample-task --log <line> --exit <code> --after <ms>` is a one-off task: it writes its lines
//! (`--log` may be there several times), and ends so long after its start. As a service's image
//! has `sample-app` for its entry point, `sample-app sample-task …` is the same, and so is a
//! command of `sample-task …` given to a task. `sample-app print <line>…` writes and exits with
//! `APP_EXIT_CODE`.
//!
//! They are the server's own program under other names: tasks find them on their `PATH`, and
//! nobody has to build a second one. The simulated world runs the same [`Program`] and
//! [`Behaviour`].

mod behaviour;
mod program;

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

pub use behaviour::{Behaviour, Reaction};
pub use program::Program;

use crate::http::{Request, Response};

/// The sample application's name on the `PATH` of tasks.
pub const SAMPLE_APP: &str = "sample-app";

/// The one-off task's.
pub const SAMPLE_TASK: &str = "sample-task";

/// Runs as what it was called by, until it is told to end. Errors: the address cannot be
/// listened on.
pub async fn run() -> std::io::Result<()> {
    let command: Vec<String> = std::env::args().collect();
    let program = Program::of(&command, |name| std::env::var(name).ok());
    program.lines.iter().for_each(|line| println!("{line}"));
    let exit = ended(program.exit);
    // Only the application ends well when it is told to: a one-off task is killed.
    let Some(app) = program.app else { std::process::exit(exit.await) };
    let mut terminate = signal(SignalKind::terminate())?;
    let connections = tokio::task::LocalSet::new();
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        result = connections.run_until(listen(app)) => result,
        code = exit => std::process::exit(code),
    }
}

async fn ended(exit: Option<(u64, i32)>) -> i32 {
    let Some((after, code)) = exit else { return pending().await };
    tokio::time::sleep(Duration::from_millis(after)).await;
    code
}

async fn listen(app: Behaviour) -> std::io::Result<()> {
    tokio::time::sleep(Duration::from_millis(app.start_delay)).await;
    let listener = TcpListener::bind((app.host.as_str(), app.port)).await?;
    println!("{}", app.greeting());
    let app = Rc::new(RefCell::new(app));
    loop {
        let (stream, _) = listener.accept().await?;
        let app = Rc::clone(&app);
        let service = service_fn(move |request| answer(Rc::clone(&app), request));
        tokio::task::spawn_local(async move {
            // A client that goes away is its own business.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    app: Rc<RefCell<Behaviour>>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.iter();
    let request = Request {
        method: parts.method.to_string(),
        target: parts.uri.path_and_query().map_or_else(|| "/".into(), ToString::to_string),
        headers: headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        // A body that breaks off is answered as far as it came: with nothing.
        body: body.collect().await.map(|whole| whole.to_bytes().to_vec()).unwrap_or_default(),
    };
    let reaction = app.borrow_mut().react(&request);
    match reaction {
        Reaction::Answer { after, response } => {
            tokio::time::sleep(Duration::from_millis(after)).await;
            Ok(whole(response))
        }
        Reaction::Silence => pending().await,
    }
}

fn whole(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::from(response.body)).unwrap_or_else(|e| {
        let mut broken = hyper::Response::new(Full::from(format!("answer has an impossible header: {e}")));
        *broken.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}
