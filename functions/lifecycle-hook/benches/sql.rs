//! What judging a migration's SQL costs, and that it grows with the text and no faster: the
//! worst of texts that could mislead a splitter or a parser.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use lifecycle_hook::sql::{LONGEST, check};
use shared::migration_rule::Dialect;

/// Repeated to the longest text that is read.
const PIECES: &[&str] = &[
    "'\n",
    "$$\n",
    "$a\n",
    "/*\n",
    "`\n",
    "\\.\n",
    "COPY a FROM stdin;\n",
    "-- sluice: allow drop-table x\n",
    "DELIMITER ;\n",
    "CREATE PROCEDURE p() BEGIN ",
    "(",
    "CREATE TABLE a (b int);\nDROP TABLE a;\n",
    ";",
    "é",
    "INSERT INTO a VALUES (1, 'b', NULL);\n",
    "DO $$ BEGIN NULL; END $$;\n",
    "a.b,",
    "CASE ",
    "ALTER TABLE a ADD COLUMN b int;\n",
];

/// Twice the text, so many times the time: four would be quadratic.
const LIMIT: f64 = 3.0;

fn quickest(sql: &str, dialect: Dialect) -> Duration {
    let one = || {
        let start = Instant::now();
        std::hint::black_box(check(sql, dialect, &[]));
        start.elapsed()
    };
    (0..5).map(|_| one()).min().unwrap_or_default()
}

fn main() -> ExitCode {
    let mut worst = 0.0_f64;
    for piece in PIECES {
        for dialect in Dialect::ALL {
            let took = |len: usize| quickest(&piece.repeat(len / piece.len()), dialect);
            let (half, whole) = (took(LONGEST / 2), took(LONGEST));
            let ratio = whole.as_secs_f64() / half.as_secs_f64();
            worst = worst.max(ratio);
            println!("{dialect:?} {piece:?}: {whole:?} for {LONGEST} bytes, ×{ratio:.2} that of half of it");
        }
    }
    println!("at most ×{worst:.2} for twice the text; ×{LIMIT} are allowed");
    if worst <= LIMIT { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
