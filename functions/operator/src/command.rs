//! What the command line takes, and what each command does.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use shared::config::{Releases, schema};

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
}

/// Fails only if it cannot print.
pub fn run(sluice: Sluice) -> anyhow::Result<ExitCode> {
    match sluice.command {
        Command::Check { file } => match Releases::load(&file) {
            Ok(releases) => print(&text::summary(&releases)),
            Err(faults) => {
                eprintln!("{faults}");
                Ok(ExitCode::FAILURE)
            }
        },
        Command::Schema => print(&schema::text()),
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
