//! Filter patterns for unstructured events: terms and quoted phrases, all of them
//! (`a "b c"`), any of them (`?a ?b`), or not (`-a`). They match case-sensitively
//! and anywhere in a message.

use crate::fault::Fault;

use super::invalid;

#[derive(Debug, Default, PartialEq)]
pub(super) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut rest = text.trim();
        if rest.starts_with(['{', '[', '%']) {
            return Err(Fault::not_modelled(format!("logs:FilterLogEvents with the pattern {rest}")));
        }
        let mut pattern = Self::default();
        while !rest.is_empty() {
            let (terms, after) = match rest.strip_prefix(['?', '-']) {
                Some(after) if rest.starts_with('?') => (&mut pattern.any, after),
                Some(after) => (&mut pattern.none, after),
                None => (&mut pattern.all, rest),
            };
            let (term, after) = term(after)?;
            terms.push(term);
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    /// Beside other terms those with `?` count for nothing.
    pub fn fits(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        let only_any = self.all.is_empty() && self.none.is_empty() && !self.any.is_empty();
        self.all.iter().all(has) && !self.none.iter().any(has) && (!only_any || self.any.iter().any(has))
    }
}

/// The first term of `text`, and what follows it.
fn term(text: &str) -> Result<(String, &str), Fault> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (term, rest) = text.split_at(end);
        if term.is_empty() || !term.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return Err(invalid(format!(
                "Invalid filter pattern: '{term}': what is not letters, digits and underscores needs double quotes"
            )));
        }
        return Ok((term.to_owned(), rest));
    };
    let mut phrase = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((phrase, &quoted[at + 1..])),
            '\\' => phrase.extend(chars.next().map(|(_, c)| c)),
            c => phrase.push(c),
        }
    }
    Err(invalid("Invalid filter pattern: a double quote is not closed"))
}
