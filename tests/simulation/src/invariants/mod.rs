//! The invariants of the design, each a function over what has happened, and the watch that
//! holds a run against them.

mod liveness;
mod safety;
mod secrecy;
mod seen;

use std::fmt;

use cloud::{MINUTE, Ms};

use crate::account::Account;
pub use liveness::is_telling;
pub use secrecy::Logs;
pub use seen::{Became, Pushed, Seen, live_arn};

/// What does not hold, and when it was seen.
#[derive(Debug, Clone)]
pub struct Violation {
    pub invariant: &'static str,
    pub what: String,
    pub timeline: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

type Invariant = (&'static str, fn(&Seen, &Account) -> Result<(), String>);

/// All are looked at after every step, and as time passes.
pub const ALL: [Invariant; 13] = [
    ("1 a digest takes effect once", safety::once),
    ("2 nothing is touched that releases.yaml does not name", safety::only_named),
    ("3 a rejected digest never starts again", safety::rejected_stays),
    ("4 an older push never replaces a newer one", safety::never_older),
    ("5 a revision differs in images and tags only", safety::only_images),
    ("6 nothing starts without a way back", safety::way_back),
    ("7 what is red or unreadable is not healthy, and what was red before is not to blame", safety::alarms),
    ("8 a hook has one verdict, and Succeeded only if its check passed", safety::verdicts),
    ("9 a rollback never triggers a rollback, and nothing is deregistered", safety::rollbacks),
    ("10 no secret is seen, and no text becomes markup", secrecy::nothing_leaks),
    ("11 each hook has its verdict before its hour", liveness::in_time),
    ("12 an alarm ends with the last good revision, or loudly", liveness::taken_back),
    ("13 what waits is started, and nothing is lost", liveness::nothing_waits),
];

/// Beyond [`ALL`], once nothing is under way any more.
const AT_REST: [Invariant; 3] = [
    ("12 every deployment has ended", liveness::at_rest),
    ("13 every message is told or kept", liveness::all_told),
    ("13 nothing fails for nothing", liveness::nothing_fails),
];

/// A read may be so old when its decision is carried out, retries included.
pub const READ: Ms = 90_000;

/// Where nothing happens, only deadlines can pass.
const GLANCE: Ms = 3 * MINUTE;

/// Looks at a run as it goes on.
pub struct Watch {
    entries: usize,
    looked: Ms,
    pub seen: Seen,
}

impl Watch {
    pub fn new(account: &Account) -> Self {
        // What was there before the story.
        let entries = account.cloud.with(|world| world.cloud.timeline().len());
        Self { entries, looked: 0, seen: Seen::new(account) }
    }

    /// As time passes: looks where something happened, or some minutes have passed.
    pub fn glance(&mut self, account: &Account) -> Result<(), Violation> {
        let entries = account.cloud.with(|world| world.cloud.timeline().len());
        if entries == self.entries && account.now() < self.looked + GLANCE {
            return Ok(());
        }
        self.look(account)
    }

    /// Takes in what is new on the timeline, and looks at the invariants.
    pub fn look(&mut self, account: &Account) -> Result<(), Violation> {
        self.looked = account.now();
        let (new, entries) = account.cloud.with(|world| {
            let all = world.cloud.timeline();
            let new = all.iter().enumerate().skip(self.entries);
            let new: Vec<_> = new
                .filter(|(_, entry)| Seen::takes(entry.kind))
                .map(|(n, entry)| (n, entry.clone()))
                .collect();
            (new, all.len())
        });
        self.seen.forget_fresh();
        for (n, entry) in &new {
            self.seen.take(*n, entry, account);
        }
        self.entries = entries;
        self.seen.look_around(account);
        self.hold(account, &ALL)
    }

    pub fn look_at_rest(&mut self, account: &Account) -> Result<(), Violation> {
        self.look(account)?;
        self.hold(account, &AT_REST)
    }

    /// When a function last did something to the world.
    pub fn last_effect(&self) -> Ms {
        self.seen.last_effect
    }

    fn hold(&self, account: &Account, invariants: &[Invariant]) -> Result<(), Violation> {
        for (invariant, holds) in invariants {
            holds(&self.seen, account).map_err(|what| Violation {
                invariant,
                what,
                timeline: account.cloud.timeline(),
            })?;
        }
        Ok(())
    }
}

/// How long it may take until what an event did not bring about is done: two sweeps, their
/// patience with events, and what a rollback takes.
fn soon(account: &Account) -> Ms {
    (2 * u64::from(account.config.sweep) + 6) * MINUTE
}
