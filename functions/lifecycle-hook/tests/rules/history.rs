//! The rules on the migrations of real projects (their licences beside them): how much is
//! read, what is refused, and that nothing is refused without cause.

use std::collections::BTreeMap;
use std::path::Path;

use lifecycle_hook::sql::{Report, check};
use shared::migration_rule::{Dialect, Rule};

fn text(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/history").join(file)).unwrap()
}

/// What became of all migrations of a project.
#[derive(Debug, Default)]
struct Tally {
    migrations: usize,
    statements: usize,
    refused: BTreeMap<Rule, usize>,
    unparsable: usize,
}

impl Tally {
    fn add(&mut self, report: &Report) {
        self.migrations += 1;
        self.statements += report.statements;
        self.unparsable += report.unparsable.len();
        for finding in &report.refused {
            *self.refused.entry(finding.rule).or_default() += 1;
        }
    }

    fn of(file: &str, dialect: Dialect) -> Self {
        let tally = Self::of_text(&text(file), dialect);
        tally.print(file);
        tally
    }

    fn of_text(text: &str, dialect: Dialect) -> Self {
        let mut tally = Self::default();
        for migration in text.split("-- migration ").skip(1) {
            // Behind its name.
            let (name, sql) = migration.split_once('\n').unwrap();
            let report = check(sql, dialect, &[]);
            for finding in &report.refused {
                println!("{name}:{} {}: {}", finding.line, finding.rule, finding.statement);
            }
            for unparsable in &report.unparsable {
                println!(
                    "{name}:{} unparsable: {}: {}",
                    unparsable.line, unparsable.statement, unparsable.why
                );
            }
            tally.add(&report);
        }
        tally
    }

    fn refusals(&self) -> usize {
        self.refused.values().sum()
    }

    fn print(&self, file: &str) {
        let refused = self.refusals();
        println!(
            "{file}: {} migrations, {} statements: {} parsed, {} unparsable, {refused} refusals",
            self.migrations,
            self.statements,
            self.statements - self.unparsable,
            self.unparsable
        );
        for (rule, count) in &self.refused {
            println!("{count:6} {rule}");
        }
    }
}

/// What is refused only because `IF NOT EXISTS` may have found a table that was there: told
/// apart by the same history without these words.
fn nothing_is_in_doubt(file: &str, dialect: Dialect, all: &Tally) {
    let certain = Tally::of_text(&text(file).replace("TABLE IF NOT EXISTS", "TABLE"), dialect);
    assert_eq!(all.refused, certain.refused, "{file}");
}

fn expect(tally: &Tally, statements: usize, refused: &[(Rule, usize)]) {
    assert_eq!(tally.statements, statements);
    assert_eq!(tally.unparsable, 0);
    let refused: BTreeMap<_, _> = refused.iter().copied().collect();
    assert_eq!(tally.refused, refused);
}

/// All 105 were read, each beside the migration that made its table: none is on a table or
/// index of its own migration. One, of 20260319000000, makes an index that has been there since
/// 20260309000000; it does nothing, which no migration tells by itself. The others lock
/// a table that is in use, or take away or refuse what the version before reads or writes.
#[test]
fn litellm() {
    let file = "postgresql.litellm.sql";
    let tally = Tally::of(file, Dialect::Postgresql);
    let refused = [
        (Rule::SetNotNull, 1),
        (Rule::DropColumn, 3),
        (Rule::RenameColumn, 4),
        (Rule::RenameTable, 1),
        (Rule::ChangeColumnType, 3),
        (Rule::AddForeignKey, 11),
        (Rule::CreateIndex, 57),
        (Rule::DropIndex, 25),
    ];
    expect(&tally, 627, &refused);
    nothing_is_in_doubt(file, Dialect::Postgresql, &tally);
}

/// All 59 were read. The 25 that are no functions are right: all 14 about indexes are on tables
/// or indexes of earlier migrations. Of the 34 functions, 20 are dropped for good and 14 have one
/// of their name made again behind them. Harmless in fact are those:
/// - 4 made again with the arguments that DROP names, and the same result, and one more whose
///   DROP names none. The DROP does not tell names, defaults, result, owner and rights of the old
///   function, so these stay refused; CREATE OR REPLACE would have done, and passes.
/// - 6 functions of triggers, which no query calls. Their names do not tell.
/// - 2 that are not there when they are dropped: one never was, one was dropped some lines above.
#[test]
fn procrastinate() {
    let file = "postgresql.procrastinate.sql";
    let tally = Tally::of(file, Dialect::Postgresql);
    let refused = [
        (Rule::DropDefault, 1),
        (Rule::DropColumn, 2),
        (Rule::DropTable, 2),
        (Rule::DropType, 34),
        (Rule::RenameType, 1),
        (Rule::ChangeColumnType, 2),
        (Rule::AddCheck, 1),
        (Rule::AddUnique, 2),
        (Rule::CreateIndex, 10),
        (Rule::DropIndex, 4),
    ];
    expect(&tally, 180, &refused);
    nothing_is_in_doubt(file, Dialect::Postgresql, &tally);
}

/// All 13 were read; each of the 11 statements would have copied or locked a table, or refused
/// what the version before writes. Two of the findings add nothing to that: the `NOT NULL` of
/// `encryptedData` was there before, and the type of `chatId` is the one with which the same
/// migration adds it. MODIFY does not tell what it changes.
#[test]
fn flowise() {
    let file = "mysql.flowise.sql";
    let tally = Tally::of(file, Dialect::Mysql);
    let refused = [(Rule::SetNotNull, 2), (Rule::ChangeColumnType, 10), (Rule::UnboundedWrite, 1)];
    expect(&tally, 48, &refused);
    nothing_is_in_doubt(file, Dialect::Mysql, &tally);
}
