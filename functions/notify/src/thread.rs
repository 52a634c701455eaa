//! The tag `sluice:thread` of a revision: where the messages of its deployment are, and what
//! they say by now.
//!
//! `d-ABCDEFGHI deploy=C024BE91L/1767225600.000100/2@1767225700000 ops=webhook/-/5@1767225900000`

use std::collections::BTreeMap;
use std::fmt;

use shared::message::order::State;
use shared::message::route::Audience;

pub const TAG: &str = "sluice:thread";

/// A message in Slack, and the state that it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The channel's id, and the message's within it; none of what a webhook posted.
    pub at: Option<(String, String)>,
    pub state: State,
}

/// The messages of one deployment, by audience.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thread {
    deployment: String,
    places: BTreeMap<Audience, Place>,
}

impl Thread {
    /// Reads a tag's value. What is of another deployment of the revision, or cannot be read,
    /// is not there.
    pub fn read(value: Option<&str>, deployment: &str) -> Self {
        let mut parts = value.unwrap_or_default().split_whitespace();
        let mut thread = Self { deployment: deployment.to_owned(), places: BTreeMap::new() };
        if parts.next() == Some(deployment) {
            thread.places.extend(parts.filter_map(entry));
        }
        thread
    }

    pub fn place(&self, audience: Audience) -> Option<&Place> {
        self.places.get(&audience)
    }

    pub fn set(&mut self, audience: Audience, place: Place) {
        self.places.insert(audience, place);
    }
}

fn entry(text: &str) -> Option<(Audience, Place)> {
    let (name, rest) = text.split_once('=')?;
    let audience = [Audience::Deploy, Audience::Ops].into_iter().find(|a| a.as_str() == name)?;
    let mut parts = rest.split('/');
    let (channel, ts, state) = (parts.next()?, parts.next()?, parts.next()?.parse().ok()?);
    let at = (channel != "webhook").then(|| (channel.to_owned(), ts.to_owned()));
    Some((audience, Place { at, state }))
}

impl fmt::Display for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.deployment)?;
        for (audience, Place { at, state }) in &self.places {
            let (channel, ts) = at.as_ref().map_or(("webhook", "-"), |(c, ts)| (c.as_str(), ts.as_str()));
            write!(f, " {}={channel}/{ts}/{state}", audience.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_reads_back_and_fits_what_aws_takes() {
        let state = |text: &str| text.parse::<State>().unwrap();
        let mut thread = Thread::read(None, "d-ABCDEFGHI");
        let at = Some(("C024BE91L".to_owned(), "1767225600.000100".to_owned()));
        thread.set(Audience::Ops, Place { at: None, state: state("5@1767225900000") });
        thread.set(Audience::Deploy, Place { at, state: state("2@1767225700000") });
        let text = thread.to_string();
        let expected =
            "d-ABCDEFGHI deploy=C024BE91L/1767225600.000100/2@1767225700000 ops=webhook/-/5@1767225900000";
        assert_eq!(text, expected);
        assert_eq!(Thread::read(Some(&text), "d-ABCDEFGHI"), thread);
        assert!(
            text.len() <= 256 && text.chars().all(|c| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c))
        );
    }

    #[test]
    fn another_deployments_tag_and_nonsense_are_not_there() {
        for value in
            ["d-OTHER deploy=C1/1.1/1@1", "", "d-A", "d-A x=C1/1.1/1@1 deploy=C1/1.1 ops=C1/1.1/x ops"]
        {
            assert_eq!(Thread::read(Some(value), "d-A"), Thread::read(None, "d-A"), "{value}");
        }
    }
}
