//! Virtual time: milliseconds since the Unix epoch, and AWS's ways to write it.

use serde_json::{Number, Value};

/// Milliseconds since the Unix epoch, or a number of them.
pub type Ms = u64;

pub const SECOND: Ms = 1_000;
pub const MINUTE: Ms = 60 * SECOND;
pub const HOUR: Ms = 60 * MINUTE;
pub const DAY: Ms = 24 * HOUR;

/// A timestamp as the JSON protocols write it: epoch seconds with milliseconds.
/// In a [`Value`] that crosses the wire layer every timestamp has this form; the
/// layer turns it into ISO 8601 or a CBOR tag where a protocol wants that.
pub fn timestamp(at: Ms) -> Value {
    #[allow(clippy::cast_precision_loss)]
    Number::from_f64(at as f64 / 1000.0).map_or(Value::Null, Value::Number)
}

/// The reverse of [`timestamp`]; `None` if the value is no number.
pub fn from_timestamp(value: &Value) -> Option<Ms> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    value.as_f64().map(|seconds| (seconds * 1000.0).round() as Ms)
}

fn formatted(at: Ms, format: &str) -> String {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(at).unwrap_or(i64::MAX))
        .unwrap_or(jiff::Timestamp::MAX);
    at.to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string()
}

/// `2026-01-01T00:00:00.000Z`
pub fn iso(at: Ms) -> String {
    formatted(at, "%Y-%m-%dT%H:%M:%S.%3fZ")
}

/// `2026-01-01T00:00:00Z`, as in EventBridge's `time`.
pub fn iso_seconds(at: Ms) -> String {
    formatted(at, "%Y-%m-%dT%H:%M:%SZ")
}

/// `2026-01-01T00:00:00.000+0000`, as CloudWatch and Lambda write it.
pub fn iso_offset(at: Ms) -> String {
    formatted(at, "%Y-%m-%dT%H:%M:%S.%3f+0000")
}

/// `Thu, 01 Jan 2026 00:00:00 GMT`
pub fn http_date(at: Ms) -> String {
    formatted(at, "%a, %d %b %Y %H:%M:%S GMT")
}

/// Reads an ISO 8601 timestamp with a zone.
pub fn parse_iso(text: &str) -> Option<Ms> {
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok()
}
