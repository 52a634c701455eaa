//! Whether a semicolon belongs to the body of a function, procedure or trigger that is being
//! created. PostgreSQL's bodies are strings, but for BEGIN ATOMIC … END; MySQL's are not.

use shared::migration_rule::Dialect;

pub(super) struct Routine {
    dialect: Dialect,
    kind: Kind,
    /// BEGIN and CASE that no END has closed.
    depth: usize,
    /// The words so far that tell what is created.
    words: usize,
    /// BEGIN or END was the last word.
    last: Last,
}

enum Kind {
    Unknown,
    Routine,
    Other,
}

enum Last {
    Begin,
    End,
    Other,
}

/// Behind so many words of CREATE no FUNCTION is awaited any more.
const HEAD: usize = 12;

impl Routine {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, kind: Kind::Unknown, depth: 0, words: 0, last: Last::Other }
    }

    pub(super) fn is_open(&self) -> bool {
        self.depth > 0
    }

    /// Anything that is no word.
    pub(super) fn symbol(&mut self) {
        self.last = Last::Other;
    }

    pub(super) fn word(&mut self, word: &str) {
        let is = |other: &str| word.eq_ignore_ascii_case(other);
        match self.kind {
            Kind::Other => {}
            Kind::Unknown => {
                self.words += 1;
                self.kind = match self.words {
                    1 if is("CREATE") => Kind::Unknown,
                    1 | HEAD => Kind::Other,
                    _ if ["FUNCTION", "PROCEDURE", "TRIGGER", "EVENT"].into_iter().any(is) => Kind::Routine,
                    _ if ["TABLE", "VIEW", "INDEX", "TYPE", "DATABASE", "SCHEMA"].into_iter().any(is) => {
                        Kind::Other
                    }
                    _ => Kind::Unknown,
                };
            }
            Kind::Routine => self.body(word),
        }
    }

    fn body(&mut self, word: &str) {
        let is = |other: &str| word.eq_ignore_ascii_case(other);
        let after_end = matches!(self.last, Last::End);
        let opens = match self.dialect {
            Dialect::Mysql => is("BEGIN"),
            Dialect::Postgresql => is("ATOMIC") && matches!(self.last, Last::Begin),
        };
        if after_end && ["IF", "LOOP", "WHILE", "REPEAT"].into_iter().any(is) {
            // Closes what was not counted.
            self.depth += 1;
        } else if opens || (is("CASE") && self.depth > 0 && !after_end) {
            self.depth += 1;
        }
        self.last = match () {
            () if is("BEGIN") => Last::Begin,
            () if is("END") && self.depth > 0 => Last::End,
            () => Last::Other,
        };
        if let Last::End = self.last {
            self.depth -= 1;
        }
    }
}
