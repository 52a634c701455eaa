//! Scenarios without a crash, and with one at each call.

use std::collections::BTreeMap;

use simulation::account::HOOK;
use simulation::crash::{Crash, Crashes, Redelivery};
use simulation::runtime::side_by_side;
use simulation::scenario::{Run, Scenario, run};
use simulation::scenarios::all;

fn scenarios() -> Vec<Scenario> {
    let only = std::env::var("SCENARIO").ok();
    all().into_iter().filter(|scenario| only.as_ref().is_none_or(|only| scenario.name == only)).collect()
}

async fn reference(scenario: &Scenario) -> Run {
    match run(scenario, Crashes::none()).await {
        Ok(run) => run,
        Err(violation) => panic!("{}: {violation}\n{}", scenario.name, violation.timeline),
    }
}

#[test]
fn every_scenario_holds_without_a_crash() {
    let told = side_by_side(&scenarios(), async |scenario| {
        let began = std::time::Instant::now();
        let run = reference(scenario).await;
        format!("{}: {} calls, {:?}\n  {:?}", scenario.name, run.calls.len(), began.elapsed(), run.outcome)
    });
    println!("{}", told.join("\n"));
}

struct Plan<'a> {
    scenario: &'a Scenario,
    usual: &'a Run,
    call: usize,
    crash: Crash,
    redelivery: Redelivery,
}

/// Every plan of a scenario, from which each `stride`th is taken.
fn hold(stride: usize) {
    let scenarios = scenarios();
    let usual = side_by_side(&scenarios, reference);
    let mut plans = Vec::new();
    for (scenario, usual) in scenarios.iter().zip(&usual) {
        for redelivery in [Redelivery::Again, Redelivery::Never] {
            for crash in Crash::ALL {
                let calls = 0..usual.calls.len();
                plans.extend(calls.map(|call| Plan { scenario, usual, call, crash, redelivery }));
            }
        }
    }
    let all = plans.len();
    let plans: Vec<_> = plans.into_iter().step_by(stride).collect();
    let failures: Vec<_> = side_by_side(&plans, try_it).into_iter().flatten().collect();
    println!(
        "{} of {all} crashes in {} scenarios, {} failures",
        plans.len(),
        scenarios.len(),
        failures.len()
    );
    assert!(failures.is_empty(), "{} failures", failures.len());
}

#[test]
fn scenarios_hold_with_a_crash_at_some_calls() {
    hold(199);
}

/// Takes a long while: `cargo test -p simulation --test crash -- --ignored --nocapture`, and
/// `SCENARIO="a push"` for one of them.
#[test]
#[ignore = "thousands of runs"]
fn scenarios_hold_with_a_crash_at_each_call() {
    hold(1);
}

async fn try_it(plan: &Plan<'_>) -> Option<String> {
    let Plan { scenario, usual, call, crash, redelivery } = plan;
    let crashes = Crashes::new(BTreeMap::from([(*call, *crash)]), *redelivery);
    let at = format!("{}: {crash:?} {call} ({}), {redelivery:?}", scenario.name, usual.calls[*call]);
    let failure = match run(scenario, crashes).await {
        Err(violation) => Some(format!("{at}: {violation}")),
        // A hook whose event is lost for good has no verdict: its deployment is stopped.
        Ok(_) if usual.calls[*call].function == HOOK && *redelivery == Redelivery::Never => None,
        Ok(run) => {
            let (came, was) = (&run.outcome, &usual.outcome);
            let same = came.live == was.live && came.rejected() == was.rejected();
            (!same).then(|| format!("{at}:\n  {came:?}\n  {was:?}"))
        }
    };
    if let Some(failure) = &failure {
        eprintln!("{failure}");
    }
    failure
}
