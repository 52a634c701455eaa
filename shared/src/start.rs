//! The start of every function: logs, configuration, AWS clients, then events until the end.
//!
//! All of it happens before the first event, while Lambda gives a full CPU. A function that
//! cannot start says why through the Runtime API, so that the reason reaches whoever waits
//! for the event: the caller, or the dead-letter queue.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::Value;
use tracing::Instrument as _;

use crate::config::Releases;
use crate::log::{self, redact};

/// Where the layer with the configuration puts it.
const RELEASES: &str = "/opt/releases.yaml";

/// What an answer or an error report takes from a function's time.
const RESERVE: Duration = Duration::from_secs(2);

/// One event, and how long may be spent on it.
#[derive(Debug)]
pub struct Invocation {
    pub event: Value,
    /// Time left for the work when the event came in; what is reserved for reporting is taken off.
    pub time: Duration,
}

/// Runs a function until Lambda ends it. `prepare` makes what it keeps between events,
/// from the environment; `handle` answers one.
pub fn function<S, A: Serialize>(
    prepare: impl AsyncFnOnce() -> anyhow::Result<S>,
    handle: impl AsyncFn(&S, Invocation) -> anyhow::Result<A>,
) -> ExitCode {
    log::start();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return failed(&format!("cannot start: {e}")),
    };
    runtime.block_on(async {
        match prepare().await {
            Ok(state) => serve(&state, handle).await,
            Err(e) => {
                let reason = redact(&format!("{e:#}"));
                report_init_error(&reason).await;
                failed(&reason)
            }
        }
    })
}

fn failed(reason: &str) -> ExitCode {
    tracing::error!("the function cannot start: {reason}");
    ExitCode::FAILURE
}

async fn serve<S, A: Serialize>(
    state: &S,
    handle: impl AsyncFn(&S, Invocation) -> anyhow::Result<A>,
) -> ExitCode {
    let handle = &handle;
    let service = service_fn(move |event: LambdaEvent<Value>| async move {
        let span = tracing::info_span!("invocation", request_id = event.context.request_id);
        let time = time_left(event.context.deadline, Timestamp::now());
        answer(handle(state, Invocation { event: event.payload, time })).instrument(span).await
    });
    match lambda_runtime::Runtime::new(service).run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => failed(&e.to_string()),
    }
}

async fn answer<A: Serialize>(work: impl Future<Output = anyhow::Result<A>>) -> Result<Value, Diagnostic> {
    let answer = work.await.and_then(|answer| Ok(serde_json::to_value(answer)?));
    answer.map_err(|e| {
        // The runtime's own conversion drops the causes.
        let error_message = redact(&format!("{e:#}"));
        tracing::error!("{error_message}");
        Diagnostic { error_type: "Sluice.Error".to_owned(), error_message }
    })
}

/// `deadline` is in epoch milliseconds.
fn time_left(deadline: u64, now: Timestamp) -> Duration {
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    Duration::from_millis(deadline.saturating_sub(now)).saturating_sub(RESERVE)
}

/// Tells Lambda why the function cannot start. If even that fails, the log has it.
async fn report_init_error(reason: &str) {
    let told = async {
        let address = std::env::var("AWS_LAMBDA_RUNTIME_API")?;
        let body =
            serde_json::json!({ "errorType": "Sluice.Configuration", "errorMessage": reason }).to_string();
        let head = format!(
            "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = tokio::net::TcpStream::connect(&address).await?;
        tokio::io::AsyncWriteExt::write_all(&mut stream, format!("{head}{body}").as_bytes()).await?;
        let mut answer = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await?;
        anyhow::Ok(())
    };
    match tokio::time::timeout(Duration::from_secs(1), told).await {
        Ok(Ok(())) => {}
        Ok(Err(e)) => tracing::warn!("the reason did not reach the Runtime API: {e:#}"),
        Err(_) => tracing::warn!("the Runtime API did not take the reason within a second"),
    }
}

/// The configuration that `SLUICE_RELEASES` names, or that of the layer.
pub fn releases() -> anyhow::Result<Releases> {
    let path = std::env::var_os("SLUICE_RELEASES").map_or_else(|| PathBuf::from(RELEASES), PathBuf::from);
    Releases::load(&path).map_err(|faults| anyhow::anyhow!("the configuration has faults:\n{faults}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_to_report_is_kept_back() {
        let now = Timestamp::from_millisecond(1_000_000).unwrap();
        assert_eq!(time_left(1_030_000, now), Duration::from_secs(28));
        assert_eq!(time_left(1_001_000, now), Duration::ZERO);
        assert_eq!(time_left(0, now), Duration::ZERO);
    }
}
