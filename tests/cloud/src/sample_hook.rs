//! A lifecycle hook for demonstrations, standing in for Sluice's own function
//! `lifecycle-hook` until there is one: one request decides.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `HOOK_URL` | what it GETs; status 200 is Succeeded, anything else Failed |
//!
//! It is a Lambda bootstrap without an SDK, and the server's own program under another
//! name: functions find it on their `PATH` as `sample-hook`.

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// How long the request to `HOOK_URL` may take.
const PATIENCE: Duration = Duration::from_secs(5);

const REPORT: &str = "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus";

type Http = Client<HttpConnector, Full<Bytes>>;

fn variable(name: &str) -> io::Result<String> {
    std::env::var(name).map_err(|_| io::Error::other(format!("{name} is not set")))
}

/// Answers events until the process is ended. Errors: the environment lacks a variable, or
/// the Runtime API is gone.
pub async fn run() -> io::Result<()> {
    let url = variable("HOOK_URL")?;
    let runtime = format!("http://{}/2018-06-01/runtime/invocation", variable("AWS_LAMBDA_RUNTIME_API")?);
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    loop {
        let next = send(&http, Request::get(format!("{runtime}/next")), String::new()).await?;
        let id = next.headers().get("lambda-runtime-aws-request-id").and_then(|id| id.to_str().ok());
        let id = id.unwrap_or_default().to_owned();
        let (path, answer) = match handle(&http, &url, next.body()).await {
            Ok(answer) => ("response", answer),
            Err(e) => ("error", json!({ "errorType": "Hook.Error", "errorMessage": e.to_string() })),
        };
        send(&http, Request::post(format!("{runtime}/{id}/{path}")), answer.to_string()).await?;
    }
}

/// Looks, says what it saw, and reports it to CodeDeploy.
async fn handle(http: &Http, url: &str, event: &[u8]) -> io::Result<Value> {
    let event: Value = serde_json::from_slice(event)?;
    let (status, saw) =
        match tokio::time::timeout(PATIENCE, send(http, Request::get(url), String::new())).await {
            Ok(Ok(answer)) => {
                let verdict = if answer.status() == 200 { "Succeeded" } else { "Failed" };
                let body = String::from_utf8_lossy(answer.body()).into_owned();
                (verdict, format!("{} {body}", answer.status().as_u16()))
            }
            Ok(Err(e)) => ("Failed", e.to_string()),
            Err(_) => ("Failed", format!("no answer within {} seconds", PATIENCE.as_secs())),
        };
    let line = json!({ "deployment": event["DeploymentId"], "status": status, "url": url, "saw": saw });
    println!("{line}");
    let input = json!({
        "deploymentId": event["DeploymentId"],
        "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"],
        "status": status,
    });
    report(http, &input).await?;
    Ok(line)
}

async fn report(http: &Http, input: &Value) -> io::Result<()> {
    // The local cloud reads who asks and in which region; it verifies no signature.
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/20260101/{}/codedeploy/aws4_request, SignedHeaders=host, Signature=0",
        variable("AWS_ACCESS_KEY_ID")?,
        variable("AWS_REGION")?
    );
    let request = Request::post(variable("AWS_ENDPOINT_URL")?)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", REPORT)
        .header("authorization", authorization);
    let answer = send(http, request, input.to_string()).await?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(io::Error::other(format!("CodeDeploy did not take it: {}", String::from_utf8_lossy(answer.body()))))
}

async fn send(http: &Http, request: http::request::Builder, body: String) -> io::Result<Response<Bytes>> {
    let request = request.body(Full::from(body)).map_err(io::Error::other)?;
    let (parts, body) = http.request(request).await.map_err(io::Error::other)?.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    Ok(Response::from_parts(parts, body))
}
