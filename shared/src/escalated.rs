//! For which alarm people were called: the tag `sluice:escalated` of the revision that served,
//! as `<RFC 3339> <alarm>`. What nothing can be done about is told once.

use jiff::Timestamp;

use crate::aws::tag_value;

/// The tag's value for an alarm that is red since then.
pub fn value(alarm: &str, since: Timestamp) -> String {
    tag_value(&format!("{since} {alarm}"))
}
