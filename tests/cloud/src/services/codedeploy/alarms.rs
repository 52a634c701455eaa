//! Watches a deployment's alarms while it is active, the blue termination wait included.

use std::collections::BTreeSet;

use super::Timer;
use super::deployment::{Creator, Deployment, Error};
use super::ending;
use super::group_settings::Alarms;
use crate::cloud::Cloud;
use crate::services::cloudwatch;
use crate::time::{Ms, SECOND};

const EVERY: Ms = 10 * SECOND;

/// What the alarms' states mean for a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    GoOn,
    Active(Vec<String>),
    Unreadable(Vec<String>),
}

/// `states`: each configured alarm with its state, if it has one.
fn verdict(states: &[(String, Option<String>)], ignored: &BTreeSet<String>, ignore_failure: bool) -> Verdict {
    let red = |(name, state): &&(String, Option<String>)| {
        state.as_deref() == Some("ALARM") && !ignored.contains(name)
    };
    let names = |found: Vec<&(String, Option<String>)>| found.iter().map(|(name, _)| name.clone()).collect();
    let active: Vec<_> = states.iter().filter(red).collect();
    let unreadable: Vec<_> = states.iter().filter(|(_, state)| state.is_none()).collect();
    if !active.is_empty() {
        Verdict::Active(names(active))
    } else if !unreadable.is_empty() && !ignore_failure {
        Verdict::Unreadable(names(unreadable))
    } else {
        Verdict::GoOn
    }
}

fn states(cloud: &Cloud, alarms: &Alarms) -> Vec<(String, Option<String>)> {
    let state = |name: &String| cloudwatch::alarm_state(cloud, name).map(str::to_owned);
    alarms.names.iter().map(|name| (name.clone(), state(name))).collect()
}

/// At the start of a deployment. A rollback does not look at alarms: one of them may be why it runs.
pub(super) fn begin(cloud: &mut Cloud, d: &mut Deployment) {
    if !d.settings.alarms.enabled || d.creator == Creator::Rollback {
        return;
    }
    if !cloud.settings.red_alarm_stops_at_start {
        let red =
            states(cloud, &d.settings.alarms).into_iter().filter(|(_, s)| s.as_deref() == Some("ALARM"));
        d.ignored_alarms = red.map(|(name, _)| name).collect();
    }
    poll(cloud, d);
}

pub(super) fn poll_again(cloud: &mut Cloud, d: &mut Deployment) {
    if !d.status.ended() {
        poll(cloud, d);
    }
}

fn poll(cloud: &mut Cloud, d: &mut Deployment) {
    let states = states(cloud, &d.settings.alarms);
    let still_red =
        |name: &String| states.iter().any(|(n, state)| n == name && state.as_deref() == Some("ALARM"));
    d.ignored_alarms.retain(still_red);
    let quoted =
        |names: &[String]| names.iter().map(|name| format!("<{name}>")).collect::<Vec<_>>().join(" ");
    match verdict(&states, &d.ignored_alarms, d.settings.alarms.ignore_poll_failure) {
        Verdict::GoOn => cloud.after(EVERY, Timer::PollAlarms { deployment: d.id.clone() }),
        Verdict::Active(names) => {
            let text = format!(
                "One or more alarms have been activated according to the Amazon CloudWatch metrics you \
                 selected, and the affected deployments have been stopped. Activated alarms: {}",
                quoted(&names)
            );
            ending::stop_on_alarm(cloud, d, Error::new("ALARM_ACTIVE", text));
        }
        Verdict::Unreadable(names) => {
            let text = format!(
                "The state of one or more alarms could not be retrieved from Amazon CloudWatch, and the \
                 affected deployments have been stopped. Alarms: {}",
                quoted(&names)
            );
            ending::stop_on_alarm(cloud, d, Error::new("ALARM_ACTIVE", text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(of: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
        of.iter().map(|(name, state)| ((*name).to_owned(), state.map(str::to_owned))).collect()
    }

    #[test]
    fn only_a_red_alarm_or_an_unreadable_one_stops() {
        let none = BTreeSet::new();
        let quiet = states(&[("a", Some("OK")), ("b", Some("INSUFFICIENT_DATA"))]);
        assert_eq!(verdict(&quiet, &none, false), Verdict::GoOn);
        let red = states(&[("a", Some("OK")), ("b", Some("ALARM"))]);
        assert_eq!(verdict(&red, &none, true), Verdict::Active(vec!["b".into()]));
        let gone = states(&[("a", Some("OK")), ("b", None)]);
        assert_eq!(verdict(&gone, &none, false), Verdict::Unreadable(vec!["b".into()]));
        assert_eq!(verdict(&gone, &none, true), Verdict::GoOn);
    }

    #[test]
    fn an_ignored_alarm_does_not_hide_another_one() {
        let ignored = BTreeSet::from(["a".to_owned()]);
        let red = states(&[("a", Some("ALARM")), ("b", Some("ALARM"))]);
        assert_eq!(verdict(&red, &ignored, false), Verdict::Active(vec!["b".into()]));
    }
}
