//! `-- sluice: allow <rule> <reason>` above a statement, in it, or at the end of its line.

use shared::migration_rule::Rule;

use super::split::Comment;

/// What the comments of one statement allow, and what is wrong with them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Comments {
    pub(super) rules: Vec<Allowed>,
    /// Line and what is wrong: an allowance that does not allow is never ignored.
    pub(super) faults: Vec<(usize, String)>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Allowed {
    pub(super) rule: Rule,
    pub(super) reason: String,
}

pub(super) fn read(comments: &[Comment]) -> Comments {
    let mut all = Comments::default();
    for comment in comments {
        match directive(&comment.text) {
            None => {}
            Some(Ok(allowed)) => all.rules.push(allowed),
            Some(Err(why)) => all.faults.push((comment.line, why)),
        }
    }
    all
}

/// Whether a comment speaks to Sluice at all.
pub(super) fn addressed(comment: &str) -> bool {
    words_for_sluice(comment).is_some()
}

fn words_for_sluice(comment: &str) -> Option<&str> {
    let comment = comment.trim_start();
    let (who, rest) = comment.split_at_checked("sluice".len())?;
    let rest = rest.trim_start().strip_prefix(':')?;
    who.eq_ignore_ascii_case("sluice").then_some(rest)
}

fn directive(comment: &str) -> Option<Result<Allowed, String>> {
    let rest = words_for_sluice(comment)?.trim();
    let mut words = rest.splitn(3, char::is_whitespace);
    let (verb, rule) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let reason = words.next().unwrap_or_default().trim();
    if verb != "allow" {
        return Some(Err(format!(
            "'{verb}' is nothing that Sluice knows; write: sluice: allow <rule> <reason>"
        )));
    }
    let Some(known) = Rule::parse(rule) else {
        return Some(Err(format!("there is no rule '{rule}' to allow")));
    };
    if reason.is_empty() {
        return Some(Err(format!("{known} is allowed without a reason; write one behind the rule")));
    }
    Some(Ok(Allowed { rule: known, reason: reason.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Comments {
        read(&[Comment { line: 3, text: text.to_owned() }])
    }

    #[test]
    fn an_allowance_has_a_rule_and_a_reason() {
        let allowed = one(" sluice: allow drop-table nobody reads it since 2.4 ");
        assert!(allowed.faults.is_empty());
        assert_eq!(
            allowed.rules,
            [Allowed { rule: Rule::DropTable, reason: "nobody reads it since 2.4".to_owned() }]
        );
    }

    #[test]
    fn an_allowance_that_does_not_allow_is_told() {
        for (text, says) in [
            ("sluice: allow drop-table", "without a reason"),
            ("Sluice : allow drop-table   ", "without a reason"),
            ("sluice: allow drop-tables for good", "no rule 'drop-tables'"),
            ("sluice: permit drop-table for good", "'permit' is nothing"),
            ("sluice:", "is nothing"),
        ] {
            let read = one(text);
            assert!(read.rules.is_empty(), "{text}");
            assert!(read.faults.len() == 1 && read.faults[0].1.contains(says), "{text}: {read:?}");
        }
    }

    #[test]
    fn other_comments_say_nothing_to_sluice() {
        for text in ["the sluice: allow drop-table x", "sluiced: yes", "", "slüice: allow"] {
            assert_eq!(one(text), Comments::default(), "{text}");
        }
    }
}
