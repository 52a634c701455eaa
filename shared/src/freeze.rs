//! Freeze windows: times in which nothing is released.

use jiff::Timestamp;

/// A time, recurring weekly or once, in which no deployment starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Freeze {
    /// As it is written in `releases.yaml`.
    pub text: String,
}

impl Freeze {
    /// When the freeze that is on at `now` ends; nothing if none is on.
    pub fn until(&self, _now: Timestamp) -> Option<Timestamp> {
        None
    }
}
