//! `cargo demo`: releases of a service on the local cloud, told as they happen: one that
//! becomes the live version, one that its smoke test keeps from production, and one that an
//! alarm takes back. Exits 0 only if all of it really did.

mod acts;
mod facts;
mod follow;
mod functions;
mod paper;
mod programs;
mod record;
mod revision;
mod scene;
mod shares;
mod story;
mod table;
mod tell;
mod traffic;
mod verify;
mod versions;
mod wiring;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use cloud::samples;
use tokio::signal::unix::{SignalKind, signal};

use programs::Programs;
use scene::Scene;

/// Virtual seconds in a real one: five minutes of canary take ten seconds.
const SPEED: f64 = 30.0;

/// The whole of it, after the build.
const PATIENCE: Duration = Duration::from_secs(180);

/// What follows the last act.
#[derive(Clone, Copy)]
enum Then {
    End,
    /// The cloud runs on until it is told to stop.
    Stay,
}

/// Where the functions' programs come from.
#[derive(Clone, Copy)]
enum Source {
    Workspace,
    /// They were built beside this program, just before.
    Built,
}

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
    let told = wished().and_then(|(then, source)| {
        let programs = match source {
            Source::Built => Programs::built()?,
            Source::Workspace => Programs::build()?,
        };
        tokio::task::LocalSet::new().block_on(&runtime, demonstrate(&programs, then))
    });
    told.map_or_else(|e| failed(&e), |()| ExitCode::SUCCESS)
}

fn wished() -> anyhow::Result<(Then, Source)> {
    let (mut then, mut source) = (Then::End, Source::Workspace);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--stay" => then = Then::Stay,
            "--built" => source = Source::Built,
            other => anyhow::bail!(
                "'{other}' is not understood; options are --stay: the local cloud runs on at the end, until Enter or \
                 Ctrl-C; and --built: the functions are not built, but taken as they lie beside this program"
            ),
        }
    }
    Ok((then, source))
}

async fn demonstrate(programs: &Programs, then: Then) -> anyhow::Result<()> {
    let scene = tokio::select! {
        ended = tokio::time::timeout(PATIENCE, acts::play(SPEED, programs)) => {
            ended.with_context(|| format!("not over within {} seconds", PATIENCE.as_secs()))??
        }
        stopped = told_to_stop() => {
            stopped?;
            anyhow::bail!("stopped before its end");
        }
    };
    match then {
        Then::End => Ok(()),
        Then::Stay => stay(&scene).await,
    }
}

/// Lets the cloud run on, to be looked at.
async fn stay(scene: &Scene) -> anyhow::Result<()> {
    let url = scene.cloud.url();
    println!("\nthe local cloud runs on until Enter or Ctrl-C:");
    println!("  {url}{}             what Slack shows", cloud::slack::PATH);
    println!("  {url}/_cloud/timeline          all that happened");
    let (said, enter) = tokio::sync::oneshot::channel();
    // A thread of its own, which nobody waits for: reading cannot be broken off.
    std::thread::spawn(move || {
        // At its end there is nobody to press Enter; then only a signal ends it.
        if std::io::stdin().read_line(&mut String::new()).is_ok_and(|read| read > 0) {
            // Whoever waited may be gone.
            let _ = said.send(());
        } else {
            std::mem::forget(said);
        }
    });
    tokio::select! {
        _ = enter => Ok(()),
        stopped = told_to_stop() => stopped,
    }
}

fn failed(e: &anyhow::Error) -> ExitCode {
    eprintln!("the demonstration failed: {e:#}");
    ExitCode::FAILURE
}

/// Until Ctrl-C or SIGTERM, so that all that was started ends by its own way.
async fn told_to_stop() -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
