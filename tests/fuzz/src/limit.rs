//! How long an input may take: in CPU time of this thread, so that other work on the machine
//! does not count.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::Target;

/// What one input may take.
#[derive(Debug, Clone, Copy)]
pub struct Limit(pub Duration);

/// It took longer, twice.
#[derive(Debug, PartialEq, Eq)]
pub struct Slow(pub Duration);

impl Limit {
    /// Of an optimized build.
    pub const OPTIMIZED: Self = Self(Duration::from_millis(100));

    /// Of the build that tests have: hardly optimized, with the rest of the tests beside it.
    pub const OF_TESTS: Self = Self(Duration::from_secs(1));

    /// Gives what the input took, and whether it was taken. A first time that is too long may be
    /// that of something that is made once.
    pub fn hold(self, target: &Target, input: &[u8]) -> Result<(Duration, bool), Slow> {
        let (took, taken) = timed(target, input);
        if took <= self.0 {
            return Ok((took, taken));
        }
        let (again, taken) = timed(target, input);
        if again <= self.0 { Ok((again, taken)) } else { Err(Slow(again.min(took))) }
    }
}

fn timed(target: &Target, input: &[u8]) -> (Duration, bool) {
    let before = clock_gettime(ClockId::ThreadCPUTime);
    let taken = (target.feed)(input);
    let after = clock_gettime(ClockId::ThreadCPUTime);
    (Duration::try_from(after - before).unwrap_or_default(), taken)
}
