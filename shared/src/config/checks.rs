//! The checks of a service: what must hold at which lifecycle event of a deployment.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{SecretRef, Smoke};
use crate::migration_rule::{Dialect, Rule};

/// The checks of each lifecycle event, in the order in which they run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checks {
    pub before_install: Vec<Check>,
    pub after_install: Vec<Check>,
    pub after_allow_test_traffic: Vec<Check>,
    pub before_allow_traffic: Vec<Check>,
    pub after_allow_traffic: Vec<Check>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    Migrate(Migrate),
    MigrationCheck(MigrationCheck),
    Smoke(Smoke),
}

/// A one-off task of the new revision, which must end with exit code 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOff {
    pub container: String,
    /// Program and arguments; never empty.
    pub command: Vec<String>,
    /// Above zero, 55 minutes at most.
    pub timeout: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrate {
    pub task: OneOff,
    /// The RDS cluster or instance of which a snapshot is taken first.
    pub snapshot: Option<String>,
}

/// A task that prints the SQL of the migration, which is then held against the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationCheck {
    pub task: OneOff,
    pub dialect: Dialect,
    /// Rules that may be broken; none twice.
    pub allow: Vec<Rule>,
}

impl Checks {
    /// CodeDeploy's lifecycle events that have checks, in the order in which they come.
    pub fn lifecycle_events(&self) -> Vec<&'static str> {
        let all = self.by_lifecycle_event().into_iter();
        all.filter(|(_, checks)| !checks.is_empty()).map(|(event, _)| event).collect()
    }

    /// All lifecycle events that may have checks, in the order in which they come.
    pub fn by_lifecycle_event(&self) -> [(&'static str, &[Check]); 5] {
        [
            ("BeforeInstall", &self.before_install),
            ("AfterInstall", &self.after_install),
            ("AfterAllowTestTraffic", &self.after_allow_test_traffic),
            ("BeforeAllowTraffic", &self.before_allow_traffic),
            ("AfterAllowTraffic", &self.after_allow_traffic),
        ]
    }

    /// All secrets that the checks refer to.
    pub fn secrets(&self) -> BTreeSet<SecretRef> {
        let checks = self.by_lifecycle_event().into_iter().flat_map(|(_, checks)| checks);
        checks.flat_map(Check::secrets).collect()
    }
}

impl Check {
    /// As `releases.yaml` calls it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Migrate(_) => "migrate",
            Self::MigrationCheck(_) => "migration-check",
            Self::Smoke(_) => "smoke",
        }
    }

    fn secrets(&self) -> BTreeSet<SecretRef> {
        match self {
            Self::Migrate(_) | Self::MigrationCheck(_) => BTreeSet::new(),
            Self::Smoke(smoke) => smoke.secrets(),
        }
    }
}
