//! `DO $$ … $$`: a block of PL/pgSQL that runs at once. Each statement in it is judged as if
//! it ran; what it builds as text and executes is not known.

use shared::migration_rule::Dialect;
use sqlparser::tokenizer::Token;

use super::cursor::{Cursor, is_word};
use super::judge::{self, Verdict, unknown};
use super::parse;
use super::schema::Schema;

const DYNAMIC: &str = "it executes SQL that it builds itself";
const NOT_READ: &str = "its block cannot be parsed";

pub(super) fn anonymous(schema: &mut Schema, mut cursor: Cursor) -> Verdict {
    let Some(body) = body(&mut cursor) else { return unknown(NOT_READ) };
    match parse::tokens(body, Dialect::Postgresql) {
        Ok(tokens) => schema.conditionally(|schema| block(schema, &tokens)),
        Err(why) => unknown(why),
    }
}

fn body<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    cursor.eat("DO");
    cursor.eat("LANGUAGE plpgsql");
    let body = match cursor.next()? {
        Token::DollarQuotedString(body) => body.value.as_str(),
        Token::SingleQuotedString(body) => body.as_str(),
        _ => return None,
    };
    cursor.eat("LANGUAGE plpgsql");
    cursor.is_done().then_some(body)
}

fn block(schema: &mut Schema, tokens: &[Token]) -> Verdict {
    let mut cursor = Cursor::new(tokens, Dialect::Postgresql);
    let mut verdict = Verdict::new();
    let mut declares = false;
    while !cursor.is_done() {
        match step(schema, &mut cursor, &mut declares) {
            Some(judged) => verdict.extend(judged),
            None => {
                verdict.extend(unknown(NOT_READ));
                break;
            }
        }
    }
    verdict
}

/// One control word with its condition, or one statement.
fn step(schema: &mut Schema, cursor: &mut Cursor, declares: &mut bool) -> Option<Verdict> {
    if cursor.eat_token(&Token::SemiColon) {
        return Some(Verdict::new());
    }
    if cursor.eat("DECLARE") {
        *declares = true;
        return Some(Verdict::new());
    }
    if cursor.eat("BEGIN") {
        *declares = false;
        return Some(Verdict::new());
    }
    if *declares {
        return declaration(schema, cursor);
    }
    if cursor.eat("EXCEPTION") || cursor.eat("ELSE") || cursor.eat("LOOP") {
        return Some(Verdict::new());
    }
    if cursor.eat("END") {
        let _ = cursor.eat_one(&["IF", "LOOP", "CASE"]);
        return (cursor.is_done() || cursor.eat_token(&Token::SemiColon)).then(Verdict::new);
    }
    if cursor.eat_one(&["IF", "ELSIF", "ELSEIF", "WHEN"]).is_some() {
        return Some(condition(schema, until(cursor, "THEN")?));
    }
    if cursor.eat("WHILE") {
        return Some(condition(schema, until(cursor, "LOOP")?));
    }
    if cursor.eat("FOR") {
        until(cursor, "IN")?;
        return Some(rows(schema, until(cursor, "LOOP")?));
    }
    statement(schema, until_semicolon(cursor)?)
}

fn declaration(schema: &mut Schema, cursor: &mut Cursor) -> Option<Verdict> {
    let tokens = until_semicolon(cursor)?;
    Some(match assigned(tokens) {
        Some(value) => condition(schema, value),
        None => Verdict::new(),
    })
}

fn statement(schema: &mut Schema, tokens: &[Token]) -> Option<Verdict> {
    let mut cursor = Cursor::new(tokens, Dialect::Postgresql);
    if cursor.eat("EXECUTE") {
        return Some(unknown(DYNAMIC));
    }
    if cursor.eat("RAISE") || cursor.eat("NULL") || cursor.eat("EXIT") || cursor.eat("CONTINUE") {
        return cursor.is_definition_only().then(Verdict::new);
    }
    if cursor.eat("RETURN") || cursor.eat("GET DIAGNOSTICS") {
        return (!cursor.runs_on()).then(Verdict::new);
    }
    if cursor.eat("PERFORM") {
        return Some(condition(schema, cursor.rest()));
    }
    match assigned(tokens) {
        Some(value) => Some(condition(schema, value)),
        None => Some(judge::statement(schema, tokens.to_vec())),
    }
}

/// What is behind `:=`; the statements of SQL have none.
fn assigned(tokens: &[Token]) -> Option<&[Token]> {
    let at = tokens.iter().position(|token| *token == Token::Assignment)?;
    tokens.get(at + 1..)
}

/// An expression calls what a SELECT of it calls.
fn condition(schema: &mut Schema, tokens: &[Token]) -> Verdict {
    let select = std::iter::once(Token::make_keyword("SELECT")).chain(tokens.iter().cloned());
    judge::statement(schema, select.collect())
}

/// The rows of a query, or `1..10`.
fn rows(schema: &mut Schema, tokens: &[Token]) -> Verdict {
    if tokens.first().is_some_and(|token| is_word(token, "EXECUTE")) {
        return unknown(DYNAMIC);
    }
    judge::statement(schema, tokens.to_vec())
}

fn until<'a>(cursor: &mut Cursor<'a>, word: &str) -> Option<&'a [Token]> {
    let end = cursor.rest().iter().position(|token| is_word(token, word) || *token == Token::SemiColon)?;
    let tokens = &cursor.rest()[..end];
    for _ in tokens {
        cursor.next();
    }
    cursor.eat(word).then_some(tokens)
}

fn until_semicolon<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [Token]> {
    let end = cursor.rest().iter().position(|token| *token == Token::SemiColon)?;
    let tokens = &cursor.rest()[..end];
    for _ in 0..=end {
        cursor.next();
    }
    Some(tokens)
}
