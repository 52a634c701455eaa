//! DROP of whatever kind.

use shared::migration_rule::{Dialect, Rule};
use sqlparser::tokenizer::Token;

use super::alter_table::Online;
use super::cursor::{Cursor, split_commas};
use super::judge::{Verdict, refused, unknown};
use super::schema::Schema;

/// What a version reads from or writes to.
const RELATIONS: [&str; 9] = [
    "TABLE",
    "TABLES",
    "VIEW",
    "MATERIALIZED VIEW",
    "SEQUENCE",
    "FOREIGN TABLE",
    "SCHEMA",
    "DATABASE",
    "TEMPORARY TABLE",
];

/// What its queries are written with.
const TYPES: [&str; 10] = [
    "TYPE",
    "DOMAIN",
    "EXTENSION",
    "FUNCTION",
    "PROCEDURE",
    "ROUTINE",
    "AGGREGATE",
    "COLLATION",
    "OPERATOR",
    "CAST",
];

/// What works beside the queries of a version, which run on without it.
const BESIDE: [&str; 7] =
    ["TRIGGER", "RULE", "STATISTICS", "PUBLICATION", "EVENT TRIGGER", "EVENT", "TEXT SEARCH CONFIGURATION"];

pub(super) fn drop(schema: &mut Schema, mut cursor: Cursor) -> Verdict {
    cursor.eat("DROP");
    let read = if cursor.eat("INDEX") {
        index(schema, &mut cursor)
    } else if cursor.eat_one(&RELATIONS).is_some() {
        named(schema, &mut cursor, Rule::DropTable)
    } else if let Some(kind) = cursor.eat_one(&TYPES) {
        match kind {
            "TYPE" | "DOMAIN" => named(schema, &mut cursor, Rule::DropType),
            _ => undone(&cursor).then(|| refused(Rule::DropType)),
        }
    } else if cursor.eat_one(&BESIDE).is_some() {
        beside(&mut cursor)
    } else {
        Some(unknown("no rule judges a DROP of this kind"))
    };
    read.unwrap_or_else(|| unknown("cannot be parsed"))
}

/// Signatures are not read: only that nothing else follows.
fn undone(cursor: &Cursor) -> bool {
    cursor.is_definition_only() && !cursor.is_done()
}

fn named(schema: &mut Schema, cursor: &mut Cursor, rule: Rule) -> Option<Verdict> {
    cursor.eat("IF EXISTS");
    let names = cursor.names()?;
    // CASCADE drops what is not named here; on what is new only the new depends.
    let _ = cursor.eat_one(&["CASCADE", "RESTRICT"]);
    if !cursor.is_done() {
        return None;
    }
    let new = names.iter().all(|name| schema.is_new(name));
    for name in &names {
        schema.gone(name);
    }
    Some(if new { Verdict::new() } else { refused(rule) })
}

fn beside(cursor: &mut Cursor) -> Option<Verdict> {
    cursor.eat("IF EXISTS");
    cursor.names()?;
    if cursor.eat("ON") {
        cursor.name()?;
    }
    let _ = cursor.eat_one(&["CASCADE", "RESTRICT"]);
    cursor.is_done().then(Verdict::new)
}

fn index(schema: &mut Schema, cursor: &mut Cursor) -> Option<Verdict> {
    let concurrently = cursor.eat("CONCURRENTLY");
    cursor.eat("IF EXISTS");
    let names = cursor.names()?;
    match schema.dialect() {
        Dialect::Postgresql => {
            let _ = cursor.eat_one(&["CASCADE", "RESTRICT"]);
            let new = names.iter().all(|name| schema.is_probably_new(name));
            cursor.is_done().then(|| match (concurrently, schema.is_in_transaction()) {
                (true, true) => refused(Rule::ConcurrentlyInTransaction),
                (true, false) => Verdict::new(),
                (false, _) if new => Verdict::new(),
                (false, _) => refused(Rule::DropIndex),
            })
        }
        Dialect::Mysql => {
            if !cursor.eat("ON") {
                return None;
            }
            let table = cursor.name()?;
            let online = options(cursor)?;
            let locks = online.locks() && !schema.is_new(&table);
            Some(if locks { refused(Rule::DropIndex) } else { Verdict::new() })
        }
    }
}

/// `ALGORITHM = INPLACE LOCK = NONE` up to the end, with or without commas.
pub(super) fn options(cursor: &mut Cursor) -> Option<Online> {
    let mut online = Online::default();
    for option in split_commas(cursor.rest()) {
        let mut option = Cursor::new(option, Dialect::Mysql);
        while !option.is_done() {
            let what = option.eat_one(&["ALGORITHM", "LOCK"])?;
            option.eat_token(&Token::Eq);
            online.note(what, &option.word()?.value)?;
        }
    }
    Some(online)
}
