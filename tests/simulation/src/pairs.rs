//! Every pair of crashes of a scenario.

use crate::crashes::{Crashing, Failure, firsts, seconds};
use crate::run::Run;
use crate::runtime::side_by_side;
use crate::step::Story;

/// How many pairs there were, and which of them do not hold. Of all second crashes, each
/// `stride`th is taken.
pub fn all(story: &Story, usual: &Run, stride: usize) -> (usize, usize, Vec<Failure>) {
    let firsts: Vec<Crashing<'_>> = firsts(story, usual);
    let ran = side_by_side(&firsts, async |first| first.attempt().await);
    let mut failures = Vec::new();
    let mut pairs = Vec::new();
    for (first, run) in firsts.iter().zip(ran) {
        match run {
            Ok(run) => pairs.extend(seconds(first, &run)),
            Err(failure) => failures.push(failure),
        }
    }
    let all = pairs.len();
    let pairs: Vec<_> = pairs.into_iter().step_by(stride).collect();
    failures.extend(side_by_side(&pairs, async |pair| pair.attempt().await.err()).into_iter().flatten());
    (all, pairs.len(), failures)
}
