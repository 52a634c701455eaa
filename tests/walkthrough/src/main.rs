//! `cargo demo`: releases of a service on the local cloud, told as they happen: one that
//! becomes the live version, and one that its smoke test keeps from production. Exits 0 only
//! if all of it really did.

mod acts;
mod facts;
mod follow;
mod functions;
mod paper;
mod programs;
mod revision;
mod scene;
mod shares;
mod story;
mod tell;
mod traffic;
mod verify;
mod versions;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use cloud::samples;
use tokio::signal::unix::{SignalKind, signal};

use programs::Programs;

/// Virtual seconds in a real one: five minutes of canary take ten seconds.
const SPEED: f64 = 30.0;

/// The whole of it, after the build.
const PATIENCE: Duration = Duration::from_secs(180);

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return failed(&e.into()),
    };
    // Tasks of the local cloud are this program by another name.
    match runtime.block_on(samples::run()) {
        Some(Ok(())) => return ExitCode::SUCCESS,
        Some(Err(e)) => return failed(&e.into()),
        None => {}
    }
    let told = Programs::build().and_then(|programs| {
        tokio::task::LocalSet::new().block_on(&runtime, async {
            tokio::select! {
                ended = tokio::time::timeout(PATIENCE, acts::play(SPEED, &programs)) => {
                    ended.with_context(|| format!("not over within {} seconds", PATIENCE.as_secs()))?
                }
                stopped = told_to_stop() => stopped,
            }
        })
    });
    told.map_or_else(|e| failed(&e), |()| ExitCode::SUCCESS)
}

fn failed(e: &anyhow::Error) -> ExitCode {
    eprintln!("the demonstration failed: {e:#}");
    ExitCode::FAILURE
}

/// Until Ctrl-C or SIGTERM; an error, so that all that was started ends by its own way.
async fn told_to_stop() -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    anyhow::bail!("stopped before its end")
}
