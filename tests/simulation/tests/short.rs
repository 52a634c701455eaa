//! A part of the simulation that every change has to pass; `cargo simulation all` is the whole.

use simulation::calls::Plan;
use simulation::crashes::{Crashing, Failure, singles, usual};
use simulation::run::run;
use simulation::runtime::side_by_side;
use simulation::step::Story;
use simulation::turns::Turns;
use simulation::{history, hunt, interleave, pairs, scenarios};

#[track_caller]
fn none(failures: &[Failure]) {
    let told: Vec<_> = failures.iter().take(3).map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{} runs do not hold, among them\n{}", failures.len(), told.join("\n"));
}

#[test]
fn scenarios_hold_without_a_crash_and_with_one_at_some_calls() {
    let scenarios = scenarios::all();
    let mut failures = Vec::new();
    let mut plans: Vec<Crashing<'_>> = Vec::new();
    let usuals = usual(&scenarios);
    for (scenario, usual) in scenarios.iter().zip(&usuals) {
        match usual {
            Ok(usual) => plans.extend(singles(&scenario.story, usual)),
            Err(failure) => failures.push(failure.clone()),
        }
    }
    let plans: Vec<_> = plans.into_iter().step_by(101).collect();
    failures.extend(side_by_side(&plans, async |plan| plan.attempt().await.err()).into_iter().flatten());
    none(&failures);
}

#[test]
fn core_scenarios_hold_with_two_crashes() {
    let core: Vec<_> = scenarios::all().into_iter().filter(|scenario| scenario.is_core).collect();
    let mut failures = Vec::new();
    for (scenario, usual) in core.iter().zip(usual(&core)).take(2) {
        let usual = usual.unwrap_or_else(|failure| panic!("{failure}"));
        failures.extend(pairs::all(&scenario.story, &usual, 499).2);
    }
    none(&failures);
}

#[test]
fn two_handlers_at_once_come_to_what_one_after_the_other_does() {
    let stories = interleave::all();
    let walked = side_by_side(&stories, async |story| interleave::walk(story, 40).await);
    none(&walked.into_iter().flat_map(|walked| walked.failures).collect::<Vec<_>>());
}

#[test]
fn random_histories_hold() {
    let seeds: Vec<u64> = (0..10_000).collect();
    let failures = side_by_side(&seeds, async |seed| hunt::told(&history::of(*seed)).await);
    none(&failures.into_iter().flatten().collect::<Vec<_>>());
}

#[test]
fn a_seed_tells_the_same_story_each_time() {
    // One after the other, and side by side with others.
    let seeds: Vec<u64> = (0..16).chain((0..16).rev()).collect();
    let mut stories = side_by_side(&seeds, async |seed| {
        let story = Story { is_told: true, ..history::of(*seed) };
        let run = run(&story, Plan::none(), Turns::default()).await;
        run.map(|run| (run.calls, run.timeline)).map_err(|violation| violation.to_string())
    });
    let second = stories.split_off(seeds.len() / 2);
    for (seed, (first, second)) in stories.iter().zip(second.iter().rev()).enumerate() {
        assert_eq!(first, second, "seed {seed}");
    }
}
