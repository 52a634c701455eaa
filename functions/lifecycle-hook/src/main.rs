//! The Lambda function `lifecycle-hook`.

use std::process::ExitCode;

use lifecycle_hook::LifecycleHook;

fn main() -> ExitCode {
    shared::start::function(LifecycleHook::from_environment, LifecycleHook::handle)
}
