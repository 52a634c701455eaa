//! The calls that functions made, a line of JSON each, in the file that `SLUICE_CALLS` names:
//! what a function's policy must allow is read from there (`tests/template`).
//!
//! A function is known by its access key, `ASIAFN` and its name, as Lambda's own begin.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};

const FUNCTION_KEY: &str = "ASIAFN";

struct Calls {
    file: File,
    /// Of lines that are there: the same call says nothing new.
    written: HashSet<u64>,
}

/// Notes a call, if it is a function's and calls are wanted.
pub(crate) fn note(service: &str, operation: &str, caller: &str, input: &Value) {
    let Some(function) = caller.strip_prefix(FUNCTION_KEY) else { return };
    let Some(calls) = wanted() else { return };
    let line = json!({ "function": function, "service": service, "operation": operation, "input": input });
    let line = format!("{line}\n");
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
    if calls.written.insert(hasher.finish()) {
        // One write a line: tests append to it side by side.
        calls.file.write_all(line.as_bytes()).unwrap_or_else(|e| panic!("SLUICE_CALLS: {e}"));
    }
}

fn wanted() -> Option<&'static Mutex<Calls>> {
    static CALLS: OnceLock<Option<Mutex<Calls>>> = OnceLock::new();
    let open = || {
        let path = std::env::var_os("SLUICE_CALLS")?;
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.unwrap_or_else(|e| panic!("SLUICE_CALLS={}: {e}", path.display()));
        Some(Mutex::new(Calls { file, written: HashSet::new() }))
    };
    CALLS.get_or_init(open).as_ref()
}
