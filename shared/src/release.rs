//! Releases of a service: what earlier deployments say, how a new one describes itself, and
//! the hold that a person may have put on the service.

use jiff::Timestamp;

use crate::image::Digest;

/// CodeDeploy's limit on a deployment's description.
const LONGEST: usize = 256;

/// A deployment of a service, whoever started it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// CodeDeploy's id, or the ARN of an ECS service deployment.
    pub id: String,
    /// What it deployed; unknown where somebody else started it.
    pub digest: Option<Digest>,
    pub state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Active,
    Succeeded,
    /// Failed or stopped, with what AWS says of it.
    Rejected(String),
}

/// The text that a deployment carries: its record of what it deploys and why.
pub fn description(digest: &Digest, reason: &str) -> String {
    let whole = format!("sluice {digest} {reason}");
    whole.chars().take(LONGEST).collect()
}

/// The digest that a deployment says it deploys, if Sluice started it.
pub fn described_digest(description: &str) -> Option<Digest> {
    description.strip_prefix("sluice ")?.split(' ').next()?.parse().ok()
}

/// A person's stop of all releases of a service: the tag `sluice:hold`, as
/// `until=<RFC 3339> by=<who> why=<text>`; each part may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub text: String,
    /// None: until the tag is removed.
    pub until: Option<Timestamp>,
}

impl Hold {
    /// Reads the tag's value. What cannot be read holds until the tag is removed.
    pub fn parse(value: &str) -> Self {
        let until = value.split_whitespace().find_map(|part| part.strip_prefix("until="));
        Self { text: value.trim().to_owned(), until: until.and_then(|text| text.parse().ok()) }
    }

    pub fn is_on(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest() -> Digest {
        format!("sha256:{}", "ab".repeat(32)).parse().unwrap()
    }

    #[test]
    fn a_description_fits_and_gives_its_digest_back() {
        for reason in ["tag v1", &"é".repeat(400)] {
            let text = description(&digest(), reason);
            assert!(text.chars().count() <= 256, "{text}");
            assert_eq!(described_digest(&text), Some(digest()));
        }
        assert_eq!(described_digest("a release by hand"), None);
        assert_eq!(described_digest("sluice sha256:short"), None);
    }

    #[test]
    fn a_hold_ends_at_its_time_or_with_its_tag() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let hold = Hold::parse("until=2026-11-22T10:00:00Z by=anna why=the database moves");
        assert!(hold.is_on(at("2026-11-22T09:59:59Z")) && !hold.is_on(at("2026-11-22T10:00:00Z")));
        for text in ["", "by=anna", "until=tomorrow"] {
            assert!(Hold::parse(text).is_on(at("2036-01-01T00:00:00Z")), "{text}");
        }
    }
}
