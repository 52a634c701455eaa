//! What the command line takes, and what each command does.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use shared::config::{Releases, schema};

use crate::parameters::{Account, Given, Parameters, parameters};
use crate::text;

/// Releases images on Amazon ECS
#[derive(Parser)]
#[command(name = "sluice")]
pub struct Sluice {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read a releases.yaml: tell all its faults, or what it says
    Check { file: PathBuf },
    /// Print the JSON Schema of releases.yaml
    Schema,
    /// Print the parameters of template.yaml that follow from a releases.yaml: what the
    /// functions may touch
    Parameters {
        file: PathBuf,
        /// The account's number
        #[arg(long)]
        account: String,
        #[arg(long)]
        region: String,
        #[arg(long, default_value = "aws")]
        partition: String,
        /// A task or execution role of the services, by name or ARN
        #[arg(long = "task-role", value_name = "ROLE")]
        task_roles: Vec<String>,
        /// A log group that migrations print to
        #[arg(long = "log-group", value_name = "NAME")]
        log_groups: Vec<String>,
    },
}

/// Fails only if it cannot print.
pub fn run(sluice: Sluice) -> anyhow::Result<ExitCode> {
    match sluice.command {
        Command::Check { file } => with(&file, |releases| print(&text::summary(releases))),
        Command::Schema => print(&schema::text()),
        Command::Parameters { file, account, region, partition, task_roles, log_groups } => {
            let account = Account { partition, region, id: account };
            let given = Given { task_roles, log_groups };
            with(&file, |releases| {
                let Parameters { yaml, notes } = parameters(releases, &account, &given)?;
                notes.iter().for_each(|note| eprintln!("{note}"));
                print(&format!("# Written by `sluice parameters`, from {}.\n{yaml}", file.display()))
            })
        }
    }
}

/// Does something with a configuration that has no faults, and tells those of any other.
fn with(file: &Path, what: impl FnOnce(&Releases) -> anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
    match Releases::load(file) {
        Ok(releases) => what(&releases),
        Err(faults) => {
            eprintln!("{faults}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn print(text: &str) -> anyhow::Result<ExitCode> {
    std::io::stdout().write_all(text.as_bytes()).context("can't write to stdout")?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Sluice::command().debug_assert();
        assert!(Sluice::try_parse_from(["sluice", "check", "releases.yaml"]).is_ok());
        assert!(Sluice::try_parse_from(["sluice", "check"]).is_err());
    }
}
