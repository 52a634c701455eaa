//! Two handlers at once, in every order of their calls that makes a difference.

use crate::calls::{Access, Plan};
use crate::config::{Checks, Config};
use crate::crashes::Failure;
use crate::functions::HOOK;
use crate::orders::Orders;
use crate::outcome::Outcome;
use crate::run::{Run, run};
use crate::step::Step::{self, Again, Canary, Ended, Next, Shifted, Stop, Together, Wait};
use crate::step::{Fate, Image, Story};
use crate::turns::{Choice, Turns};

/// What was walked of two handlers.
#[derive(Debug, Default)]
pub struct Walked {
    pub runs: usize,
    /// Whether there are orders left that were not run.
    pub is_whole: bool,
    pub failures: Vec<Failure>,
}

/// Every two functions that decide something, where both have something to do.
pub fn all() -> Vec<Story> {
    let mut all = Vec::new();
    for on in ["api", "web"] {
        all.extend(both(on));
    }
    all.extend(hooks());
    all
}

fn story(name: String, config: Config, steps: Vec<Step>) -> Story {
    Story { name, config, steps, seed: 1, is_told: false }
}

fn push(repository: &'static str, tag: u32) -> Step {
    Step::Push { repository, tag, image: Image::Good }
}

fn late(function: &'static str, seconds: u64) -> Step {
    Next { function, fate: Fate::Late(seconds) }
}

fn together(first: &'static str, second: &'static str) -> Step {
    Together { first, second }
}

fn red(service: &'static str) -> Step {
    Step::Alarm { service, state: "ALARM" }
}

fn green(service: &'static str) -> Step {
    Step::Alarm { service, state: "OK" }
}

fn both(s: &'static str) -> Vec<Story> {
    let of = |name: &str, steps| story(format!("{s}: {name}"), Config::default(), steps);
    let lost = |function| Next { function, fate: Fate::Lost };
    vec![
        of(
            "one push, told twice",
            vec![together("image-push", "image-push"), push(s, 2), Again("image-push"), Wait(60), Ended(s)],
        ),
        of(
            "two pushes",
            vec![
                together("image-push", "image-push"),
                push(s, 2),
                push(s, 3),
                Wait(60),
                Ended(s),
                Wait(60),
                Ended(s),
            ],
        ),
        of(
            "a push and the sweep",
            vec![
                late("image-push", 150),
                push(s, 2),
                Wait(149),
                together("image-push", "sweep"),
                Again("sweep"),
                Wait(60),
                Ended(s),
            ],
        ),
        of(
            "a push and the end of a deployment",
            vec![
                push(s, 2),
                Wait(30),
                late("deployment-state", 150),
                Ended(s),
                together("image-push", "deployment-state"),
                push(s, 3),
                Again("deployment-state"),
                Wait(60),
                Ended(s),
            ],
        ),
        of(
            "a push and an alarm of the watch",
            vec![
                push(s, 2),
                Wait(60),
                Ended(s),
                Wait(60),
                together("image-push", "alarm"),
                push(s, 3),
                red(s),
                Wait(60),
                green(s),
                Ended(s),
                Wait(400),
                Ended(s),
            ],
        ),
        of(
            "an alarm, told twice",
            vec![
                push(s, 2),
                Canary(s),
                together("alarm", "alarm"),
                red(s),
                Wait(1),
                Again("alarm"),
                Wait(60),
                green(s),
                Ended(s),
            ],
        ),
        of(
            "a push and an alarm",
            vec![
                push(s, 2),
                Canary(s),
                together("image-push", "alarm"),
                push(s, 3),
                red(s),
                Wait(60),
                green(s),
                Ended(s),
                Wait(400),
                Ended(s),
            ],
        ),
        of(
            "an alarm of the watch, told twice",
            vec![
                push(s, 2),
                Wait(60),
                Ended(s),
                Wait(60),
                together("alarm", "alarm"),
                red(s),
                Wait(1),
                Again("alarm"),
                Wait(60),
                green(s),
                Ended(s),
            ],
        ),
        of(
            "an alarm of the watch and the sweep",
            vec![
                push(s, 2),
                Wait(60),
                Ended(s),
                Wait(60),
                late("alarm", 80),
                red(s),
                Wait(79),
                together("alarm", "sweep"),
                Again("sweep"),
                Wait(60),
                green(s),
                Ended(s),
            ],
        ),
        of(
            "an alarm and the end of a deployment",
            vec![
                push(s, 2),
                Wait(30),
                Ended(s),
                together("alarm", "deployment-state"),
                red(s),
                Again("deployment-state"),
                Wait(60),
                green(s),
                Ended(s),
            ],
        ),
        of(
            "an end, told twice",
            vec![
                push(s, 2),
                Wait(30),
                lost("deployment-state"),
                Ended(s),
                Wait(5),
                together("deployment-state", "deployment-state"),
                Again("deployment-state"),
                Again("deployment-state"),
                Wait(60),
            ],
        ),
        of(
            "an end, told twice, and an image that waits",
            vec![
                push(s, 2),
                Wait(30),
                push(s, 3),
                lost("deployment-state"),
                Ended(s),
                together("deployment-state", "deployment-state"),
                Again("deployment-state"),
                Again("deployment-state"),
                Wait(60),
                Ended(s),
            ],
        ),
        of(
            "an end and the sweep",
            vec![
                push(s, 2),
                Wait(30),
                lost("deployment-state"),
                Ended(s),
                Wait(130),
                together("deployment-state", "sweep"),
                Again("deployment-state"),
                Again("sweep"),
                Wait(60),
            ],
        ),
        of(
            "the ends of a release and of what takes it back",
            vec![
                push(s, 2),
                Canary(s),
                together("deployment-state", "deployment-state"),
                Stop { service: s, rolls_back: true },
                Wait(20),
                Again("deployment-state"),
                Wait(60),
                Ended(s),
            ],
        ),
        of(
            "two sweeps",
            vec![
                lost("image-push"),
                push(s, 2),
                Wait(125),
                together("sweep", "sweep"),
                Again("sweep"),
                Again("sweep"),
                Wait(60),
                Ended(s),
            ],
        ),
    ]
}

/// With the hook, which only CodeDeploy calls here.
fn hooks() -> Vec<Story> {
    let s = "api";
    let of = |name: &str, steps| story(format!("api: {name}"), Config::default(), steps);
    let checked = Config { checks: Checks::All, ..Config::default() };
    let sick = Step::Push { repository: s, tag: 2, image: Image::Sick };
    vec![
        of(
            "a hook, told twice",
            vec![push(s, 2), Wait(40), together(HOOK, HOOK), Again(HOOK), Again(HOOK), Ended(s)],
        ),
        of(
            "a hook that fails, told twice",
            vec![
                together(HOOK, HOOK),
                Next { function: HOOK, fate: Fate::Twice(1) },
                sick.clone(),
                Wait(60),
                Ended(s),
            ],
        ),
        story(
            "api: a migration, told twice".into(),
            checked,
            vec![
                together(HOOK, HOOK),
                Next { function: HOOK, fate: Fate::Twice(1) },
                push(s, 2),
                Wait(60),
                Ended(s),
            ],
        ),
        of(
            "a hook that fails and an alarm",
            vec![sick.clone(), together(HOOK, "alarm"), Wait(50), red(s), Wait(60), green(s), Ended(s)],
        ),
        of(
            "a hook and an alarm",
            vec![push(s, 2), together(HOOK, "alarm"), Wait(50), red(s), Wait(60), green(s), Ended(s)],
        ),
        of(
            "a hook and a push",
            vec![
                push(s, 2),
                together(HOOK, "image-push"),
                Wait(50),
                push(s, 3),
                Ended(s),
                Wait(60),
                Ended(s),
            ],
        ),
        of(
            "a hook and the sweep",
            vec![push(s, 2), together(HOOK, "sweep"), Wait(50), Again("sweep"), Ended(s)],
        ),
        of(
            "a hook that fails and the beginning's event",
            vec![
                sick,
                together(HOOK, "deployment-state"),
                Wait(50),
                Again("deployment-state"),
                Wait(60),
                Ended(s),
            ],
        ),
        of(
            "an alarm and the sweep while the old tasks are kept",
            vec![
                push(s, 2),
                Shifted(s),
                late("alarm", 80),
                red(s),
                Wait(79),
                together("alarm", "sweep"),
                Again("sweep"),
                Wait(60),
                green(s),
                Ended(s),
            ],
        ),
    ]
}

/// Orders in which one handler stands before a change while all of the other passes: what was
/// looked at before is no longer so.
fn overtaken(first: usize, trace: &[Choice]) -> Vec<Vec<usize>> {
    let alone = trace.iter().take_while(|choice| choice.taken == first);
    let before = alone
        .enumerate()
        .filter(|(_, choice)| choice.open[first].is_some_and(|next| next.access == Access::Write));
    before.map(|(n, _)| [vec![first; n], vec![1 - first; 200]].concat()).collect()
}

/// Runs a story in each order in which a handler is overtaken before a change, then in every
/// order that differs, up to so many. The outcome must be that of one handler after the other.
pub async fn walk(story: &Story, most: usize) -> Walked {
    let mut walked = Walked::default();
    let (mut serial, mut sudden) = (Vec::<Outcome>::new(), Vec::new());
    for first in [0, 1] {
        match ordered(story, &[first; 200], Turns::scripted([first; 200])).await {
            Ok(run) if !run.met => {
                walked.failures.push(failure(story, &[], "the story", "the two handlers never meet"));
                return walked;
            }
            Ok(run) => {
                sudden.extend(overtaken(first, &run.trace));
                serial.push(run.outcome);
            }
            Err(failure) => {
                walked.failures.push(failure);
                return walked;
            }
        }
    }
    let differs = |order: &[usize], outcome: &Outcome| {
        let same = |other: &Outcome| other.live == outcome.live && other.rejected() == outcome.rejected();
        let what = || format!("{outcome:?}\n  one after the other: {serial:?}");
        (!serial.iter().any(same)).then(|| failure(story, order, "the same as one after the other", &what()))
    };
    for order in sudden {
        walked.runs += 1;
        match ordered(story, &order, Turns::scripted(order.clone())).await {
            Ok(run) => walked.failures.extend(differs(&order, &run.outcome)),
            Err(failure) => walked.failures.push(failure),
        }
    }
    let mut orders = Orders::default();
    for _ in 0..most {
        walked.runs += 1;
        let order = orders.script();
        match ordered(story, &order, Turns::walking(order.clone(), orders.asleep())).await {
            Ok(run) => {
                walked.failures.extend(differs(&order, &run.outcome));
                if let Err(what) = orders.ran(&run.trace) {
                    walked.failures.push(failure(story, &order, "a seed tells the same", &what));
                }
            }
            Err(failure) => walked.failures.push(failure),
        }
        if !orders.turn() {
            walked.is_whole = true;
            break;
        }
    }
    if walked.is_whole && !orders.have_differed() {
        walked.failures.push(failure(
            story,
            &[],
            "the story",
            "neither handler changes what the other reads",
        ));
    }
    walked
}

async fn ordered(story: &Story, order: &[usize], turns: Turns) -> Result<Run, Failure> {
    let ran = run(story, Plan::none(), turns).await;
    ran.map_err(|violation| failure(story, order, violation.invariant, &violation.what))
}

fn failure(story: &Story, order: &[usize], check: &str, what: &str) -> Failure {
    let run = format!("{story}  in the order {order:?}");
    Failure { run, check: check.to_owned(), what: what.to_owned() }
}
