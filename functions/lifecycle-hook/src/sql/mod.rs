//! Which statements of a migration break, or stop, the version that is still serving.
//!
//! The text is split into statements, each is parsed by itself, and each is judged. What is
//! not understood is told as unparsable: nothing passes because nobody could read it.

mod allow;
mod alter_object;
mod alter_table;
mod block;
mod column;
mod create;
mod cursor;
mod drop;
mod judge;
mod maintain;
mod parse;
mod query;
mod quote;
mod routine;
mod rules;
mod schema;
mod session;
mod split;

use shared::migration_rule::{Dialect, Rule};

use allow::Allowed;
use judge::{Judge, Judged};
use split::{Found, Piece};

pub use rules::{contracts, way_out};

/// What was found in a migration.
#[derive(Debug, Default)]
pub struct Report {
    /// All of them, the unparsable ones too.
    pub statements: usize,
    pub refused: Vec<Finding>,
    pub allowed: Vec<Finding>,
    pub unparsable: Vec<Unparsable>,
}

#[derive(Debug)]
pub struct Finding {
    pub rule: Rule,
    pub line: usize,
    /// Its beginning; the whole may be megabytes.
    pub statement: String,
    /// Why it is allowed, as the SQL says; none if the service allows it.
    pub reason: Option<String>,
}

#[derive(Debug)]
pub struct Unparsable {
    pub line: usize,
    pub statement: String,
    pub why: String,
}

/// How many characters of a statement are told.
const SHOWN: usize = 80;

/// So much is judged in a tenth of a second. It is three times the whole history of a project
/// with 220 migrations: what is longer brings data.
pub const LONGEST: usize = 512 * 1024;

pub fn check(sql: &str, dialect: Dialect, allow: &[Rule]) -> Report {
    let mut report = Report::default();
    if sql.len() > LONGEST {
        let why = format!(
            "the text has {} bytes, and no more than {LONGEST} are read: print the statements that change the \
             schema, and leave out the rows",
            sql.len()
        );
        report.unparsable.push(Unparsable { line: 1, statement: short(sql), why });
        return report;
    }
    let mut judge = Judge::new(dialect);
    for found in split::split(sql, dialect) {
        report.statements += 1;
        match found {
            Found::Fault { line, text, why } => {
                report.unparsable.push(Unparsable { line, statement: short(&text), why: why.to_owned() });
            }
            Found::Statement(piece) => report.add(&piece, judge.statement(&piece.text), allow),
        }
    }
    report
}

impl Report {
    fn add(&mut self, piece: &Piece, judged: Vec<Judged>, allow: &[Rule]) {
        let allowed = allow::read(&piece.comments);
        if judged.is_empty() && allowed.faults.is_empty() {
            return;
        }
        let (line, statement) = (piece.line, short(&piece.text));
        for (line, why) in allowed.faults {
            self.unparsable.push(Unparsable { line, statement: statement.clone(), why });
        }
        if judged.iter().any(|j| matches!(j, Judged::Unknown(_))) && vouched(piece, &allowed.rules) {
            for Allowed { rule, reason } in allowed.rules {
                self.allowed.push(Finding { rule, line, statement: statement.clone(), reason: Some(reason) });
            }
            return;
        }
        for judged in judged {
            let statement = statement.clone();
            match judged {
                Judged::Unknown(why) => self.unparsable.push(Unparsable { line, statement, why }),
                Judged::Refused(rule) => match allowed.rules.iter().find(|a| a.rule == rule) {
                    Some(a) => {
                        self.allowed.push(Finding { rule, line, statement, reason: Some(a.reason.clone()) })
                    }
                    None if allow.contains(&rule) => {
                        self.allowed.push(Finding { rule, line, statement, reason: None });
                    }
                    None => self.refused.push(Finding { rule, line, statement, reason: None }),
                },
            }
        }
    }
}

/// A person read what cannot be read here, and says above it what it does. Only of what
/// begins as a statement: noise in a log is nothing to vouch for.
fn vouched(piece: &Piece, allowed: &[Allowed]) -> bool {
    !allowed.is_empty() && cursor::starts_statement(&piece.text)
}

/// One line, short.
fn short(text: &str) -> String {
    let mut shown = String::new();
    for word in text.split_whitespace() {
        if !shown.is_empty() {
            shown.push(' ');
        }
        shown.extend(word.chars().take(SHOWN + 1));
        if let Some((end, _)) = shown.char_indices().nth(SHOWN) {
            shown.truncate(end);
            shown.push('…');
            break;
        }
    }
    shown
}
