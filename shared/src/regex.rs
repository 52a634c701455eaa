//! Regular expressions of `releases.yaml`, compiled within bounds.

use regex_lite::{Regex, RegexBuilder};

/// In bytes, compiled; as many as some thousand characters take. `.{200000}` takes tens of
/// milliseconds to compile, and far longer to be held against an answer.
const LARGEST: usize = 256 * 1024;

/// Fails with what is wrong with the expression.
pub(crate) fn regex(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text).size_limit(LARGEST).build().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_that_repeats_too_much_is_refused() {
        assert!(regex("[0-9a-f]{40}|v(\\d{1,9}\\.){1,200}").is_ok());
        for large in [".{200000}", "(.{1000}){1000}", "(((a{50}){50}){50}){50}"] {
            assert!(regex(large).is_err(), "{large}");
        }
    }
}
