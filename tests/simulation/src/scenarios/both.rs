//! What may happen to a service, whoever deploys it.

use super::{Scenario, green, push, pushed, red, scenario};
use crate::config::{Config, Gate};
use crate::step::Step::{
    Again, AlarmBack, AlarmGone, ByHand, Canary, Chaff, Delete, Deregister, Ended, Hold, Next, PushTwo,
    Retag, Scale, SlackDown, Stop, Unhold, Wait,
};
use crate::step::{Fate, Image, Step};

pub fn of(on: &'static str) -> Vec<Scenario> {
    let mut all = pushes(on);
    all.extend(bad_images(on));
    all.extend(alarms(on));
    all.extend(people(on));
    all.extend(gates(on));
    all.extend(pages(on));
    all
}

/// With lists that come a row a page.
fn pages(s: &'static str) -> Vec<Scenario> {
    let short = Config { short_pages: true, ..Config::default() };
    let lost = || Next { function: "image-push", fate: Fate::Lost };
    vec![
        with(
            s,
            "pushes that nobody hears of, a row a page",
            short,
            vec![lost(), push(s, 2), Wait(600), Ended(s), lost(), push(s, 3), Wait(600), Ended(s)],
        ),
        with(
            s,
            "a bad image after good ones, told again, a row a page",
            short,
            vec![
                push(s, 2),
                Wait(60),
                Ended(s),
                push(s, 3),
                Wait(60),
                Ended(s),
                pushed(s, 4, Image::Crashing),
                Wait(60),
                Ended(s),
                Wait(60),
                Again("image-push"),
                Wait(400),
            ],
        ),
    ]
}

fn on(service: &str, name: &str, steps: Vec<Step>) -> Scenario {
    scenario(format!("{service}: {name}"), Config::default(), steps)
}

fn with(service: &str, name: &str, config: Config, steps: Vec<Step>) -> Scenario {
    scenario(format!("{service}: {name}"), config, steps)
}

fn pushes(s: &'static str) -> Vec<Scenario> {
    let lost = Next { function: "image-push", fate: Fate::Lost };
    let late = |seconds| Next { function: "image-push", fate: Fate::Late(seconds) };
    vec![
        on(s, "a push", vec![push(s, 2), Wait(60), Ended(s)]).core(),
        on(s, "a push that nobody hears of", vec![lost, push(s, 2), Wait(600), Ended(s)]),
        on(
            s,
            "a push, told again during and after its deployment",
            vec![
                push(s, 2),
                Again("image-push"),
                Canary(s),
                Again("image-push"),
                Ended(s),
                Again("image-push"),
            ],
        ),
        on(
            s,
            "a push, told again a day later",
            vec![
                Next { function: "image-push", fate: Fate::Twice(20 * 60) },
                push(s, 2),
                Ended(s),
                push(s, 3),
                Wait(60),
                Ended(s),
                Wait(900),
            ],
        ),
        on(
            s,
            "two pushes, one after the other",
            vec![push(s, 2), Wait(60), push(s, 3), Ended(s), Wait(60), Ended(s)],
        )
        .core(),
        on(
            s,
            "two pushes at once",
            vec![PushTwo { repository: s, tag: 2 }, Wait(60), Ended(s), Wait(60), Ended(s)],
        ),
        on(
            s,
            "two pushes whose events come in the other order",
            vec![late(90), push(s, 2), Wait(5), push(s, 3), Wait(120), Ended(s), Wait(60), Ended(s)],
        ),
        on(
            s,
            "pushes during a deployment: only the newest follows",
            vec![push(s, 2), Canary(s), push(s, 3), push(s, 4), Ended(s), Wait(60), Ended(s)],
        ),
        on(
            s,
            "a push within the watch",
            vec![push(s, 2), Wait(30), Ended(s), Wait(60), push(s, 3), Wait(30), Ended(s)],
        ),
        on(
            s,
            "a second tag on what is live",
            vec![
                push(s, 2),
                Wait(30),
                Ended(s),
                Retag { repository: s, of: 2, image: Image::Good, tag: 3 },
                Wait(400),
            ],
        ),
        on(
            s,
            "an older image is tagged anew",
            vec![
                push(s, 2),
                Wait(30),
                Ended(s),
                push(s, 3),
                Wait(30),
                Ended(s),
                Retag { repository: s, of: 2, image: Image::Good, tag: 4 },
                Wait(400),
            ],
        ),
        on(s, "pushes that are no versions", vec![Chaff(s), Wait(400)]),
        on(
            s,
            "an image that is deleted at once",
            vec![push(s, 2), Delete { repository: s, tag: 2 }, Wait(400), Ended(s)],
        ),
    ]
}

fn bad_images(s: &'static str) -> Vec<Scenario> {
    vec![
        on(s, "an image whose tasks end", vec![pushed(s, 2, Image::Crashing), Wait(60), Ended(s)]),
        on(
            s,
            "an image whose tasks end, and a better one while it tries",
            vec![pushed(s, 2, Image::Crashing), Wait(30), push(s, 3), Ended(s), Wait(120), Ended(s)],
        ),
        on(
            s,
            "a rejected image is tagged and told again",
            vec![
                pushed(s, 2, Image::Crashing),
                Wait(60),
                Ended(s),
                Again("image-push"),
                Retag { repository: s, of: 2, image: Image::Crashing, tag: 3 },
                Wait(700),
            ],
        ),
    ]
}

fn alarms(s: &'static str) -> Vec<Scenario> {
    let lost = Next { function: "alarm", fate: Fate::Lost };
    let insufficient = Step::Alarm { service: s, state: "INSUFFICIENT_DATA" };
    vec![
        on(
            s,
            "an alarm during the canary",
            vec![push(s, 2), Canary(s), Wait(5), red(s), Wait(120), green(s), Ended(s)],
        )
        .core(),
        on(
            s,
            "an alarm during the canary that nobody hears of",
            vec![lost.clone(), push(s, 2), Canary(s), Wait(5), red(s), Wait(700), green(s), Ended(s)],
        ),
        on(s, "an alarm at once", vec![push(s, 2), Wait(8), red(s), Wait(120), green(s), Ended(s)]),
        on(
            s,
            "an alarm during the watch",
            vec![push(s, 2), Wait(60), Ended(s), Wait(120), red(s), Wait(400), green(s)],
        )
        .core(),
        on(
            s,
            "an alarm during the watch that is green at once",
            vec![push(s, 2), Wait(60), Ended(s), Wait(120), red(s), Wait(20), green(s), Wait(400)],
        ),
        on(
            s,
            "an alarm during the watch that nobody hears of",
            vec![lost, push(s, 2), Wait(60), Ended(s), Wait(120), red(s), Wait(30), green(s), Wait(600)],
        ),
        on(
            s,
            "an alarm after the watch",
            vec![push(s, 2), Wait(60), Ended(s), Wait(1_000), red(s), Wait(60), green(s)],
        ),
        on(
            s,
            "an alarm that flaps",
            vec![
                push(s, 2),
                Canary(s),
                red(s),
                green(s),
                Wait(10),
                red(s),
                Wait(10),
                green(s),
                red(s),
                Wait(90),
                green(s),
                Ended(s),
            ],
        ),
        on(
            s,
            "an alarm, and an image that waits",
            vec![
                push(s, 2),
                Canary(s),
                push(s, 3),
                Wait(30),
                red(s),
                Wait(60),
                green(s),
                Ended(s),
                Wait(300),
                Ended(s),
            ],
        )
        .core(),
        on(
            s,
            "an alarm that stays red, and an image that waits",
            vec![
                push(s, 2),
                Canary(s),
                push(s, 3),
                red(s),
                Ended(s),
                Wait(900),
                green(s),
                Wait(400),
                Ended(s),
            ],
        ),
        on(
            s,
            "an alarm that was red before",
            vec![red(s), Wait(30), push(s, 2), Wait(600), green(s), Wait(400), Ended(s)],
        ),
        on(s, "an alarm without data", vec![push(s, 2), Canary(s), insufficient, Wait(60), Ended(s)]),
        on(
            s,
            "an alarm that is deleted",
            vec![AlarmGone(s), push(s, 2), Wait(600), AlarmBack(s), Wait(400), Ended(s)],
        ),
        on(
            s,
            "the third release is taken back to the second",
            vec![
                push(s, 2),
                Wait(30),
                Ended(s),
                Wait(900),
                push(s, 3),
                Canary(s),
                red(s),
                Wait(90),
                green(s),
                Ended(s),
            ],
        ),
        on(
            s,
            "two releases taken back, one after the other",
            vec![
                push(s, 2),
                Canary(s),
                red(s),
                Wait(60),
                green(s),
                Ended(s),
                Wait(60),
                push(s, 3),
                Canary(s),
                red(s),
                Wait(60),
                green(s),
                Ended(s),
            ],
        ),
        on(
            s,
            "a release after a rejected one is taken back within its watch",
            vec![
                push(s, 2),
                Canary(s),
                red(s),
                Wait(60),
                green(s),
                Ended(s),
                Wait(60),
                push(s, 3),
                Wait(60),
                Ended(s),
                Wait(60),
                red(s),
                Wait(400),
                green(s),
            ],
        ),
        on(
            s,
            "an alarm in a rollback",
            vec![
                push(s, 2),
                Wait(30),
                Ended(s),
                Wait(60),
                red(s),
                green(s),
                Wait(20),
                red(s),
                Wait(120),
                green(s),
                Ended(s),
            ],
        ),
        on(
            s,
            "an alarm, and Slack is down",
            vec![SlackDown(3_600), push(s, 2), Canary(s), red(s), Wait(120), green(s), Ended(s), Wait(3_600)],
        ),
        on(
            s,
            "an alarm of somebody else",
            vec![push(s, 2), Canary(s), red("api-worker"), Wait(60), Ended(s), push("api-worker", 2)],
        ),
    ]
}

fn people(s: &'static str) -> Vec<Scenario> {
    vec![
        on(
            s,
            "a person stops with rollback",
            vec![push(s, 2), Canary(s), Stop { service: s, rolls_back: true }, Ended(s)],
        ),
        on(
            s,
            "a person stops without rollback",
            vec![push(s, 2), Canary(s), Stop { service: s, rolls_back: false }, Wait(60), Ended(s)],
        ),
        on(
            s,
            "a person stops, and a newer image waits",
            vec![
                push(s, 2),
                Canary(s),
                push(s, 3),
                Wait(10),
                Stop { service: s, rolls_back: true },
                Wait(60),
                Ended(s),
                Wait(60),
                Ended(s),
            ],
        ),
        on(s, "a hold, and its end", vec![Hold(s), push(s, 2), Wait(700), Unhold(s), Wait(400), Ended(s)]),
        on(
            s,
            "a hold does not hold a rollback",
            vec![push(s, 2), Canary(s), Hold(s), red(s), Wait(60), green(s), Ended(s), Unhold(s)],
        ),
        on(
            s,
            "a person's own deployment",
            vec![ByHand(s), Wait(30), Ended(s), Wait(30), push(s, 2), Wait(60), Ended(s)],
        ),
        on(
            s,
            "a push during a person's own deployment",
            vec![ByHand(s), Canary(s), push(s, 2), Ended(s), Wait(400), Ended(s)],
        ),
        on(
            s,
            "an alarm that was red before a person's own deployment, told again",
            vec![red(s), Wait(120), ByHand(s), Canary(s), Again("alarm"), Wait(60), Ended(s), green(s)],
        ),
        on(
            s,
            "an alarm during a person's own deployment",
            vec![
                push(s, 2),
                Wait(30),
                Ended(s),
                Wait(800),
                ByHand(s),
                Canary(s),
                red(s),
                Wait(60),
                green(s),
                Ended(s),
            ],
        ),
        on(
            s,
            "a person scales",
            vec![push(s, 2), Canary(s), Scale { service: s, count: 4 }, Ended(s), Wait(60)],
        ),
        on(
            s,
            "what serves is deregistered",
            vec![push(s, 2), Wait(60), Ended(s), Wait(800), Deregister(s), push(s, 3), Wait(400)],
        ),
        on(
            s,
            "what serves is deregistered before its end is noted, and a push is not heard of",
            vec![
                push(s, 2),
                Canary(s),
                Next { function: "deployment-state", fate: Fate::Lost },
                Ended(s),
                Deregister(s),
                Next { function: "image-push", fate: Fate::Lost },
                push(s, 3),
                Wait(900),
                Ended(s),
            ],
        ),
        on(
            s,
            "the image of what serves is deleted",
            vec![
                push(s, 2),
                Wait(60),
                Ended(s),
                Wait(800),
                Delete { repository: s, tag: 2 },
                push(s, 3),
                Wait(400),
            ],
        ),
        on(
            s,
            "the way back is deleted during the watch",
            vec![
                push(s, 2),
                Wait(60),
                Ended(s),
                Wait(60),
                Delete { repository: s, tag: 1 },
                red(s),
                Wait(400),
                green(s),
                Wait(300),
            ],
        ),
        on(
            s,
            "Slack is down for an hour",
            vec![SlackDown(3_600), push(s, 2), Wait(60), Ended(s), Wait(3_600)],
        ),
    ]
}

fn gates(s: &'static str) -> Vec<Scenario> {
    let scan = Config { gate: Gate::Scan, ..Config::default() };
    let freeze = Config { gate: Gate::Freeze, ..Config::default() };
    let short = Config { watch: 0, ..Config::default() };
    vec![
        with(s, "a scan that finds nothing", scan, vec![push(s, 2), Wait(120), Ended(s)]),
        with(
            s,
            "a scan that finds something",
            scan,
            vec![pushed(s, 2, Image::Vulnerable), Wait(400), Ended(s)],
        ),
        with(
            s,
            "a scan that finds something, and a better image",
            scan,
            vec![pushed(s, 2, Image::Vulnerable), Wait(60), push(s, 3), Wait(120), Ended(s)],
        ),
        with(s, "a scan that fails", scan, vec![pushed(s, 2, Image::Unscanned), Wait(900), Ended(s)]),
        with(s, "a freeze, and its end", freeze, vec![Wait(1_500), push(s, 2), Wait(7_200), Ended(s)]),
        with(
            s,
            "a freeze that begins during a deployment",
            freeze,
            vec![Wait(1_200), push(s, 2), Wait(30), push(s, 3), Ended(s), Wait(7_500), Ended(s)],
        ),
        with(
            s,
            "no watch",
            short,
            vec![push(s, 2), Wait(60), Ended(s), Wait(60), red(s), Wait(60), green(s)],
        ),
    ]
}
