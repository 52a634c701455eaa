//! Which of two messages about one deployment is the later state: messages come in any
//! order, and a late earlier one must not overwrite what is known by now.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::{Message, News};

/// How far something has come, and when. Greater is later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    rank: u8,
    at: Timestamp,
}

impl Message {
    /// None for what is told beside a deployment's course and changes nothing of it.
    pub fn state(&self) -> Option<State> {
        Some(State { rank: rank(&self.news)?, at: self.at })
    }

    /// The state where a detail has to open the conversation: any real one comes after it.
    pub fn opening(&self) -> State {
        State { rank: 0, at: self.at }
    }
}

/// A deployment never goes back to a lower rank, so times need not be compared between
/// functions but for news of the same rank.
fn rank(news: &News) -> Option<u8> {
    match news {
        News::Waiting { .. } | News::Refused { .. } | News::Started { .. } => Some(1),
        News::Succeeded { .. } => Some(2),
        // During the watch even after success.
        News::AlarmStopped { .. } => Some(3),
        News::Failed { .. } => Some(4),
        News::RolledBack { .. } | News::RollbackFailed { .. } | News::NoWayBack { .. } => Some(5),
        News::CheckFailed { .. }
        | News::AlarmRedBefore { .. }
        | News::AlarmAfterWatch { .. }
        | News::AlarmDuringRollback { .. }
        | News::WrongImageLive { .. }
        | News::HookOverdue { .. } => None,
    }
}

/// Short, and of characters that a tag of AWS may hold: `2@1767225600123`.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.rank, self.at.as_millisecond())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a state as Sluice writes it")]
pub struct NotAState(String);

impl FromStr for State {
    type Err = NotAState;

    fn from_str(text: &str) -> Result<Self, NotAState> {
        let parsed = text.split_once('@').and_then(|(rank, at)| {
            let at = Timestamp::from_millisecond(at.parse().ok()?).ok()?;
            Some(Self { rank: rank.parse().ok()?, at })
        });
        parsed.ok_or_else(|| NotAState(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::{every_news, message};

    #[test]
    fn a_deployments_course_is_ordered_whenever_its_steps_were_told() {
        let news = every_news();
        let named = |kind: &str| news.iter().find(|news| news.kind() == kind).cloned().unwrap();
        let course = ["started", "succeeded", "alarm-stopped", "failed", "rolled-back"];
        // Each one a minute before the one it follows: clocks may disagree.
        let states = (0..).zip(course).map(|(n, kind)| {
            let mut message = message(named(kind));
            message.at -= jiff::SignedDuration::from_mins(n);
            message.state().unwrap()
        });
        let states: Vec<_> = states.collect();
        assert!(states.is_sorted_by(|a, b| a < b), "{states:?}");
        let opening = message(named("check-failed")).opening();
        assert!(opening < states[0]);
    }

    #[test]
    fn of_two_of_the_same_rank_the_later_one_counts_and_the_same_one_is_no_later() {
        let failed = message(News::RollbackFailed { reason: "x".into() });
        let mut back = message(News::RolledBack { reason: "y".into(), to: None, times: Default::default() });
        back.at += jiff::SignedDuration::from_secs(1);
        assert!(back.state() > failed.state());
        assert!(failed.state() <= failed.clone().state());
    }

    #[test]
    fn a_state_reads_back_from_its_text() {
        let state = message(News::Succeeded { lead_time: None }).state().unwrap();
        assert_eq!(state.to_string(), "2@1767261600000");
        assert_eq!(state.to_string().parse(), Ok(state));
        for wrong in ["", "2", "2@", "@1", "x@1", "2@x", "300@1"] {
            assert!(wrong.parse::<State>().is_err(), "{wrong}");
        }
    }
}
