//! The parser crate, on one statement at a time, and never deeper than the stack is.

use shared::migration_rule::Dialect;
use sqlparser::ast::Statement;
use sqlparser::dialect::{self, MySqlDialect, PostgreSqlDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

/// Tokens between two commas or parentheses: `a + a + …` becomes a tree as deep as it is
/// long, whose drop recurses. The parser's own limit (50) is on parentheses alone.
const RUN: usize = 600;

/// Parentheses within parentheses; the parser's own limit is not on all that it knows.
const DEPTH: usize = 64;

/// UNION and its like, which commas do not end.
const SETS: usize = 200;

fn dialect(dialect: Dialect) -> &'static dyn dialect::Dialect {
    match dialect {
        Dialect::Postgresql => &PostgreSqlDialect {},
        Dialect::Mysql => &MySqlDialect {},
    }
}

/// Without white space and comments; how deep it is was looked at.
pub(super) fn tokens(text: &str, of: Dialect) -> Result<Vec<Token>, String> {
    let mut tokens =
        Tokenizer::new(dialect(of), text).tokenize().map_err(|error| format!("cannot be read: {error}"))?;
    tokens.retain(|token| !matches!(token, Token::Whitespace(_)));
    match too_deep(&tokens) {
        true => Err("cannot be read: its expressions are too deep".to_owned()),
        false => Ok(tokens),
    }
}

/// Exactly one statement.
pub(super) fn statement(tokens: Vec<Token>, of: Dialect) -> Result<Statement, String> {
    let mut parser = Parser::new(dialect(of)).with_tokens(tokens);
    let statement = parser.parse_statement().map_err(|error| format!("cannot be parsed: {error}"))?;
    match &parser.peek_token_ref().token {
        Token::EOF => Ok(statement),
        more => Err(format!("cannot be parsed: '{more}' is not awaited")),
    }
}

fn too_deep(tokens: &[Token]) -> bool {
    let mut runs = vec![0_usize];
    let mut sets = 0_usize;
    for token in tokens {
        match token {
            Token::LParen => runs.push(0),
            Token::RParen if runs.len() > 1 => {
                runs.pop();
            }
            Token::Comma => {
                if let Some(run) = runs.last_mut() {
                    *run = 0;
                }
            }
            Token::Word(word)
                if matches!(
                    word.keyword,
                    Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::MINUS
                ) =>
            {
                sets += 1;
            }
            _ => {}
        }
        let depth = runs.len();
        let Some(run) = runs.last_mut() else { return true };
        *run += 1;
        if *run > RUN || sets > SETS || depth > DEPTH {
            return true;
        }
    }
    false
}
