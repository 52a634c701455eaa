//! What the acts took, side by side, in virtual time by the cloud's own timeline; and what
//! deployment-state measured of them.

use cloud::{Ms, SECOND};

use crate::facts::Facts;
use crate::record::Record;

const FIRST_COLUMN: usize = 36;
const COLUMN: usize = 14;

/// Lines of the table, a column for each act.
pub fn table(acts: &[Facts], speed: f64) -> Vec<String> {
    type Cell = fn(&Facts) -> String;
    let rows: [(&str, Cell); 8] = [
        ("", |f| f.new.name.to_owned()),
        ("push → CreateDeployment", |f| span(f.pushed, f.created_at())),
        ("push → all traffic", |f| span(f.pushed, f.live_at())),
        ("alarm red → StopDeployment accepted", |f| span(f.red_at(), f.stopped_at())),
        ("  → all traffic back", |f| span(f.stopped_at(), f.back_at())),
        ("alarm red → all traffic back", |f| span(f.red_at(), f.back_at())),
        ("requests in production", |f| f.clients.total().to_string()),
        ("  of these failed", failed),
    ];
    let mut lines: Vec<_> = rows.iter().map(|(name, cell)| row(name, acts.iter().map(cell))).collect();
    lines.push(format!(
        "(seconds of the cloud, {speed} to a real one: what programs do in real time counts so much more)"
    ));
    lines
}

/// One line of the metrics in CloudWatch.
pub fn metrics(record: &Record) -> String {
    let told = record.metrics.iter().map(|(name, measured)| match name.as_str() {
        "Deployments" | "ChangeFailures" => format!("{name} {}", measured.sum),
        _ => format!("{name} {:.1} s", measured.sum / measured.count),
    });
    format!("metrics of deployment-state: {}", told.collect::<Vec<_>>().join(", "))
}

fn row(name: &str, cells: impl Iterator<Item = String>) -> String {
    let cells: String = cells.map(|cell| format!("{cell:>COLUMN$}")).collect();
    format!("{name:<FIRST_COLUMN$}{cells}")
}

/// Nothing where one of the two did not happen.
fn span(from: Option<Ms>, to: Option<Ms>) -> String {
    let span = from.zip(to).map(|(from, to)| to.saturating_sub(from));
    span.map_or("–".to_owned(), |span| format!("{}.{} s", span / SECOND, span % SECOND / 100))
}

fn failed(facts: &Facts) -> String {
    let (failed, total) = (facts.clients.failed(), facts.clients.total());
    #[allow(clippy::cast_precision_loss)]
    let percent = if total == 0 { 0.0 } else { 100.0 * failed as f64 / total as f64 };
    if failed == 0 { "0".to_owned() } else { format!("{failed} ({percent:.1}%)") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Move, Red};
    use crate::record::Measured;
    use crate::verify::tests::{call, counted, released};
    use crate::versions::{FOURTH, SECOND};

    #[test]
    fn each_step_has_a_row_and_what_did_not_happen_a_dash() {
        let mut facts = counted(released(&SECOND, &FOURTH, ["Succeeded", "Succeeded"]), 90, 7);
        facts.pushed = Some(500);
        let without = facts.clone();
        facts.alarm = "new-5xx";
        facts.reds =
            vec![Red { at: 70_000, alarm: "old-5xx".into() }, Red { at: 80_000, alarm: "new-5xx".into() }];
        facts.stops = vec![call(84_200, "ASIAFNalarm", serde_json::json!({}))];
        facts.moves = [(60_000, 90, 10), (86_750, 100, 0)].map(|(at, old, new)| Move { at, old, new }).into();
        facts.clients.errors = [(FOURTH.commit.to_owned(), 3)].into();
        let lines = table(&[without, facts], 30.0);
        let cells: Vec<Vec<_>> = lines
            .iter()
            .map(|line| line.split("  ").map(str::trim).filter(|c| !c.is_empty()).collect())
            .collect();
        assert_eq!(cells[0], ["version 4", "version 4"]);
        assert_eq!(cells[1], ["push → CreateDeployment", "1.5 s", "1.5 s"]);
        assert_eq!(cells[2], ["push → all traffic", "–", "–"]);
        assert_eq!(cells[3], ["alarm red → StopDeployment accepted", "–", "4.2 s"]);
        assert_eq!(cells[4], ["→ all traffic back", "–", "2.5 s"]);
        assert_eq!(cells[5], ["alarm red → all traffic back", "–", "6.7 s"]);
        assert_eq!(cells[6], ["requests in production", "97", "100"]);
        assert_eq!(cells[7], ["of these failed", "0", "3 (3.0%)"]);
    }

    #[test]
    fn counts_are_told_as_sums_and_times_as_means() {
        let mut record = Record::default();
        record.metrics.insert("Deployments".into(), Measured { count: 3.0, sum: 3.0 });
        record.metrics.insert("TimeToRestore".into(), Measured { count: 2.0, sum: 9.0 });
        assert_eq!(metrics(&record), "metrics of deployment-state: Deployments 3, TimeToRestore 4.5 s");
    }
}
