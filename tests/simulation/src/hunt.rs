//! Looks for a run that does not hold, by all means in turn: what a planted bug is caught by.

use std::fmt;

use crate::calls::Plan;
use crate::crashes::{Failure, singles, usual};
use crate::run::run;
use crate::runtime::side_by_side;
use crate::step::Story;
use crate::turns::Turns;
use crate::{history, interleave, scenarios};

/// A run that does not hold.
#[derive(Debug)]
pub struct Caught {
    pub check: String,
    pub phase: &'static str,
    pub after: usize,
    pub what: String,
}

impl fmt::Display for Caught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what.lines().next().unwrap_or_default();
        write!(f, "caught: {} in {} after {} runs: {what}", self.check, self.phase, self.after)
    }
}

/// Runs at once between two looks at what came out.
const BATCH: usize = 64;

/// Of scenarios, which are few, and find most.
const FEW: usize = 8;

/// Up to so many runs: all scenarios, then crashes, orders of two handlers, and histories.
/// Errors: the first run that does not hold. Gives how many there were.
pub fn hunt(most: usize) -> Result<usize, Box<Caught>> {
    let mut runs = 0;
    let scenarios = scenarios::all();
    let mut usuals = Vec::new();
    for batch in scenarios.chunks(FEW) {
        for (scenario, result) in batch.iter().zip(usual(batch)) {
            runs += 1;
            match result {
                Ok(run) => usuals.push((scenario, run)),
                Err(failure) => return Err(caught(failure, "scenarios", runs)),
            }
        }
    }
    let share = (most.saturating_sub(runs) / 3).max(1);
    let plans: Vec<_> = usuals.iter().flat_map(|(scenario, run)| singles(&scenario.story, run)).collect();
    let plans: Vec<_> = plans.iter().step_by((plans.len() / share).max(1)).collect();
    for batch in plans.chunks(BATCH) {
        let failures = side_by_side(batch, async |plan| plan.attempt().await.err());
        first(failures, "crashes", &mut runs)?;
    }
    let stories = interleave::all();
    for batch in stories.chunks(2) {
        let most = (share / stories.len()).max(2);
        for walked in side_by_side(batch, async |story| interleave::walk(story, most).await) {
            runs += walked.runs;
            if let Some(failure) = walked.failures.into_iter().next() {
                return Err(caught(failure, "interleavings", runs));
            }
        }
    }
    let seeds: Vec<u64> = (0..u64::try_from(most.saturating_sub(runs)).unwrap_or(u64::MAX)).collect();
    for batch in seeds.chunks(BATCH) {
        let failures = side_by_side(batch, async |seed| told(&history::of(*seed)).await);
        first(failures, "histories", &mut runs)?;
    }
    Ok(runs)
}

/// Runs a story; what does not hold.
pub async fn told(story: &Story) -> Option<Failure> {
    let violation = run(story, Plan::none(), Turns::default()).await.err()?;
    Some(Failure {
        run: story.to_string(),
        check: violation.invariant.to_owned(),
        what: violation.what.clone(),
    })
}

fn first(failures: Vec<Option<Failure>>, phase: &'static str, runs: &mut usize) -> Result<(), Box<Caught>> {
    for failure in failures {
        *runs += 1;
        if let Some(failure) = failure {
            return Err(caught(failure, phase, *runs));
        }
    }
    Ok(())
}

fn caught(failure: Failure, phase: &'static str, after: usize) -> Box<Caught> {
    let what = format!("{} ({})", failure.what.lines().next().unwrap_or_default(), failure.run);
    Box::new(Caught { check: failure.check, phase, after, what })
}
