//! What Slack takes: text, blocks and metadata within its limits, as its documentation of
//! chat.postMessage and of Block Kit says.

use serde_json::Value;

const BLOCKS: usize = 50;
const HEADER: usize = 150;
const TEXT: usize = 3_000;
const ELEMENTS: usize = 10;
/// Observed, not documented: more than about 13,000 characters in all are refused.
const ALL: usize = 13_200;
const FALLBACK: usize = 40_000;

/// Errors: the name that Slack gives the fault.
pub fn content(text: &str, blocks: &Value) -> Result<(), &'static str> {
    let list: &[Value] = match blocks {
        Value::Null => &[],
        Value::Array(list) => list,
        _ => return Err("invalid_blocks_format"),
    };
    if text.is_empty() && list.is_empty() {
        return Err("no_text");
    }
    if text.chars().count() > FALLBACK {
        return Err("msg_too_long");
    }
    if list.len() > BLOCKS {
        return Err("invalid_blocks");
    }
    let mut all = 0;
    for one in list {
        all += block(one).ok_or("invalid_blocks")?;
    }
    if all > ALL { Err("msg_blocks_too_long") } else { Ok(()) }
}

/// How many characters a block has; none if it is not one.
fn block(block: &Value) -> Option<usize> {
    match block["type"].as_str()? {
        "header" => object(&block["text"], HEADER).filter(|_| block["text"]["type"] == "plain_text"),
        "section" => object(&block["text"], TEXT),
        "context" => {
            let elements = block["elements"].as_array().filter(|e| (1..=ELEMENTS).contains(&e.len()))?;
            elements.iter().map(|element| object(element, TEXT)).sum()
        }
        "divider" => Some(0),
        _ => None,
    }
}

/// A text object of 1 to so many characters.
fn object(object: &Value, longest: usize) -> Option<usize> {
    let known: &[&str] = match object["type"].as_str()? {
        "plain_text" => &["type", "text", "emoji"],
        "mrkdwn" => &["type", "text", "verbatim"],
        _ => return None,
    };
    let members = object.as_object()?;
    let size = object["text"].as_str()?.chars().count();
    let right = members.keys().all(|name| known.contains(&name.as_str())) && (1..=longest).contains(&size);
    right.then_some(size)
}

/// `{event_type, event_payload}`, of which the payload is an object.
pub fn metadata(metadata: &Value) -> Result<(), &'static str> {
    let named = metadata["event_type"].as_str().is_some_and(|name| !name.is_empty());
    if metadata.is_null() || (named && metadata["event_payload"].is_object()) {
        Ok(())
    } else {
        Err("invalid_metadata_format")
    }
}
