//! Two handlers at once, in every order of their calls that makes a difference.
//!
//! Orders are walked depth first. Two calls commute if neither changes what the other reads,
//! so of orders that differ in such neighbours only one is run: sleep sets, Godefroid,
//! "Partial-Order Methods for the Verification of Concurrent Systems" (1996).

use crate::calls::{Access, Plan};
use crate::config::{Checks, Config};
use crate::crashes::Failure;
use crate::functions::HOOK;
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
                Canary(s),
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
                sick.clone(),
                late(HOOK, 60),
                Wait(120),
                together(HOOK, HOOK),
                Again(HOOK),
                Again(HOOK),
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

/// A handler's next call, and whether taking it now was tried in an order that commutes.
type Asleep = [bool; 2];

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
/// other order, up to so many. The outcome must be that of one handler after the other.
pub async fn walk(story: &Story, most: usize) -> Walked {
    let mut walked = Walked::default();
    let fail = |order: &[usize], check: &str, what: String| Failure {
        run: format!("{story}  in the order {order:?}"),
        check: check.to_owned(),
        what,
    };
    let (mut serial, mut sudden) = (Vec::<Outcome>::new(), Vec::new());
    for first in [0, 1] {
        match run(story, Plan::none(), Turns::scripted([first; 200])).await {
            Ok(run) if !run.met => {
                walked.failures.push(fail(&[], "the story", "the two handlers never meet".to_owned()));
                return walked;
            }
            Ok(run) => {
                sudden.extend(overtaken(first, &run.trace));
                serial.push(run.outcome);
            }
            Err(violation) => {
                walked.failures.push(fail(&[first], violation.invariant, violation.what.clone()));
                return walked;
            }
        }
    }
    let mut open = vec![Vec::<usize>::new()];
    let most = most + sudden.len();
    while let Some((order, is_sudden)) =
        sudden.pop().map(|order| (order, true)).or_else(|| open.pop().map(|order| (order, false)))
    {
        if walked.runs == most {
            return walked;
        }
        walked.runs += 1;
        match run(story, Plan::none(), Turns::scripted(order.clone())).await {
            Ok(run) => {
                if !is_sudden {
                    branch(&order, &run, &mut open);
                }
                let same = |other: &Outcome| {
                    other.live == run.outcome.live && other.rejected() == run.outcome.rejected()
                };
                if !serial.iter().any(same) {
                    let what = format!("{:?}\n  one after the other: {serial:?}", run.outcome);
                    walked.failures.push(fail(&order, "the same as one after the other", what));
                }
            }
            Err(violation) => {
                walked.failures.push(fail(&order, violation.invariant, violation.what.clone()));
            }
        }
    }
    walked.is_whole = true;
    walked
}

/// The orders that branch off this run beyond the part of it that was given.
fn branch(order: &[usize], run: &Run, open: &mut Vec<Vec<usize>>) {
    let mut asleep: Asleep = [false; 2];
    for (n, Choice { open: next, taken }) in run.trace.iter().enumerate() {
        let other = 1 - taken;
        let both = next[0].is_some() && next[1].is_some();
        if n >= order.len() && both && !asleep[other] {
            let mut branch: Vec<_> = run.trace[..n].iter().map(|choice| choice.taken).collect();
            branch.push(other);
            open.push(branch);
        }
        if n >= order.len() && asleep[*taken] {
            // From here on, it is another order's run.
            return;
        }
        let Some(call) = next[*taken] else { continue };
        // In a given part the second choice of two stands for the branch whose first was run.
        if n < order.len() && *taken == 1 && both {
            asleep[0] = true;
        }
        for sleeper in [0, 1] {
            asleep[sleeper] &= next[sleeper].is_some_and(|its| its.commutes(call)) && sleeper != *taken;
        }
    }
}
