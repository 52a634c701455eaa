//! A cursor over the tree: it reads what should be at a place, and notes a fault where
//! something else is, so that reading goes on and finds the next one.
//!
//! Whatever gives `None` here has noted a fault before.

mod fields;
mod json;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;

pub(super) use fields::{Fields, Once, nearest};

use super::Pattern;
use super::faults::{Fault, Position};
use super::tree::{Data, Node};
use crate::image::TagPattern;

/// A longer one is a slip, and sums with it could leave the calendar.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What all cursors of a file share.
#[derive(Default)]
pub(super) struct Context {
    faults: RefCell<Vec<Fault>>,
    tag_patterns: Compiled<TagPattern>,
    patterns: Compiled<Pattern>,
}

/// By text: services tend to share their patterns, and compiling one is what costs most here.
type Compiled<T> = RefCell<HashMap<String, Result<T, String>>>;

impl Context {
    pub fn into_faults(self) -> Vec<Fault> {
        self.faults.into_inner()
    }
}

/// Where a value stands in the document, linked upwards: only faults spell it out.
#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Self::Root, key) => f.write_str(key),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
            Self::Item(parent, i) => write!(f, "{parent}[{i}]"),
        }
    }
}

/// A value of the file, to be read as what it should be.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    node: &'a Node,
    /// The value's key, or the value itself in a list.
    named_at: Position,
    path: Path<'a>,
    context: &'a Context,
}

impl<'a> Value<'a> {
    pub fn root(node: &'a Node, context: &'a Context) -> Self {
        Self { node, named_at: node.position, path: Path::Root, context }
    }

    pub fn is_null(&self) -> bool {
        matches!(self.node.data, Data::Null)
    }

    pub fn is_text(&self) -> bool {
        matches!(self.node.data, Data::Text(_))
    }

    pub fn is_list(&self) -> bool {
        matches!(self.node.data, Data::List(_))
    }

    pub fn is_mapping(&self) -> bool {
        matches!(self.node.data, Data::Map(_))
    }

    /// Where the value's key is; in a list, the value.
    pub fn line(&self) -> usize {
        self.named_at.line
    }

    /// Notes what is wrong with this value.
    pub fn fault(&self, what: impl fmt::Display) {
        // The parser places what is not written at the next thing that is.
        let position = if self.is_null() { self.named_at } else { self.node.position };
        self.note(position, &self.path, what);
    }

    fn note(&self, position: Position, path: &Path<'_>, what: impl fmt::Display) {
        self.context.faults.borrow_mut().push(Fault::at(position, path, what));
    }

    /// Notes that this should have been something else.
    fn expected(&self, expected: &str) {
        match &self.node.data {
            Data::Null => self.fault(format_args!("is empty; write {expected}")),
            Data::Refused(why) => self.fault(why),
            Data::Bool(_) => self.fault(format_args!("is true or false; write {expected}")),
            Data::Number { .. } => self.fault(format_args!("is a number; write {expected}")),
            Data::Text(_) => self.fault(format_args!("is text; write {expected}")),
            Data::List(_) => self.fault(format_args!("is a list; write {expected}")),
            Data::Map(_) => self.fault(format_args!("is a mapping; write {expected}")),
        }
    }

    /// Text, perhaps empty.
    pub fn text(&self) -> Option<&'a str> {
        match &self.node.data {
            Data::Text(text) => return Some(text),
            // Not the number itself: a header's may be a secret.
            Data::Number { .. } => self.fault("is a number; put it in quotes if it is meant as text"),
            Data::Bool(_) => self.fault("is true or false; put it in quotes if it is meant as text"),
            Data::Null | Data::List(_) | Data::Map(_) | Data::Refused(_) => self.expected("text"),
        }
        None
    }

    /// Text that is not empty.
    pub fn name(&self) -> Option<&'a str> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.fault("is empty; write a name");
            return None;
        }
        Some(text)
    }

    /// Text that `parse` takes. Its error is the fault.
    pub fn parsed<T>(&self, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        parse(self.name()?).map_err(|what| self.fault(what)).ok()
    }

    pub fn tag_pattern(&self) -> Option<TagPattern> {
        self.compiled(&self.context.tag_patterns, TagPattern::new)
    }

    pub fn pattern(&self) -> Option<Pattern> {
        self.compiled(&self.context.patterns, Pattern::new)
    }

    fn compiled<T: Clone>(
        &self,
        known: &Compiled<T>,
        compile: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.fault("is empty; write a regular expression");
            return None;
        }
        let mut known = known.borrow_mut();
        let pattern = known.entry(text.to_owned()).or_insert_with(|| compile(text)).clone();
        pattern.map_err(|e| self.fault(format_args!("is not a regular expression: {e}"))).ok()
    }

    pub fn truth(&self) -> Option<bool> {
        let Data::Bool(truth) = &self.node.data else {
            self.expected("true or false");
            return None;
        };
        Some(*truth)
    }

    /// A whole number within bounds.
    pub fn number(&self, least: u16, most: u16) -> Option<u16> {
        let Data::Number { value, .. } = &self.node.data else {
            self.expected(&format!("a number from {least} to {most}"));
            return None;
        };
        let number = value.as_ref().and_then(|n| n.as_u64()).and_then(|n| u16::try_from(n).ok());
        let number = number.filter(|n| (least..=most).contains(n));
        if number.is_none() {
            self.fault(format_args!("is not a whole number from {least} to {most}"));
        }
        number
    }

    /// A time span, perhaps zero.
    pub fn duration(&self) -> Option<Duration> {
        const LIKE: &str = "a duration like 30m, 1h 30m or 90s";
        if let Data::Number { written, .. } = &self.node.data {
            self.fault(format_args!("has no unit; write {written}s, {written}m or {written}h"));
            return None;
        }
        if matches!(self.node.data, Data::Null) {
            self.expected(LIKE);
            return None;
        }
        self.parsed(|text| {
            let parsed = text.parse::<SignedDuration>();
            let signed = parsed.map_err(|_| format!("'{text}' is not {LIKE}"))?;
            let span = Duration::try_from(signed).map_err(|_| format!("is negative; write {LIKE}"))?;
            if span <= LONGEST {
                Ok(span)
            } else {
                Err("is longer than a week; write 168h or less".to_owned())
            }
        })
    }

    pub fn duration_above_zero(&self) -> Option<Duration> {
        let duration = self.duration()?;
        if duration.is_zero() {
            self.fault("is zero; write a duration like 30m, 1h 30m or 90s");
            return None;
        }
        Some(duration)
    }

    /// Notes that a time span is longer than so many minutes, and `why` that is too long.
    pub fn up_to(&self, minutes: u64, why: &str, span: Duration) -> Option<Duration> {
        if span > Duration::from_secs(minutes * 60) {
            self.fault(format_args!("is longer than {minutes}m: {why}; write {minutes}m or less"));
            return None;
        }
        Some(span)
    }

    /// The items of a list, each as `read` takes it.
    pub fn list<T>(&self, mut read: impl FnMut(Value<'_>) -> Option<T>) -> Option<Vec<T>> {
        let Data::List(nodes) = &self.node.data else {
            self.expected("a list, as in [a, b]");
            return None;
        };
        // All of them before the first `None` counts: each may have faults of its own.
        let read: Vec<_> = nodes
            .iter()
            .enumerate()
            .map(|(i, node)| {
                let path = Path::Item(&self.path, i);
                read(Value { node, named_at: node.position, path, context: self.context })
            })
            .collect();
        read.into_iter().collect()
    }

    /// A list with something in it.
    pub fn filled_list<T>(&self, read: impl FnMut(Value<'_>) -> Option<T>) -> Option<Vec<T>> {
        let items = self.list(read)?;
        if items.is_empty() {
            self.fault("is an empty list; write at least one");
            return None;
        }
        Some(items)
    }
}
