//! What only CodeDeploy has: checks, task sets side by side, alarms of its own.

use super::{Scenario, green, push, pushed, red, scenario};
use crate::config::{Checks, Config};
use crate::functions::HOOK;
use crate::step::Step::{Again, Canary, Ended, Next, Retag, Shifted, Stop, Wait};
use crate::step::{Fate, Image, Step};

pub fn all() -> Vec<Scenario> {
    let with = |name: &str, config: Config, steps: Vec<Step>| scenario(format!("api: {name}"), config, steps);
    let on = |name: &str, steps| with(name, Config::default(), steps);
    let checked = Config { checks: Checks::All, ..Config::default() };
    let grouped = Config { group_alarms: true, ..Config::default() };
    let unchecked = Config { checks: Checks::None, ..Config::default() };
    let (s, sick) = ("api", |tag| pushed("api", tag, Image::Sick));
    vec![
        on("an image that fails its smoke test", vec![sick(2), Wait(60), Ended(s)]).core(),
        on(
            "an image that fails its smoke test, and a better one",
            vec![sick(2), Wait(40), push(s, 3), Wait(60), Ended(s), Wait(60), Ended(s)],
        )
        .core(),
        on(
            "an image that failed its smoke test is tagged and told again",
            vec![
                sick(2),
                Wait(60),
                Ended(s),
                Again("image-push"),
                Retag { repository: s, of: 2, image: Image::Sick, tag: 3 },
                Wait(700),
            ],
        ),
        on(
            "a sick image after a good one",
            vec![push(s, 2), Wait(60), Ended(s), sick(3), Wait(60), Ended(s)],
        ),
        on(
            "an image that never answers its smoke test",
            vec![pushed(s, 2, Image::Hanging), Wait(60), Ended(s)],
        ),
        on("an image that never is healthy", vec![pushed(s, 2, Image::Unhealthy), Wait(3_700), Ended(s)]),
        on("a hook that is called twice", vec![push(s, 2), Wait(70), Again(HOOK), Again(HOOK), Ended(s)]),
        on(
            "a hook that is never called",
            vec![Next { function: HOOK, fate: Fate::Lost }, push(s, 2), Wait(3_700), Ended(s)],
        ),
        on(
            "a hook that is called late",
            vec![Next { function: HOOK, fate: Fate::Late(900) }, push(s, 2), Wait(1_000), Ended(s)],
        ),
        on(
            "a person stops during the smoke test",
            vec![sick(2), Wait(50), Stop { service: s, rolls_back: true }, Wait(60), Ended(s)],
        ),
        with("without checks", unchecked, vec![push(s, 2), Wait(60), Ended(s)]),
        with("three checks", checked, vec![push(s, 2), Wait(60), Ended(s)]).core(),
        with("a migration that fails", checked, vec![pushed(s, 2, Image::Unmigrated), Wait(60), Ended(s)])
            .core(),
        with(
            "a migration that fails, and a better image",
            checked,
            vec![
                pushed(s, 2, Image::Unmigrated),
                Wait(20),
                push(s, 3),
                Wait(120),
                Ended(s),
                Wait(60),
                Ended(s),
            ],
        ),
        with("a smoke test that fails after its migration", checked, vec![sick(2), Wait(60), Ended(s)]),
        with(
            "an alarm during a migration",
            checked,
            vec![push(s, 2), Wait(12), red(s), Wait(90), green(s), Ended(s)],
        ),
        with(
            "CodeDeploy's own alarm during the canary",
            grouped,
            vec![push(s, 2), Canary(s), red(s), Wait(120), green(s), Ended(s)],
        )
        .core(),
        with(
            "CodeDeploy's own alarm, and an image that waits",
            grouped,
            vec![
                push(s, 2),
                Canary(s),
                push(s, 3),
                red(s),
                Wait(60),
                green(s),
                Ended(s),
                Wait(300),
                Ended(s),
            ],
        ),
        with(
            "CodeDeploy's own alarm during the watch",
            grouped,
            vec![push(s, 2), Wait(60), Ended(s), Wait(60), red(s), Wait(200), green(s)],
        ),
        on(
            "an alarm while the old tasks are kept",
            vec![push(s, 2), Shifted(s), Wait(30), red(s), Wait(90), green(s), Ended(s)],
        ),
        on(
            "a push while the old tasks are kept",
            vec![push(s, 2), Shifted(s), Wait(30), push(s, 3), Ended(s), Wait(60), Ended(s)],
        ),
        on(
            "a person stops while the old tasks are kept",
            vec![push(s, 2), Shifted(s), Stop { service: s, rolls_back: true }, Wait(60), Ended(s)],
        ),
    ]
}
