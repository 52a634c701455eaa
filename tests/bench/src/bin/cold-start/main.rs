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

use anyhow::Result;
use clap::Parser;

fn main() -> Result<ExitCode> {
    let plan = compare::Plan::parse();
    let folder = binaries::build(&[compare::EMPTY, compare::OURS])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    let report = local.block_on(&runtime, compare::run(&plan, &folder))?;
    println!("{}", report.text);
    Ok(if report.kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
