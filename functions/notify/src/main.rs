//! The Lambda function `notify`.

use std::process::ExitCode;

use notify::Notify;

fn main() -> ExitCode {
    shared::start::function(Notify::from_environment, Notify::handle)
}
