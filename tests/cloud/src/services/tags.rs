//! Tags in the two forms that inputs have: a list of keys and values, and a map.

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub type Tags = BTreeMap<String, String>;

/// Of `[{"Key": …, "Value": …}]`.
pub fn from_list(list: &Value) -> Tags {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.as_array().into_iter().flatten().map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect()
}

/// The list again.
pub fn to_list(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// Of `{key: value}`; also of any other map of texts.
pub fn from_map(map: &Value) -> Tags {
    let entries = map.as_object().into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// Takes off the tags whose keys a list names.
pub fn remove(tags: &mut Tags, keys: &Value) {
    let keys = keys.as_array().map(Vec::as_slice).unwrap_or_default();
    tags.retain(|key, _| !keys.iter().any(|gone| gone == key.as_str()));
}
