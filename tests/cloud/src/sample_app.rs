//! The sample application that the local cloud deploys: a small web service with
//! switches, all of them environment variables.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `HOST`, `PORT` | address to listen on (the local cloud sets `HOST`; port 8080) |
//! | `APP_VERSION` | what `/` says |
//! | `APP_HEALTH=fail` | `/health` answers 503 |
//! | `APP_ERROR_RATE` | share of other requests answered 500, 0 to 1, spread evenly |
//! | `APP_LATENCY_MS` | how long each of them takes |
//! | `APP_START_DELAY_MS` | how long it does not listen |
//! | `APP_EXIT_AFTER_MS`, `APP_EXIT_CODE` | ends by itself |
//!
//! With a first argument `print` it prints the others and exits with `APP_EXIT_CODE`:
//! a one-off task.
//!
//! It is the server's own program under another name: tasks find it on their `PATH` as
//! `sample-app`, and nobody has to build a second one.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

struct App {
    version: String,
    host: IpAddr,
    healthy: bool,
    error_rate: f64,
    latency: Duration,
    /// Fraction of an error that the requests so far have added up to.
    owed: Cell<f64>,
}

fn variable<T: FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| {
            eprintln!("{name}: '{text}' cannot be read");
            std::process::exit(64)
        }),
        Err(_) => default,
    }
}

/// Runs until it is told to end. Errors: the address cannot be listened on.
pub async fn run() -> std::io::Result<()> {
    let exit_code = variable("APP_EXIT_CODE", 0);
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("print") {
        arguments.for_each(|line| println!("{line}"));
        std::process::exit(exit_code);
    }
    tokio::task::LocalSet::new().run_until(serve(exit_code)).await
}

async fn serve(exit_code: i32) -> std::io::Result<()> {
    let app = Rc::new(App {
        version: variable("APP_VERSION", "unversioned".to_owned()),
        host: variable("HOST", IpAddr::from(Ipv4Addr::LOCALHOST)),
        healthy: variable("APP_HEALTH", String::new()) != "fail",
        error_rate: variable("APP_ERROR_RATE", 0.0),
        latency: Duration::from_millis(variable("APP_LATENCY_MS", 0)),
        owed: Cell::new(0.0),
    });
    let end = variable("APP_EXIT_AFTER_MS", u64::MAX);
    tokio::task::spawn_local(async move {
        if end < u64::MAX {
            tokio::time::sleep(Duration::from_millis(end)).await;
            println!("exits with {exit_code}");
            std::process::exit(exit_code);
        }
    });
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        result = listen(app) => result,
    }
}

async fn listen(app: Rc<App>) -> std::io::Result<()> {
    tokio::time::sleep(Duration::from_millis(variable("APP_START_DELAY_MS", 0))).await;
    let port: u16 = variable("PORT", 8080);
    let listener = TcpListener::bind((app.host, port)).await?;
    println!("version {} listens on {}:{port}", app.version, app.host);
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
    app: Rc<App>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/health" {
        let (status, word) = if app.healthy { (200, "healthy") } else { (503, "failing") };
        return Ok(reply(status, &json!({ "status": word, "version": app.version })));
    }
    tokio::time::sleep(app.latency).await;
    let owed = app.owed.get() + app.error_rate;
    let fails = owed >= 1.0 - 1e-9;
    app.owed.set(if fails { owed - 1.0 } else { owed });
    let status = if fails { 500 } else { 200 };
    Ok(reply(status, &json!({ "version": app.version, "task": app.host, "path": request.uri().path() })))
}

fn reply(status: u16, body: &Value) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::new(Full::from(body.to_string()));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response
        .headers_mut()
        .insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    response
}
