//! The lifecycle of an ECS deployment: which event follows which.

use serde::Serialize;

use super::group_settings::Ready;

/// In the order in which a deployment has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) enum Event {
    BeforeInstall,
    Install,
    AfterInstall,
    AllowTestTraffic,
    AfterAllowTestTraffic,
    BeforeAllowTraffic,
    AllowTraffic,
    AfterAllowTraffic,
}

impl Event {
    const ALL: [Self; 8] = [
        Self::BeforeInstall,
        Self::Install,
        Self::AfterInstall,
        Self::AllowTestTraffic,
        Self::AfterAllowTestTraffic,
        Self::BeforeAllowTraffic,
        Self::AllowTraffic,
        Self::AfterAllowTraffic,
    ];

    pub(super) fn name(self) -> String {
        format!("{self:?}")
    }

    /// The event of this name, if an AppSpec can give it a hook: the others are CodeDeploy's own work.
    pub(super) fn with_hook(name: &str) -> Option<Self> {
        let own = [Self::Install, Self::AllowTestTraffic, Self::AllowTraffic];
        Self::ALL.into_iter().find(|event| event.name() == name && !own.contains(event))
    }

    fn needs_test_route(self) -> bool {
        matches!(self, Self::AllowTestTraffic | Self::AfterAllowTestTraffic)
    }
}

/// The events that a deployment shows: without a test listener it has none of test traffic.
pub(super) fn events(test_route: Option<&str>) -> Vec<Event> {
    Event::ALL.into_iter().filter(|event| test_route.is_some() || !event.needs_test_route()).collect()
}

/// Those that a rollback goes through: it only moves traffic.
pub(super) fn rollback_events(test_route: Option<&str>) -> Vec<Event> {
    let moves = |event: &Event| matches!(event, Event::AllowTestTraffic | Event::AllowTraffic);
    events(test_route).into_iter().filter(moves).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Event(Event),
    /// Wait for ContinueDeployment before any production traffic moves, then go on with the event.
    ReadyWait {
        minutes: u64,
        then: Event,
    },
    /// All events are done.
    Done,
}

/// What comes after an event of this plan.
pub(super) fn after(plan: &[Event], done: Event, ready: Ready) -> Next {
    match (plan.iter().find(|event| **event > done), ready) {
        (None, _) => Next::Done,
        (Some(&then @ Event::BeforeAllowTraffic), Ready::Wait { minutes }) => {
            Next::ReadyWait { minutes, then }
        }
        (Some(event), _) => Next::Event(*event),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(test_route: Option<&str>, ready: Ready) -> Vec<Next> {
        let plan = events(test_route);
        plan.iter().map(|event| after(&plan, *event, ready)).collect()
    }

    #[test]
    fn without_a_test_listener_there_are_no_events_of_test_traffic() {
        use Event::*;
        assert_eq!(
            events(None),
            [BeforeInstall, Install, AfterInstall, BeforeAllowTraffic, AllowTraffic, AfterAllowTraffic]
        );
        assert_eq!(events(Some("listener")), Event::ALL);
        assert_eq!(rollback_events(None), [AllowTraffic]);
        assert_eq!(rollback_events(Some("listener")), [AllowTestTraffic, AllowTraffic]);
    }

    #[test]
    fn the_ready_wait_comes_once_and_before_production_traffic() {
        let wait = Next::ReadyWait { minutes: 5, then: Event::BeforeAllowTraffic };
        for route in [None, Some("listener")] {
            let with = walk(route, Ready::Wait { minutes: 5 });
            assert_eq!(with.iter().filter(|next| **next == wait).count(), 1);
            assert_eq!(with.last(), Some(&Next::Done));
            assert!(!walk(route, Ready::Continue).contains(&wait));
        }
    }

    #[test]
    fn codedeploys_own_events_take_no_hook() {
        for name in ["Install", "AllowTestTraffic", "AllowTraffic", "ApplicationStop", "beforeinstall"] {
            assert_eq!(Event::with_hook(name), None, "{name}");
        }
        assert_eq!(Event::with_hook("AfterAllowTraffic"), Some(Event::AfterAllowTraffic));
    }
}
