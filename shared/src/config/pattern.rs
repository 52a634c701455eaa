//! What smoke checks look for in answers: regular expressions and JSON paths, compiled once.

use regex_lite::Regex;
use serde_json::Value;

use crate::regex::regex;

/// A regular expression, applied to a whole text or anywhere in it.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    anywhere: Regex,
    whole: Regex,
}

impl Pattern {
    /// Fails with what is wrong with the expression.
    pub fn new(text: &str) -> Result<Self, String> {
        let anywhere = regex(text)?;
        let whole = regex(&format!("^(?:{text})$"))?;
        Ok(Self { text: text.to_owned(), anywhere, whole })
    }

    pub fn is_whole(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }

    /// Where it is found first: its first group, or the whole match if that took no part.
    pub fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        let found = self.anywhere.captures(text)?;
        found.get(1).or_else(|| found.get(0)).map(|part| part.as_str())
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// A place in a JSON document: an RFC 9535 path, or the name of a member at the top.
#[derive(Debug, Clone)]
pub struct JsonPath {
    text: String,
    /// None if the text names a member.
    path: Option<serde_json_path::JsonPath>,
}

/// The parser recurses: longer ones could take it off the stack's end.
const LONGEST_PATH: usize = 200;

/// It reads a filter within a filter twice, what is within that four times, and so on.
const MOST_FILTERS: usize = 5;

impl JsonPath {
    /// What begins with `$` is a path. Fails with what is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let path = if text.starts_with('$') { Some(parse(text)?) } else { None };
        Ok(Self { text: text.to_owned(), path })
    }

    /// All that it finds, in the order of the document.
    pub fn query<'v>(&self, document: &'v Value) -> Vec<&'v Value> {
        match &self.path {
            Some(path) => path.query(document).all(),
            None => document.as_object().and_then(|members| members.get(&self.text)).into_iter().collect(),
        }
    }

    /// As `releases.yaml` writes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn parse(text: &str) -> Result<serde_json_path::JsonPath, String> {
    if text.len() > LONGEST_PATH {
        return Err(format!("is a path of more than {LONGEST_PATH} characters; write a shorter one"));
    }
    if text.matches('?').count() > MOST_FILTERS {
        return Err(format!("is a path of more than {MOST_FILTERS} filters; write one with fewer '?'"));
    }
    let wrong =
        |place: &str| format!("is not a JSONPath: it can't be read at {place}; write it like $.queue.depth");
    // At the end of a path that ends so, the parser panics.
    if text.strip_suffix(['d', 'D']).unwrap_or(text).ends_with("\\u") {
        return Err(wrong("its end"));
    }
    serde_json_path::JsonPath::parse(text).map_err(|e| {
        let rest = text.get(e.position()..).filter(|rest| !rest.is_empty());
        wrong(&rest.map_or_else(|| "its end".to_owned(), |rest| format!("'{rest}'")))
    })
}

impl PartialEq for JsonPath {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pattern_is_held_against_the_whole_or_found_anywhere() {
        let pattern = Pattern::new("a|ab").unwrap();
        assert!(pattern.is_whole("ab") && !pattern.is_whole("abc"));
        assert_eq!(pattern.find("x ab"), Some("a"));
        let version = Pattern::new("version ([^ ]+)|none").unwrap();
        assert_eq!(version.find("this is version 1.2 of it"), Some("1.2"));
        assert_eq!(version.find("there is none"), Some("none"));
        assert_eq!(version.find("this is"), None);
        assert!(Pattern::new("a)|(b").is_err(), "valid only between added parentheses");
    }

    #[test]
    fn a_path_finds_what_rfc_9535_says_and_a_name_a_member() {
        let document = json!({ "a": { "b": [1, 2] }, "$a": 3, "a.b": 4 });
        let found = |text: &str| json!(JsonPath::new(text).unwrap().query(&document));
        assert_eq!(found("$.a.b[*]"), json!([1, 2]));
        assert_eq!(found("$.a.b[?@ > 1]"), json!([2]));
        assert_eq!(found("$['$a']"), json!([3]));
        assert_eq!(found("a.b"), json!([4]));
        assert_eq!(found("$.Version"), json!([]));
        assert_eq!((found("b"), found("$.b")), (json!([]), json!([])));
        assert!(JsonPath::new("a").unwrap().query(&json!([1])).is_empty());
    }

    #[test]
    fn what_is_no_path_is_told_with_its_place() {
        for (wrong, told) in [
            ("$.", "its end"),
            ("$a", "'a'"),
            ("$.a[", ""),
            ("$['\\u", "its end"),
            ("$['\\ud", "its end"),
            ("$['\\ud83d", ""),
            ("$['\\ud83d\\u", "its end"),
            ("$['\\uD83D\\uD", "its end"),
        ] {
            let fault = JsonPath::new(wrong).unwrap_err();
            assert!(
                fault.starts_with(&format!("is not a JSONPath: it can't be read at {told}")),
                "{wrong}: {fault}"
            );
        }
        for deep in ["(", "!(", "[?"] {
            let fault = JsonPath::new(&format!("$[?{}", deep.repeat(LONGEST_PATH / 2 - 2)));
            assert!(fault.is_err(), "{deep}");
        }
        assert!(JsonPath::new(&format!("$.{}", "a".repeat(LONGEST_PATH))).is_err());
        let nested = |n: usize| JsonPath::new(&format!("${}{}", "[?@.a".repeat(n), "]".repeat(n)));
        assert!(nested(MOST_FILTERS).is_ok());
        assert!(nested(30).unwrap_err().contains("filters"), "it would be read for minutes");
    }
}
