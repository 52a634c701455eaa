//! Tests of `releases.yaml`'s reader and schema against each other.

use serde_json::json;

use super::*;

const EXAMPLE: &str = include_str!("../../../tests/releases.yaml");
const SCHEMA: &str = include_str!("../../releases.schema.json");

/// Who finds a fault: the reader does always.
#[derive(Debug, PartialEq)]
enum Found {
    BySchemaToo,
    ByReaderOnly,
    /// Before there is anything that a schema could be asked about.
    InTheYaml,
}
use Found::{ByReaderOnly, BySchemaToo, InTheYaml};

/// A change to the example, which makes the fault. Lines and columns are those of the example.
type Case = (Found, &'static str, &'static str, &'static str);

const CASES: &[Case] = &[];

fn faults(text: &str) -> String {
    Releases::parse(text, "f").map(|_| "none".to_owned()).unwrap_or_else(|faults| faults.to_string())
}

fn changed(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "{from}");
    EXAMPLE.replacen(from, to, 1)
}

fn as_json(text: &str) -> Option<serde_json::Value> {
    let root = tree::parse(text).ok()??;
    let context = cursor::Context::default();
    let json = cursor::Value::root(&root, &context).json();
    if context.into_faults().is_empty() { json } else { None }
}

#[test]
fn each_fault_is_told_with_its_place_and_the_way_out() {
    for (_, from, to, told) in CASES {
        assert_eq!(faults(&changed(from, to)), *told, "'{from}' as '{to}'");
    }
}
