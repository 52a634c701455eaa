//! ALTER of what is no table: types, domains, indexes, views, sequences, functions.

use shared::migration_rule::{Dialect, Rule};
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::judge::{Verdict, refused, unknown};
use super::schema::Schema;

pub(super) fn alter(schema: &mut Schema, mut cursor: Cursor) -> Verdict {
    cursor.eat("ALTER");
    let read = match schema.dialect() {
        Dialect::Mysql => None,
        Dialect::Postgresql if cursor.eat("TYPE") => composite(schema, cursor),
        Dialect::Postgresql if cursor.eat("DOMAIN") => domain(schema, cursor),
        Dialect::Postgresql if cursor.eat("INDEX") => index(cursor),
        Dialect::Postgresql if cursor.eat("SEQUENCE") => sequence(schema, cursor),
        Dialect::Postgresql if cursor.eat("VIEW") || cursor.eat("MATERIALIZED VIEW") => view(schema, cursor),
        Dialect::Postgresql if cursor.eat("TRIGGER") => trigger(cursor),
        Dialect::Postgresql if cursor.eat("SCHEMA") => named(schema, cursor, Rule::RenameTable),
        Dialect::Postgresql => routine(schema, cursor),
    };
    read.unwrap_or_else(|| unknown("no rule judges an ALTER of this kind"))
}

/// OWNER TO, RENAME TO and SET SCHEMA, which all kinds have, behind the name.
fn common(schema: &mut Schema, name: &str, mut cursor: Cursor, rule: Rule) -> Option<Verdict> {
    let new = schema.is_new(name);
    let verdict = |rule| if new { Verdict::new() } else { refused(rule) };
    if cursor.eat("OWNER TO") {
        cursor.word()?;
        return cursor.is_done().then(Verdict::new);
    }
    if cursor.eat("RENAME TO") {
        let to = cursor.name()?;
        schema.renamed(name, &to);
        return cursor.is_done().then(|| verdict(rule));
    }
    if cursor.eat("SET SCHEMA") {
        cursor.word()?;
        schema.gone(name);
        return cursor.is_done().then(|| verdict(rule));
    }
    None
}

fn named(schema: &mut Schema, mut cursor: Cursor, rule: Rule) -> Option<Verdict> {
    cursor.eat("IF EXISTS");
    let name = cursor.name()?;
    common(schema, &name, cursor, rule)
}

fn composite(schema: &mut Schema, mut cursor: Cursor) -> Option<Verdict> {
    let name = cursor.name()?;
    let new = schema.is_new(&name);
    let verdict = |rule| if new { Verdict::new() } else { refused(rule) };
    if cursor.eat("ADD VALUE") {
        cursor.eat("IF NOT EXISTS");
        string(&mut cursor)?;
        if cursor.eat_one(&["BEFORE", "AFTER"]).is_some() {
            string(&mut cursor)?;
        }
        return cursor.is_done().then(Verdict::new);
    }
    if cursor.eat("RENAME VALUE") {
        string(&mut cursor)?;
        let to = cursor.eat("TO");
        string(&mut cursor)?;
        return (to && cursor.is_done()).then(|| verdict(Rule::RenameType));
    }
    let attributes = [
        ("RENAME ATTRIBUTE", Rule::RenameType),
        ("DROP ATTRIBUTE", Rule::DropType),
        ("ALTER ATTRIBUTE", Rule::ChangeColumnType),
    ];
    for (action, rule) in attributes {
        if cursor.eat(action) {
            return cursor.is_definition_only().then(|| verdict(rule));
        }
    }
    common(schema, &name, cursor, Rule::RenameType)
}

fn string(cursor: &mut Cursor) -> Option<()> {
    matches!(cursor.next()?, Token::SingleQuotedString(_)).then_some(())
}

fn domain(schema: &mut Schema, mut cursor: Cursor) -> Option<Verdict> {
    let name = cursor.name()?;
    let new = schema.is_new(&name);
    let verdict = |rule| if new { Verdict::new() } else { refused(rule) };
    if cursor.ends_with("SET NOT NULL") {
        return Some(verdict(Rule::SetNotNull));
    }
    if cursor.ends_with("DROP DEFAULT") {
        return Some(verdict(Rule::DropDefault));
    }
    if cursor.ends_with("DROP NOT NULL") {
        return Some(Verdict::new());
    }
    if cursor.eat("SET DEFAULT") {
        return (!cursor.runs_on()).then(Verdict::new);
    }
    if cursor.eat("DROP CONSTRAINT") || cursor.eat("VALIDATE CONSTRAINT") {
        cursor.eat("IF EXISTS");
        cursor.word()?;
        let _ = cursor.eat_one(&["CASCADE", "RESTRICT"]);
        return cursor.is_done().then(Verdict::new);
    }
    if cursor.eat("ADD") {
        if cursor.eat("CONSTRAINT") {
            cursor.word()?;
        }
        cursor.eat("CHECK").then_some(())?;
        cursor.group()?;
        let later = cursor.eat("NOT VALID");
        return cursor.is_done().then(|| if later { Verdict::new() } else { verdict(Rule::AddCheck) });
    }
    common(schema, &name, cursor, Rule::RenameType)
}

/// No query names an index.
fn index(mut cursor: Cursor) -> Option<Verdict> {
    cursor.eat("IF EXISTS");
    cursor.name()?;
    if cursor.eat("RENAME TO") || cursor.eat("ATTACH PARTITION") {
        cursor.name()?;
    } else {
        let _ = cursor.eat_one(&["SET", "RESET"])?;
        cursor.group()?;
    }
    cursor.is_done().then(Verdict::new)
}

/// Nor a trigger.
fn trigger(mut cursor: Cursor) -> Option<Verdict> {
    cursor.word()?;
    cursor.eat("ON").then_some(())?;
    cursor.name()?;
    cursor.eat("RENAME TO").then_some(())?;
    cursor.word()?;
    cursor.is_done().then(Verdict::new)
}

/// RESTART may give out numbers that are taken, and a bound may end them.
fn sequence(schema: &mut Schema, mut cursor: Cursor) -> Option<Verdict> {
    cursor.eat("IF EXISTS");
    let name = cursor.name()?;
    if cursor.eat("OWNED BY") {
        cursor.name()?;
        return cursor.is_done().then(Verdict::new);
    }
    if cursor.eat("AS BIGINT") || cursor.eat("NO MAXVALUE") || cursor.eat("NO CYCLE") {
        return cursor.is_done().then(Verdict::new);
    }
    if cursor.eat("CACHE") || (schema.is_new(&name) && cursor.eat("RESTART WITH")) {
        cursor.next()?;
        return cursor.is_done().then(Verdict::new);
    }
    common(schema, &name, cursor, Rule::RenameTable)
}

fn view(schema: &mut Schema, mut cursor: Cursor) -> Option<Verdict> {
    cursor.eat("IF EXISTS");
    let name = cursor.name()?;
    let mut column = cursor;
    if column.eat("RENAME COLUMN") {
        column.word()?;
        let to = column.eat("TO");
        column.word()?;
        let new = schema.is_new(&name);
        let verdict = if new { Verdict::new() } else { refused(Rule::RenameColumn) };
        return (to && column.is_done()).then_some(verdict);
    }
    common(schema, &name, cursor, Rule::RenameTable)
}

/// Their arguments are not kept, so none of them is known to be new.
fn routine(schema: &mut Schema, mut cursor: Cursor) -> Option<Verdict> {
    let _ = cursor.eat_one(&["FUNCTION", "PROCEDURE", "AGGREGATE", "ROUTINE"])?;
    cursor.name()?;
    let _arguments = cursor.group();
    common(schema, "", cursor, Rule::RenameType)
}
