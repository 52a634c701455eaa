//! The SQL that a migration prints.

use lifecycle_hook::sql::{LONGEST, Report, check};
use shared::migration_rule::{Dialect, Rule};

/// The first letter says in which dialect: `p…` or `m…`.
pub fn migration(input: &[u8]) -> bool {
    let Some((letter, sql)) = input.split_first() else { return false };
    let sql = String::from_utf8_lossy(sql);
    let dialect = Dialect::ALL[usize::from(*letter) % Dialect::ALL.len()];
    let report = check(&sql, dialect, &[]);
    has_its_places(&report, &sql);
    let read = report.unparsable.is_empty() && report.statements > 0;
    if read {
        nothing_is_hidden(&sql, dialect);
    }
    read
}

fn has_its_places(report: &Report, sql: &str) {
    let lines = sql.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let found = report.refused.iter().chain(&report.allowed).map(|f| (f.line, &f.statement));
    for (line, statement) in found.chain(report.unparsable.iter().map(|u| (u.line, &u.statement))) {
        assert!((1..=lines).contains(&line), "line {line} of {lines}");
        assert!(statement.chars().count() <= 81 && !statement.contains(['\n', '\r']), "{statement}");
    }
}

/// What follows a text that was read, and its end, is seen: no comment, quote or command of the
/// client swallows it without a word.
fn nothing_is_hidden(sql: &str, dialect: Dialect) {
    let behind = "\n;\nDROP TABLE sluice_orders;";
    if sql.len() + behind.len() > LONGEST || sql.contains("sluice_orders") {
        return;
    }
    let report = check(&format!("{sql}{behind}"), dialect, &[]);
    let refused = report.refused.iter().any(|finding| finding.rule == Rule::DropTable);
    assert!(refused || !report.allowed.is_empty() || !report.unparsable.is_empty(), "{report:?}");
}
