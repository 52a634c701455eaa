//! The MD5 digests that clients verify: of a message's body and of its attributes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde_json::Value;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn of_body(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

/// As the developer guide defines it for message attributes and system attributes;
/// `None` without any.
pub fn of_attributes(attributes: &Value) -> Option<String> {
    let attributes = attributes.as_object().filter(|a| !a.is_empty())?;
    let mut names: Vec<_> = attributes.keys().collect();
    names.sort();
    let mut hash = Md5::new();
    for name in names {
        let attribute = &attributes[name];
        let kind = attribute["DataType"].as_str().unwrap_or_default();
        let binary = attribute["BinaryValue"].as_str().map(|text| STANDARD.decode(text).unwrap_or_default());
        let value = binary.as_deref().or_else(|| attribute["StringValue"].as_str().map(str::as_bytes));
        part(&mut hash, name.as_bytes());
        part(&mut hash, kind.as_bytes());
        hash.update([if binary.is_some() { 2 } else { 1 }]);
        part(&mut hash, value.unwrap_or_default());
    }
    Some(hex(&hash.finalize()))
}

fn part(hash: &mut Md5, bytes: &[u8]) {
    hash.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{of_attributes, of_body};

    #[test]
    fn digests_are_those_that_clients_verify() {
        assert_eq!(of_body("hello"), "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(of_attributes(&json!({})), None);
        // By a second implementation of the developer guide's description.
        let attributes = json!({
            "b": { "DataType": "Binary", "BinaryValue": "AQI=" }, "a": { "DataType": "String", "StringValue": "x" },
        });
        assert_eq!(of_attributes(&attributes).unwrap(), "3e9b4c785db2deb306cf4009ae214dab");
    }
}
