//! A YAML document as a tree in which every node knows its place.
//!
//! Built from the parser's events, not with a ready-made tree: those stop at the first
//! duplicate key and forget how a scalar was written.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::Number;

use super::faults::{Fault, Position};

/// Deeper than any sensible file; keeps recursion over a tree off the stack's end.
const MAX_DEPTH: usize = 64;
/// How many nodes all aliases of a file may stand for together.
const MAX_ALIASED: usize = 100_000;

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub position: Position,
    pub data: Data,
}

/// Scalars as YAML 1.2's core schema tells them apart: `on` and `yes` are text.
#[derive(Debug, Clone)]
pub(super) enum Data {
    Null,
    Bool(bool),
    /// Infinities and NaN have no value that JSON could hold.
    Number {
        written: String,
        value: Option<Number>,
    },
    Text(String),
    List(Vec<Node>),
    /// Keys and values in the order of the file; keys may be anything and may repeat.
    Map(Vec<(Node, Node)>),
    /// What the file may not use, and the way out.
    Refused(String),
}

/// Reads the one document of a file; nothing if there is none.
pub(super) fn parse(text: &str) -> Result<Option<Node>, Fault> {
    let mut builder = Builder::default();
    let mut documents = 0;
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|e| invalid(text, position(*e.marker()), e.info()))?;
        let position = position(span.start);
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                return Err(Fault::at(
                    position,
                    "",
                    "a second document starts here; put everything into one",
                ));
            }
        }
        builder.take(event, position)?;
    }
    Ok(builder.root)
}

/// The parser's words, and what is behind them if it is what happens most: `{ slack: #deploys }`
/// is a mapping that does not end, for `#` starts a comment.
fn invalid(text: &str, position: Position, what: &str) -> Fault {
    let written = text.lines().enumerate().take(position.line).filter(|(_, line)| !line.trim().is_empty());
    let nearby = written.collect::<Vec<_>>().into_iter().rev().take(2);
    let comment = nearby.into_iter().find(|(_, line)| line.contains(['{', '[']) && line.contains(": #"));
    let hint = comment.map_or(String::new(), |(i, _)| {
        format!("; perhaps the # on line {} belongs in quotes: alone it starts a comment", i + 1)
    });
    Fault::at(position, "", format_args!("is not valid YAML: {what}{hint}"))
}

fn position(mark: Marker) -> Position {
    Position { line: mark.line(), column: mark.col() + 1 }
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
}

/// A list or mapping whose end is still to come.
struct Open {
    position: Position,
    anchor: usize,
    refused: Option<Data>,
    kind: Kind,
    /// Of a mapping: keys and values in turn.
    nodes: Vec<Node>,
}

#[derive(Clone, Copy)]
enum Kind {
    List,
    Map,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, position: Position) -> Result<(), Fault> {
        match event {
            Event::SequenceStart(anchor, tag) => self.start(Kind::List, position, anchor, tag.as_deref()),
            Event::MappingStart(anchor, tag) => self.start(Kind::Map, position, anchor, tag.as_deref()),
            Event::SequenceEnd | Event::MappingEnd => {
                self.end();
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.place(Node { position, data: scalar(&text, style, tag.as_deref()) }, anchor);
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, position),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn start(
        &mut self,
        kind: Kind,
        position: Position,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Result<(), Fault> {
        if self.open.len() == MAX_DEPTH {
            return Err(too_deep(position));
        }
        let refused = tag.and_then(refused);
        self.open.push(Open { position, anchor, refused, kind, nodes: Vec::new() });
        Ok(())
    }

    fn end(&mut self) {
        let Some(Open { position, anchor, refused, kind, nodes }) = self.open.pop() else { return };
        let data = match (refused, kind) {
            (Some(refused), _) => refused,
            (None, Kind::List) => Data::List(nodes),
            (None, Kind::Map) => Data::Map(in_pairs(nodes)),
        };
        self.place(Node { position, data }, anchor);
    }

    fn place(&mut self, node: Node, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            Some(open) => open.nodes.push(node),
            None => self.root = Some(node),
        }
    }

    /// Puts a copy in place of an alias, within bounds: a few lines of aliases of aliases
    /// can stand for billions of nodes.
    fn alias(&mut self, anchor: usize, position: Position) -> Result<(), Fault> {
        let Some(named) = self.anchors.get(&anchor) else {
            let data = Data::Refused("is an alias for a part of itself; write it out".to_owned());
            self.place(Node { position, data }, 0);
            return Ok(());
        };
        let (nodes, depth) = named.extent();
        self.aliased += nodes;
        if self.aliased > MAX_ALIASED {
            return Err(Fault::at(position, "", "the aliases stand for too much; write them out"));
        }
        if self.open.len() + depth > MAX_DEPTH {
            return Err(too_deep(position));
        }
        let node = Node { position, data: named.data.clone() };
        self.place(node, 0);
        Ok(())
    }
}

fn too_deep(position: Position) -> Fault {
    Fault::at(position, "", format_args!("is nested more than {MAX_DEPTH} levels deep"))
}

fn in_pairs(nodes: Vec<Node>) -> Vec<(Node, Node)> {
    let mut pairs = Vec::with_capacity(nodes.len() / 2);
    let mut nodes = nodes.into_iter();
    while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
        pairs.push((key, value));
    }
    pairs
}

impl Node {
    /// How many nodes it has, and on how many levels.
    fn extent(&self) -> (usize, usize) {
        let add = |(nodes, depth): (usize, usize), node: &Self| {
            let (more, deeper) = node.extent();
            (nodes + more, depth.max(deeper))
        };
        let (nodes, depth) = match &self.data {
            Data::List(items) => items.iter().fold((0, 0), add),
            Data::Map(pairs) => pairs.iter().flat_map(|(key, value)| [key, value]).fold((0, 0), add),
            Data::Null | Data::Bool(_) | Data::Number { .. } | Data::Text(_) | Data::Refused(_) => (0, 0),
        };
        (nodes + 1, depth + 1)
    }
}

/// Why a node with this tag is not taken; core tags on lists and mappings change nothing.
fn refused(tag: &Tag) -> Option<Data> {
    (!tag.is_yaml_core_schema())
        .then(|| Data::Refused(format!("has the tag '{tag}', which means nothing here; leave the tag out")))
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Data {
    if let Some(refused) = tag.and_then(refused) {
        return refused;
    }
    let forced = tag.is_some_and(|tag| tag.suffix == "str");
    if forced || style != ScalarStyle::Plain { Data::Text(text.to_owned()) } else { plain(text) }
}

fn plain(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        _ => match number(text) {
            Some(value) => Data::Number { written: text.to_owned(), value },
            None => Data::Text(text.to_owned()),
        },
    }
}

/// The number that a plain scalar is, if it is one.
fn number(text: &str) -> Option<Option<Number>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(None);
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix).ok().map(|n| Some(n.into()));
        }
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Ok(n) = text.parse::<i64>() {
        return Some(Some(n.into()));
    }
    if let Ok(n) = text.parse::<u64>() {
        return Some(Some(n.into()));
    }
    text.parse::<f64>().ok().map(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> Data {
        parse(text).unwrap().unwrap().data
    }

    #[test]
    fn scalars_are_what_yaml_1_2_says() {
        for text in
            ["on", "yes", "NO", "e5", "1.2.3", "0x", "30m", "a-", "'1'", "!!str 1", "inf", "nan", "+-1"]
        {
            assert!(matches!(data(text), Data::Text(_)), "{text}");
        }
        for text in
            ["1", "-1", "+1", "0123", "1.10", "1e5", ".5", "0x1F", "0o17", "18446744073709551615", ".nan"]
        {
            assert!(matches!(data(text), Data::Number { .. }), "{text}");
        }
        for text in ["---", "~", "null", "- ~\n"] {
            let data = data(text);
            let items = if let Data::List(items) = &data { items.as_slice() } else { &[] };
            assert!(matches!(items.first().map_or(&data, |node| &node.data), Data::Null), "{text}");
        }
    }

    #[test]
    fn nodes_know_their_place() {
        let Data::Map(pairs) = data("# first\na:\n  - ü: 1\n") else { panic!() };
        let Data::List(items) = &pairs[0].1.data else { panic!() };
        let Data::Map(inner) = &items[0].data else { panic!() };
        assert_eq!(pairs[0].0.position, Position { line: 2, column: 1 });
        assert_eq!(inner[0].0.position, Position { line: 3, column: 5 });
        assert_eq!(inner[0].1.position, Position { line: 3, column: 8 });
    }

    #[test]
    fn an_alias_stands_for_a_copy() {
        let Data::List(items) = data("[&a [1, 2], *a]") else { panic!() };
        assert_eq!(items[1].extent(), (3, 2));
    }

    #[test]
    fn bounds_hold() {
        let deep = "[".repeat(200);
        let by_alias =
            format!("[&a {}{}, {}*a{}]", "[".repeat(40), "]".repeat(40), "[".repeat(40), "]".repeat(40));
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            let list = vec![format!("*a{}", i - 1); 9].join(", ");
            laughs.push_str(&format!("a{i}: &a{i} [{list}]\n"));
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
        for (text, what) in [
            (&deep, "is nested more than 64 levels deep"),
            (&by_alias, "is nested more than 64 levels deep"),
            (&laughs, "the aliases stand for too much; write them out"),
        ] {
            assert_eq!(parse(text).unwrap_err().what, what);
        }
    }

    #[test]
    fn oddities_are_refused_where_they_stand() {
        for text in ["&a [*a]", "[!mine x]", "[!mine [x]]", "[! x]"] {
            let Data::List(items) = data(text) else { panic!() };
            assert!(matches!(items[0].data, Data::Refused(_)), "{text}");
        }
        assert!(parse("").unwrap().is_none() && parse("# only this\n").unwrap().is_none());
        assert_eq!(parse("a\n---\nb\n").unwrap_err().position, Some(Position { line: 2, column: 1 }));
        assert!(parse("*nothing").unwrap_err().what.starts_with("is not valid YAML: "));
    }
}
