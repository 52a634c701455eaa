//! What happened in an act, as far as it is held against what should have.

use std::collections::BTreeMap;

use cloud::Ms;

use crate::shares::Shares;
use crate::traffic::Counts;
use crate::versions::Version;

/// A decision of image-push, from its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub kind: String,
    pub digest: String,
    pub reason: String,
    pub started: Option<String>,
}

/// What one check of lifecycle-hook came to, from its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub at: Ms,
    pub outcome: String,
}

/// A verdict of lifecycle-hook, from its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub event: String,
    pub status: String,
    pub reason: String,
}

/// A call that somebody made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Access key id: a function's is made of its name.
    pub caller: String,
    /// The call's own `status`, if it has one.
    pub status: String,
    pub refused: Option<String>,
}

impl Asked {
    pub fn is_by(&self, function: &str) -> bool {
        self.refused.is_none() && self.caller.strip_prefix("ASIAFN") == Some(function)
    }
}

/// The end of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub at: Ms,
    pub status: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The version that serves at the beginning, and the one that is pushed.
    pub old: &'static Version,
    pub new: &'static Version,
    /// The image that is live at the beginning.
    pub before: String,
    /// Of the image that is pushed.
    pub digest: String,
    pub decisions: Vec<Decision>,
    pub checks: Vec<Check>,
    pub verdicts: Vec<Verdict>,
    /// Calls of CreateDeployment and PutLifecycleEventHookExecutionStatus.
    pub created: Vec<Asked>,
    pub reported: Vec<Asked>,
    /// Last status by lifecycle event of the deployment.
    pub events: BTreeMap<String, String>,
    pub ended: Option<Ended>,
    /// CodeDeploy's own deployment back to the old version, and its end.
    pub rollback: Option<String>,
    pub rolled_back: Option<Ended>,
    /// The greatest weight in percent that the new version had on the production listener.
    pub most: u64,
    /// What the proxy served in production: while the new version had 10%, in the last
    /// second, and in all.
    pub canary: Shares,
    pub last: Shares,
    pub proxy: Shares,
    /// What it served on the test listener.
    pub tested: Shares,
    pub clients: Counts,
    /// The image that is live in the end.
    pub image: String,
}

impl Facts {
    pub fn new(old: &'static Version, new: &'static Version) -> Self {
        Self {
            old,
            new,
            before: String::new(),
            digest: String::new(),
            decisions: Vec::new(),
            checks: Vec::new(),
            verdicts: Vec::new(),
            created: Vec::new(),
            reported: Vec::new(),
            events: BTreeMap::new(),
            ended: None,
            rollback: None,
            rolled_back: None,
            most: 0,
            canary: Shares::default(),
            last: Shares::default(),
            proxy: Shares::default(),
            tested: Shares::default(),
            clients: Counts::default(),
            image: String::new(),
        }
    }

    /// Who asked for the last deployment.
    pub fn creator(&self) -> &str {
        let caller = self.created.last().map_or("nobody", |asked| &asked.caller);
        caller.strip_prefix("ASIAFN").unwrap_or(caller)
    }

    /// The deployment that image-push started.
    pub fn deployment(&self) -> Option<&str> {
        self.decisions.iter().find_map(|decision| decision.started.as_deref())
    }

    /// From the first check that did not pass to the deployment's end.
    pub fn check_to_end(&self) -> Option<Ms> {
        self.since_check(self.ended.as_ref())
    }

    pub fn check_to_rollback(&self) -> Option<Ms> {
        self.since_check(self.rolled_back.as_ref())
    }

    fn since_check(&self, end: Option<&Ended>) -> Option<Ms> {
        let check = self.checks.iter().find(|check| check.outcome != "passed")?;
        Some(end?.at.saturating_sub(check.at))
    }
}
