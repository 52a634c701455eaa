//! Judges one statement: which rules it breaks, or that nobody knows what it does.

use shared::migration_rule::{Dialect, Rule};
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::schema::Schema;
use super::{alter_object, alter_table, block, create, drop, maintain, parse, query, session};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judged {
    Refused(Rule),
    /// Not understood, and why.
    Unknown(String),
}

/// Empty if nothing speaks against the statement.
pub(super) type Verdict = Vec<Judged>;

pub(super) fn refused(rule: Rule) -> Verdict {
    vec![Judged::Refused(rule)]
}

/// Unless the migration made what is meant.
pub(super) fn refused_unless(is_new: IsNew, rule: Rule) -> Verdict {
    match is_new {
        IsNew::Yes => Verdict::new(),
        IsNew::No => refused(rule),
    }
}

pub(super) fn unknown(why: impl Into<String>) -> Verdict {
    vec![Judged::Unknown(why.into())]
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum IsNew {
    Yes,
    No,
}

pub(super) struct Judge {
    schema: Schema,
}

impl Judge {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { schema: Schema::new(dialect) }
    }

    /// Each rule at most once.
    pub(super) fn statement(&mut self, text: &str) -> Verdict {
        let mut verdict = match parse::tokens(text, self.schema.dialect()) {
            Ok(tokens) => statement(&mut self.schema, tokens),
            Err(why) => unknown(why),
        };
        let mut seen: Verdict = Vec::new();
        verdict.retain(|judged| {
            let first = !seen.contains(judged);
            if first {
                seen.push(judged.clone());
            }
            first
        });
        verdict
    }
}

/// By its first word: what the parser crate knows, it reads; the rest is read word by word.
pub(super) fn statement(schema: &mut Schema, tokens: Vec<Token>) -> Verdict {
    let dialect = schema.dialect();
    let first = match tokens.first() {
        None => return Verdict::new(),
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_ascii_uppercase(),
        Some(Token::LParen) => "SELECT".to_owned(),
        Some(_) => return unknown("this is no statement"),
    };
    let mut cursor = Cursor::new(&tokens, dialect);
    match first.as_str() {
        "ALTER" if cursor.eat("ALTER TABLE") || cursor.eat("ALTER IGNORE TABLE") => {
            alter_table::alter_table(schema, cursor)
        }
        "ALTER" => alter_object::alter(schema, cursor),
        "CREATE" => create::create(schema, tokens),
        "DROP" => drop::drop(schema, cursor),
        "DO" if dialect == Dialect::Postgresql => block::anonymous(schema, cursor),
        "SELECT" | "VALUES" | "WITH" | "INSERT" | "REPLACE" | "UPDATE" | "DELETE" | "MERGE" => {
            query::judge(schema, tokens)
        }
        "EXPLAIN" | "SHOW" | "DESCRIBE" | "DESC" => query::look(tokens, dialect),
        "TRUNCATE" | "LOCK" | "REINDEX" | "CLUSTER" | "VACUUM" | "REFRESH" | "OPTIMIZE" | "RENAME"
        | "COPY" | "FLUSH" => maintain::maintain(schema, cursor),
        "ABORT" | "ANALYZE" | "BEGIN" | "COMMENT" | "COMMIT" | "END" | "GRANT" | "NOTIFY" | "RELEASE"
        | "RESET" | "ROLLBACK" | "SAVEPOINT" | "SET" | "START" | "UNLOCK" | "USE" => {
            session::session(schema, tokens)
        }
        _ => unknown("this is no statement that is known here"),
    }
}
