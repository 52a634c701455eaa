//! A failing story, made as short as it goes while it still fails the same check.

use crate::calls::Plan;
use crate::config::Config;
use crate::invariants::Violation;
use crate::run::run;
use crate::step::{Step, Story, Weather};
use crate::turns::Turns;

/// The shortest story found, and what it fails.
pub async fn shrink(story: Story, violation: Violation) -> (Story, Violation) {
    let (mut story, mut violation) = (story, violation);
    // Each round costs as many runs as the story has parts; a fixed point comes soon.
    while let Some((shorter, its)) = shorter(&story, &violation).await {
        (story, violation) = (shorter, its);
    }
    (story, violation)
}

async fn shorter(story: &Story, violation: &Violation) -> Option<(Story, Violation)> {
    for candidate in candidates(story) {
        match run(&candidate, Plan::none(), Turns::default()).await {
            Err(its) if its.invariant == violation.invariant => return Some((candidate, *its)),
            _ => {}
        }
    }
    None
}

/// Without some steps, or with simpler ones; the boldest first.
fn candidates(story: &Story) -> Vec<Story> {
    let count = story.steps.len();
    let mut all = Vec::new();
    let mut size = count / 2;
    while size > 0 {
        for from in (0..count).step_by(size) {
            let mut steps = story.steps.clone();
            steps.drain(from..(from + size).min(count));
            all.push(Story { steps, ..story.clone() });
        }
        size /= 2;
    }
    for (n, step) in story.steps.iter().enumerate() {
        for simpler in simpler(step) {
            let mut steps = story.steps.clone();
            steps[n] = simpler;
            all.push(Story { steps, ..story.clone() });
        }
    }
    if story.config != Config::default() {
        all.push(Story { config: Config::default(), ..story.clone() });
    }
    all
}

fn simpler(step: &Step) -> Vec<Step> {
    match step {
        Step::Wait(seconds) if *seconds > 60 => vec![Step::Wait(seconds / 2)],
        Step::Weather(weather) => {
            let clear: [fn(&mut Weather); 8] = [
                |w| w.throttled = 0,
                |w| w.errors = 0,
                |w| w.stalled = 0,
                |w| w.answers_lost = 0,
                |w| w.stale = 0,
                |w| w.crashes = 0,
                |w| (w.events_lost, w.events_twice, w.events_late, w.late) = (0, 0, 0, 0),
                |w| w.skew = 0,
            ];
            let cleared = clear.iter().map(|clear| {
                let mut weather = *weather;
                clear(&mut weather);
                weather
            });
            cleared.filter(|cleared| cleared != weather).map(Step::Weather).collect()
        }
        _ => Vec::new(),
    }
}
