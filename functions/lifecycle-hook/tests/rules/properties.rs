//! Whatever a log says: no panic, no overflow, and nothing hides a statement behind it.

use lifecycle_hook::sql::{Report, check};
use proptest::prelude::*;
use shared::migration_rule::{Dialect, Rule};

/// What splitting and parsing turn on, in any order.
fn sql() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("'"),
        Just("\""),
        Just("`"),
        Just("$$"),
        Just("$a$"),
        Just("--"),
        Just("#"),
        Just("/*"),
        Just("*/"),
        Just("/*!50001 "),
        Just("\\"),
        Just(";"),
        Just("\n"),
        Just(" "),
        Just("("),
        Just(")"),
        Just(","),
        Just("."),
        Just("DELIMITER "),
        Just("//"),
        Just("COPY a FROM stdin;\n"),
        Just("\\.\n"),
        Just("CREATE "),
        Just("TABLE "),
        Just("PROCEDURE p() BEGIN "),
        Just("END "),
        Just("CASE "),
        Just("DO "),
        Just("ALTER TABLE a "),
        Just("ADD COLUMN b int "),
        Just("NOT NULL "),
        Just("SELECT 1"),
        Just("é"),
        Just("\u{1f600}"),
        Just("E'"),
        Just("-- sluice: allow drop-table x\n"),
        Just("WITH a AS "),
        Just("UPDATE a SET b = 1 "),
        Just("\0"),
        Just("BEGIN ATOMIC "),
        Just("IF "),
        Just("LOOP "),
        Just("\\if"),
        Just("$1"),
        Just("U&'"),
        Just("@@"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Statements that parse in both dialects, with what may stand between them.
fn whole() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "SELECT 1;",
        "\n",
        " ",
        "-- it's a comment\n",
        "/* it's; */",
        "INSERT INTO a VALUES ('x;''y', 2);",
        "CREATE TABLE b (c int);",
        "BEGIN;",
        "COMMIT;",
        "ROLLBACK;",
        "ALTER TABLE a ADD COLUMN c int;",
        "UPDATE a SET b = ';' WHERE c = 1;",
        "CREATE TABLE IF NOT EXISTS orders (a int);",
        ";",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn parses(report: &Report) -> bool {
    report.unparsable.is_empty()
}

fn drops(report: &Report) -> bool {
    report.refused.iter().any(|finding| finding.rule == Rule::DropTable)
}

fn dialect() -> impl Strategy<Value = Dialect> {
    prop_oneof![Just(Dialect::Postgresql), Just(Dialect::Mysql)]
}

/// Each letter in either case, each blank as some blank.
fn disguised(sql: &'static str, dialect: Dialect) -> impl Strategy<Value = String> {
    let blanks = match dialect {
        Dialect::Postgresql => vec![" ", "\n", "\t", "/* a */", " /* b /* c */ */ ", "--x\n", "\r\n"],
        Dialect::Mysql => vec![" ", "\n", "\t", "/* a */", " /* ' */ ", "-- x\n", "#y'\n"],
    };
    let parts: Vec<_> = sql.chars().collect();
    let blank = prop::sample::select(blanks);
    prop::collection::vec((any::<bool>(), blank), parts.len()).prop_map(move |how| {
        let letters = parts.iter().zip(how).map(|(c, (upper, blank))| match c {
            ' ' => blank.to_owned(),
            c if upper => c.to_ascii_uppercase().to_string(),
            c => c.to_ascii_lowercase().to_string(),
        });
        letters.collect()
    })
}

const FAILING: [(&str, Rule); 6] = [
    ("drop table orders;", Rule::DropTable),
    ("alter table orders drop column region;", Rule::DropColumn),
    ("alter table orders add column region char(2) not null;", Rule::AddColumnNotNull),
    ("update orders set region = 1;", Rule::UnboundedWrite),
    ("truncate table orders;", Rule::Truncate),
    ("alter table orders rename to purchases;", Rule::RenameTable),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), dialect in dialect()) {
        check(&text, dialect, &[]);
    }

    /// Whole or broken: it never passes. What parses and ends with a semicolon leaves no doubt.
    #[test]
    fn a_statement_behind_whatever_there_is_does_not_pass(
        whole in whole(), broken in sql(), dialect in dialect()
    ) {
        for before in [whole.clone(), format!("{whole}{broken}"), broken] {
            let parsed = parses(&check(&before, dialect, &[]));
            let report = check(&format!("{before}\nDROP TABLE orders;"), dialect, &[]);
            let told = drops(&report) || !report.allowed.is_empty();
            prop_assert!(told || !parses(&report), "{before:?}: {report:?}");
            if parsed && before.ends_with(';') && !before.contains("DELIMITER") {
                prop_assert!(told, "{before:?}: {report:?}");
            }
        }
    }

    #[test]
    fn nothing_that_is_quoted_hides_what_follows(text in "[a-z;()/*#$ \n-]{0,30}", dialect in dialect()) {
        let quoted = match dialect {
            Dialect::Postgresql => vec![
                format!("SELECT '{text}';"), format!("SELECT $Q${text}$Q$;"), format!("SELECT 1 AS \"a{text}\";"),
                format!("-- {}\n", text.replace('\n', " ")),
            ],
            Dialect::Mysql => vec![
                format!("SELECT '{text}';"), format!("SELECT \"{text}\";"), format!("SELECT 1 AS `a{text}`;"),
                format!("-- {}\n", text.replace('\n', " ")), format!("#{}\n", text.replace('\n', " ")),
            ],
        };
        for before in quoted {
            let report = check(&format!("{before}DROP TABLE orders;"), dialect, &[]);
            prop_assert!(drops(&report), "{before:?}: {report:?}");
        }
    }

    #[test]
    fn blanks_comments_and_case_disguise_nothing(
        (dialect, (rule, sql)) in dialect().prop_flat_map(|dialect| {
            let one = (0..FAILING.len()).prop_flat_map(move |i| {
                (Just(FAILING[i].1), disguised(FAILING[i].0, dialect))
            });
            (Just(dialect), one)
        })
    ) {
        let report = check(&sql, dialect, &[]);
        prop_assert!(report.refused.iter().any(|f| f.rule == rule), "{sql:?}: {report:?}");
    }
}

/// On a thread with the small stack that tests and Lambda's workers have.
#[test]
fn what_is_deep_or_long_overflows_no_stack() {
    let deep = |open: &str, close: &str, n: usize| format!("SELECT {}1{};", open.repeat(n), close.repeat(n));
    let n = 30_000;
    for sql in [
        deep("(", ")", n),
        deep("CASE WHEN ", " THEN 1 END", n),
        deep("NOT ", "", n),
        deep("- ", "", n),
        deep("a(", ")", n),
        deep("ARRAY[", "]", n),
        format!("SELECT 1{};", "+1".repeat(n)),
        format!("SELECT 1{};", " + 1".repeat(290)),
        format!("SELECT 1{};", " OR a".repeat(290)),
        format!("SELECT 1{};", " UNION SELECT 1, 2".repeat(n)),
        format!("SELECT 1{};", "::int".repeat(n)),
        format!("SELECT 1{};", "::int".repeat(290)),
        format!("SELECT a{};", ".b".repeat(290)),
        format!("SELECT a{};", "[1]".repeat(190)),
        format!("CREATE TABLE a (b int{});", "[]".repeat(n)),
        format!("CREATE TABLE a (b int{});", "[]".repeat(290)),
        format!("DO $$ {} $$;", "BEGIN ".repeat(n)),
        format!("EXPLAIN {} SELECT 1;", "EXPLAIN ".repeat(n)),
        format!("SELECT * FROM {}a{};", "(".repeat(60), ")".repeat(60)),
        format!("SELECT * FROM {}", "JSON_TABLE(b, '$' COLUMNS(NESTED PATH '$' COLUMNS(".repeat(n)),
        format!("SELECT * FROM JSON_TABLE(b, '$' {}", "COLUMNS(NESTED PATH '$' ".repeat(60)),
        format!("SELECT * FROM a{};", " JOIN b".repeat(n)),
        format!("SELECT * FROM a{};", " JOIN b ON (c)".repeat(140)),
    ] {
        for dialect in Dialect::ALL {
            check(&sql, dialect, &[]);
        }
    }
}
