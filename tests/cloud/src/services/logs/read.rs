//! Reading events: one stream back and forth, or a whole group filtered.

use std::ops::Range;

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;

use super::filter::Pattern;
use super::{Event, Position, Stream, group, invalid, no_stream, position};

const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 1_048_576;

/// A token of GetLogEvents.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cursor {
    /// `f/`: on from the event at this position.
    After(Position),
    /// `b/`: back from it.
    Before(Position),
}

impl Cursor {
    fn parse(token: &str) -> Result<Self, Fault> {
        let bad = || invalid("The specified nextToken is invalid.");
        let (direction, rest) = token.split_once('/').ok_or_else(bad)?;
        let at = rest.strip_suffix("/s").and_then(|at| at.parse().ok()).ok_or_else(bad)?;
        match direction {
            "f" => Ok(Self::After(at)),
            "b" => Ok(Self::Before(at)),
            _ => Err(bad()),
        }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::After(at) => write!(f, "f/{at:056}/s"),
            Self::Before(at) => write!(f, "b/{at:056}/s"),
        }
    }
}

pub(super) fn get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let cursor = input["nextToken"].as_str().map(Cursor::parse).transpose()?;
    let name = input["logStreamName"].as_str().unwrap_or_default();
    let stream = group(cloud, input)?.streams.get(name).ok_or_else(|| no_stream(name))?;
    let start = input["startTime"].as_u64().unwrap_or(0);
    let end = input["endTime"].as_u64().unwrap_or(u64::MAX);
    let in_time = stream.range(position(start, 0), position(end, 0));
    let limit = limit(input);
    // Whatever the direction, a page reads from old to new.
    let events = match cursor {
        Some(Cursor::After(at)) => {
            first_page(stream.within(&in_time, at.saturating_add(1), Position::MAX), limit)
        }
        Some(Cursor::Before(at)) => last_page(stream.within(&in_time, 0, at), limit),
        None if input["startFromHead"] == true => first_page(&stream.events[in_time], limit),
        None => last_page(&stream.events[in_time], limit),
    };
    let (forward, backward) = match (events, cursor) {
        ([first, .., last], _) => (Cursor::After(last.position), Cursor::Before(first.position)),
        ([only], _) => (Cursor::After(only.position), Cursor::Before(only.position)),
        // At the end: the token that was given comes back.
        ([], Some(Cursor::After(at))) => (Cursor::After(at), Cursor::Before(at.saturating_add(1))),
        ([], Some(Cursor::Before(at))) => (Cursor::After(at.saturating_sub(1)), Cursor::Before(at)),
        ([], None) => (Cursor::After(0), Cursor::Before(0)),
    };
    let events: Vec<_> = events
        .iter()
        .map(|event| {
            json!({ "timestamp": event.timestamp, "message": event.message, "ingestionTime": event.ingested })
        })
        .collect();
    Ok(json!({
        "events": events,
        "nextForwardToken": forward.to_string(),
        "nextBackwardToken": backward.to_string(),
    }))
}

impl Stream {
    /// Indexes of the events from one position up to another.
    fn range(&self, from: Position, to: Position) -> Range<usize> {
        let start = self.events.partition_point(|event| event.position < from);
        start..self.events.partition_point(|event| event.position < to).max(start)
    }

    /// The events of `range` that lie between two positions.
    fn within(&self, range: &Range<usize>, from: Position, to: Position) -> &[Event] {
        let other = self.range(from, to);
        let (start, end) = (range.start.max(other.start), range.end.min(other.end));
        &self.events[start..end.max(start)]
    }
}

fn limit(input: &Value) -> usize {
    input["limit"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(MOST_EVENTS)
}

/// How many of `events` one answer may hold: at least one, so that reading goes on.
fn fitting<'a>(events: impl Iterator<Item = &'a Event>, limit: usize) -> usize {
    let mut bytes = 0;
    let fits = events.take(limit).take_while(|event| {
        let is_first = bytes == 0;
        bytes += event.message.len() + 26;
        is_first || bytes <= MOST_BYTES
    });
    fits.count()
}

fn first_page(events: &[Event], limit: usize) -> &[Event] {
    &events[..fitting(events.iter(), limit)]
}

fn last_page(events: &[Event], limit: usize) -> &[Event] {
    &events[events.len() - fitting(events.iter().rev(), limit)..]
}

pub(super) fn filter(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let pattern = Pattern::parse(input["filterPattern"].as_str().unwrap_or_default())?;
    let (names, prefix) = (input["logStreamNames"].as_array(), input["logStreamNamePrefix"].as_str());
    if names.is_some() && prefix.is_some() {
        return Err(invalid("logStreamNames and logStreamNamePrefix cannot both be specified."));
    }
    let (is_forward, from) = match input["nextToken"].as_str() {
        None => (input["startFromHead"] != false, None),
        Some(token) => match Cursor::parse(token)? {
            Cursor::After(at) => (true, Some(at)),
            Cursor::Before(at) => (false, Some(at)),
        },
    };
    let group = group(cloud, input)?;
    if let Some(missing) =
        names.into_iter().flatten().filter_map(Value::as_str).find(|name| !group.streams.contains_key(*name))
    {
        return Err(no_stream(missing));
    }
    let start = input["startTime"].as_u64().unwrap_or(0);
    let end = input["endTime"].as_u64().unwrap_or(u64::MAX);
    let mut found: Vec<(&String, &Event)> = group
        .streams
        .iter()
        .filter(|(name, _)| names.is_none_or(|names| names.iter().any(|n| n == name.as_str())))
        .filter(|(name, _)| prefix.is_none_or(|prefix| name.starts_with(prefix)))
        .flat_map(|(name, stream)| stream.events.iter().map(move |event| (name, event)))
        .filter(|(_, event)| (start..=end).contains(&event.timestamp))
        .filter(|(_, e)| from.is_none_or(|at| if is_forward { e.position > at } else { e.position < at }))
        .filter(|(_, event)| pattern.fits(&event.message))
        .collect();
    found.sort_by_key(|(_, event)| event.position);
    if !is_forward {
        found.reverse();
    }
    let count = fitting(found.iter().map(|(_, event)| *event), limit(input));
    let next =
        (count < found.len()).then(|| found.get(count.saturating_sub(1))).flatten().map(|(_, last)| {
            if is_forward { Cursor::After(last.position) } else { Cursor::Before(last.position) }.to_string()
        });
    let events: Vec<_> = found[..count].iter().map(|(stream, event)| filtered(stream, event)).collect();
    Ok(json!({ "events": events, "searchedLogStreams": [], "nextToken": next }))
}

fn filtered(stream: &str, event: &Event) -> Value {
    json!({
        "logStreamName": stream,
        "timestamp": event.timestamp,
        "message": event.message,
        "ingestionTime": event.ingested,
        "eventId": format!("{:056}", event.position),
    })
}
