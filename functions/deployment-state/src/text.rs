//! What a decision says in the log: one sentence each.

use std::fmt::{self, Display, Formatter};

use crate::decide::{Decision, Nothing, Outcome};

impl Decision {
    /// One word for logs and answers.
    pub fn kind(&self) -> &'static str {
        match self.outcome {
            Outcome::Active => "active",
            Outcome::RollingBack => "rolling-back",
            Outcome::Succeeded => "succeeded",
            Outcome::WrongImage => "wrong-image",
            Outcome::Failed(_) => "failed",
            Outcome::RolledBack(_) => "rolled-back",
            Outcome::RollbackFailed(_) => "rollback-failed",
        }
    }
}

impl Display for Decision {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Active => f.write_str("the deployment is active"),
            Outcome::RollingBack => f.write_str("the release succeeded, and is being taken back"),
            Outcome::Succeeded => f.write_str("the release succeeded"),
            Outcome::WrongImage => f.write_str("the release succeeded, and something else serves"),
            Outcome::Failed(why) => write!(f, "the release did not succeed: {why}"),
            Outcome::RolledBack(why) => write!(f, "the release was taken back: {why}"),
            Outcome::RollbackFailed(why) => write!(f, "the release could not be taken back: {why}"),
        }
    }
}

impl Display for Nothing {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs(what) => write!(f, "no service in releases.yaml is deployed by {what}"),
            Self::Other(what) => write!(f, "not the begin or end of a deployment: {what}"),
            Self::NoDeployment => f.write_str("AWS knows no such deployment (any more)"),
        }
    }
}
