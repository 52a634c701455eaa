//! The actions of MySQL that the parser crate does not know:
//! dev.mysql.com/doc/refman/8.4/en/alter-table.html

use shared::migration_rule::{Dialect, Rule};
use sqlparser::tokenizer::Token;

use super::{Table, operations, parsed};
use crate::sql::cursor::{Cursor, split_commas};
use crate::sql::judge::{Verdict, refused, unknown};
use crate::sql::schema::Schema;

/// None if it is for the parser crate.
pub(super) fn action(schema: &mut Schema, table: &Table, cursor: Cursor) -> Option<Verdict> {
    several_columns(schema, table, cursor)
        .or_else(|| dropped(table, cursor))
        .or_else(|| renamed(schema, table, cursor))
        .or_else(|| partitions(cursor))
        .or_else(|| altered(cursor))
        .or_else(|| rebuilt(cursor))
        .or_else(|| option(cursor))
}

/// `ADD COLUMN (a INT, b INT)`
fn several_columns(schema: &mut Schema, table: &Table, mut cursor: Cursor) -> Option<Verdict> {
    if !cursor.eat("ADD COLUMN") && !cursor.eat("ADD") {
        return None;
    }
    let columns = cursor.group()?;
    if !cursor.is_done() {
        return None;
    }
    let mut verdict = Verdict::new();
    for column in split_commas(columns) {
        let add = std::iter::once(Token::make_keyword("ADD")).chain(column.iter().cloned());
        match parsed(&add.collect::<Vec<_>>(), Dialect::Mysql) {
            Ok(added) => verdict.extend(operations(schema, table, added)),
            Err(why) => verdict.extend(unknown(why)),
        }
    }
    Some(verdict)
}

fn dropped(table: &Table, mut cursor: Cursor) -> Option<Verdict> {
    if cursor.ends_with("DROP PRIMARY KEY") {
        // Alone it copies; with another it is rebuilt in place.
        let replaced = table.actions.iter().any(|action| action == "ADD PRIMARY KEY");
        return Some(if replaced { Verdict::new() } else { refused(Rule::TableRewrite) });
    }
    let known = ["DROP INDEX", "DROP KEY", "DROP FOREIGN KEY", "DROP CHECK", "DROP CONSTRAINT"];
    let _ = cursor.eat_one(&known)?;
    cursor.eat("IF EXISTS");
    cursor.word()?;
    cursor.is_done().then(Verdict::new)
}

fn renamed(schema: &mut Schema, table: &Table, mut cursor: Cursor) -> Option<Verdict> {
    if !cursor.eat("RENAME") {
        return None;
    }
    if cursor.eat("INDEX") || cursor.eat("KEY") {
        cursor.word()?;
        let to = cursor.eat("TO");
        cursor.word()?;
        return (to && cursor.is_done()).then(Verdict::new);
    }
    if cursor.eat("COLUMN") {
        return None;
    }
    let _ = cursor.eat_one(&["TO", "AS"]);
    let to = cursor.name()?;
    schema.renamed(&table.name, &to);
    cursor.is_done().then(|| refused(Rule::RenameTable))
}

fn partitions(mut cursor: Cursor) -> Option<Verdict> {
    if cursor.eat("DROP PARTITION") || cursor.eat("TRUNCATE PARTITION") {
        cursor.names()?;
        return cursor.is_done().then(|| refused(Rule::Truncate));
    }
    if cursor.eat("ADD PARTITION") {
        // Of RANGE and LIST it is the description alone; HASH moves rows.
        let described = cursor.group().is_some();
        return cursor
            .is_definition_only()
            .then(|| if described { Verdict::new() } else { refused(Rule::TableRewrite) });
    }
    let rewrites = [
        "REORGANIZE PARTITION",
        "COALESCE PARTITION",
        "REBUILD PARTITION",
        "OPTIMIZE PARTITION",
        "REMOVE PARTITIONING",
        "PARTITION BY",
    ];
    let _ = cursor.eat_one(&rewrites)?;
    cursor.is_definition_only().then(|| refused(Rule::TableRewrite))
}

fn altered(mut cursor: Cursor) -> Option<Verdict> {
    if cursor.eat("ALTER INDEX") {
        cursor.word()?;
        let _ = cursor.eat_one(&["VISIBLE", "INVISIBLE"])?;
        return cursor.is_done().then(Verdict::new);
    }
    if cursor.eat("ALTER CHECK") || cursor.eat("ALTER CONSTRAINT") {
        cursor.word()?;
        let off = cursor.eat("NOT");
        return cursor
            .ends_with("ENFORCED")
            .then(|| if off { Verdict::new() } else { refused(Rule::AddCheck) });
    }
    None
}

fn rebuilt(mut cursor: Cursor) -> Option<Verdict> {
    if cursor.eat("ADD FULLTEXT") || cursor.eat("ADD SPATIAL") {
        return cursor.is_definition_only().then(|| refused(Rule::CreateIndex));
    }
    if cursor.eat("CONVERT TO CHARACTER SET") || cursor.eat("CONVERT TO CHARSET") {
        cursor.next()?;
        if cursor.eat("COLLATE") {
            cursor.next()?;
        }
    } else if !cursor.eat("FORCE") {
        let _ = cursor.eat_one(&["ENGINE", "ROW_FORMAT", "KEY_BLOCK_SIZE", "TABLESPACE", "COMPRESSION"])?;
        cursor.eat_token(&Token::Eq);
        cursor.next()?;
    }
    cursor.is_done().then(|| refused(Rule::TableRewrite))
}

/// Those of the table that change its description alone.
fn option(mut cursor: Cursor) -> Option<Verdict> {
    if cursor.ends_with("ENABLE KEYS") || cursor.ends_with("DISABLE KEYS") {
        return Some(Verdict::new());
    }
    while !cursor.is_done() {
        let known = [
            "DEFAULT CHARACTER SET",
            "DEFAULT CHARSET",
            "DEFAULT COLLATE",
            "CHARACTER SET",
            "CHARSET",
            "COLLATE",
            "COMMENT",
            "AUTO_INCREMENT",
            "STATS_PERSISTENT",
            "STATS_AUTO_RECALC",
            "STATS_SAMPLE_PAGES",
        ];
        let _ = cursor.eat_one(&known)?;
        cursor.eat_token(&Token::Eq);
        cursor.next()?;
    }
    Some(Verdict::new())
}
