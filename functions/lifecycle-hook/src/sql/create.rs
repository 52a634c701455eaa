//! CREATE: what is made is the migration's own; an index is made on what others use.

use shared::migration_rule::{Dialect, Rule};
use sqlparser::ast::{AlterTableOperation, CreateIndex, CreateTable, CreateView, ObjectName, Statement};
use sqlparser::tokenizer::Token;

use super::alter_table::Online;
use super::cursor::{Cursor, is_word};
use super::judge::{Verdict, refused, unknown};
use super::parse;
use super::schema::Schema;

/// Kinds that nobody uses yet, and that the parser crate does not read.
const UNREAD: [&str; 7] =
    ["STATISTICS", "AGGREGATE", "CAST", "PUBLICATION", "EXTENSION", "COLLATION", "TEXT SEARCH"];

pub(super) fn create(schema: &mut Schema, mut tokens: Vec<Token>) -> Verdict {
    let dialect = schema.dialect();
    if let Some(verdict) = of_words(schema, Cursor::new(&tokens, dialect)) {
        return verdict;
    }
    // The parser crate knows no ONLY, which bears on nothing here.
    if let Some(only) = tokens.windows(2).position(|w| is_word(&w[0], "ON") && is_word(&w[1], "ONLY")) {
        tokens.remove(only + 1);
    }
    if let Some(end) = routine(Cursor::new(&tokens, dialect)) {
        return match end {
            Routine::Read => Verdict::new(),
            Routine::Parsed => match parse::statement(tokens, dialect) {
                Ok(_) => Verdict::new(),
                Err(why) => unknown(why),
            },
        };
    }
    let mut unread = Cursor::new(&tokens, dialect);
    unread.eat("CREATE");
    let harmless = unread.eat_one(&UNREAD).is_some() && !unread.runs_on();
    match parse::statement(tokens, dialect) {
        Ok(statement) => made(schema, statement),
        Err(_) if harmless => Verdict::new(),
        Err(why) => unknown(why),
    }
}

/// MySQL's FULLTEXT and SPATIAL indexes are built under a shared lock:
/// dev.mysql.com/doc/refman/8.4/en/innodb-online-ddl-operations.html
fn of_words(schema: &Schema, mut cursor: Cursor) -> Option<Verdict> {
    let _ = cursor.eat_one(&["CREATE FULLTEXT INDEX", "CREATE SPATIAL INDEX"])?;
    cursor.name()?;
    cursor.eat("ON").then_some(())?;
    let table = cursor.name()?;
    cursor.group()?;
    let new = schema.is_probably_new(&table);
    cursor.is_definition_only().then(|| if new { Verdict::new() } else { refused(Rule::CreateIndex) })
}

fn made(schema: &mut Schema, statement: Statement) -> Verdict {
    match statement {
        Statement::CreateTable(table) => table_made(schema, &table),
        Statement::CreateIndex(index) => index_made(schema, index),
        Statement::CreateView(view) => view_made(schema, &view),
        Statement::CreateSequence { name, if_not_exists: false, .. } | Statement::CreateType { name, .. } => {
            schema.made(named(&name, schema.dialect()));
            Verdict::new()
        }
        Statement::CreateDomain(domain) => {
            schema.made(named(&domain.name, schema.dialect()));
            Verdict::new()
        }
        Statement::CreateSchema { schema_name, if_not_exists: false, or_replace: false, .. } => {
            if let sqlparser::ast::SchemaName::Simple(name) = schema_name {
                schema.made(named(&name, schema.dialect()));
            }
            Verdict::new()
        }
        Statement::CreateSequence { .. }
        | Statement::CreateSchema { or_replace: false, .. }
        | Statement::CreateDatabase { or_replace: false, .. }
        | Statement::CreateExtension(_)
        | Statement::CreateRole(_)
        | Statement::CreateUser(_)
        | Statement::CreateCollation(_)
        | Statement::CreateOperator(_)
        | Statement::CreateOperatorFamily(_)
        | Statement::CreateOperatorClass(_)
        | Statement::CreateServer(_) => Verdict::new(),
        _ => unknown("no rule judges a CREATE of this kind"),
    }
}

/// As the database compares names.
pub(super) fn named(name: &ObjectName, dialect: Dialect) -> String {
    let parts = name.0.iter().map(|part| match part.as_ident() {
        Some(ident) => match (dialect, ident.quote_style) {
            (Dialect::Postgresql, None) => ident.value.to_ascii_lowercase(),
            _ => ident.value.clone(),
        },
        None => part.to_string(),
    });
    parts.collect::<Vec<_>>().join(".")
}

fn table_made(schema: &mut Schema, table: &CreateTable) -> Verdict {
    let name = named(&table.name, schema.dialect());
    if table.or_replace && !schema.is_new(&name) {
        return refused(Rule::DropTable);
    }
    match table.if_not_exists {
        // It may find a table that the serving version uses.
        true => schema.made_if_not_exists(name),
        false => schema.made(name),
    }
    Verdict::new()
}

/// PostgreSQL's OR REPLACE keeps every column; MySQL's may leave some out.
fn view_made(schema: &mut Schema, view: &CreateView) -> Verdict {
    let name = named(&view.name, schema.dialect());
    if view.or_replace || view.or_alter {
        let keeps = schema.dialect() == Dialect::Postgresql || schema.is_new(&name);
        return if keeps { Verdict::new() } else { unknown("a view that is replaced may lose columns") };
    }
    if !view.if_not_exists {
        schema.made(name);
    }
    Verdict::new()
}

fn index_made(schema: &mut Schema, index: CreateIndex) -> Verdict {
    let dialect = schema.dialect();
    let table = named(&index.table_name, dialect);
    let new = schema.is_probably_new(&table);
    let rule = match dialect {
        Dialect::Postgresql if index.concurrently && schema.is_in_transaction() => {
            Some(Rule::ConcurrentlyInTransaction)
        }
        Dialect::Postgresql => (!index.concurrently && !new).then_some(Rule::CreateIndex),
        Dialect::Mysql if new => None,
        Dialect::Mysql => mysql_index(&index),
    };
    // MySQL's are named within their table, where a table may have the same name.
    if let (Some(name), None, Dialect::Postgresql) = (&index.name, rule, dialect) {
        let name = named(name, dialect);
        // An index lives in the schema of its table.
        let name = match table.rsplit_once('.') {
            Some((of, _)) => format!("{of}.{name}"),
            None => name,
        };
        match index.if_not_exists {
            true if new => schema.made_if_not_exists(name),
            true => {}
            false => schema.made(name),
        }
    }
    rule.map(refused).unwrap_or_default()
}

fn mysql_index(index: &CreateIndex) -> Option<Rule> {
    let online = index.alter_options.iter().fold(Online::default(), |mut online, option| {
        let (what, value) = match option {
            AlterTableOperation::Algorithm { algorithm, .. } => ("ALGORITHM", algorithm.to_string()),
            AlterTableOperation::Lock { lock, .. } => ("LOCK", lock.to_string()),
            _ => return online,
        };
        let _ = online.note(what, &value);
        online
    });
    match (online.locks(), index.unique && !online.is_stated()) {
        (true, _) => Some(Rule::CreateIndex),
        (false, true) => Some(Rule::AddUnique),
        (false, false) => None,
    }
}

enum Routine {
    /// To its last word.
    Read,
    /// The parser crate has to say where it ends.
    Parsed,
}

/// A function, procedure or trigger: nothing in it runs now, and replacing one is no more
/// than a new version of it. What counts is that nothing else follows its body.
fn routine(mut cursor: Cursor) -> Option<Routine> {
    cursor.eat("CREATE");
    cursor.eat("OR REPLACE");
    if cursor.eat("DEFINER") {
        cursor.eat_token(&Token::Eq);
        definer(&mut cursor);
    }
    cursor.eat("AGGREGATE");
    cursor.eat("CONSTRAINT");
    let kind = cursor.eat_one(&["FUNCTION", "PROCEDURE", "TRIGGER"])?;
    cursor.eat("IF NOT EXISTS");
    let ends = match cursor.dialect() {
        Dialect::Postgresql => atomic(cursor) || (kind != "TRIGGER" && !cursor.runs_on()),
        Dialect::Mysql => compound(cursor),
    };
    Some(if ends { Routine::Read } else { Routine::Parsed })
}

/// `'admin'@'%'`, `` `admin`@`localhost` ``, `CURRENT_USER()`
fn definer(cursor: &mut Cursor) {
    while let Some(token) = cursor.rest().first() {
        if ["FUNCTION", "PROCEDURE", "TRIGGER", "AGGREGATE"].iter().any(|kind| is_word(token, kind)) {
            return;
        }
        cursor.next();
    }
}

/// BEGIN ATOMIC … END as the last words.
fn atomic(cursor: Cursor) -> bool {
    let atomics = cursor.rest().iter().filter(|token| is_word(token, "ATOMIC")).count();
    atomics == 1 && cursor.rest().last().is_some_and(|token| is_word(token, "END"))
}

/// BEGIN … END of MySQL, and a label at most behind it.
fn compound(mut cursor: Cursor) -> bool {
    let Some(begin) = cursor.rest().iter().position(|token| is_word(token, "BEGIN")) else { return false };
    if !Cursor::new(&cursor.rest()[..begin], Dialect::Mysql).is_header() {
        return false;
    }
    let mut depth = 0_usize;
    while let Some(token) = cursor.next() {
        let opens = is_word(token, "BEGIN") || (depth > 0 && is_word(token, "CASE"));
        if opens {
            depth += 1;
        } else if is_word(token, "END") && depth > 0 {
            if cursor.eat_one(&["IF", "LOOP", "WHILE", "REPEAT"]).is_some() {
                continue;
            }
            cursor.eat("CASE");
            depth -= 1;
            if depth == 0 {
                let _label = cursor.word();
                return cursor.is_done();
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::cursor::folded;

    #[test]
    fn names_are_compared_as_the_database_does() {
        for (sql, dialect, name) in [
            ("Public.\"Users\"", Dialect::Postgresql, "public.Users"),
            ("Users", Dialect::Postgresql, "users"),
            ("Users", Dialect::Mysql, "Users"),
            ("`Users`", Dialect::Mysql, "Users"),
        ] {
            let tokens = parse::tokens(sql, dialect).unwrap();
            assert_eq!(Cursor::new(&tokens, dialect).name().as_deref(), Some(name));
        }
        let word = sqlparser::tokenizer::Word {
            value: "É".to_owned(),
            quote_style: None,
            keyword: sqlparser::keywords::Keyword::NoKeyword,
        };
        assert_eq!(folded(&word, Dialect::Postgresql), "É");
    }
}
