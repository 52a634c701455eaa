//! What happened in an act, as far as it is held against what should have.

use std::collections::BTreeMap;

use cloud::Ms;
use serde_json::Value;

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
    pub at: Ms,
    /// Access key id: a function's is made of its name.
    pub caller: String,
    pub input: Value,
    pub refused: Option<String>,
}

impl Asked {
    /// The function that did, or whoever else.
    pub fn by(&self) -> &str {
        self.caller.strip_prefix("ASIAFN").unwrap_or(&self.caller)
    }

    /// The call's own `status`, if it has one.
    pub fn status(&self) -> &str {
        self.input["status"].as_str().unwrap_or_default()
    }

    pub fn is_by(&self, function: &str) -> bool {
        self.refused.is_none() && self.caller.starts_with("ASIAFN") && self.by() == function
    }
}

/// A decision of alarm, from its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded {
    pub alarm: String,
    pub kind: String,
    /// The deployment that it stopped, or started.
    pub did: Option<String>,
}

/// An alarm that turned red.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Red {
    pub at: Ms,
    pub alarm: String,
}

/// Weights of the production listener from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    pub at: Ms,
    pub old: u64,
    pub new: u64,
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
    /// Of alarm.
    pub guarded: Vec<Guarded>,
    /// How it ended, as deployment-state noted when all else was done: each tag `sluice:ended`.
    pub noted: Vec<String>,
    /// Calls of CreateDeployment, PutLifecycleEventHookExecutionStatus and StopDeployment.
    pub created: Vec<Asked>,
    pub reported: Vec<Asked>,
    pub stops: Vec<Asked>,
    /// When the image was pushed first.
    pub pushed: Option<Ms>,
    pub reds: Vec<Red>,
    pub moves: Vec<Move>,
    /// The alarm on the new version's target group.
    pub alarm: &'static str,
    /// What Slack showed, by line of the timeline.
    pub posts: Vec<String>,
    /// Last status by lifecycle event of the deployment.
    pub events: BTreeMap<String, String>,
    pub ended: Option<Ended>,
    /// CodeDeploy's own deployment back to the old version, and its end.
    pub rollback: Option<String>,
    pub rolled_back: Option<Ended>,
    /// Why CodeDeploy ended the deployment, by the code of its error.
    pub error: Option<String>,
    /// Of the new revision, at the end.
    pub tags: BTreeMap<String, String>,
    /// The greatest weight in percent that the new version had on the production listener.
    pub most: u64,
    /// What the proxy served in production: while the new version had 10%, in the last
    /// second, and in all.
    pub canary: Shares,
    pub last: Shares,
    pub proxy: Shares,
    /// Of these, what was answered by 5xx.
    pub errors: Shares,
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
            guarded: Vec::new(),
            noted: Vec::new(),
            created: Vec::new(),
            reported: Vec::new(),
            stops: Vec::new(),
            pushed: None,
            reds: Vec::new(),
            moves: Vec::new(),
            alarm: "",
            posts: Vec::new(),
            events: BTreeMap::new(),
            ended: None,
            rollback: None,
            rolled_back: None,
            error: None,
            tags: BTreeMap::new(),
            most: 0,
            canary: Shares::default(),
            last: Shares::default(),
            proxy: Shares::default(),
            errors: Shares::default(),
            tested: Shares::default(),
            clients: Counts::default(),
            image: String::new(),
        }
    }

    /// Who asked for the last deployment.
    pub fn creator(&self) -> &str {
        self.created.last().map_or("nobody", Asked::by)
    }

    /// The deployment that image-push started.
    pub fn deployment(&self) -> Option<&str> {
        self.decisions.iter().find_map(|decision| decision.started.as_deref())
    }

    /// Whether a message with these words was shown in a channel.
    pub fn shown(&self, channel: &str, words: &str) -> bool {
        let channel = format!("slack {channel}");
        self.posts.iter().any(|post| post.starts_with(&channel) && post.contains(words))
    }

    /// When the first deployment was asked for.
    pub fn created_at(&self) -> Option<Ms> {
        Some(self.created.first()?.at)
    }

    /// When the new version first had all traffic.
    pub fn live_at(&self) -> Option<Ms> {
        Some(self.moves.iter().find(|weights| (weights.old, weights.new) == (0, 100))?.at)
    }

    /// When the alarm on the new version's target group first turned red.
    pub fn red_at(&self) -> Option<Ms> {
        Some(self.reds.iter().find(|red| red.alarm == self.alarm)?.at)
    }

    /// When a request to stop was first accepted.
    pub fn stopped_at(&self) -> Option<Ms> {
        Some(self.stops.iter().find(|stop| stop.refused.is_none())?.at)
    }

    /// When the old version had all traffic again, after the stop.
    pub fn back_at(&self) -> Option<Ms> {
        let stop = self.stopped_at()?;
        Some(self.moves.iter().find(|back| back.at >= stop && (back.old, back.new) == (100, 0))?.at)
    }

    /// From the red alarm until CodeDeploy had stopped the deployment.
    pub fn red_to_end(&self) -> Option<Ms> {
        Some(self.ended.as_ref()?.at.saturating_sub(self.red_at()?))
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
