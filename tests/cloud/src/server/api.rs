//! The cloud's own port: AWS's APIs, and `/_cloud/…` to look inside.

use std::io;
use std::rc::Rc;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::Host;
use crate::cloud::BLOBS;
use crate::http::{Request, Response};
use crate::services::{ecs, lambda};
use crate::slack;
use crate::{Answer, Ticket};

/// Largest request taken, in bytes: a deployment package in base64, and some.
const MOST: usize = 300 * 1024 * 1024;

pub async fn serve(host: Rc<Host>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let host = Rc::clone(&host);
        let service = service_fn(move |request| answer(Rc::clone(&host), request));
        tokio::task::spawn_local(async move {
            // A client that goes away mid-request is its own business.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    host: Rc<Host>,
    request: hyper::Request<Incoming>,
) -> io::Result<hyper::Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MOST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(e) => return Ok(whole(text(413, format!("body could not be read: {e}")))),
    };
    let request = Request {
        method: parts.method.to_string(),
        target: parts.uri.path_and_query().map_or_else(|| "/".into(), ToString::to_string),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: body.to_vec(),
    };
    if let Some(path) = slack::path("", &request) {
        return match host.happen(|cloud, now| cloud.slack(path, &request, now)) {
            slack::Outcome::Answer(response) => Ok(whole(response)),
            slack::Outcome::Broken(why) => Err(io::Error::new(io::ErrorKind::ConnectionReset, why)),
            slack::Outcome::Silence => std::future::pending().await,
        };
    }
    let response = match request.path().strip_prefix("/_cloud/") {
        Some(path) if !request.path().starts_with(BLOBS) => look(&host, path, &request),
        _ => aws(&host, &request).await,
    };
    Ok(whole(response))
}

async fn aws(host: &Rc<Host>, request: &Request) -> Response {
    match host.happen(|cloud, now| cloud.handle(request, now)) {
        Answer::Ready(response) => response,
        Answer::Pending(ticket) => pending(host, ticket).await,
    }
}

async fn pending(host: &Rc<Host>, ticket: Ticket) -> Response {
    loop {
        let answered = host.answered.notified();
        if let Some(response) = host.cloud.borrow_mut().take(ticket) {
            return response;
        }
        answered.await;
    }
}

/// Windows into the cloud that AWS doesn't have.
fn look(host: &Rc<Host>, path: &str, request: &Request) -> Response {
    host.catch_up();
    let cloud = host.cloud.borrow();
    let parts: Vec<_> = path.split('/').collect();
    match parts.as_slice() {
        ["timeline"] if request.query().contains("format=json") => reply(&json!(cloud.timeline())),
        ["timeline"] => text(200, cloud.timeline().iter().map(|entry| format!("{entry}\n")).collect()),
        ["state"] => reply(&cloud.dump()),
        ["clock"] => reply(&json!({ "now": host.clock.now(), "speed": host.clock.speed() })),
        ["packages", sha] => bytes(lambda::package(&cloud, &sha.replace('-', "+").replace('_', "/"))),
        ["tasks", task, "v4", container, rest @ ..] => {
            match ecs::task_metadata(&cloud, task, container, rest) {
                Some(metadata) => reply(&metadata),
                None => text(404, format!("no task '{task}' with a container '{container}' here")),
            }
        }
        _ => text(
            404,
            "here are /_cloud/timeline[?format=json], /_cloud/state, /_cloud/clock and /_cloud/slack".into(),
        ),
    }
}

fn reply(value: &Value) -> Response {
    Response {
        status: 200,
        headers: vec![("content-type".into(), "application/json".into())],
        body: value.to_string().into_bytes(),
    }
}

fn bytes(content: Option<&[u8]>) -> Response {
    match content {
        Some(content) => Response {
            status: 200,
            headers: vec![("content-type".into(), "application/octet-stream".into())],
            body: content.to_vec(),
        },
        None => text(404, "no such package".into()),
    }
}

fn text(status: u16, text: String) -> Response {
    Response {
        status,
        headers: vec![("content-type".into(), "text/plain; charset=utf-8".into())],
        body: text.into_bytes(),
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
