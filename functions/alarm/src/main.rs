//! The Lambda function `alarm`.

use std::process::ExitCode;

use alarm::Guard;

fn main() -> ExitCode {
    shared::start::function(Guard::from_environment, Guard::handle)
}
