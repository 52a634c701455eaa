//! Each rule refuses what it should and passes what it should, in each dialect. A fixture's
//! blank lines separate migrations, each judged by itself.

use std::path::PathBuf;

use lifecycle_hook::sql::{Report, check};
use shared::migration_rule::{Dialect, Rule};

/// What the other dialect does not have.
const WITHOUT_MEANING: [(Dialect, Rule, &str); 2] = [
    (
        Dialect::Mysql,
        Rule::ConcurrentlyInTransaction,
        "MySQL has no CONCURRENTLY, and its DDL commits by itself",
    ),
    (Dialect::Mysql, Rule::RenameType, "MySQL has no types of one's own, and renames no routine"),
];

fn fixture(dialect: Dialect, rule: Rule, kind: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/rules").join(dialect.as_str());
    folder.join(format!("{rule}.{kind}.sql"))
}

fn migrations(dialect: Dialect, rule: Rule, kind: &str) -> Vec<String> {
    let path = fixture(dialect, rule, kind);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let found: Vec<_> = text.split("\n\n").map(str::to_owned).collect();
    assert!(!found.is_empty());
    found
}

fn has_meaning(dialect: Dialect, rule: Rule) -> bool {
    !WITHOUT_MEANING.iter().any(|(d, r, _)| (*d, *r) == (dialect, rule))
}

fn each(kind: &str, judge: impl Fn(Rule, &Report) -> bool) {
    let mut wrong = Vec::new();
    let mut judged = 0;
    for dialect in Dialect::ALL {
        for rule in Rule::ALL.into_iter().filter(|rule| has_meaning(dialect, *rule)) {
            for sql in migrations(dialect, rule, kind) {
                let report = check(&sql, dialect, &[]);
                judged += 1;
                if !judge(rule, &report) {
                    wrong.push(format!("{} {rule}: {sql}\n{report:#?}", dialect.as_str()));
                }
            }
        }
    }
    println!("{judged} migrations that {kind}");
    assert!(wrong.is_empty(), "{} of {judged}:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn each_rule_refuses_its_failing_statements_in_each_dialect() {
    each("fail", |rule, report| {
        report.refused.iter().any(|finding| finding.rule == rule) && report.unparsable.is_empty()
    });
}

#[test]
fn each_rule_passes_its_passing_statements_in_each_dialect() {
    each("pass", |_, report| {
        report.statements > 0 && report.refused.is_empty() && report.unparsable.is_empty()
    });
}

#[test]
fn no_fixture_is_of_a_rule_that_has_no_meaning() {
    for (dialect, rule, why) in WITHOUT_MEANING {
        for kind in ["pass", "fail"] {
            assert!(!fixture(dialect, rule, kind).exists(), "{rule}: {why}");
        }
    }
}

#[test]
fn what_is_refused_can_be_allowed_by_the_service() {
    for dialect in Dialect::ALL {
        for rule in Rule::ALL.into_iter().filter(|rule| has_meaning(dialect, *rule)) {
            for sql in migrations(dialect, rule, "fail") {
                let before = check(&sql, dialect, &[]);
                let after = check(&sql, dialect, &[rule]);
                assert!(after.allowed.iter().any(|f| f.rule == rule && f.reason.is_none()), "{sql}");
                assert!(after.refused.iter().all(|f| f.rule != rule), "{sql}");
                assert_eq!(before.refused.len(), after.refused.len() + after.allowed.len(), "{sql}");
            }
        }
    }
}
