//! The figures as text: a table whose last lines are ratios, and the verdicts.

use crate::figures::{Spread, Start};

/// How many times the empty function's cold start ours may take.
const COLD_START_LIMIT: f64 = 6.0;

/// How large our zip may be, in bytes.
const ZIP_LIMIT: u64 = 3 * 1024 * 1024;

const MIB: f64 = 1024.0 * 1024.0;

const COLUMNS: [&str; 7] = ["init ms", "cold ms", "cpu ms", "warm ms", "memory MiB", "binary MiB", "zip MiB"];

/// All figures of one function.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub name: String,
    pub ready: Spread,
    pub cold: Spread,
    pub cpu: Spread,
    pub warm: Spread,
    pub memory: Spread,
    /// Bytes of the release binary.
    pub binary: u64,
    /// Bytes of its deployment package.
    pub zip: u64,
}

impl Row {
    /// `None` if it was never started.
    pub fn of(name: &str, starts: &[Start], binary: u64, zip: u64) -> Option<Self> {
        let spread = |figure: fn(&Start) -> f64| Spread::of(starts.iter().map(figure));
        Some(Self {
            name: name.to_owned(),
            ready: spread(|start| start.ready.as_secs_f64() * 1_000.0)?,
            cold: spread(|start| start.cold.as_secs_f64() * 1_000.0)?,
            cpu: spread(|start| start.cpu.as_secs_f64() * 1_000.0)?,
            warm: spread(|start| start.warm.as_secs_f64() * 1_000.0)?,
            memory: spread(|start| kib(start.memory))?,
            binary,
            zip,
        })
    }

    fn cells(&self) -> Vec<String> {
        let measured = [self.ready, self.cold, self.cpu, self.warm, self.memory];
        let spread = |s: Spread| format!("{} ({}–{})", short(s.median), short(s.least), short(s.most));
        let sizes = [self.binary, self.zip].map(|bytes| short(mib(bytes)));
        std::iter::once(self.name.clone()).chain(measured.map(spread)).chain(sizes).collect()
    }

    fn ratios(&self, base: &Self) -> Vec<String> {
        let medians = |row: &Self| {
            let measured = [row.ready, row.cold, row.cpu, row.warm, row.memory].map(|spread| spread.median);
            [measured.as_slice(), &[mib(row.binary), mib(row.zip)]].concat()
        };
        let ratios = medians(self).into_iter().zip(medians(base)).map(|(ours, base)| ours / base);
        let name = format!("{} / {}", self.name, base.name);
        std::iter::once(name).chain(ratios.map(|ratio| format!("× {}", short(ratio)))).collect()
    }
}

/// Each row, then the ratio of each to the one before it.
pub fn table(rows: &[Row]) -> String {
    let head = std::iter::once("").chain(COLUMNS).map(str::to_owned).collect();
    let ratios = rows.windows(2).map(|pair| pair[1].ratios(&pair[0]));
    aligned(&std::iter::once(head).chain(rows.iter().map(Row::cells)).chain(ratios).collect::<Vec<_>>())
}

/// A limit, and whether it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    pub text: String,
    pub kept: bool,
}

/// By the quickest start of each: whatever else the machine does makes a start slower, never
/// quicker, so medians of two runs on a busy machine differ twofold, and these do not.
pub fn verdicts(ours: &Row, empty: &Row) -> [Verdict; 2] {
    let ratio = ours.cold.least / empty.cold.least;
    let cold = format!(
        "cold start: {} times the empty function's, quickest against quickest, at most {COLD_START_LIMIT} allowed",
        short(ratio)
    );
    let zip = format!("zip: {} MiB, at most {} allowed", short(mib(ours.zip)), mib(ZIP_LIMIT));
    [verdict(&cold, ratio <= COLD_START_LIMIT), verdict(&zip, ours.zip <= ZIP_LIMIT)]
}

fn verdict(text: &str, kept: bool) -> Verdict {
    let mark = if kept { "ok" } else { "EXCEEDED" };
    Verdict { text: format!("{mark}: {text}"), kept }
}

fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line: &Vec<String>| line[column].chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |cells: &Vec<String>| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(n, (cell, width))| match n {
            0 => format!("{cell:<width$}"),
            _ => format!("  {cell:>width$}"),
        });
        padded.collect::<String>()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Three digits, as many of them after the point as that leaves.
fn short(figure: f64) -> String {
    match figure {
        f if f < 0.9995 => format!("{f:.3}"),
        f if f < 9.995 => format!("{f:.2}"),
        f if f < 99.95 => format!("{f:.1}"),
        f => format!("{f:.0}"),
    }
}

#[allow(clippy::cast_precision_loss)]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB
}

fn kib(kib: u64) -> f64 {
    mib(kib * 1024)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn row(name: &str, milliseconds: u64, mebibytes: u64) -> Row {
        let start = |n| Start {
            ready: Duration::from_millis(milliseconds),
            cold: Duration::from_millis(milliseconds + n),
            cpu: Duration::from_millis(milliseconds),
            warm: Duration::from_micros(milliseconds * 100),
            memory: mebibytes * 1024,
        };
        Row::of(name, &[start(0), start(1), start(2)], mebibytes << 20, mebibytes << 19).expect("starts")
    }

    #[test]
    fn the_table_ends_with_the_ratio_of_each_row_to_the_one_before() {
        let text = table(&[row("empty", 1, 2), row("image-push", 9, 6)]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(lines[1])[..5], ["empty", "1.00", "(1.00–1.00)", "2.00", "(1.00–3.00)"]);
        assert_eq!(words(lines[2])[..5], ["image-push", "9.00", "(9.00–9.00)", "10.0", "(9.00–11.0)"]);
        let ratios = "image-push / empty × 9.00 × 5.00 × 9.00 × 9.00 × 3.00 × 3.00 × 3.00";
        assert_eq!(words(lines[3]).join(" "), ratios);
        assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()), "{text}");
    }

    #[test]
    fn a_verdict_says_what_was_exceeded() {
        let empty = row("empty", 1, 2);
        let within = verdicts(&row("image-push", 6, 6), &empty);
        assert!(within.iter().all(|verdict| verdict.kept), "{within:?}");
        let [cold, zip] = verdicts(&row("image-push", 99, 7), &empty);
        let told = "EXCEEDED: cold start: 99.0 times the empty function's, quickest against quickest, at most 6 allowed";
        assert_eq!(cold, Verdict { text: told.into(), kept: false });
        let told = "EXCEEDED: zip: 3.50 MiB, at most 3 allowed";
        assert_eq!(zip, Verdict { text: told.into(), kept: false });
    }
}
