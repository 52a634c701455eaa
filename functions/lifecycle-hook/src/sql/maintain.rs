//! Statements that tend a table as a whole: lock, empty, rebuild, rename.

use shared::migration_rule::{Dialect, Rule};
use sqlparser::tokenizer::Token;

use super::cursor::{Cursor, split_commas};
use super::judge::{IsNew, Verdict, refused, refused_unless, unknown};
use super::schema::Schema;

const NOT_READ: &str = "cannot be parsed";

pub(super) fn maintain(schema: &mut Schema, mut cursor: Cursor) -> Verdict {
    let read = match schema.dialect() {
        Dialect::Postgresql => postgresql(schema, &mut cursor),
        Dialect::Mysql => mysql(schema, &mut cursor),
    };
    read.unwrap_or_else(|| unknown(NOT_READ))
}

fn postgresql(schema: &mut Schema, cursor: &mut Cursor) -> Option<Verdict> {
    if cursor.eat("TRUNCATE") {
        return truncate(schema, cursor);
    }
    if cursor.eat("LOCK") {
        return lock(schema, cursor);
    }
    if cursor.eat("REINDEX") {
        return reindex(schema, cursor);
    }
    if cursor.eat("CLUSTER") {
        return cluster(schema, cursor);
    }
    if cursor.eat("VACUUM") {
        return vacuum(schema, cursor);
    }
    if cursor.eat("REFRESH MATERIALIZED VIEW") {
        return refresh(schema, cursor);
    }
    if cursor.eat("COPY") {
        return copy(cursor);
    }
    None
}

fn mysql(schema: &mut Schema, cursor: &mut Cursor) -> Option<Verdict> {
    if cursor.eat("TRUNCATE") {
        return truncate(schema, cursor);
    }
    if cursor.eat("RENAME TABLE") || cursor.eat("RENAME TABLES") {
        return rename(schema, cursor);
    }
    if cursor.eat("OPTIMIZE") {
        // InnoDB rebuilds the table: dev.mysql.com/doc/refman/8.4/en/optimize-table.html
        let _ = cursor.eat_one(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
        return (cursor.eat("TABLE") || cursor.eat("TABLES"))
            .then_some(())
            .and_then(|()| all_new_or(schema, cursor, Rule::TableRewrite));
    }
    if cursor.eat("LOCK TABLES") || cursor.eat("LOCK TABLE") {
        return lock_tables(schema, cursor);
    }
    if cursor.eat("FLUSH") {
        return flush(cursor);
    }
    None
}

/// The names up to the end.
fn all_new_or(schema: &Schema, cursor: &mut Cursor, rule: Rule) -> Option<Verdict> {
    let names = cursor.names()?;
    cursor.is_done().then(|| refused_unless(all_new(schema, &names), rule))
}

fn all_new(schema: &Schema, names: &[String]) -> IsNew {
    match names.iter().all(|name| schema.is_new(name)) {
        true => IsNew::Yes,
        false => IsNew::No,
    }
}

/// `ONLY a, b *`
fn tables(cursor: &mut Cursor) -> Option<Vec<String>> {
    let mut names = Vec::new();
    loop {
        cursor.eat("ONLY");
        names.push(cursor.name()?);
        cursor.eat_token(&Token::Mul);
        if !cursor.eat_token(&Token::Comma) {
            return Some(names);
        }
    }
}

fn truncate(schema: &Schema, cursor: &mut Cursor) -> Option<Verdict> {
    cursor.eat("TABLE");
    let names = tables(cursor)?;
    let _ = cursor.eat_one(&["RESTART IDENTITY", "CONTINUE IDENTITY"]);
    // CASCADE empties tables that are not named here.
    let cascade = cursor.eat("CASCADE");
    cursor.eat("RESTRICT");
    cursor.is_done().then(|| match cascade {
        true => refused(Rule::Truncate),
        false => refused_unless(all_new(schema, &names), Rule::Truncate),
    })
}

/// Up to SHARE UPDATE EXCLUSIVE a lock lets others read and write:
/// postgresql.org/docs/current/explicit-locking.html
fn lock(schema: &Schema, cursor: &mut Cursor) -> Option<Verdict> {
    const MODES: [&str; 8] = [
        "ACCESS SHARE",
        "ROW SHARE",
        "ROW EXCLUSIVE",
        "SHARE UPDATE EXCLUSIVE",
        "SHARE ROW EXCLUSIVE",
        "SHARE",
        "EXCLUSIVE",
        "ACCESS EXCLUSIVE",
    ];
    cursor.eat("TABLE");
    let names = tables(cursor)?;
    let mode = match cursor.eat("IN") {
        true => {
            let mode = cursor.eat_one(&MODES)?;
            cursor.eat("MODE").then_some(mode)?
        }
        false => "ACCESS EXCLUSIVE",
    };
    cursor.eat("NOWAIT");
    let harmless = MODES[..4].contains(&mode);
    cursor.is_done().then(|| match harmless {
        true => Verdict::new(),
        false => refused_unless(all_new(schema, &names), Rule::LockTable),
    })
}

fn reindex(schema: &Schema, cursor: &mut Cursor) -> Option<Verdict> {
    let _options = cursor.group();
    let what = cursor.eat_one(&["INDEX", "TABLE", "SCHEMA", "DATABASE", "SYSTEM"])?;
    let concurrently = cursor.eat("CONCURRENTLY");
    let name = cursor.name();
    if !cursor.is_done() {
        return None;
    }
    let new = what == "TABLE" && name.is_some_and(|name| schema.is_new(&name));
    Some(match (concurrently, schema.is_in_transaction()) {
        (true, true) => refused(Rule::ConcurrentlyInTransaction),
        (true, false) => Verdict::new(),
        (false, _) if new => Verdict::new(),
        (false, _) => refused(Rule::CreateIndex),
    })
}

fn cluster(schema: &Schema, cursor: &mut Cursor) -> Option<Verdict> {
    let _options = cursor.group();
    cursor.eat("VERBOSE");
    let table = cursor.name();
    if cursor.eat("USING") || cursor.eat("ON") {
        cursor.name()?;
    }
    let new = table.is_some_and(|table| schema.is_new(&table));
    cursor.is_done().then(|| if new { Verdict::new() } else { refused(Rule::TableRewrite) })
}

/// FULL writes the table anew under the strongest lock; plain VACUUM runs beside all.
fn vacuum(schema: &Schema, cursor: &mut Cursor) -> Option<Verdict> {
    let mut full = cursor.group().is_some_and(|options| {
        split_commas(options).iter().any(|option| Cursor::new(option, schema.dialect()).eat("FULL"))
    });
    while let Some(option) = cursor.eat_one(&["FULL", "FREEZE", "VERBOSE", "ANALYZE"]) {
        full |= option == "FULL";
    }
    let names = match cursor.is_done() {
        true => Vec::new(),
        false => tables(cursor)?,
    };
    let _columns = cursor.group();
    let new = if names.is_empty() { IsNew::No } else { all_new(schema, &names) };
    cursor.is_done().then(|| match full {
        true => refused_unless(new, Rule::TableRewrite),
        false => Verdict::new(),
    })
}

/// Without CONCURRENTLY nobody reads it meanwhile.
fn refresh(schema: &Schema, cursor: &mut Cursor) -> Option<Verdict> {
    let concurrently = cursor.eat("CONCURRENTLY");
    let name = cursor.name()?;
    let _ = cursor.eat_one(&["WITH DATA", "WITH NO DATA"]);
    let harmless = concurrently || schema.is_new(&name);
    cursor.is_done().then(|| if harmless { Verdict::new() } else { refused(Rule::LockTable) })
}

/// Rows that the text itself brings; a program or a file on the server is not known.
fn copy(cursor: &mut Cursor) -> Option<Verdict> {
    cursor.name()?;
    let _columns = cursor.group();
    let stdin = cursor.eat("FROM STDIN");
    cursor.eat("WITH");
    let _options = cursor.group();
    Some(match stdin && cursor.is_done() {
        true => Verdict::new(),
        false => unknown("COPY that is not FROM STDIN"),
    })
}

fn rename(schema: &mut Schema, cursor: &mut Cursor) -> Option<Verdict> {
    let mut renamed = Vec::new();
    loop {
        let from = cursor.name()?;
        if !cursor.eat("TO") {
            return None;
        }
        renamed.push((from, cursor.name()?));
        if !cursor.eat_token(&Token::Comma) {
            break;
        }
    }
    if !cursor.is_done() {
        return None;
    }
    let mut verdict = Verdict::new();
    for (from, to) in renamed {
        if !schema.is_new(&from) {
            verdict = refused(Rule::RenameTable);
        }
        schema.renamed(&from, &to);
    }
    Some(verdict)
}

fn lock_tables(schema: &Schema, cursor: &mut Cursor) -> Option<Verdict> {
    let mut verdict = Verdict::new();
    for lock in split_commas(cursor.rest()) {
        let mut lock = Cursor::new(lock, schema.dialect());
        if !schema.is_new(&lock.name()?) {
            verdict = refused(Rule::LockTable);
        }
        if !lock.eat("READ") && !lock.eat("WRITE") && !lock.eat("LOW_PRIORITY WRITE") {
            lock.eat("AS");
            lock.name()?;
            let _ = lock.eat_one(&["READ", "WRITE", "LOW_PRIORITY WRITE"])?;
        }
        lock.eat("LOCAL");
        if !lock.is_done() {
            return None;
        }
    }
    Some(verdict)
}

fn flush(cursor: &mut Cursor) -> Option<Verdict> {
    let _ = cursor.eat_one(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
    if cursor.ends_with("PRIVILEGES") {
        return Some(Verdict::new());
    }
    (cursor.eat("TABLES") || cursor.eat("TABLE")).then(|| refused(Rule::LockTable))
}
