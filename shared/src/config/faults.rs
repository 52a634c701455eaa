//! What is wrong with `releases.yaml`: all of it at once, each fault with its place.

use std::fmt;

/// A place in the file. Lines and columns count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// One thing to correct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// None if it is about the file as a whole.
    pub position: Option<Position>,
    /// As in `services.api.images[0].tags`; empty if it is about the whole document.
    pub path: String,
    /// What is wrong, and the way out.
    pub what: String,
}

/// Every fault of one file, in the order of the file. Printed one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    file: String,
    faults: Vec<Fault>,
}

impl Fault {
    pub(super) fn at(position: Position, path: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self { position: Some(position), path: one_line(path), what: one_line(what) }
    }

    pub(super) fn of_the_file(what: impl fmt::Display) -> Self {
        Self { position: None, path: String::new(), what: one_line(what) }
    }
}

impl Faults {
    pub(super) fn new(file: &str, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.position);
        Self { file: file.to_owned(), faults }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Fault> {
        self.faults.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.faults.iter().enumerate() {
            let end_of_last = if i == 0 { "" } else { "\n" };
            write!(f, "{end_of_last}{}:", self.file)?;
            if let Some(Position { line, column }) = fault.position {
                write!(f, "{line}:{column}:")?;
            }
            if !fault.path.is_empty() {
                write!(f, " {}:", fault.path)?;
            }
            write!(f, " {}", fault.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// Quoted YAML may hold line breaks and escape sequences: they must not reach a terminal.
fn one_line(text: impl fmt::Display) -> String {
    let text = text.to_string();
    if !text.contains(char::is_control) {
        return text;
    }
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_printed_one_a_line_in_the_order_of_the_file() {
        let at = |line, column| Position { line, column };
        let faults = vec![
            Fault::at(at(12, 5), "services.api.cluster", "is missing"),
            Fault::at(at(2, 1), "", "unknown key 'a\nb'"),
            Fault::of_the_file("is empty"),
        ];
        assert_eq!(
            Faults::new("releases.yaml", faults).to_string(),
            "releases.yaml: is empty\n\
             releases.yaml:2:1: unknown key 'a\\nb'\n\
             releases.yaml:12:5: services.api.cluster: is missing"
        );
    }
}
