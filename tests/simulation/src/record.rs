//! What each scenario comes to, written down in `outcomes.txt`: invariants say what must never
//! be, the record says what is. `cargo simulation record` writes it anew, for eyes to compare.

use std::fmt::Write as _;
use std::path::Path;

use crate::outcome::Outcome;

const RECORD: &str = include_str!("../outcomes.txt");

/// Whether a scenario comes to what is recorded of it.
pub fn compare(name: &str, outcome: &Outcome) -> Result<(), String> {
    let came = outcome.to_string();
    match recorded(RECORD, name) {
        Some(was) if was == came => Ok(()),
        Some(was) => Err(format!("it came to {came}, not to {was}")),
        None => Err(format!("nothing is recorded of it; it came to {came}")),
    }
}

/// A line with the name, and below it one with the outcome.
fn recorded<'a>(record: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = record.lines();
    lines.find(|line| *line == name)?;
    lines.next().map(str::trim_start)
}

/// Writes the record anew.
pub fn write<'a>(outcomes: impl IntoIterator<Item = (&'a str, &'a Outcome)>) -> std::io::Result<()> {
    let mut record = String::new();
    for (name, outcome) in outcomes {
        // Writing to memory cannot fail.
        let _ = writeln!(record, "{name}\n  {outcome}");
    }
    std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("outcomes.txt"), record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_stands_below_its_name() {
        let record = "api: a push\n  api v2\napi: a push, told again\n  api v3\n";
        assert_eq!(recorded(record, "api: a push"), Some("api v2"));
        assert_eq!(recorded(record, "api: a push, told again"), Some("api v3"));
        assert_eq!(recorded(record, "api: a pus"), None);
    }
}
