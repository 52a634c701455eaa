//! The Lambda function `deployment-state`.

use std::process::ExitCode;

use deployment_state::DeploymentState;

fn main() -> ExitCode {
    shared::start::function(DeploymentState::from_environment, DeploymentState::handle)
}
