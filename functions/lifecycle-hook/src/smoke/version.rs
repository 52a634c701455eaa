//! What is being deployed, as an answer may show it: old code must not pass for new.

use shared::image::Digest;

/// By what names the version that is being deployed may call itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deployed {
    pub digest: Option<Digest>,
    /// The image's tag; a commit's id, for many.
    pub tag: Option<String>,
}

/// An abbreviation of a commit's id is at least so long, as git's own are.
const SHORTEST: usize = 7;

impl Deployed {
    /// Whether what an answer shows is this version: its digest (with or without `sha256:`),
    /// its tag, or the beginning of either, where that is hexadecimal and not too short.
    pub fn is_shown(&self, shown: &str) -> bool {
        let shown = shown.trim();
        let hex = |text: &str| text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digest = self.digest.as_ref().map(|digest| digest.as_str());
        let by_digest = digest.is_some_and(|digest| {
            let bare = digest.trim_start_matches("sha256:");
            shown == digest || hex(shown) && bare.starts_with(&shown.to_lowercase())
        });
        let by_tag = self.tag.as_deref().is_some_and(|tag| {
            let is_commit = hex(tag) && hex(shown);
            shown == tag || is_commit && tag.to_lowercase().starts_with(&shown.to_lowercase())
        });
        by_digest || by_tag
    }

    /// As messages call it.
    pub fn name(&self) -> String {
        let digest = self.digest.as_ref().map(ToString::to_string);
        let names: Vec<_> = self.tag.clone().into_iter().chain(digest).collect();
        if names.is_empty() { "an image of no known tag or digest".to_owned() } else { names.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_known_by_digest_tag_and_commit() {
        let commit = "c03b7e5a94d2f81e6b0a7c35d9f4e2186a5b0cd3";
        let digest = format!("sha256:{}", "ab".repeat(32));
        let deployed = Deployed { digest: digest.parse().ok(), tag: Some(commit.into()) };
        for shown in
            [&digest[..], &digest[7..], &digest[7..19], commit, "c03b7e5", "C03B7E5A94", " c03b7e5a\n"]
        {
            assert!(deployed.is_shown(shown), "{shown}");
        }
        for shown in ["", "c03b7e", "5f1c9f1d6f0f", "abab", "sha256:abab", "c03b7e5a-dirty", "v2"] {
            assert!(!deployed.is_shown(shown), "{shown}");
        }
        let named = Deployed { digest: None, tag: Some("v1.2".into()) };
        assert!(named.is_shown("v1.2") && !named.is_shown("v1") && !named.is_shown("v1.20"));
        let year = Deployed { digest: None, tag: Some("20261121-2".into()) };
        assert!(!year.is_shown("20261121"), "not a commit: only the whole tag will do");
        assert!(!Deployed::default().is_shown(""));
    }
}
