//! `cargo demo`: version 2 of a service is pushed and becomes the live version, on the local
//! cloud, told as it happens. Exits 0 only if all of it really did.

mod paper;
mod release;
mod revision;
mod scene;
mod shares;
mod story;
mod traffic;
mod verify;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use cloud::samples;
use tokio::signal::unix::{SignalKind, signal};

/// Virtual seconds in a real one: five minutes of canary take ten seconds.
const SPEED: f64 = 30.0;

/// The whole of it, after the build.
const PATIENCE: Duration = Duration::from_secs(180);

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return failed(&e.into()),
    };
    // Tasks and functions of the local cloud are this program by another name.
    match runtime.block_on(samples::run()) {
        Some(Ok(())) => return ExitCode::SUCCESS,
        Some(Err(e)) => return failed(&e.into()),
        None => {}
    }
    let told = image_push().and_then(|function| {
        tokio::task::LocalSet::new().block_on(&runtime, async {
            tokio::select! {
                ended = tokio::time::timeout(PATIENCE, release::tell(SPEED, &function)) => {
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

/// Builds the function beside this program; gives its path.
fn image_push() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let function = own.with_file_name("image-push");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    // As from the workspace's root, where it shares its dependencies with this program.
    build
        .args(["build", "--quiet", "--bin", "image-push"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    // What `cargo run` tells this program of its package would be news to ring's build script,
    // and all that uses ring would be built again.
    for (name, _) in std::env::vars_os().filter(|(name, _)| tells_of_us(name)) {
        build.env_remove(name);
    }
    if own.parent().is_some_and(|profile| profile.ends_with("release")) {
        build.arg("--release");
    }
    let ended = build.status().context("cargo cannot be run")?;
    ensure!(ended.success(), "the function image-push does not build");
    ensure!(function.is_file(), "cargo built image-push elsewhere than in {}", function.display());
    Ok(function)
}

fn tells_of_us(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
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
