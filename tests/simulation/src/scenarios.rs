//! The stories that are crashed.

use crate::scenario::{Scenario, Step};

const NOTHING: &[(&str, &str)] = &[];
const SICK: &[(&str, &str)] = &[("APP_ERROR_RATE", "1")];

fn push(repository: &'static str, tag: &'static str) -> Step {
    Step::Push { repository, tag, environment: NOTHING }
}

fn sick(repository: &'static str, tag: &'static str) -> Step {
    Step::Push { repository, tag, environment: SICK }
}

fn red(service: &'static str) -> Step {
    Step::Alarm { service, state: "ALARM" }
}

fn green(service: &'static str) -> Step {
    Step::Alarm { service, state: "OK" }
}

pub fn all() -> Vec<Scenario> {
    use Step::{Canary, Ended, Repeat, Wait};
    vec![
        Scenario::new("a push", [push("api", "v2"), Wait(60), Ended("api")]),
        Scenario::new("a push of a rolling service", [push("web", "v2"), Wait(60), Ended("web")]),
        Scenario::new(
            "a push, told twice",
            [push("api", "v2"), Repeat("api"), Wait(60), Repeat("api"), Ended("api"), Repeat("api")],
        ),
        Scenario::new(
            "two pushes, one after the other",
            [push("api", "v2"), Wait(60), push("api", "v3"), Ended("api"), Wait(60), Ended("api")],
        ),
        Scenario::new("an image that fails its smoke test", [sick("api", "v2"), Wait(60), Ended("api")]),
        Scenario::new(
            "an alarm during the canary",
            [push("api", "v2"), Canary("api"), Wait(20), red("api"), Wait(120), green("api"), Ended("api")],
        ),
        Scenario::new(
            "an alarm during the watch",
            [push("api", "v2"), Wait(60), Ended("api"), Wait(120), red("api"), Wait(400), green("api")],
        ),
        Scenario::new(
            "an alarm of a rolling service",
            [push("web", "v2"), Canary("web"), red("web"), Wait(200), green("web"), Ended("web")],
        ),
    ]
}
