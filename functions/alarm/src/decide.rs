//! What an alarm means for one service: stop, take back, escalate, or nothing. Pure.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use shared::aws::Origin;
use shared::release::State;

/// What is known when a decision is due.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    pub alarm: AlarmFacts,
    /// The last deployment of the service, whoever started it.
    pub last: Option<Last>,
    /// How long after its success a deployment is still taken back.
    pub watch: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmFacts {
    pub exists: bool,
    /// Moments at which it went red.
    pub reds: Vec<Timestamp>,
    pub is_red: bool,
    /// Why nothing is to be done for it, if somebody said so.
    pub muted: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// CodeDeploy's id, or the ARN of an ECS service deployment.
    pub id: String,
    pub state: State,
    pub began: Timestamp,
    pub ended: Option<Timestamp>,
    /// Unknown until it has been looked for: it then counts as a release.
    pub origin: Option<Origin>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The active deployment is stopped, and so rolled back.
    Stop {
        deployment: String,
        since: Timestamp,
    },
    /// The deployment has succeeded, and its watch has not passed: what served before is
    /// deployed again.
    TakeBack {
        deployment: String,
        since: Timestamp,
    },
    /// A person is needed.
    Escalate(Escalate),
    Nothing(Nothing),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Escalate {
    /// The alarm went red after the rollback had begun.
    RedDuringRollback { deployment: String, since: Timestamp },
    /// There is nothing to go back to.
    NoWayBack { deployment: String, why: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nothing {
    /// The event is of another state.
    NotRed {
        state: String,
    },
    NoSuchAlarm,
    Muted(String),
    /// It was red, but not since this deployment began, and is not now.
    GreenAgain {
        deployment: String,
    },
    /// It was red before this deployment, which is not blamed.
    RedBefore {
        deployment: String,
        since: Option<Timestamp>,
    },
    NoDeployment,
    RollingBack {
        deployment: String,
    },
    TakenBack {
        deployment: String,
        how: String,
    },
    WatchOver {
        deployment: String,
        since: Timestamp,
    },
}

pub fn decide(facts: &Facts) -> Decision {
    let alarm = &facts.alarm;
    if !alarm.exists {
        return Nothing::NoSuchAlarm.into();
    }
    if let Some(why) = &alarm.muted {
        return Nothing::Muted(why.clone()).into();
    }
    let Some(last) = &facts.last else { return Nothing::NoDeployment.into() };
    let deployment = last.id.clone();
    if let State::Rejected(how) = &last.state {
        return Nothing::TakenBack { deployment, how: how.clone() }.into();
    }
    let Some(since) = alarm.reds.iter().copied().filter(|red| *red >= last.began).min() else {
        return not_blamed(alarm, last).into();
    };
    let ended = last.ended.filter(|_| last.state == State::Succeeded);
    let watched = ended.is_none_or(|ended| {
        let until = ended.checked_add(facts.watch).unwrap_or(Timestamp::MAX);
        since <= until
    });
    match (last.origin, &last.state) {
        (_, State::Succeeded) if !watched => Nothing::WatchOver { deployment, since }.into(),
        (Some(Origin::Rollback), _) => Escalate::RedDuringRollback { deployment, since }.into(),
        (Some(Origin::Release) | None, State::Succeeded) => Decision::TakeBack { deployment, since },
        (Some(Origin::Release) | None, State::Active | State::Rejected(_)) => {
            Decision::Stop { deployment, since }
        }
    }
}

/// The alarm did not go red since the deployment began.
fn not_blamed(alarm: &AlarmFacts, last: &Last) -> Nothing {
    let deployment = last.id.clone();
    match (alarm.is_red, last.origin) {
        (false, _) => Nothing::GreenAgain { deployment },
        // What it went red for is being taken back.
        (true, Some(Origin::Rollback)) => Nothing::RollingBack { deployment },
        (true, Some(Origin::Release) | None) => {
            Nothing::RedBefore { deployment, since: alarm.reds.iter().copied().max() }
        }
    }
}

/// Whether the origin of the last deployment must be known before anything is done or said.
pub fn origin_is_open(facts: &Facts) -> bool {
    let unknown = facts.last.as_ref().is_some_and(|last| last.origin.is_none());
    let hangs_on_it = match decide(facts) {
        Decision::Stop { .. } | Decision::TakeBack { .. } | Decision::Escalate(_) => true,
        Decision::Nothing(nothing) => matches!(nothing, Nothing::RedBefore { .. }),
    };
    unknown && hangs_on_it
}

impl Decision {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Stop { .. } => "stop",
            Self::TakeBack { .. } => "roll-back",
            Self::Escalate(_) => "escalate",
            Self::Nothing(_) => "nothing",
        }
    }
}

impl Decision {
    /// What it is about.
    pub fn deployment(&self) -> Option<&str> {
        match self {
            Self::Stop { deployment, .. }
            | Self::TakeBack { deployment, .. }
            | Self::Escalate(
                Escalate::RedDuringRollback { deployment, .. } | Escalate::NoWayBack { deployment, .. },
            )
            | Self::Nothing(
                Nothing::GreenAgain { deployment }
                | Nothing::RedBefore { deployment, .. }
                | Nothing::RollingBack { deployment }
                | Nothing::TakenBack { deployment, .. }
                | Nothing::WatchOver { deployment, .. },
            ) => Some(deployment),
            Self::Nothing(
                Nothing::NotRed { .. } | Nothing::NoSuchAlarm | Nothing::Muted(_) | Nothing::NoDeployment,
            ) => None,
        }
    }
}

impl From<Nothing> for Decision {
    fn from(nothing: Nothing) -> Self {
        Self::Nothing(nothing)
    }
}

impl From<Escalate> for Decision {
    fn from(escalate: Escalate) -> Self {
        Self::Escalate(escalate)
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop { deployment, since } => {
                write!(f, "the alarm went red at {since}, after {deployment} had begun")
            }
            Self::TakeBack { deployment, since } => {
                write!(f, "the alarm went red at {since}, within the watch over {deployment}")
            }
            Self::Escalate(escalate) => escalate.fmt(f),
            Self::Nothing(nothing) => nothing.fmt(f),
        }
    }
}

impl fmt::Display for Escalate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RedDuringRollback { deployment, since } => write!(
                f,
                "the alarm went red at {since}, after the rollback {deployment} had begun: a rollback starts \
                 no other; look at the service"
            ),
            Self::NoWayBack { deployment, why } => write!(
                f,
                "{deployment} should be taken back, but there is nothing to go back to: {why}; deploy a good \
                 image by hand"
            ),
        }
    }
}

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRed { state } => write!(f, "the alarm went to {state}, which stops nothing"),
            Self::NoSuchAlarm => f.write_str("CloudWatch has no such alarm (any more)"),
            Self::Muted(why) => write!(f, "the alarm is muted: {why}"),
            Self::GreenAgain { deployment } => {
                write!(f, "the alarm is not red, and was not since {deployment} began")
            }
            Self::RedBefore { deployment, since: Some(since) } => {
                write!(f, "the alarm is red since {since}, before {deployment} began, which is not blamed")
            }
            Self::RedBefore { deployment, since: None } => {
                write!(f, "the alarm was red before {deployment} began, which is not blamed")
            }
            Self::NoDeployment => f.write_str("nothing was deployed that could be taken back"),
            Self::RollingBack { deployment } => {
                write!(f, "{deployment} takes back what the alarm went red for")
            }
            Self::TakenBack { deployment, how } => write!(f, "{deployment} has ended already: {how}"),
            Self::WatchOver { deployment, since } => {
                write!(f, "the alarm went red at {since}, when the watch over {deployment} had passed")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + minute * 60).unwrap()
    }

    /// An alarm that went red at minute 20, a release that began at 10 and is active, watch 30 m.
    fn facts() -> Facts {
        let last = Last {
            id: "d-2".into(),
            state: State::Active,
            began: at(10),
            ended: None,
            origin: Some(Origin::Release),
        };
        let alarm = AlarmFacts { exists: true, reds: vec![at(20)], is_red: true, muted: None };
        Facts { alarm, last: Some(last), watch: Duration::from_secs(30 * 60) }
    }

    fn decided(change: impl FnOnce(&mut Facts, &mut Last)) -> Decision {
        let mut facts = facts();
        let mut last = facts.last.take().unwrap();
        change(&mut facts, &mut last);
        facts.last = Some(last);
        decide(&facts)
    }

    fn ended(last: &mut Last, state: State, minute: i64) {
        (last.state, last.ended) = (state, Some(at(minute)));
    }

    #[test]
    fn each_decision_has_its_facts_and_its_words() {
        let (deployment, since) = ("d-2".to_owned(), at(20));
        let stop = Decision::Stop { deployment: deployment.clone(), since };
        let take_back = Decision::TakeBack { deployment: deployment.clone(), since };
        let escalate: Decision = Escalate::RedDuringRollback { deployment: deployment.clone(), since }.into();
        let rejected = || State::Rejected("stopped with ALARM_ACTIVE".into());
        let nothing = |nothing: Nothing| Decision::Nothing(nothing);
        let name = || deployment.clone();
        type Change = fn(&mut Facts, &mut Last);
        let table: Vec<(&str, Change, Decision)> = vec![
            ("active", |_, _| {}, stop.clone()),
            ("red in the moment it began", |_, l| l.began = at(20), stop.clone()),
            ("green again meanwhile", |f, _| f.alarm.is_red = false, stop.clone()),
            ("red twice", |f, _| f.alarm.reds = vec![at(25), at(20), at(5)], stop),
            ("succeeded before it went red", |_, l| ended(l, State::Succeeded, 15), take_back.clone()),
            ("succeeded after it went red", |_, l| ended(l, State::Succeeded, 25), take_back.clone()),
            (
                "no watch, red while it was active",
                |f, l| {
                    f.watch = Duration::ZERO;
                    ended(l, State::Succeeded, 25);
                },
                take_back,
            ),
            ("a rollback is active", |_, l| l.origin = Some(Origin::Rollback), escalate.clone()),
            (
                "a rollback has ended",
                |_, l| {
                    l.origin = Some(Origin::Rollback);
                    ended(l, State::Succeeded, 15);
                },
                escalate,
            ),
            (
                "stopped by CodeDeploy",
                |_, l| ended(l, State::Rejected("stopped with ALARM_ACTIVE".into()), 21),
                nothing(Nothing::TakenBack { deployment: name(), how: "stopped with ALARM_ACTIVE".into() }),
            ),
            (
                "red before",
                |_, l| l.began = at(21),
                nothing(Nothing::RedBefore { deployment: name(), since: Some(at(20)) }),
            ),
            (
                "red before a rollback",
                |_, l| (l.began, l.origin) = (at(21), Some(Origin::Rollback)),
                nothing(Nothing::RollingBack { deployment: name() }),
            ),
            (
                "red before, and green",
                |f, l| (l.began, f.alarm.is_red) = (at(21), false),
                nothing(Nothing::GreenAgain { deployment: name() }),
            ),
            (
                "after the watch",
                |f, l| {
                    f.alarm.reds = vec![at(46)];
                    ended(l, State::Succeeded, 15);
                },
                nothing(Nothing::WatchOver { deployment: name(), since: at(46) }),
            ),
            ("muted", |f, _| f.alarm.muted = Some("night".into()), nothing(Nothing::Muted("night".into()))),
            ("missing", |f, _| f.alarm.exists = false, nothing(Nothing::NoSuchAlarm)),
        ];
        for (name, change, expected) in table {
            assert_eq!(decided(change), expected, "{name}");
        }
        let nothing = decide(&Facts { last: None, ..facts() });
        assert_eq!(nothing, Nothing::NoDeployment.into());
        assert!(decided(|_, l| l.state = rejected()).to_string().contains("d-2 has ended already: stopped"));
    }

    #[test]
    fn each_decision_says_what_it_is_about() {
        let (deployment, since, how) = ("d-2".to_owned(), at(20), "stopped".to_owned());
        let name = || deployment.clone();
        let about: Vec<(Decision, &str, &str)> = vec![
            (
                Decision::Stop { deployment: name(), since },
                "stop",
                "the alarm went red at 2026-01-01T00:20:00Z, after d-2 had begun",
            ),
            (
                Decision::TakeBack { deployment: name(), since },
                "roll-back",
                "the alarm went red at 2026-01-01T00:20:00Z, within the watch over d-2",
            ),
            (
                Escalate::RedDuringRollback { deployment: name(), since }.into(),
                "escalate",
                "after the rollback d-2 had begun: a rollback starts no other",
            ),
            (
                Escalate::NoWayBack { deployment: name(), why: "v1 is gone".into() }.into(),
                "escalate",
                "there is nothing to go back to: v1 is gone; deploy a good image by hand",
            ),
            (Nothing::GreenAgain { deployment: name() }.into(), "nothing", "was not since d-2 began"),
            (
                Nothing::RedBefore { deployment: name(), since: Some(since) }.into(),
                "nothing",
                "red since 2026-01-01T00:20:00Z, before d-2 began, which is not blamed",
            ),
            (
                Nothing::RedBefore { deployment: name(), since: None }.into(),
                "nothing",
                "the alarm was red before d-2 began, which is not blamed",
            ),
            (Nothing::RollingBack { deployment: name() }.into(), "nothing", "d-2 takes back what"),
            (
                Nothing::TakenBack { deployment: name(), how }.into(),
                "nothing",
                "d-2 has ended already: stopped",
            ),
            (
                Nothing::WatchOver { deployment: name(), since }.into(),
                "nothing",
                "the watch over d-2 had passed",
            ),
        ];
        for (decision, kind, words) in about {
            assert_eq!((decision.kind(), decision.deployment()), (kind, Some("d-2")));
            assert!(decision.to_string().contains(words), "{decision}");
        }
        let nothing = [
            (Nothing::NotRed { state: "OK".into() }, "the alarm went to OK, which stops nothing"),
            (Nothing::NoSuchAlarm, "CloudWatch has no such alarm (any more)"),
            (Nothing::Muted("night".into()), "the alarm is muted: night"),
            (Nothing::NoDeployment, "nothing was deployed that could be taken back"),
        ];
        for (nothing, words) in nothing {
            let decision = Decision::from(nothing);
            assert_eq!((decision.kind(), decision.deployment()), ("nothing", None));
            assert_eq!(decision.to_string(), words);
        }
    }

    #[test]
    fn the_origin_is_only_asked_for_where_something_hangs_on_it() {
        let open = |change: fn(&mut Facts)| {
            let mut facts = facts();
            facts.last.as_mut().unwrap().origin = None;
            change(&mut facts);
            origin_is_open(&facts)
        };
        assert!(open(|_| {}));
        assert!(open(|f| f.last.as_mut().unwrap().began = at(21)));
        assert!(!open(|f| f.alarm.muted = Some("night".into())));
        assert!(!open(|f| f.last.as_mut().unwrap().state = State::Rejected("failed".into())));
        assert!(!open(|f| f.last.as_mut().unwrap().origin = Some(Origin::Release)));
    }
}
