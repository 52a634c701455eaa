//! Reads the cloud's timeline and the functions' logs as they grow, and puts both in an order
//! in which what a function said comes before what came of it.

use std::time::{Duration, Instant};

use cloud::Ms;
use cloud::timeline::{Entry, Kind};
use serde_json::Value;

use crate::facts::Facts;
use crate::functions::{AFTER_TEST, ALARM, BEFORE_TRAFFIC, FUNCTION, HOOK, NOTIFY, STATE};
use crate::scene::Scene;

/// Something new.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    Entry(Entry),
    /// A line of a function's log.
    Logged(&'static str, Value),
}

/// A log comes by a pipe, a moment after the calls that it tells of. After this nothing waits
/// for it any more: the function may have said nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whose logs are read.
const FUNCTIONS: [&str; 5] = [FUNCTION, HOOK, ALARM, STATE, NOTIFY];

pub struct Follower {
    /// Entries of the timeline that were read.
    seen: usize,
    /// Lines of each function's log that were read.
    read: [usize; FUNCTIONS.len()],
    /// What was read and is not told yet, in its order.
    ahead: Vec<(Ms, News)>,
    /// Since when the first of these waits for a log.
    waits: Option<Instant>,
}

impl Follower {
    /// Of what happens from now on.
    pub fn begin(scene: &mut Scene) -> Self {
        let seen = scene.cloud.entries_since(0).len();
        let read = FUNCTIONS.map(|function| scene.log(function).len());
        Self { seen, read, ahead: Vec::new(), waits: None }
    }

    pub fn look(&mut self, scene: &mut Scene) {
        let entries = scene.cloud.entries_since(self.seen);
        self.seen += entries.len();
        let kept = entries.into_iter().filter(|entry| entry.kind != Kind::Task);
        self.ahead.extend(kept.map(|entry| (entry.at, News::Entry(entry))));
        for (read, function) in self.read.iter_mut().zip(FUNCTIONS) {
            let lines = scene.log(function);
            let fresh = lines.into_iter().skip(*read).map(|(at, line)| (at, News::Logged(function, line)));
            let known = self.ahead.len();
            self.ahead.extend(fresh);
            *read += self.ahead.len() - known;
        }
        self.ahead.sort_by_key(|(at, _)| *at);
    }

    /// What is to be told next, if all that it follows from was told.
    pub fn next(&mut self, told: &Facts) -> Option<(Ms, News)> {
        let (at, first) = self.ahead.first()?;
        let at = *at;
        let waits_for = Cause::of(first).filter(|cause| !cause.is_told(told));
        let n = match waits_for {
            None => 0,
            Some(cause) if self.ahead.iter().any(|(_, news)| cause.is(news)) => {
                // With all that the function said before it.
                self.ahead.iter().position(|(_, news)| cause.is_from(news)).unwrap_or_default()
            }
            Some(_) if self.waits.get_or_insert_with(Instant::now).elapsed() < PATIENCE => return None,
            Some(_) => 0,
        };
        self.waits = None;
        Some((at, self.ahead.remove(n).1))
    }
}

/// What a function logs before something comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    /// Of image-push, before its deployment is there.
    Decision,
    /// Of lifecycle-hook, before the lifecycle event ends.
    Verdict(String),
    /// Of alarm, before what it stops.
    Stop,
}

impl Cause {
    fn of(news: &News) -> Option<Self> {
        let News::Entry(entry) = news else { return None };
        let data = &entry.data;
        if entry.kind == Kind::Deployment && data["creator"] == "user" {
            return Some(Self::Decision);
        }
        if entry.kind == Kind::Call && data["operation"] == "StopDeployment" {
            return Some(Self::Stop);
        }
        let event = data["event"].as_str().filter(|event| [AFTER_TEST, BEFORE_TRAFFIC].contains(event))?;
        let ended = ["Succeeded", "Failed"].iter().any(|status| data["status"] == *status);
        ended.then(|| Self::Verdict(event.to_owned()))
    }

    fn is(&self, news: &News) -> bool {
        let News::Logged(function, line) = news else { return false };
        match self {
            Self::Decision => *function == FUNCTION && line["decision"].is_string(),
            Self::Verdict(event) => {
                *function == HOOK && line["verdict"].is_string() && line["event"] == **event
            }
            Self::Stop => *function == ALARM && line["decision"] == "stop",
        }
    }

    fn is_from(&self, news: &News) -> bool {
        let function = match self {
            Self::Decision => FUNCTION,
            Self::Verdict(_) => HOOK,
            Self::Stop => ALARM,
        };
        matches!(news, News::Logged(by, _) if *by == function)
    }

    fn is_told(&self, told: &Facts) -> bool {
        match self {
            Self::Decision => !told.decisions.is_empty(),
            Self::Verdict(event) => told.verdicts.iter().any(|verdict| verdict.event == *event),
            Self::Stop => !told.guarded.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Guarded, Verdict};
    use crate::versions::{FIRST, SECOND};
    use serde_json::json;

    fn entry(at: Ms, data: Value) -> (Ms, News) {
        (at, News::Entry(Entry { at, kind: Kind::Deployment, text: String::new(), data }))
    }

    #[test]
    fn a_verdict_that_is_logged_late_is_told_before_the_event_that_it_ends() {
        let ended = || entry(5, json!({ "event": BEFORE_TRAFFIC, "status": "Failed" }));
        let check = (6, News::Logged(HOOK, json!({ "check": "smoke" })));
        let verdict = (7, News::Logged(HOOK, json!({ "event": BEFORE_TRAFFIC, "verdict": "Failed" })));
        let mut told = Facts::new(&FIRST, &SECOND);
        let mut follower =
            Follower { seen: 0, read: [0; FUNCTIONS.len()], ahead: vec![ended()], waits: None };
        assert_eq!(follower.next(&told), None, "its verdict is still to come");
        follower.ahead.extend([check.clone(), verdict.clone(), entry(8, json!({}))]);
        assert_eq!(follower.next(&told), Some((5, check.1)));
        assert_eq!(follower.next(&told), Some((5, verdict.1)));
        told.verdicts.push(Verdict {
            event: BEFORE_TRAFFIC.into(),
            status: "Failed".into(),
            reason: String::new(),
        });
        assert_eq!(follower.next(&told), Some(ended()));
        assert_eq!(follower.next(&told), Some(entry(8, json!({}))));
        assert_eq!(follower.next(&told), None);
    }

    #[test]
    fn a_stop_is_told_after_the_decision_that_it_comes_of() {
        let data = json!({ "operation": "StopDeployment" });
        let stop =
            || (5, News::Entry(Entry { at: 5, kind: Kind::Call, text: String::new(), data: data.clone() }));
        let decision = (9, News::Logged(ALARM, json!({ "decision": "stop" })));
        let mut told = Facts::new(&FIRST, &SECOND);
        let ahead = vec![stop()];
        let mut follower = Follower { seen: 0, read: [0; FUNCTIONS.len()], ahead, waits: None };
        assert_eq!(follower.next(&told), None, "its decision is still to come");
        follower.ahead.push(decision.clone());
        assert_eq!(follower.next(&told), Some((5, decision.1)));
        told.guarded.push(Guarded { alarm: "a".into(), kind: "stop".into(), did: None });
        assert_eq!(follower.next(&told), Some(stop()));
    }

    #[test]
    fn a_verdict_that_nobody_logs_is_not_waited_for_long() {
        let ended = || entry(5, json!({ "event": AFTER_TEST, "status": "Failed" }));
        let long_ago = Instant::now().checked_sub(PATIENCE);
        let mut follower =
            Follower { seen: 0, read: [0; FUNCTIONS.len()], ahead: vec![ended()], waits: long_ago };
        assert_eq!(follower.next(&Facts::new(&FIRST, &SECOND)), Some(ended()));
    }
}
