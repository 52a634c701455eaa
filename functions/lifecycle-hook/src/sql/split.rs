//! Splits SQL into statements, as a server or its client would: quotes, comments, bodies of
//! routines, `DELIMITER` and the data of COPY hide semicolons, and one statement that nobody
//! can read does not hide the others.

use shared::migration_rule::Dialect;

use super::allow;
use super::quote;
use super::routine::Routine;

/// One statement, its comments left out.
#[derive(Debug)]
pub(super) struct Piece {
    /// Of its first word.
    pub(super) line: usize,
    pub(super) text: String,
    /// Above it, in it, and behind it on its last line.
    pub(super) comments: Vec<Comment>,
}

#[derive(Debug)]
pub(super) struct Comment {
    pub(super) line: usize,
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) enum Found {
    Statement(Piece),
    /// Where nobody can say what is a statement.
    Fault {
        line: usize,
        text: String,
        why: &'static str,
    },
}

/// How often reading starts again on the line behind a quote or comment that has no end.
const RESTARTS: usize = 16;

pub(super) fn split(sql: &str, dialect: Dialect) -> Vec<Found> {
    let mut splitter = Splitter {
        sql,
        bytes: sql.as_bytes(),
        dialect,
        at: 0,
        line: 1,
        delimiter: ";".to_owned(),
        conditional: false,
        restarts: 0,
        text: String::new(),
        begins: 1,
        comments: Vec::new(),
        routine: Routine::new(dialect),
        ended_on: 0,
        found: Vec::new(),
    };
    while splitter.at < sql.len() {
        splitter.step();
    }
    splitter.finish();
    splitter.found
}

struct Splitter<'a> {
    sql: &'a str,
    bytes: &'a [u8],
    dialect: Dialect,
    at: usize,
    line: usize,
    delimiter: String,
    /// Within MySQL's `/*! … */`, whose content is executed.
    conditional: bool,
    restarts: usize,
    text: String,
    begins: usize,
    comments: Vec<Comment>,
    routine: Routine,
    /// The line on which the last statement ended; its comment may follow.
    ended_on: usize,
    found: Vec<Found>,
}

impl Splitter<'_> {
    fn step(&mut self) {
        let byte = self.bytes[self.at];
        if self.ends_here() {
            self.at += self.delimiter.len();
            self.end_statement();
        } else if byte.is_ascii_whitespace() {
            self.take(self.at + 1);
        } else if self.comment_starts() {
            self.line_comment();
        } else if self.ahead("/*") {
            self.block_comment();
        } else if self.conditional && self.ahead("*/") {
            self.conditional = false;
            self.skip(self.at + 2);
        } else if byte == b'\'' || byte == b'"' || (byte == b'`' && self.dialect == Dialect::Mysql) {
            self.quoted(quote::end(self.bytes, self.at, self.dialect), "a quote that nothing closes");
        } else if byte == b'$' && self.dialect == Dialect::Postgresql {
            self.dollar();
        } else if byte == b'\\' && self.dialect == Dialect::Postgresql && self.is_blank() {
            self.meta_command();
        } else if quote::in_word(byte) {
            self.word();
        } else {
            self.routine.symbol();
            self.take(self.at + 1);
        }
    }

    fn ahead(&self, what: &str) -> bool {
        self.bytes[self.at..].starts_with(what.as_bytes())
    }

    fn is_blank(&self) -> bool {
        self.text.is_empty()
    }

    fn ends_here(&self) -> bool {
        let custom = self.delimiter != ";";
        self.ahead(&self.delimiter) && (custom || !self.routine.is_open())
    }

    /// To `end`, as part of the statement.
    fn take(&mut self, end: usize) {
        let Some(taken) = self.sql.get(self.at..end) else {
            // No boundary of a character: one byte at a time comes to one.
            self.at += 1;
            return;
        };
        if self.is_blank() && !taken.trim().is_empty() {
            self.begins = self.line;
        }
        if !self.is_blank() || !taken.trim().is_empty() {
            self.text.push_str(taken);
        }
        self.pass(end);
    }

    /// To `end`, as if a space stood there.
    fn skip(&mut self, end: usize) {
        if !self.is_blank() {
            self.text.push(' ');
        }
        self.pass(end);
    }

    fn pass(&mut self, end: usize) {
        let end = end.min(self.bytes.len());
        self.line += self.bytes[self.at..end].iter().filter(|&&b| b == b'\n').count();
        self.at = end;
    }

    fn end_of_line(&self) -> usize {
        self.bytes[self.at..].iter().position(|&b| b == b'\n').map_or(self.bytes.len(), |n| self.at + n)
    }

    /// MySQL's `--` wants a blank behind it, and knows `#`.
    fn comment_starts(&self) -> bool {
        let behind = self.bytes.get(self.at + 2).copied();
        match self.dialect {
            Dialect::Postgresql => self.ahead("--"),
            Dialect::Mysql => self.ahead("#") || (self.ahead("--") && behind.is_none_or(|b| b <= b' ')),
        }
    }

    fn line_comment(&mut self) {
        let end = self.end_of_line();
        let text = self.sql.get(self.at..end).unwrap_or_default().trim_start_matches(['-', '#']).to_owned();
        let comment = Comment { line: self.line, text };
        match self.found.last_mut() {
            Some(Found::Statement(last)) if self.text.is_empty() && self.ended_on == self.line => {
                last.comments.push(comment);
            }
            _ => self.comments.push(comment),
        }
        self.skip(end);
    }

    fn block_comment(&mut self) {
        let executed = ["/*!", "/*M!"].into_iter().find(|open| self.ahead(open));
        if let (Some(open), Dialect::Mysql) = (executed, self.dialect) {
            let from = self.at + open.len();
            let version = self.bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
            self.conditional = true;
            return self.skip(from + version);
        }
        match quote::block_comment(self.bytes, self.at, self.dialect) {
            Some(end) => {
                let text = self.sql.get(self.at + 2..end).unwrap_or_default();
                if allow::addressed(text) {
                    self.fault("what a comment says to Sluice stands behind --, not between /* and */");
                }
                self.skip(end);
            }
            None => self.restart("a comment that nothing closes"),
        }
    }

    fn quoted(&mut self, end: Option<usize>, why: &'static str) {
        match end {
            Some(end) => {
                self.routine.symbol();
                self.take(end);
            }
            None => self.restart(why),
        }
    }

    fn dollar(&mut self) {
        let Some(tag) = quote::dollar_tag(self.sql, self.at) else { return self.take(self.at + 1) };
        let from = self.at + tag.len();
        let end = self.sql.get(from..).and_then(|rest| rest.find(tag)).map(|n| from + n + tag.len());
        self.quoted(end, "a dollar quote that nothing closes");
    }

    fn word(&mut self) {
        let len = self.bytes[self.at..].iter().take_while(|&&b| quote::in_word(b)).count();
        let word = self.sql.get(self.at..self.at + len).unwrap_or_default();
        if self.is_blank() && self.dialect == Dialect::Mysql && word.eq_ignore_ascii_case("delimiter") {
            return self.new_delimiter();
        }
        // A delimiter such as $$ may follow a word without a blank.
        let custom = (self.delimiter != ";").then(|| word.find(&self.delimiter)).flatten();
        let word = custom.and_then(|end| word.get(..end)).unwrap_or(word);
        self.routine.word(word);
        self.take(self.at + word.len().max(1));
    }

    /// A command of MySQL's client: the rest of its line ends statements from now on.
    fn new_delimiter(&mut self) {
        let end = self.end_of_line();
        let command = self.sql.get(self.at..end).unwrap_or_default();
        match command.split_whitespace().nth(1) {
            Some(delimiter) => self.delimiter = delimiter.to_owned(),
            None => self.fault("DELIMITER without a delimiter"),
        }
        self.pass(end);
    }

    /// Commands of psql that change nothing; any other may run whatever it likes.
    fn meta_command(&mut self) {
        const HARMLESS: [&str; 5] = ["\\restrict", "\\unrestrict", "\\echo", "\\timing", "\\encoding"];
        let end = self.end_of_line();
        let command = self.sql.get(self.at..end).unwrap_or_default().trim();
        let first = command.split_whitespace().next().unwrap_or_default();
        let stops = command.split_whitespace().take(2).eq(["\\set", "ON_ERROR_STOP"]);
        let one = !command.contains(['`', ':']) && command.matches('\\').count() == 1;
        if !(one && (stops || HARMLESS.contains(&first))) {
            self.text.push_str(command);
            self.begins = self.line;
            self.fault("a command of psql, whose effect is not known");
            self.text.clear();
        }
        self.pass(end);
    }

    fn end_statement(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.routine = Routine::new(self.dialect);
        if text.is_empty() {
            return;
        }
        let copies = self.dialect == Dialect::Postgresql && copies_from_here(&text);
        let comments = std::mem::take(&mut self.comments);
        self.found.push(Found::Statement(Piece { line: self.begins, text, comments }));
        self.ended_on = self.line;
        if copies {
            self.skip_data();
        }
    }

    /// The rows behind COPY … FROM STDIN, up to a line `\.`
    fn skip_data(&mut self) {
        self.pass(self.end_of_line());
        loop {
            if self.at >= self.bytes.len() {
                return self.fault("rows of COPY that no \\. ends");
            }
            self.pass(self.at + 1);
            let end = self.end_of_line();
            let row = self.sql.get(self.at..end).map(str::trim_end);
            self.pass(end);
            if row == Some("\\.") {
                return;
            }
        }
    }

    fn fault(&mut self, why: &'static str) {
        let line = if self.is_blank() { self.line } else { self.begins };
        self.found.push(Found::Fault { line, text: self.text.clone(), why });
    }

    /// What was opened here has no end: it is told, and reading goes on behind its line, so
    /// that a stray apostrophe does not hide what follows it.
    fn restart(&mut self, why: &'static str) {
        let end = self.end_of_line();
        if self.is_blank() {
            self.begins = self.line;
        }
        self.text.push_str(self.sql.get(self.at..end).unwrap_or_default());
        self.fault(why);
        self.text.clear();
        self.comments.clear();
        self.conditional = false;
        self.routine = Routine::new(self.dialect);
        self.restarts += 1;
        self.pass(if self.restarts > RESTARTS { self.bytes.len() } else { end });
    }

    fn finish(&mut self) {
        if self.conditional {
            self.fault("a comment that nothing closes");
        }
        if self.routine.is_open() && !self.is_blank() {
            self.fault("the body of a routine that has no END");
            self.text.clear();
        }
        self.end_statement();
        for comment in std::mem::take(&mut self.comments) {
            if allow::addressed(&comment.text) {
                let why = "this allows nothing: no statement follows";
                self.found.push(Found::Fault { line: comment.line, text: comment.text, why });
            }
        }
    }
}

fn copies_from_here(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty());
    words.next().is_some_and(|w| w.eq_ignore_ascii_case("copy")) && {
        let words: Vec<_> = words.collect();
        words.windows(2).any(|w| w[0].eq_ignore_ascii_case("from") && w[1].eq_ignore_ascii_case("stdin"))
    }
}
