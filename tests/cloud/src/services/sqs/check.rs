//! What a message and a request for messages may be. The published model has no bounds for
//! these; the developer guide and the API's own errors have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::fault::Fault;

pub fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValueException", message)
}

/// An optional number within its bounds.
pub fn number(input: &Value, member: &str, least: u64, most: u64) -> Result<Option<u64>, Fault> {
    let given = &input[member];
    if given.is_null() {
        return Ok(None);
    }
    let fits = given.as_u64().filter(|n| (least..=most).contains(n));
    fits.map(Some).ok_or_else(|| {
        invalid(format!(
            "Value {given} for parameter {member} is invalid. Reason: Must be between {least} and {most}, if provided."
        ))
    })
}

/// Body and attributes of a message, against the queue's `MaximumMessageSize`.
pub fn message(input: &Value, most: u64) -> Result<(), Fault> {
    let body = input["MessageBody"].as_str().unwrap_or_default();
    if body.is_empty() {
        return Err(Fault::new(
            "MissingRequiredParameterException",
            "The request must contain the parameter MessageBody.",
        ));
    }
    if !input["MessageDeduplicationId"].is_null() {
        return Err(invalid(
            "The request includes a parameter that is not valid for this queue type: MessageDeduplicationId",
        ));
    }
    attributes(&input["MessageAttributes"])?;
    if size(input) > most {
        return Err(invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {most} bytes."
        )));
    }
    match body.chars().find(|c| !is_allowed(*c)) {
        Some(c) => Err(Fault::new(
            "InvalidMessageContents",
            format!("Invalid character in message body: {}", c.escape_unicode()),
        )),
        None => Ok(()),
    }
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Bytes that count towards a message's limit: its body, and each attribute's name, type and value.
pub fn size(input: &Value) -> u64 {
    let attributes = input["MessageAttributes"].as_object().into_iter().flatten();
    let of = |(name, attribute): (&String, &Value)| {
        let kind = attribute["DataType"].as_str().unwrap_or_default();
        name.len() + kind.len() + value(attribute).map_or(0, |value| value.len())
    };
    let body = input["MessageBody"].as_str().unwrap_or_default().len();
    (body + attributes.map(of).sum::<usize>()) as u64
}

fn value(attribute: &Value) -> Option<Vec<u8>> {
    let binary = attribute["BinaryValue"].as_str().and_then(|text| STANDARD.decode(text).ok());
    binary.or_else(|| Some(attribute["StringValue"].as_str()?.as_bytes().to_vec()))
}

fn attributes(attributes: &Value) -> Result<(), Fault> {
    let attributes = attributes.as_object();
    if attributes.is_some_and(|all| all.len() > 10) {
        return Err(invalid("Number of message attributes exceeds the allowed maximum of 10."));
    }
    for (name, attribute) in attributes.into_iter().flatten() {
        let kind = attribute["DataType"].as_str().unwrap_or_default();
        if !["String", "Number", "Binary"].contains(&kind.split('.').next().unwrap_or_default()) {
            return Err(invalid(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
            )));
        }
        if value(attribute).is_none_or(|value| value.is_empty()) {
            return Err(invalid(format!(
                "The message attribute '{name}' must contain non-empty message attribute value for message attribute type '{kind}'."
            )));
        }
        let text = attribute["StringValue"].as_str().unwrap_or_default();
        if kind.starts_with("Number") && text.parse::<f64>().is_err() {
            return Err(invalid(format!(
                "Can't cast the value of message (user) attribute '{name}' to a number."
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{message, number};

    #[test]
    fn what_sqs_refuses_is_refused_and_nothing_else() {
        let with = |attribute| json!({ "MessageBody": "b", "MessageAttributes": { "a": attribute } });
        let table = [
            (json!({ "MessageBody": "line\n\ttext €" }), None),
            (json!({ "MessageBody": "" }), Some("MissingRequiredParameterException")),
            (json!({ "MessageBody": "bell \u{7}" }), Some("InvalidMessageContents")),
            (json!({ "MessageBody": "longer than ten" }), Some("InvalidParameterValueException")),
            (with(json!({ "DataType": "Number.int", "StringValue": "1" })), None),
            (
                with(json!({ "DataType": "Number", "StringValue": "one" })),
                Some("InvalidParameterValueException"),
            ),
            (with(json!({ "DataType": "Text", "StringValue": "1" })), Some("InvalidParameterValueException")),
            (
                with(json!({ "DataType": "String", "StringValue": "" })),
                Some("InvalidParameterValueException"),
            ),
        ];
        for (input, expected) in table {
            let most = if input["MessageBody"] == "longer than ten" { 10 } else { 100 };
            assert_eq!(message(&input, most).err().map(|fault| fault.shape).as_deref(), expected, "{input}");
        }
    }

    #[test]
    fn a_number_out_of_bounds_is_not_taken_for_one_left_out() {
        assert_eq!(number(&json!({}), "DelaySeconds", 0, 900), Ok(None));
        assert_eq!(number(&json!({ "DelaySeconds": 900 }), "DelaySeconds", 0, 900), Ok(Some(900)));
        assert!(number(&json!({ "DelaySeconds": -1 }), "DelaySeconds", 0, 900).is_err());
        assert!(number(&json!({ "DelaySeconds": 901 }), "DelaySeconds", 0, 900).is_err());
    }
}
