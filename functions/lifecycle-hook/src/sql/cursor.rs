//! Reads a statement word by word, for what the parser crate does not know.

use shared::migration_rule::Dialect;
use sqlparser::tokenizer::{Token, Word};

/// What begins a statement, in either dialect. Two of them in one where the second has no
/// place means that text without a semicolon ran together.
const STARTS: [&str; 38] = [
    "ALTER",
    "ANALYZE",
    "BEGIN",
    "CALL",
    "CLUSTER",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DELETE",
    "DISCARD",
    "DO",
    "DROP",
    "END",
    "EXECUTE",
    "EXPLAIN",
    "GRANT",
    "INSERT",
    "LOAD",
    "LOCK",
    "MERGE",
    "OPTIMIZE",
    "PREPARE",
    "REFRESH",
    "REINDEX",
    "RENAME",
    "REPLACE",
    "RESET",
    "REVOKE",
    "ROLLBACK",
    "SELECT",
    "SET",
    "START",
    "TRUNCATE",
    "UPDATE",
    "VACUUM",
    "WITH",
];

/// Of these none has a place in the middle of a definition.
const DEFINES: [&str; 7] = ["ALTER", "CREATE", "DROP", "GRANT", "INSERT", "RENAME", "TRUNCATE"];

pub(super) fn starts_statement(text: &str) -> bool {
    let word = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    STARTS.iter().any(|start| start.eq_ignore_ascii_case(word))
}

#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [Token],
    dialect: Dialect,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(tokens: &'a [Token], dialect: Dialect) -> Self {
        Self { rest: tokens, dialect }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn rest(&self) -> &'a [Token] {
        self.rest
    }

    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// All these words, or none of them.
    pub(super) fn eat(&mut self, words: &str) -> bool {
        let mut ahead = *self;
        // Bytes: this is asked some dozen times of most statements.
        for word in words.as_bytes().split(|byte| *byte == b' ') {
            if !ahead.next().is_some_and(|token| is_word_of(token, word)) {
                return false;
            }
        }
        *self = ahead;
        true
    }

    /// The first of these that stands here.
    pub(super) fn eat_one(&mut self, of: &[&'static str]) -> Option<&'static str> {
        of.iter().copied().find(|words| self.eat(words))
    }

    pub(super) fn eat_token(&mut self, token: &Token) -> bool {
        let found = self.rest.first() == Some(token);
        if found {
            self.next();
        }
        found
    }

    /// What stands here is the end once these words are read.
    pub(super) fn ends_with(mut self, words: &str) -> bool {
        self.eat(words) && self.is_done()
    }

    pub(super) fn word(&mut self) -> Option<&'a Word> {
        match self.rest.first()? {
            Token::Word(word) => {
                self.next();
                Some(word)
            }
            _ => None,
        }
    }

    /// `a.b.c`, as the database compares names.
    pub(super) fn name(&mut self) -> Option<String> {
        let mut name = folded(self.word()?, self.dialect);
        while self.eat_token(&Token::Period) {
            name.push('.');
            name.push_str(&folded(self.word()?, self.dialect));
        }
        Some(name)
    }

    pub(super) fn names(&mut self) -> Option<Vec<String>> {
        let mut names = vec![self.name()?];
        while self.eat_token(&Token::Comma) {
            names.push(self.name()?);
        }
        Some(names)
    }

    /// From `(` to the `)` that closes it; what stands between.
    pub(super) fn group(&mut self) -> Option<&'a [Token]> {
        if self.rest.first() != Some(&Token::LParen) {
            return None;
        }
        let end = closing(self.rest)?;
        let inner = &self.rest[1..end];
        self.rest = &self.rest[end + 1..];
        Some(inner)
    }

    /// No definition stands behind this one.
    pub(super) fn is_definition_only(&self) -> bool {
        !self.has_outside(&DEFINES)
    }

    /// Another statement may stand in what is left.
    pub(super) fn runs_on(&self) -> bool {
        // Options of functions and of what is created.
        const PLACED: [&str; 3] = ["SET", "WITH", "REPLACE"];
        let others: Vec<_> = STARTS.into_iter().filter(|word| !PLACED.contains(word)).collect();
        self.has_outside(&others)
    }

    /// The head of a routine of MySQL: its trigger's event may be an INSERT.
    pub(super) fn is_header(&self) -> bool {
        let others: Vec<_> = DEFINES.into_iter().filter(|word| *word != "INSERT").collect();
        !self.has_outside(&others)
    }

    /// One of the words stands outside of all parentheses.
    fn has_outside(&self, words: &[&str]) -> bool {
        let mut depth = 0_usize;
        self.rest.iter().any(|token| {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && words.iter().any(|word| is_word(token, word))
        })
    }
}

/// A quoted name is no keyword.
pub(super) fn is_word(token: &Token, word: &str) -> bool {
    is_word_of(token, word.as_bytes())
}

fn is_word_of(token: &Token, word: &[u8]) -> bool {
    let Token::Word(found) = token else { return false };
    found.quote_style.is_none() && found.value.as_bytes().eq_ignore_ascii_case(word)
}

/// PostgreSQL folds what is not quoted; MySQL's tables are files, whose case counts.
pub(super) fn folded(word: &Word, dialect: Dialect) -> String {
    match (dialect, word.quote_style) {
        (Dialect::Postgresql, None) => word.value.to_ascii_lowercase(),
        _ => word.value.clone(),
    }
}

/// Split at the commas that no parentheses enclose.
pub(super) fn split_commas(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0_usize;
    tokens
        .split(|token| {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && *token == Token::Comma
        })
        .collect()
}

fn closing(tokens: &[Token]) -> Option<usize> {
    let mut depth = 0_usize;
    tokens.iter().position(|token| {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}
