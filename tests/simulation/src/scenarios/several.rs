//! Several services at once.

use super::{Scenario, green, push, pushed, red, scenario};
use crate::config::Config;
use crate::step::Image;
use crate::step::Step::{Canary, Ended, Hold, SlackDown, Unhold, Wait};

pub fn all() -> Vec<Scenario> {
    let shared = Config { one_repository: true, ..Config::default() };
    let on = |name: &str, steps| scenario(name, Config::default(), steps);
    let with = |name: &str, steps| scenario(name, shared, steps);
    vec![
        on(
            "both services at once",
            vec![push("api", 2), push("web", 2), Wait(60), Ended("api"), Ended("web")],
        ),
        on(
            "an alarm of one of two",
            vec![
                push("api", 2),
                push("web", 2),
                Canary("api"),
                red("web"),
                Wait(60),
                green("web"),
                Ended("api"),
                Ended("web"),
            ],
        ),
        on(
            "a bystander is pushed, and its alarm is red",
            vec![push("api-worker", 2), red("api-worker"), push("api", 2), Wait(60), Ended("api")],
        ),
        with("one image for both", vec![push("api", 2), Wait(60), Ended("api"), Ended("web")]),
        with(
            "one image for both, and one of them takes it back",
            vec![
                push("api", 2),
                Canary("api"),
                red("api"),
                Wait(60),
                green("api"),
                Ended("api"),
                Ended("web"),
            ],
        ),
        with(
            "one image for both, and one of them is held",
            vec![Hold("web"), push("api", 2), Wait(60), Ended("api"), Unhold("web"), Wait(700), Ended("web")],
        ),
        with(
            "one bad image for both",
            vec![pushed("api", 2, Image::Crashing), Wait(60), Ended("api"), Ended("web")],
        ),
        with(
            "two pushes for both, and Slack is down",
            vec![
                SlackDown(1_800),
                push("api", 2),
                Canary("api"),
                push("api", 3),
                Ended("api"),
                Ended("web"),
                Wait(1_800),
                Ended("api"),
            ],
        ),
    ]
}
