//! A crash at every call of a scenario, one in a run or two.

use std::collections::BTreeMap;
use std::fmt;

use crate::calls::{Access, Called, Crash, Plan, Redelivery};
use crate::functions::HOOK;
use crate::record;
use crate::run::{Run, run};
use crate::runtime::side_by_side;
use crate::scenarios::Scenario;
use crate::step::Story;
use crate::turns::Turns;

/// One run to be tried.
#[derive(Debug, Clone)]
pub struct Crashing<'a> {
    pub story: &'a Story,
    /// What the story comes to without a crash.
    pub usual: &'a Run,
    /// By the number of its call, with what is called: after a first crash, that is not what it
    /// is without one.
    pub crashes: BTreeMap<usize, (Crash, Called)>,
    pub redelivery: Redelivery,
}

impl fmt::Display for Crashing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.story.name)?;
        for (number, (crash, call)) in &self.crashes {
            write!(f, " {crash:?} {number} ({call}),")?;
        }
        write!(f, " {:?}", self.redelivery)
    }
}

/// A run that does not hold: the run, the check, what it says.
#[derive(Debug, Clone)]
pub struct Failure {
    pub run: String,
    pub check: String,
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}: {}", self.run, self.check, self.what)
    }
}

/// Runs each without a crash; what does not hold even then, or does not come to what is recorded
/// of it, comes as a failure.
pub fn usual(scenarios: &[Scenario]) -> Vec<Result<Run, Failure>> {
    side_by_side(scenarios, async |Scenario { story, .. }| {
        let failure = |check: &str, what| Failure { run: story.to_string(), check: check.to_owned(), what };
        let run = run(story, Plan::none(), Turns::default()).await.map_err(|violation| {
            failure(violation.invariant, format!("{}\n{}", violation.what, violation.timeline))
        })?;
        match record::compare(&story.name, &run.outcome) {
            Ok(()) => Ok(run),
            Err(what) => Err(failure("what is recorded comes of it", what)),
        }
    })
}

/// How many crashes there are: at each call, in each of the ways, with the event delivered again
/// and lost.
pub fn points(usual: &Run) -> usize {
    usual.calls.len() * Crash::ALL.len() * 2
}

/// Those of [`points`] that no other is the same as: see [`different`]. Where an answer is lost no
/// handler ends, and so no event is: at a read as well, that is one run.
pub fn singles<'a>(story: &'a Story, usual: &'a Run) -> Vec<Crashing<'a>> {
    let of = |at, redelivery| Crashing::new(story, usual, at, redelivery);
    let lost = (0..usual.calls.len()).map(|call| of((call, Crash::AnswerLost), Redelivery::Again));
    let ends = different(&usual.calls, 0).into_iter().filter(|(_, crash)| *crash != Crash::AnswerLost);
    let ends = ends.flat_map(|at| [of(at, Redelivery::Again), of(at, Redelivery::Never)]);
    lost.chain(ends).collect()
}

/// Calls at which a crash differs from one at another call: the first of each invocation, and
/// those that change something. Between two of them a handler has only read, so a crash at a
/// read leaves what a crash before the next change leaves.
fn different(calls: &[Called], from: usize) -> Vec<(usize, Crash)> {
    let mut all = Vec::new();
    for (n, call) in calls.iter().enumerate().skip(from) {
        let is_first = calls[..n].iter().all(|before| before.invocation != call.invocation);
        match call.access {
            Access::Read if is_first => all.push((n, Crash::Before)),
            Access::Read => {}
            Access::Write | Access::Tell => all.extend(Crash::ALL.map(|crash| (n, crash))),
        }
    }
    all
}

/// Crashes of pairs. notify has tests of its own for all that befalls it; here it only tells.
fn of_pairs(calls: &[Called], from: usize) -> impl Iterator<Item = (usize, Crash)> {
    different(calls, from).into_iter().filter(|(n, _)| calls[*n].function != "notify")
}

/// First crashes of pairs.
pub fn firsts<'a>(story: &'a Story, usual: &'a Run) -> Vec<Crashing<'a>> {
    let mut all = Vec::new();
    for redelivery in [Redelivery::Again, Redelivery::Never] {
        all.extend(of_pairs(&usual.calls, 0).map(|at| Crashing::new(story, usual, at, redelivery)));
    }
    all
}

/// Every second crash after a first one, as the calls are after it. Where no handler ends, it is
/// the same whether events come again: that is run once.
pub fn seconds<'a>(first: &Crashing<'a>, after: &Run) -> Vec<Crashing<'a>> {
    let from = first.crashes.keys().next_back().map_or(0, |call| call + 1);
    of_pairs(&after.calls, from)
        .map(|(number, crash)| {
            let mut pair = first.clone();
            pair.crashes.insert(number, (crash, after.calls[number].clone()));
            pair
        })
        .filter(|pair| {
            let ends = pair.crashes.values().any(|(crash, _)| *crash != Crash::AnswerLost);
            ends || pair.redelivery == Redelivery::Again
        })
        .collect()
}

impl<'a> Crashing<'a> {
    fn new(
        story: &'a Story,
        usual: &'a Run,
        (number, crash): (usize, Crash),
        redelivery: Redelivery,
    ) -> Self {
        let crashes = BTreeMap::from([(number, (crash, usual.calls[number].clone()))]);
        Self { story, usual, crashes, redelivery }
    }

    /// Runs it. Where only pushes happen, the same image must be live as without a crash; where
    /// alarms or people have their part, it depends on what they came upon, and the invariants
    /// say what must be.
    pub async fn attempt(&self) -> Result<Run, Failure> {
        let crashes = self.crashes.iter().map(|(number, (crash, _))| (*number, *crash)).collect();
        let plan = Plan { crashes, redelivery: self.redelivery, seed: self.story.seed };
        let failure =
            |check: &str, what: String| Failure { run: self.to_string(), check: check.to_owned(), what };
        let run = run(self.story, plan, Turns::default())
            .await
            .map_err(|violation| failure(violation.invariant, violation.what.clone()))?;
        let (came, was) = (&run.outcome, &self.usual.outcome);
        // A hook whose event is lost for good has no verdict: its deployment is stopped. An image
        // whose push nobody heard of is superseded by a newer one, be that good or bad.
        let differs = self.loses(HOOK) || (self.loses("image-push") && self.story.spoils_a_repository());
        if differs || !self.story.is_settled() || came.live == was.live {
            return Ok(run);
        }
        Err(failure("the same comes of it", format!("{came:?}\n  {was:?}")))
    }

    /// Whether an event of this function is lost for good.
    fn loses(&self, function: &str) -> bool {
        let ends = |(crash, call): &(Crash, Called)| *crash != Crash::AnswerLost && call.function == function;
        self.redelivery == Redelivery::Never && self.crashes.values().any(ends)
    }
}
