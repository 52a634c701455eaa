//! The Lambda function `sweep`.

use std::process::ExitCode;

use sweep::Sweep;

fn main() -> ExitCode {
    shared::start::function(Sweep::from_environment, Sweep::handle)
}
