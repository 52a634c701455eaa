//! A hook of CodeDeploy that is under way: whether anybody is at work on it. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::decide::{GRACE, Step};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    pub deployment: String,
    /// The lifecycle event.
    pub event: String,
    pub began: Timestamp,
    pub carriers: Vec<Carrier>,
}

/// A one-off task or snapshot that the hook waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrier {
    /// Its end will wake the hook.
    AtWork,
    /// It ended, or has run for longer than it may, which the hook function ends.
    Over {
        /// What the hook's verdict is reported by.
        execution: String,
        /// As far as it is known.
        since: Option<Timestamp>,
    },
}

/// CodeDeploy waits an hour for a verdict. With so little of it left, nobody has one coming.
const LATEST: SignedDuration = SignedDuration::from_mins(52);

/// Whoever was woken so long ago has reported, or will not.
const REPORTED: SignedDuration = SignedDuration::from_mins(10);

/// Within this the call of the hook itself is still in work.
pub const OWN_TURN: SignedDuration = SignedDuration::from_mins(2);

pub fn decide(hook: &Hook, now: Timestamp) -> Option<Step> {
    let age = |since: Timestamp| now.max(since).duration_since(since);
    let latest = hook.began.checked_add(LATEST).unwrap_or(Timestamp::MAX);
    let is_overdue = latest <= now;
    if hook.carriers.contains(&Carrier::AtWork) {
        return None;
    }
    let over = hook.carriers.iter().filter_map(|carrier| match carrier {
        Carrier::Over { execution, since } => Some((execution, *since)),
        Carrier::AtWork => None,
    });
    let last = over.max_by_key(|(_, since)| *since);
    let is_fresh = |since: Option<Timestamp>| since.is_some_and(|since| age(since) < REPORTED);
    match last {
        // Its own event has the first turn.
        Some((_, Some(since))) if age(since) < GRACE => None,
        Some((execution, since)) if !is_overdue || is_fresh(since) => Some(Step::WakeHook {
            deployment: hook.deployment.clone(),
            execution: execution.clone(),
            event: hook.event.clone(),
        }),
        Some(_) | None if is_overdue => Some(Step::StopOverdue {
            deployment: hook.deployment.clone(),
            event: hook.event.clone(),
            since: latest,
        }),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + minute * 60).unwrap()
    }

    fn over(since: Option<i64>) -> Carrier {
        Carrier::Over { execution: "e-1".into(), since: since.map(at) }
    }

    #[test]
    fn whoever_waits_for_what_is_over_is_woken_and_whoever_waits_for_nothing_is_stopped_in_time() {
        let told = |carriers: &[Carrier], now: i64| {
            let carriers = carriers.to_vec();
            let hook =
                Hook { deployment: "d-1".into(), event: "BeforeInstall".into(), began: at(0), carriers };
            decide(&hook, at(now)).map(|step| match step {
                Step::WakeHook { execution, .. } => execution,
                Step::StopOverdue { since, .. } => format!("stopped, overdue since {since}"),
                other => panic!("{other:?}"),
            })
        };
        let (woken, stopped) = (Some("e-1".to_owned()), Some(format!("stopped, overdue since {}", at(52))));
        let table: [(&[Carrier], i64, &Option<String>); 12] = [
            (&[], 10, &None),
            (&[], 51, &None),
            (&[], 52, &stopped),
            (&[Carrier::AtWork], 58, &None),
            (&[over(Some(5)), Carrier::AtWork], 20, &None),
            (&[over(Some(9))], 10, &None),
            (&[over(Some(8))], 10, &woken),
            (&[over(None)], 10, &woken),
            (&[over(Some(8)), over(Some(9))], 10, &None),
            (&[over(Some(50))], 53, &woken),
            (&[over(Some(40))], 53, &stopped),
            (&[over(None)], 53, &stopped),
        ];
        for (carriers, now, expected) in table {
            assert_eq!(told(carriers, now), *expected, "{carriers:?} at {now}");
        }
    }
}
