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
    /// Where that image is; unknown where only the digest is.
    pub repository: Option<String>,
    pub state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Active,
    Succeeded,
    /// Failed or stopped, with what AWS says of it.
    Rejected(String),
}

impl Deployment {
    /// Whether this image was deployed by it. One digest may lie in two repositories, for
    /// two containers of a service.
    pub fn is_of(&self, repository: &str, digest: &Digest) -> bool {
        let here = self.repository.as_ref().is_none_or(|r| repository.starts_with(r.as_str()));
        self.digest.as_ref() == Some(digest) && here
    }
}

/// The text that a deployment carries: its record of what it deploys and why.
pub fn description(repository: &str, digest: &Digest, reason: &str) -> String {
    let whole = format!("sluice {digest} of {repository}: {reason}");
    whole.chars().take(LONGEST).collect()
}

/// The text that a rollback by Sluice carries: of the image that is to be live again. The
/// reason begins with the deployment that is taken back.
pub fn rollback_description(image: Option<(&str, &Digest)>, reason: &str) -> String {
    let reason = format!("{ROLLBACK}{}", reason.strip_prefix(ROLLBACK).unwrap_or(reason));
    match image {
        Some((repository, digest)) => description(repository, digest, &reason),
        None => format!("sluice {reason}").chars().take(LONGEST).collect(),
    }
}

/// What a rollback's reason begins with.
const ROLLBACK: &str = "rollback of ";

/// The deployment that a description says Sluice rolls back; none if it says no such thing.
pub fn rolled_back(description: &str) -> Option<&str> {
    let whole = reason(description)?.strip_prefix(ROLLBACK)?;
    Some(whole.split([':', ' ']).next().unwrap_or(whole))
}

/// Why Sluice started a deployment, by its description.
pub fn reason(description: &str) -> Option<&str> {
    let rest = description.strip_prefix("sluice ")?;
    match described(description) {
        Some(_) => rest.split_once(": ").map(|(_, reason)| reason),
        None => Some(rest),
    }
}

/// The digest that a deployment says it deploys, and its repository (the beginning of its
/// name, if that is very long), if Sluice started it.
pub fn described(description: &str) -> Option<(Digest, String)> {
    let (digest, rest) = description.strip_prefix("sluice ")?.split_once(" of ")?;
    let repository = rest.split_once(':').map_or(rest, |(repository, _)| repository);
    Some((digest.parse().ok()?, repository.to_owned()))
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
        for (repository, reason) in
            [("api", "tag v1"), ("team/api", &"é".repeat(400)), (&"r".repeat(256), "")]
        {
            let text = description(repository, &digest(), reason);
            assert!(text.chars().count() <= 256, "{text}");
            let (digest, repository_given) = described(&text).unwrap();
            let deployment = Deployment {
                id: String::new(),
                digest: Some(digest.clone()),
                repository: Some(repository_given),
                state: State::Active,
            };
            assert!(deployment.is_of(repository, &digest) && !deployment.is_of("web", &digest));
        }
        assert_eq!(described("a release by hand"), None);
        assert_eq!(described("sluice sha256:short of api: x"), None);
    }

    #[test]
    fn a_rollback_is_known_by_its_description() {
        let image = digest();
        for image in [None, Some(("team/api", &image))] {
            let text = rollback_description(image, &format!("d-1: alarm {}", "x".repeat(300)));
            assert_eq!(rolled_back(&text), Some("d-1"), "{text}");
            assert!(text.chars().count() <= 256, "{text}");
            assert_eq!(described(&text).is_some(), image.is_some());
        }
        let twice = rollback_description(None, "rollback of d-1: alarm");
        assert_eq!(twice, "sluice rollback of d-1: alarm");
        for text in ["", "a rollback of d-1", &description("api", &digest(), "tag rollback of x")] {
            assert_eq!(rolled_back(text), None, "{text}");
        }
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
