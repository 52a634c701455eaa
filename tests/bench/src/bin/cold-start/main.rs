//! `cargo cold-start`: what it costs to wake a function that nobody has woken for long,
//! against an empty one in the same run. Times of one machine mean little; their ratios do.

mod aws;
mod binaries;
mod certificates;
mod compare;
mod figures;
mod function;
mod scene;
mod table;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> Result<ExitCode> {
    let plan = compare::Plan::parse();
    let folder = binaries::build(&[compare::EMPTY, compare::OURS])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    let report = local.block_on(&runtime, async {
        let mut told_to_end = signal(SignalKind::terminate())?;
        // Dropping the comparison ends its processes and removes its files.
        tokio::select! {
            report = compare::run(&plan, &folder) => report,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            _ = told_to_end.recv() => bail!("told to end"),
        }
    })?;
    println!("{}", report.text);
    Ok(if report.kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
