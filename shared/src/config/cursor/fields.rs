//! Mappings: their keys, which are known or unknown, missing or there twice.

use std::collections::HashMap;
use std::hash::Hash;

use super::{Path, Value};
use crate::config::faults::Position;
use crate::config::tree::{Data, Node};

impl<'a> Value<'a> {
    /// A mapping whose keys are names that the file gives.
    pub fn mapping(&self) -> Option<Fields<'a>> {
        let Data::Map(pairs) = &self.node.data else {
            self.expected("a mapping, as in { key: value }");
            return None;
        };
        let mut first_lines: HashMap<&str, usize> = HashMap::with_capacity(pairs.len());
        let mut entries = Vec::with_capacity(pairs.len());
        for (key, node) in pairs {
            let named_at = key.position;
            let Some(key) = self.key(key) else { continue };
            let path = Path::Key(&self.path, key);
            if let Some(line) = first_lines.get(key) {
                self.note(
                    named_at,
                    &path,
                    format_args!("stands on line {line} already; keep one of the two"),
                );
                continue;
            }
            first_lines.insert(key, named_at.line);
            entries.push(Entry { key, named_at, node });
        }
        Some(Fields { of: *self, entries, misspelt: Vec::new() })
    }

    fn key(&self, key: &'a Node) -> Option<&'a str> {
        let what = match &key.data {
            Data::Text(text) if text == "<<" => {
                "merge keys ('<<') are not taken; write the keys out".to_owned()
            }
            Data::Text(text) if text.trim().is_empty() => "a key is empty; write a name".to_owned(),
            Data::Text(text) => return Some(text),
            Data::Number { written, .. } => {
                format!("the key {written} is a number; put it in quotes: '{written}'")
            }
            Data::Bool(truth) => format!("the key {truth} is not text; put it in quotes: '{truth}'"),
            Data::Refused(why) => format!("a key {why}"),
            Data::Null | Data::List(_) | Data::Map(_) => "a key is not text; write a name".to_owned(),
        };
        self.note(key.position, &self.path, what);
        None
    }

    /// A mapping that has no other keys than those `known`.
    pub fn fields(&self, known: &[&'static str]) -> Option<Fields<'a>> {
        let mut fields = self.mapping()?;
        for Entry { key, named_at, .. } in fields.entries.iter().filter(|e| !known.contains(&e.key)) {
            let way_out = match nearest(key, known) {
                Some(meant) => {
                    fields.misspelt.push(meant);
                    format!("did you mean '{meant}'?")
                }
                None if known.is_empty() => "no key is taken here, write {}".to_owned(),
                None => format!("the keys here are {}", known.join(", ")),
            };
            self.note(*named_at, &self.path, format_args!("unknown key '{key}'; {way_out}"));
        }
        Some(fields)
    }
}

struct Entry<'a> {
    key: &'a str,
    named_at: Position,
    node: &'a Node,
}

/// A mapping, opened.
pub(in crate::config) struct Fields<'a> {
    of: Value<'a>,
    entries: Vec<Entry<'a>>,
    /// Keys that are there, but for a slip that has been noted.
    misspelt: Vec<&'static str>,
}

impl Fields<'_> {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a key was a slip for one that then is not there.
    pub fn has_misspelt(&self) -> bool {
        !self.misspelt.is_empty()
    }

    pub fn optional<'b>(&'b self, key: &str) -> Option<Value<'b>> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| self.value(entry))
    }

    pub fn required<'b>(&'b self, key: &'b str) -> Option<Value<'b>> {
        self.required_as(key, "is missing")
    }

    /// `missing` says what is wrong without it.
    pub fn required_as<'b>(&'b self, key: &'b str, missing: &str) -> Option<Value<'b>> {
        let value = self.optional(key);
        if value.is_none() && !self.misspelt.contains(&key) {
            self.of.note(self.of.named_at, &Path::Key(&self.of.path, key), missing);
        }
        value
    }

    /// Those of `keys` that are there.
    pub fn present<'b>(&'b self, keys: &[&'static str]) -> Vec<(&'static str, Value<'b>)> {
        keys.iter().filter_map(|key| Some((*key, self.optional(key)?))).collect()
    }

    /// The only one of `keys`, of which there must be one; `missing` says what is wrong without it.
    pub fn one_of<'b>(&'b self, keys: &[&'static str], missing: &str) -> Option<(&'static str, Value<'b>)> {
        let present = self.present(keys);
        match present[..] {
            [only] => return Some(only),
            [] if keys.iter().any(|key| self.misspelt.contains(key)) => {}
            [] => self.of.fault(missing),
            [..] => {
                let names: Vec<_> = present.iter().map(|(key, _)| *key).collect();
                self.of.fault(format_args!("has {}; keep one of them", names.join(" and ")));
            }
        }
        None
    }

    /// Absent is `default`; wrong is `None`.
    pub fn or<T>(&self, key: &str, default: T, read: impl FnOnce(Value<'_>) -> Option<T>) -> Option<T> {
        self.optional(key).map_or(Some(default), read)
    }

    /// Every entry, as `read` takes its key and value.
    pub fn each<T>(&self, mut read: impl FnMut(&str, Value<'_>) -> Option<T>) -> Option<Vec<T>> {
        let read: Vec<_> = self.entries.iter().map(|entry| read(entry.key, self.value(entry))).collect();
        read.into_iter().collect()
    }

    fn value<'b>(&'b self, entry: &Entry<'b>) -> Value<'b> {
        let path = Path::Key(&self.of.path, entry.key);
        Value { node: entry.node, named_at: entry.named_at, path, context: self.of.context }
    }
}

/// What may stand once only; remembers where it stood first.
pub(in crate::config) struct Once<K>(HashMap<K, usize>);

impl<K: Eq + Hash> Once<K> {
    pub fn new() -> Self {
        Self(HashMap::new())
    }

    /// `again` says what is wrong, given the line on which it stood first.
    pub fn check(&mut self, key: K, value: Value<'_>, again: impl FnOnce(usize) -> String) {
        if let Some(line) = self.0.get(&key) {
            value.fault(again(*line));
            return;
        }
        self.0.insert(key, value.line());
    }
}

/// Which of `known` was probably meant: a third of the letters may be wrong.
pub(in crate::config) fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let slips = |name: &str| strsim::osa_distance(&written.to_lowercase(), &name.to_lowercase());
    let near = known.iter().map(|name| (slips(name), *name)).min_by_key(|(slips, _)| *slips)?;
    (near.0 <= (near.1.len() / 3).max(1)).then_some(near.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_if_it_is_near() {
        let known = ["cluster", "base-url", "before-install", "tags"];
        for (written, meant) in [
            ("clustr", Some("cluster")),
            ("base_url", Some("base-url")),
            ("BeforeInstall", Some("before-install")),
            ("tag", Some("tags")),
            ("url", None),
            ("something", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, &known), meant, "{written}");
        }
    }
}
