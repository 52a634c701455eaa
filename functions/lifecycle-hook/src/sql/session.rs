//! Transactions, settings, comments and rights: what touches no table.

use shared::migration_rule::Dialect;
use sqlparser::ast::Statement;
use sqlparser::tokenizer::Token;

use super::cursor::{Cursor, is_word};
use super::judge::{Verdict, unknown};
use super::parse;
use super::schema::{RolledBack, Schema};

pub(super) fn session(schema: &mut Schema, tokens: Vec<Token>) -> Verdict {
    let dialect = schema.dialect();
    let cursor = Cursor::new(&tokens, dialect);
    let read = transaction(schema, cursor).or_else(|| told(schema, cursor)).or_else(|| match dialect {
        Dialect::Postgresql => set(schema, cursor),
        Dialect::Mysql => None,
    });
    match read {
        Some(verdict) => verdict,
        None if is_first(&tokens, "GRANT") => parsed(tokens, dialect, |s| matches!(s, Statement::Grant(_))),
        None if is_first(&tokens, "SET") && dialect == Dialect::Mysql => mysql_set(schema, tokens),
        None => unknown("this is no statement that is known here"),
    }
}

fn is_first(tokens: &[Token], word: &str) -> bool {
    tokens.first().is_some_and(|token| is_word(token, word))
}

fn parsed(tokens: Vec<Token>, dialect: Dialect, is: fn(&Statement) -> bool) -> Verdict {
    match parse::statement(tokens, dialect) {
        Ok(statement) if is(&statement) => Verdict::new(),
        Ok(_) => unknown("no rule judges a statement of this kind"),
        Err(why) => unknown(why),
    }
}

fn transaction(schema: &mut Schema, mut cursor: Cursor) -> Option<Verdict> {
    if cursor.eat("BEGIN") || cursor.eat("START TRANSACTION") {
        modes(cursor).then(|| schema.began())?;
    } else if cursor.eat("COMMIT") || cursor.eat("END") {
        let again = ends(&mut cursor)?;
        schema.committed();
        again.then(|| schema.began());
    } else if cursor.eat("ROLLBACK") || cursor.eat("ABORT") {
        let _ = cursor.eat_one(&["WORK", "TRANSACTION"]);
        if cursor.eat("TO") {
            cursor.eat("SAVEPOINT");
            cursor.word()?;
            cursor.is_done().then(|| schema.rolled_back(RolledBack::ToSavepoint))?;
        } else {
            let again = ends(&mut cursor)?;
            schema.rolled_back(RolledBack::ToBegin);
            again.then(|| schema.began());
        }
    } else {
        let _ = cursor.eat_one(&["SAVEPOINT", "RELEASE SAVEPOINT", "RELEASE"])?;
        cursor.word()?;
        cursor.is_done().then_some(())?;
    }
    Some(Verdict::new())
}

/// `WORK AND CHAIN`: whether a new transaction begins at once.
fn ends(cursor: &mut Cursor) -> Option<bool> {
    let _ = cursor.eat_one(&["WORK", "TRANSACTION"]);
    let again = cursor.eat("AND CHAIN");
    cursor.eat("AND NO CHAIN");
    cursor.is_done().then_some(again)
}

fn modes(mut cursor: Cursor) -> bool {
    const MODES: [&str; 15] = [
        "WORK",
        "TRANSACTION",
        "ISOLATION LEVEL",
        "READ ONLY",
        "READ WRITE",
        "READ COMMITTED",
        "READ UNCOMMITTED",
        "REPEATABLE READ",
        "SERIALIZABLE",
        "NOT DEFERRABLE",
        "DEFERRABLE",
        "WITH CONSISTENT SNAPSHOT",
        "SESSION CHARACTERISTICS AS",
        "SESSION",
        "LOCAL",
    ];
    while !cursor.is_done() {
        if cursor.eat_one(&MODES).is_none() && !cursor.eat_token(&Token::Comma) {
            return false;
        }
    }
    true
}

fn told(schema: &mut Schema, mut cursor: Cursor) -> Option<Verdict> {
    if cursor.eat("COMMENT ON") {
        return comment(cursor);
    }
    if cursor.eat("USE") {
        cursor.word()?;
        cursor.is_done().then(|| schema.moved())?;
        return Some(Verdict::new());
    }
    if cursor.eat("ANALYZE") {
        let _ = cursor.eat_one(&["VERBOSE", "NO_WRITE_TO_BINLOG", "LOCAL"]);
        let _ = cursor.eat_one(&["TABLES", "TABLE"]);
        if !cursor.is_done() {
            cursor.names()?;
            let _columns = cursor.group();
        }
        return cursor.is_done().then(Verdict::new);
    }
    if cursor.eat("NOTIFY") {
        cursor.word()?;
        if cursor.eat_token(&Token::Comma) {
            cursor.next()?;
        }
        return cursor.is_done().then(Verdict::new);
    }
    cursor.ends_with("UNLOCK TABLES").then(Verdict::new)
}

/// `COMMENT ON COLUMN a.b IS 'text'`, with one IS, and the text last.
fn comment(cursor: Cursor) -> Option<Verdict> {
    let (text, head) = cursor.rest().split_last()?;
    let (is, head) = head.split_last()?;
    let is_text = matches!(
        text,
        Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_) | Token::DollarQuotedString(_)
    );
    let one = is_word(is, "IS") && !head.iter().any(|token| is_word(token, "IS"));
    (one && (is_text || is_word(text, "NULL"))).then(Verdict::new)
}

fn set(schema: &mut Schema, mut cursor: Cursor) -> Option<Verdict> {
    if cursor.eat("RESET") {
        schema.moved();
        cursor.name()?;
        return cursor.is_done().then(Verdict::new);
    }
    if !cursor.eat("SET") {
        return None;
    }
    if cursor.eat("SESSION CHARACTERISTICS AS TRANSACTION") || cursor.eat("TRANSACTION") {
        return modes(cursor).then(Verdict::new);
    }
    if cursor.eat("CONSTRAINTS") {
        cursor.names()?;
        let _ = cursor.eat_one(&["DEFERRED", "IMMEDIATE"])?;
        return cursor.is_done().then(Verdict::new);
    }
    let _ = cursor.eat_one(&["SESSION", "LOCAL"]);
    let name = match cursor.eat_one(&["TIME ZONE", "ROLE", "AUTHORIZATION", "NAMES"]) {
        Some(_) => String::new(),
        None => {
            let name = cursor.name()?;
            (cursor.eat("TO") || cursor.eat_token(&Token::Eq)).then_some(())?;
            name
        }
    };
    let value = values(&mut cursor)?;
    if name == "search_path" {
        schema.moved();
    }
    let other_strings =
        name == "standard_conforming_strings" && !["on", "true", "1"].contains(&value.as_str());
    Some(match other_strings {
        true => unknown("strings mean something else from here on"),
        false => Verdict::new(),
    })
}

/// A list up to the end; its first as text.
fn values(cursor: &mut Cursor) -> Option<String> {
    let mut first = None;
    loop {
        cursor.eat_token(&Token::Minus);
        let value = match cursor.next()? {
            Token::Word(word) => word.value.to_ascii_lowercase(),
            Token::SingleQuotedString(text) => text.to_ascii_lowercase(),
            Token::Number(number, _) => number.clone(),
            _ => return None,
        };
        first.get_or_insert(value);
        if !cursor.eat_token(&Token::Comma) {
            return cursor.is_done().then_some(first)?;
        }
    }
}

/// MySQL's SET may change the whole server, or a password, or how SQL is read.
fn mysql_set(schema: &mut Schema, tokens: Vec<Token>) -> Verdict {
    const SERVER: [&str; 4] = ["GLOBAL", "PERSIST", "PERSIST_ONLY", "PASSWORD"];
    for token in &tokens {
        match token {
            Token::Word(word) => {
                let name = word.value.to_ascii_uppercase();
                let name = name.trim_start_matches('@');
                if SERVER.contains(&name.split('.').next().unwrap_or(name)) {
                    return unknown("it changes the server for the serving version too");
                }
            }
            Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => {
                let modes = text.to_ascii_uppercase();
                if modes.split(',').any(|m| m.starts_with("ANSI") || m == "NO_BACKSLASH_ESCAPES") {
                    return unknown("quotes mean something else from here on");
                }
            }
            _ => {}
        }
    }
    let checks = foreign_key_checks(&tokens);
    let verdict = parsed(tokens, Dialect::Mysql, |statement| matches!(statement, Statement::Set(_)));
    if let Some(checks) = checks {
        schema.foreign_key_checks = checks;
    }
    verdict
}

fn foreign_key_checks(tokens: &[Token]) -> Option<bool> {
    let is_name = |token: &Token| match token {
        Token::Word(word) => {
            let name = word.value.to_ascii_lowercase();
            name.rsplit(['.', '@']).next() == Some("foreign_key_checks")
        }
        _ => false,
    };
    let set =
        tokens.windows(3).rev().find(|w| is_name(&w[0]) && matches!(w[1], Token::Eq | Token::Assignment))?;
    let off = match &set[2] {
        Token::Number(number, _) => number == "0",
        token => is_word(token, "OFF") || is_word(token, "FALSE"),
    };
    Some(!off)
}
