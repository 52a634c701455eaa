//! For which alarm people were called: the tag `sluice:escalated` of the revision that served,
//! as `<RFC 3339> <alarm>`. What nothing can be done about is told once.

use jiff::Timestamp;

use crate::aws::tag_value;

/// The tag's value for an alarm that is red since then.
pub fn value(alarm: &str, since: Timestamp) -> String {
    tag_value(&format!("{since} {alarm}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_is_named_with_the_time_since_when_it_is_red() {
        let since = "2026-11-20T12:00:00Z".parse().unwrap();
        assert_eq!(value("api-5xx", since), "2026-11-20T12:00:00Z api-5xx");
    }
}
