//! What a report tells: lines, allowances, and what nobody could read.

use lifecycle_hook::sql::{LONGEST, Report, check, contracts, way_out};
use shared::migration_rule::{Dialect, Rule};

fn postgresql(sql: &str) -> Report {
    check(sql, Dialect::Postgresql, &[])
}

fn mysql(sql: &str) -> Report {
    check(sql, Dialect::Mysql, &[])
}

fn passes(report: &Report) -> bool {
    report.refused.is_empty() && report.unparsable.is_empty()
}

#[test]
fn each_finding_has_the_line_of_its_statement() {
    let report = postgresql(
        "-- first\nCREATE TABLE a (\n id int\n);\n\n/* two\nlines */ DROP TABLE\n b;\nthis is noise\n;DROP TABLE c;",
    );
    assert_eq!(report.statements, 4);
    assert_eq!(report.refused.iter().map(|f| f.line).collect::<Vec<_>>(), [7, 10]);
    assert_eq!(report.unparsable[0].line, 9);
}

#[test]
fn a_statement_is_told_short_and_on_one_line() {
    let sql = format!("DROP TABLE\n  {};", vec!["ä".repeat(30); 40].join(",\n"));
    let told = &postgresql(&sql).refused[0].statement;
    assert!(told.starts_with("DROP TABLE ää") && told.chars().count() == 81, "{told}");
}

#[test]
fn a_text_that_is_too_long_does_not_pass_and_the_longest_does() {
    let rows = |count: usize| {
        let row = "(1, 'it''s; DROP TABLE b')";
        format!("INSERT INTO a (id, name) VALUES {};", vec![row; count].join(","))
    };
    for dialect in Dialect::ALL {
        let fits = check(&rows(LONGEST / 28), dialect, &[]);
        assert!(passes(&fits) && fits.statements == 1, "{fits:?}");
        let report = check(&rows(LONGEST / 20), dialect, &[]);
        assert!(report.unparsable[0].why.contains("no more than 524288 are read"), "{report:?}");
    }
}

#[test]
fn what_stands_behind_or_between_rows_is_read() {
    let bad = [
        "INSERT INTO a VALUES (1), (2) noise;",
        "INSERT INTO a VALUES (1), (2), ;",
        "INSERT INTO a VALUES (1) (2);",
        "INSERT INTO a VALUES (1), (2;",
    ];
    for sql in bad {
        for dialect in Dialect::ALL {
            assert_eq!(check(sql, dialect, &[]).unparsable.len(), 1, "{dialect:?} {sql}");
        }
    }
    let good = "INSERT INTO a VALUES (1), (2) ON CONFLICT (id) DO UPDATE SET n = 1 RETURNING id;";
    assert!(passes(&postgresql(good)), "{:?}", postgresql(good));
    assert!(passes(&mysql("REPLACE INTO a VALUES (1), ((2));")));
}

#[test]
fn a_comment_allows_one_rule_for_one_statement() {
    let above = "-- sluice: allow drop-table unused since 2.4\nDROP TABLE a;\nDROP TABLE b;";
    let behind = "DROP TABLE a; -- sluice: allow drop-table unused since 2.4\nDROP TABLE b;";
    let within = "DROP TABLE\n-- sluice: allow drop-table unused since 2.4\n a;\nDROP TABLE b;";
    for sql in [above, behind, within] {
        for dialect in Dialect::ALL {
            let report = check(sql, dialect, &[]);
            assert_eq!(report.allowed.len(), 1, "{sql}");
            assert_eq!(report.allowed[0].reason.as_deref(), Some("unused since 2.4"));
            assert_eq!(report.allowed[0].statement, "DROP TABLE a");
            assert_eq!(report.refused.len(), 1, "{sql}");
            assert_eq!(report.refused[0].statement, "DROP TABLE b");
        }
    }
    let other = "-- sluice: allow drop-column unused\nDROP TABLE a;";
    assert_eq!(postgresql(other).refused.len(), 1);
}

#[test]
fn an_allowance_that_does_not_allow_does_not_pass() {
    for sql in [
        "-- sluice: allow drop-table\nSELECT 1;",
        "-- sluice: allow drop-tables for good\nSELECT 1;",
        "/* sluice: allow drop-table for good */ SELECT 1;",
        "SELECT 1;\n-- sluice: allow drop-table for good\n",
    ] {
        let report = postgresql(sql);
        assert!(report.refused.is_empty() && report.unparsable.len() == 1, "{sql}: {report:?}");
    }
}

#[test]
fn a_person_may_vouch_for_what_cannot_be_read_but_not_for_noise() {
    let vouched = "-- sluice: allow drop-column reviewed by two\nDO $$ BEGIN EXECUTE 'ALTER …'; END $$;";
    let report = postgresql(vouched);
    assert!(passes(&report), "{report:?}");
    assert_eq!(report.allowed[0].rule, Rule::DropColumn);
    assert!(!passes(&check(vouched.split_once('\n').unwrap().1, Dialect::Postgresql, &Rule::ALL)));
    assert!(!passes(&postgresql("-- sluice: allow drop-column reviewed\nRunning migration 3;")));
}

#[test]
fn what_is_not_understood_does_not_pass() {
    for sql in [
        "Running migration 20240101_init",
        "CALL cleanup();",
        "SELECT drop_old_partitions();",
        "SELECT * FROM drop_old_partitions();",
        "DO $$ BEGIN EXECUTE 'DROP TABLE a'; END $$;",
        "DO $$ BEGIN FOR r IN EXECUTE q LOOP NULL; END LOOP; END $$;",
        "DO $$ BEGIN PERFORM drop_it(); END $$;",
        "DO LANGUAGE plperl $$ drop $$;",
        "\\i other.sql",
        "\\if :x\nSELECT 1;",
        "ALTER TABLE a ENABLE ROW LEVEL SECURITY;",
        "REVOKE ALL ON a FROM app;",
        "COPY a FROM PROGRAM 'rm';",
        "SET standard_conforming_strings = off;",
        "EXPLAIN ANALYZE DELETE FROM a;",
        "PREPARE p AS DELETE FROM a;",
        "COMMIT DROP TABLE a;",
        "COMMENT ON TABLE a IS 'x' DROP TABLE b;",
        "CREATE INDEX CONCURRENTLY i ON a (b) DROP TABLE c;",
        "CREATE FUNCTION f() RETURNS int AS $$ SELECT 1 $$ LANGUAGE sql DROP TABLE a;",
        "SELECT 'unterminated;\n",
        "/* unterminated",
        "SELECT $$ unterminated",
    ] {
        let report = postgresql(sql);
        assert!(!report.unparsable.is_empty(), "{sql}: {report:?}");
    }
    for sql in [
        "SET GLOBAL sql_mode = '';",
        "SET sql_mode = 'ANSI_QUOTES';",
        "SET PASSWORD = 'x';",
        "SET @@GLOBAL.read_only = 1;",
        "PREPARE s FROM @sql;",
        "EXECUTE s;",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM a;",
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET NEW.b = 1; END DROP TABLE c;",
        "CREATE PROCEDURE p() BEGIN DROP TABLE a;",
        "CREATE OR REPLACE VIEW v AS SELECT 1;",
        "LOAD DATA INFILE 'x' INTO TABLE a;",
        "DELIMITER",
        "SELECT `unterminated",
    ] {
        let report = mysql(sql);
        assert!(!report.unparsable.is_empty(), "{sql}: {report:?}");
    }
}

#[test]
fn one_unparsable_statement_hides_no_other() {
    for before in
        ["Don't panic\n", "noise; \n", "ALTER TABLE a FROB;", "\\i x.sql\n", "/* never closed\n", "$$ a\n"]
    {
        let report = postgresql(&format!("{before}DROP TABLE b;"));
        assert!(report.refused.len() + report.unparsable.len() >= 2, "{before}: {report:?}");
        assert!(report.refused.iter().any(|f| f.rule == Rule::DropTable), "{before}: {report:?}");
    }
}

#[test]
fn what_is_data_or_a_body_does_not_run() {
    for sql in [
        "INSERT INTO a VALUES ('DROP TABLE b;', $$DROP TABLE c;$$, E'\\'; DROP TABLE d; --');",
        "COPY a (b) FROM stdin;\nDROP TABLE c;\n\\.\nSELECT 1;",
        "CREATE FUNCTION f() RETURNS void AS $body$ BEGIN DROP TABLE a; END; $body$ LANGUAGE plpgsql;",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC DELETE FROM a; SELECT CASE WHEN true THEN 1 END; END;",
        "/* DROP TABLE a; /* nested */ DROP TABLE b; */ SELECT 1;",
        "COMMENT ON COLUMN a.b IS 'DROP TABLE c;';",
    ] {
        assert!(passes(&postgresql(sql)), "{sql}: {:?}", postgresql(sql));
    }
    for sql in [
        "INSERT INTO a VALUES ('it\\'s; DROP TABLE b;', \"DROP TABLE c;\");",
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN IF NEW.b THEN DELETE FROM c; END IF; END;",
        "DELIMITER $$\nCREATE PROCEDURE p() BEGIN DELETE FROM a; DROP TABLE b; END$$\nDELIMITER ;\nSELECT 1;",
        "# DROP TABLE a;\nSELECT 5--3;\n-- DROP TABLE b;\n",
    ] {
        assert!(passes(&mysql(sql)), "{sql}: {:?}", mysql(sql));
    }
}

#[test]
fn behind_data_and_bodies_statements_run_again() {
    for (sql, dialect) in [
        ("COPY a FROM stdin;\nx\n\\.\nDROP TABLE b;", Dialect::Postgresql),
        ("SELECT E'\\''; DROP TABLE b; --'", Dialect::Postgresql),
        ("SELECT '\\'; DROP TABLE b; --'", Dialect::Postgresql),
        ("SELECT a$b$ FROM c; DROP TABLE b; --$b$", Dialect::Postgresql),
        ("/* a */ /*! DROP TABLE b */;", Dialect::Mysql),
        ("/*!50001 DROP TABLE b */;", Dialect::Mysql),
        ("DELIMITER //\nSELECT 1//\nDROP TABLE b//", Dialect::Mysql),
        ("CREATE PROCEDURE p() BEGIN SELECT 1; END; DROP TABLE b;", Dialect::Mysql),
        ("CREATE TABLE event (begin INT, end INT); DROP TABLE b;", Dialect::Mysql),
        ("SELECT 1 --\n; DROP TABLE b;", Dialect::Mysql),
        ("SELECT 1; /* # */ DROP TABLE b; # */", Dialect::Mysql),
    ] {
        let report = check(sql, dialect, &[]);
        assert!(report.refused.iter().any(|f| f.rule == Rule::DropTable), "{sql}: {report:?}");
    }
}

#[test]
fn what_is_new_is_new_only_where_it_was_made() {
    for sql in [
        "CREATE TABLE a (id int);\nSET search_path = other;\nDROP TABLE a;",
        "CREATE TABLE a (id int);\nSELECT pg_catalog.set_config('search_path', '', false);\nDROP TABLE a;",
        "BEGIN;\nCREATE TABLE a (id int);\nROLLBACK;\nDROP TABLE a;",
        "BEGIN;\nSAVEPOINT s;\nCREATE TABLE a (id int);\nROLLBACK TO s;\nDROP TABLE a;",
        "CREATE TABLE a (id int);\nDROP TABLE b.a;",
        "CREATE TABLE b.a (id int);\nDROP TABLE a;",
        "CREATE TABLE \"A\" (id int);\nDROP TABLE a;",
        "DO $$ BEGIN IF x THEN CREATE TABLE a (id int); END IF; END $$;\nDROP TABLE a;",
        "CREATE TABLE a (id int);\nALTER TABLE a RENAME TO c;\nDROP TABLE a;",
    ] {
        let report = postgresql(sql);
        assert!(report.refused.iter().any(|f| f.rule == Rule::DropTable), "{sql}: {report:?}");
    }
}

#[test]
fn each_rule_has_a_way_out_and_stands_in_the_readme() {
    let readme = include_str!("../../README.md");
    for rule in Rule::ALL {
        assert!(way_out(rule).len() > 20, "{rule}");
        assert!(readme.lines().any(|line| line.starts_with(&format!("| `{rule}` |"))), "{rule}");
        let told = if contracts(rule) { "| yes |" } else { "| no |" };
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{rule}` |"))).unwrap();
        assert!(row.ends_with(told), "{rule} contracts: {row}");
    }
}
