//! The actions of PostgreSQL that the parser crate does not know:
//! postgresql.org/docs/current/sql-altertable.html

use shared::migration_rule::Rule;
use sqlparser::tokenizer::Token;

use super::Table;
use crate::sql::cursor::Cursor;
use crate::sql::judge::{Verdict, refused, unknown};
use crate::sql::schema::Schema;

/// None if it is for the parser crate.
pub(super) fn action(schema: &mut Schema, table: &Table, mut cursor: Cursor) -> Option<Verdict> {
    if cursor.eat("SET") {
        return set(schema, table, cursor);
    }
    if cursor.eat("ALTER") {
        cursor.eat("COLUMN");
        cursor.word()?;
        return column(cursor);
    }
    if cursor.eat("RENAME TO") {
        let to = cursor.name()?;
        schema.renamed(&table.name, &to);
        return cursor.is_done().then(|| refused(Rule::RenameTable));
    }
    if cursor.eat("DETACH PARTITION") {
        cursor.name()?;
        let _ = cursor.eat_one(&["CONCURRENTLY", "FINALIZE"]);
        return cursor.is_done().then(|| refused(Rule::DropTable));
    }
    if cursor.eat("ADD") {
        return not_null(cursor);
    }
    harmless(cursor)
}

/// It scans what is attached, whatever it is attached to, for rows out of bounds.
pub(super) fn attach(schema: &Schema, mut cursor: Cursor) -> Option<Verdict> {
    let new = schema.is_probably_new(&cursor.name()?);
    cursor.is_definition_only().then(|| if new { Verdict::new() } else { refused(Rule::AddCheck) })
}

fn set(schema: &mut Schema, table: &Table, mut cursor: Cursor) -> Option<Verdict> {
    if cursor.eat("SCHEMA") {
        cursor.word()?;
        schema.gone(&table.name);
        return cursor.is_done().then(|| refused(Rule::RenameTable));
    }
    if cursor.group().is_some() || cursor.eat("WITHOUT CLUSTER") {
        return cursor.is_done().then(Verdict::new);
    }
    if cursor.eat("TABLESPACE") || cursor.eat("ACCESS METHOD") {
        cursor.word()?;
    } else {
        let _ = cursor.eat_one(&["LOGGED", "UNLOGGED", "WITHOUT OIDS"])?;
    }
    cursor.is_done().then(|| refused(Rule::TableRewrite))
}

fn column(mut cursor: Cursor) -> Option<Verdict> {
    // The parser crate knows no COLLATE here.
    if cursor.eat("TYPE") || cursor.eat("SET DATA TYPE") {
        return (!cursor.is_done() && !cursor.runs_on()).then(|| refused(Rule::ChangeColumnType));
    }
    if cursor.eat("SET STATISTICS") {
        cursor.eat_token(&Token::Minus);
        cursor.next()?;
        return cursor.is_done().then(Verdict::new);
    }
    if cursor.eat("SET STORAGE") || cursor.eat("SET COMPRESSION") {
        cursor.word()?;
        return cursor.is_done().then(Verdict::new);
    }
    if cursor.eat("DROP EXPRESSION") || cursor.eat("DROP IDENTITY") {
        cursor.eat("IF EXISTS");
        return cursor.is_done().then(|| refused(Rule::DropDefault));
    }
    if cursor.eat("SET EXPRESSION AS") {
        cursor.group()?;
        return cursor.is_done().then(|| refused(Rule::TableRewrite));
    }
    let _ = cursor.eat_one(&["SET", "RESET"])?;
    cursor.group()?;
    cursor.is_done().then(Verdict::new)
}

/// `ADD CONSTRAINT n NOT NULL c NOT VALID`, since PostgreSQL 18.
fn not_null(mut cursor: Cursor) -> Option<Verdict> {
    if cursor.eat("CONSTRAINT") {
        cursor.word()?;
    }
    if !cursor.eat("NOT NULL") {
        return None;
    }
    cursor.word()?;
    cursor.eat("NO INHERIT");
    let later = cursor.eat("NOT VALID");
    cursor.is_done().then(|| if later { Verdict::new() } else { refused(Rule::SetNotNull) })
}

fn harmless(mut cursor: Cursor) -> Option<Verdict> {
    if cursor.ends_with("ENABLE ROW LEVEL SECURITY") || cursor.ends_with("FORCE ROW LEVEL SECURITY") {
        return Some(unknown(
            "row level security may hide rows from the serving version; no rule judges that",
        ));
    }
    let known = ["OWNER TO", "CLUSTER ON", "VALIDATE CONSTRAINT"];
    if cursor.eat_one(&known).is_some() || triggers(&mut cursor) {
        cursor.word()?;
    } else if cursor.eat("RESET") {
        cursor.group()?;
    } else if cursor.eat("REPLICA IDENTITY") {
        if cursor.eat("USING INDEX") {
            cursor.word()?;
        } else {
            let _ = cursor.eat_one(&["DEFAULT", "FULL", "NOTHING"])?;
        }
    } else {
        let _ = cursor.eat_one(&["DISABLE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY"])?;
    }
    cursor.is_done().then(Verdict::new)
}

fn triggers(cursor: &mut Cursor) -> bool {
    let mut ahead = *cursor;
    let toggles = ahead.eat_one(&["ENABLE REPLICA", "ENABLE ALWAYS", "ENABLE", "DISABLE"]).is_some()
        && ahead.eat_one(&["TRIGGER", "RULE"]).is_some();
    if toggles {
        *cursor = ahead;
    }
    toggles
}
