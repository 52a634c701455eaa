//! References to secrets: `releases.yaml` names them, and only a check that runs reads them.

use std::fmt;

const PREFIX: &str = "secret:";
const LIKE: &str = "write it like secret:name or secret:name#field";

/// Text, at whose end a secret may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Comes before the secret's value.
    pub plain: String,
    pub secret: Option<SecretRef>,
}

/// A secret of Secrets Manager, or one field of it if it is a JSON object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef {
    /// The secret's name or ARN.
    pub name: String,
    pub field: Option<String>,
}

impl Text {
    /// Reads what may end in a reference, at its start or after a space. The text itself
    /// stays out of the error: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(start) = start_of_reference(text) else {
            return Ok(Self { plain: text.to_owned(), secret: None });
        };
        let (plain, reference) = text.split_at(start);
        if reference.contains(char::is_whitespace) {
            return Err(
                "goes on after the reference to a secret; put that at the end, as in 'Bearer secret:name'"
                    .to_owned(),
            );
        }
        let secret =
            SecretRef::parse(reference).ok_or_else(|| format!("is not a reference to a secret; {LIKE}"))?;
        Ok(Self { plain: plain.to_owned(), secret: Some(secret) })
    }
}

fn start_of_reference(text: &str) -> Option<usize> {
    if text.starts_with(PREFIX) {
        return Some(0);
    }
    // With a space after it, it is prose.
    let after_space = |at: &usize| text[..*at].ends_with(' ') && !text[at + PREFIX.len()..].starts_with(' ');
    text.match_indices(PREFIX).map(|(at, _)| at).find(after_space)
}

impl SecretRef {
    /// Reads text that is a reference and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let reference = text.strip_prefix(PREFIX)?;
        let (name, field) = match reference.split_once('#') {
            Some((name, field)) => (name, Some(field)),
            None => (reference, None),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-:".contains(c);
        let is_field = |field: &str| !field.is_empty() && !field.contains(char::is_whitespace);
        let right = !name.is_empty() && name.chars().all(is_name) && field.is_none_or(is_field);
        right.then(|| Self { name: name.to_owned(), field: field.map(str::to_owned) })
    }

    /// What is wrong with a string inside JSON, where only a whole one is a reference.
    pub(super) fn check(text: &str) -> Result<(), String> {
        if text.starts_with(PREFIX) && Self::parse(text).is_none() {
            return Err(format!("is not a reference to a secret; {LIKE}"));
        }
        Ok(())
    }
}

/// As `releases.yaml` writes it.
impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.name)?;
        self.field.as_ref().map_or(Ok(()), |field| write!(f, "#{field}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_in_a_reference_or_has_none() {
        let arn = "secret:arn:aws:secretsmanager:eu-west-1:123456789012:secret:api/token-AbCdEf";
        for (text, plain, secret) in [
            ("", "", None),
            ("plain", "plain", None),
            ("the secret: a b", "the secret: a b", None),
            ("xsecret:api", "xsecret:api", None),
            ("secret:api/token", "", Some("secret:api/token")),
            ("Bearer secret:api/token#field", "Bearer ", Some("secret:api/token#field")),
            (arn, "", Some(arn)),
        ] {
            let read = Text::parse(text).unwrap();
            assert_eq!(read.plain, plain);
            assert_eq!(read.secret.map(|secret| secret.to_string()).as_deref(), secret);
        }
    }

    #[test]
    fn what_only_looks_like_a_reference_is_told_and_never_repeated() {
        for wrong in
            ["secret:", "secret:#field", "secret:hunter2#", "Bearer secret:", "secret:hunter2 x", "secret:ä"]
        {
            let fault = Text::parse(wrong).unwrap_err();
            assert!(fault.contains("reference to a secret") && !fault.contains("hunter2"), "{wrong}");
        }
        assert!(SecretRef::check("secret:").is_err() && SecretRef::check("Bearer secret:").is_ok());
    }
}
