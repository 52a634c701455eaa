//! `cargo simulation`: Sluice held against its invariants, in as many runs as one likes.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use cloud::time::DAY;
use simulation::calls::{Crash, Plan, Redelivery};
use simulation::crashes::{Crashing, Failure, points, singles, usual};
use simulation::runtime::side_by_side;
use simulation::shrink::shrink;
use simulation::step::Story;
use simulation::turns::Turns;
use simulation::{history, hunt, interleave, pairs, record, run, scenarios};

#[derive(Parser)]
#[command(name = "cargo simulation", about = "Sluice on the local cloud, held against its invariants")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every scenario without a crash
    Scenarios {
        /// Only those whose name has this in it
        #[arg(long, default_value = "")]
        only: String,
    },
    /// Writes down anew what every scenario comes to, for eyes to compare
    Record,
    /// A crash at each call of each scenario
    Crashes {
        #[arg(long, default_value = "")]
        only: String,
        /// Takes each so many'th
        #[arg(long, default_value_t = 1)]
        stride: usize,
    },
    /// Every pair of crashes of the core scenarios
    Pairs {
        #[arg(long, default_value = "")]
        only: String,
        #[arg(long, default_value_t = 1)]
        stride: usize,
    },
    /// Two handlers at once, in every order of their calls
    Interleavings {
        #[arg(long, default_value = "")]
        only: String,
        /// Runs at most so many orders of two handlers
        #[arg(long, default_value_t = 2_000)]
        most: usize,
    },
    /// Random histories
    Histories {
        /// The first seed
        #[arg(long, default_value_t = 0)]
        seed: u64,
        #[arg(long, default_value_t = 10_000)]
        count: u64,
    },
    /// One history, told with its timeline
    History { seed: u64 },
    /// One scenario, told with its timeline
    Scenario {
        name: String,
        /// Ends the handler at the call of this number, before it
        #[arg(long)]
        crash: Option<usize>,
        /// The event is lost then
        #[arg(long)]
        lost: bool,
    },
    /// Looks for one run that does not hold, by all means in turn
    Hunt {
        #[arg(long, default_value_t = 2_000)]
        runs: usize,
    },
    /// All of the above, and the figures
    All {
        #[arg(long, default_value_t = 1)]
        stride: usize,
        #[arg(long, default_value_t = 10_000)]
        histories: u64,
        #[arg(long, default_value_t = 2_000)]
        most: usize,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Scenarios { only } => ended(&scenarios_hold(&only)),
        Command::Record => record_all(),
        Command::Crashes { only, stride } => ended(&crashes_hold(&only, stride)),
        Command::Pairs { only, stride } => ended(&pairs_hold(&only, stride)),
        Command::Interleavings { only, most } => ended(&interleavings_hold(&only, most)),
        Command::Histories { seed, count } => ended(&histories_hold(seed, count)),
        Command::History { seed } => tell(&history::of(seed), &Plan::none()),
        Command::Scenario { name, crash, lost } => {
            let redelivery = if lost { Redelivery::Never } else { Redelivery::Again };
            let crashes = crash.map(|call| (call, Crash::Before)).into_iter().collect();
            let plan = Plan { crashes, redelivery, seed: 0 };
            let found = scenarios::all().into_iter().map(|scenario| scenario.story);
            let mut found = found.chain(interleave::all()).filter(|story| story.name == name);
            found.next().map_or_else(|| no_scenario(&name), |story| tell(&story, &plan))
        }
        Command::Hunt { runs } => match hunt::hunt(runs) {
            Ok(runs) => {
                println!("nothing found in {runs} runs");
                ExitCode::SUCCESS
            }
            Err(caught) => {
                println!("{caught}");
                ExitCode::FAILURE
            }
        },
        Command::All { stride, histories, most } => {
            let mut failures = scenarios_hold("");
            failures.extend(crashes_hold("", stride));
            failures.extend(pairs_hold("", stride));
            failures.extend(interleavings_hold("", most));
            failures.extend(histories_hold(0, histories));
            ended(&failures)
        }
    }
}

fn record_all() -> ExitCode {
    let scenarios = scenarios::all();
    let runs = side_by_side(&scenarios, async |scenario| {
        run::run(&scenario.story, Plan::none(), Turns::default()).await
    });
    let (mut outcomes, mut failed) = (Vec::new(), false);
    for (scenario, run) in scenarios.iter().zip(&runs) {
        match run {
            Ok(run) => outcomes.push((scenario.story.name.as_str(), &run.outcome)),
            Err(violation) => {
                println!("{}\n  {violation}", scenario.story);
                failed = true;
            }
        }
    }
    if failed {
        return ExitCode::FAILURE;
    }
    match record::write(outcomes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("outcomes.txt cannot be written: {e}");
            ExitCode::FAILURE
        }
    }
}

fn no_scenario(name: &str) -> ExitCode {
    eprintln!("no scenario is named '{name}'; `cargo simulation scenarios` lists them");
    ExitCode::FAILURE
}

fn ended(failures: &[Failure]) -> ExitCode {
    for failure in failures {
        println!("{failure}");
    }
    if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        println!("{} runs do not hold", failures.len());
        ExitCode::FAILURE
    }
}

/// What a kind of runs came to: `11,204 crashes of 98 scenarios, 0 do not hold (312 s, 36 a second)`.
fn figure(runs: usize, what: &str, failures: usize, began: Instant) {
    let seconds = began.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss)]
    let rate = runs as f64 / seconds.max(0.001);
    println!("{runs} {what}, {failures} do not hold ({seconds:.0} s, {rate:.1} a second)");
}

fn chosen(only: &str) -> Vec<scenarios::Scenario> {
    scenarios::all().into_iter().filter(|scenario| scenario.story.name.contains(only)).collect()
}

fn scenarios_hold(only: &str) -> Vec<Failure> {
    let (scenarios, began) = (chosen(only), Instant::now());
    let mut failures = Vec::new();
    for (scenario, result) in scenarios.iter().zip(usual(&scenarios)) {
        match result {
            Ok(run) => println!("{}: {} calls, {}", scenario.story.name, run.calls.len(), run.outcome),
            Err(failure) => failures.push(failure),
        }
    }
    figure(scenarios.len(), "scenarios", failures.len(), began);
    failures
}

fn crashes_hold(only: &str, stride: usize) -> Vec<Failure> {
    let (scenarios, began) = (chosen(only), Instant::now());
    let (mut all, mut tried, mut stood_for, mut failures) = (0, 0, 0, Vec::new());
    for (scenario, usual) in scenarios.iter().zip(usual(&scenarios)) {
        let Ok(usual) = usual else { continue };
        let plans: Vec<Crashing<'_>> = singles(&scenario.story, &usual);
        (all, stood_for) = (all + plans.len(), stood_for + points(&usual));
        let plans: Vec<_> = plans.into_iter().step_by(stride).collect();
        let failed = side_by_side(&plans, async |plan| plan.attempt().await.err());
        let failed: Vec<_> = failed.into_iter().flatten().collect();
        println!("{}: {} crashes, {} do not hold", scenario.story.name, plans.len(), failed.len());
        tried += plans.len();
        failures.extend(failed);
    }
    let what = format!("of {all} crashes that differ, for {stood_for} in {} scenarios", scenarios.len());
    figure(tried, &what, failures.len(), began);
    failures
}

fn pairs_hold(only: &str, stride: usize) -> Vec<Failure> {
    let began = Instant::now();
    let scenarios: Vec<_> = chosen(only).into_iter().filter(|scenario| scenario.is_core).collect();
    let (mut all, mut tried, mut failures) = (0, 0, Vec::new());
    for (scenario, usual) in scenarios.iter().zip(usual(&scenarios)) {
        let Ok(usual) = usual else { continue };
        let (of, ran, failed) = pairs::all(&scenario.story, &usual, stride);
        println!("{}: {ran} of {of} pairs", scenario.story.name);
        (all, tried) = (all + of, tried + ran);
        failures.extend(failed);
    }
    figure(
        tried,
        &format!("of {all} pairs of crashes in {} scenarios", scenarios.len()),
        failures.len(),
        began,
    );
    failures
}

fn interleavings_hold(only: &str, most: usize) -> Vec<Failure> {
    let began = Instant::now();
    let stories: Vec<Story> =
        interleave::all().into_iter().filter(|story| story.name.contains(only)).collect();
    let walked = side_by_side(&stories, async |story| interleave::walk(story, most).await);
    let (mut runs, mut failures) = (0, Vec::new());
    for (story, walked) in stories.iter().zip(walked) {
        let how = if walked.is_whole { "all" } else { "the first" };
        println!("{}: {how} {} orders", story.name, walked.runs);
        runs += walked.runs;
        failures.extend(walked.failures);
    }
    figure(runs, &format!("orders of {} pairs of handlers", stories.len()), failures.len(), began);
    failures
}

fn histories_hold(seed: u64, count: u64) -> Vec<Failure> {
    let (seeds, began) = ((seed..seed + count).collect::<Vec<_>>(), Instant::now());
    let ran = side_by_side(&seeds, async |seed| {
        let story = history::of(*seed);
        let ran = run::run(&story, Plan::none(), Turns::default()).await;
        ran.map(|run| (run.calls.len(), run.lasted)).map_err(|violation| (story, *violation))
    });
    let lived = ran.iter().flatten();
    let (calls, lived) = lived.fold((0, 0), |(calls, lived), ran| (calls + ran.0, lived + ran.1));
    let failed: Vec<_> = ran.into_iter().filter_map(Result::err).collect();
    let what = format!("histories of {calls} calls in {} virtual days", lived / DAY);
    figure(seeds.len(), &what, failed.len(), began);
    side_by_side(&failed, async |(story, violation)| {
        let seed = story.seed;
        // The first ones are enough to look at.
        let is_one = failed.iter().take(SHRUNK).any(|(known, _)| known.seed == seed);
        let (story, violation) = match is_one {
            true => shrink(story.clone(), violation.clone()).await,
            false => (story.clone(), violation.clone()),
        };
        Failure {
            run: format!("{story}  (`cargo simulation history {seed}` tells all of it)"),
            check: violation.invariant.to_owned(),
            what: violation.what,
        }
    })
}

/// So many of the histories that fail are made as short as they go.
const SHRUNK: usize = 6;

/// Runs a story, and prints all that happens.
fn tell(story: &Story, plan: &Plan) -> ExitCode {
    println!("{story}");
    let story = &Story { is_told: true, ..story.clone() };
    let told = side_by_side(&[story], async |story| run::run(story, plan.clone(), Turns::default()).await);
    match told.into_iter().next() {
        Some(Ok(run)) => {
            println!("{}", run.timeline);
            let mut calls = BTreeMap::<(&str, &str), usize>::new();
            for call in &run.calls {
                *calls.entry((call.function, &call.what)).or_default() += 1;
            }
            for ((function, what), count) in calls {
                println!("{count:>5} {what} of {function}");
            }
            println!("{}", run.outcome);
            ExitCode::SUCCESS
        }
        Some(Err(violation)) => {
            println!("{}\n{violation}", violation.timeline);
            ExitCode::FAILURE
        }
        None => ExitCode::FAILURE,
    }
}
