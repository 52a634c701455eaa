//! Images: digests, tags, the references that task definitions hold, and what a manifest
//! says about what was pushed.

use std::fmt;
use std::str::FromStr;

use regex_lite::Regex;
use serde::Deserialize;

use crate::regex::regex;

/// The digest of a manifest: `sha256:` and 64 hexadecimal digits. It alone names an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an image digest (sha256: and 64 hexadecimal digits)")]
pub struct NotADigest(String);

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let hex = text.strip_prefix("sha256:").unwrap_or_default();
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hex.len() == 64 && hex.bytes().all(lower_hex) {
            return Ok(Self(text.to_owned()));
        }
        Err(NotADigest(text.to_owned()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Digest {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Enough of it for people: `sha256:` and 12 digits.
    pub fn short(&self) -> &str {
        self.0.get(..19).unwrap_or(&self.0)
    }
}

/// A regular expression that a whole tag must match.
#[derive(Debug, Clone)]
pub struct TagPattern {
    text: String,
    whole: Regex,
}

impl TagPattern {
    /// Fails with what is wrong with the expression.
    pub fn new(text: &str) -> Result<Self, String> {
        // Alone first: `a)|(b` would become valid between the parentheses added here.
        regex(text)?;
        let whole = regex(&format!("^(?:{text})$"))?;
        Ok(Self { text: text.to_owned(), whole })
    }

    pub fn matches(&self, tag: &str) -> bool {
        self.whole.is_match(tag)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for TagPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// An image as a task definition names it: `[registry/]repository[:tag][@digest]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRef {
    /// Host and perhaps port; none means Docker Hub.
    pub registry: Option<String>,
    pub repository: String,
    pub tag: Option<String>,
    pub digest: Option<Digest>,
}

impl ImageRef {
    /// Reads any text that ECS takes; what looks wrong ends in the repository's name.
    pub fn parse(text: &str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, digest.parse().ok()),
            None => (text, None),
        };
        let (registry, path) = match rest.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (Some(host), path),
            _ => (None, rest),
        };
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None => (path, None),
        };
        Self { registry: registry.map(str::to_owned), repository: repository.to_owned(), tag, digest }
    }

    /// Whether this is an image of the ECR repository `repository`, in whatever registry.
    pub fn is_of(&self, repository: &str) -> bool {
        self.repository == repository && self.registry.as_deref().is_some_and(|host| host.contains(".dkr"))
    }
}

/// What was pushed, judged by its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// One image; its platform is in its configuration, at this digest.
    Image { config: String },
    /// An image for several platforms.
    Index { platforms: Vec<IndexedImage> },
    /// A signature, an attestation, an SBOM, a SOCI index: nothing that runs. What it is.
    Artifact(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedImage {
    pub digest: String,
    pub platform: Platform,
}

/// In OCI's terms: `linux`/`windows`, `amd64`/`arm64`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)
    }
}

/// The members of OCI's and Docker's manifests and indexes that tell them apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    artifact_type: Option<String>,
    subject: Option<serde::de::IgnoredAny>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    digest: String,
    platform: Option<Platform>,
}

const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

impl Pushed {
    /// Reads an image manifest or index, OCI's or Docker's.
    pub fn from_manifest(text: &str) -> Result<Self, serde_json::Error> {
        let manifest: Manifest = serde_json::from_str(text)?;
        if let Some(listed) = manifest.manifests {
            return Ok(Self::from_index(listed, manifest.artifact_type));
        }
        let config = manifest.config;
        let config_type = config.as_ref().map_or("", |config| config.media_type.as_str());
        if let Some(layer) = manifest.layers.iter().find(|layer| !is_file_system(&layer.media_type)) {
            return Ok(Self::Artifact(manifest.artifact_type.unwrap_or_else(|| layer.media_type.clone())));
        }
        match config {
            Some(config) if CONFIGS.contains(&config.media_type.as_str()) && manifest.subject.is_none() => {
                Ok(Self::Image { config: config.digest })
            }
            _ => Ok(Self::Artifact(manifest.artifact_type.unwrap_or_else(|| config_type.to_owned()))),
        }
    }

    /// Attestations stand in an index with the platform `unknown/unknown`.
    fn from_index(listed: Vec<Descriptor>, artifact_type: Option<String>) -> Self {
        let platforms: Vec<_> = listed
            .into_iter()
            .filter_map(|entry| Some(IndexedImage { digest: entry.digest, platform: entry.platform? }))
            .filter(|image| image.platform.os != "unknown")
            .collect();
        match artifact_type {
            Some(kind) => Self::Artifact(kind),
            None if platforms.is_empty() => Self::Artifact("an index without a runnable image".to_owned()),
            None => Self::Index { platforms },
        }
    }
}

/// Whether a layer is a part of a file system, as images have them.
fn is_file_system(media_type: &str) -> bool {
    ["application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs."]
        .iter()
        .any(|kind| media_type.starts_with(kind))
}

/// Whether a push is a companion of an image, by the names that cosign, notation and SOCI
/// give: `sha256-<64 hexadecimal digits>`, perhaps with `.sig`, `.att` or `.sbom`.
pub fn is_companion_tag(tag: &str) -> bool {
    let Some(rest) = tag.strip_prefix("sha256-") else { return false };
    let Some((hex, suffix)) = rest.split_at_checked(64) else { return false };
    hex.bytes().all(|b| b.is_ascii_hexdigit()) && (suffix.is_empty() || suffix.starts_with('.'))
}

/// Whether the artifact media type of an event or of ECR's description is that of an image.
/// Old pushes and Docker's own have none.
pub fn is_image_media_type(artifact_media_type: Option<&str>) -> bool {
    artifact_media_type.is_none_or(|kind| kind.is_empty() || CONFIGS.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_must_match_as_a_whole() {
        let pattern = TagPattern::new("[0-9a-f]{4}|main").unwrap();
        assert!(pattern.matches("09af") && pattern.matches("main"));
        assert!(!pattern.matches("09af1") && !pattern.matches("x09af") && !pattern.matches("main\n"));
        assert!(TagPattern::new("a)|(b").is_err(), "valid only between added parentheses");
        assert_eq!(pattern.as_str(), "[0-9a-f]{4}|main");
        assert_ne!(pattern, TagPattern::new("main").unwrap());
    }

    #[test]
    fn a_digest_is_64_lower_hexadecimal_digits() {
        let whole = format!("sha256:{}", "0f".repeat(32));
        let digest = whole.parse::<Digest>().unwrap();
        assert_eq!((digest.to_string(), digest.short()), (whole.clone(), "sha256:0f0f0f0f0f0f"));
        for wrong in ["", "sha256:", "sha256:0f", &whole.to_uppercase(), &whole.replace("256", "512")] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn references_are_taken_apart() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let text = format!("1.dkr.ecr.eu-west-1.amazonaws.com/team/api:v1@{digest}");
        let image = ImageRef::parse(&text);
        assert_eq!((image.repository.as_str(), image.tag.as_deref()), ("team/api", Some("v1")));
        assert_eq!(image.digest.as_ref().map(Digest::as_str), Some(digest.as_str()));
        assert!(image.is_of("team/api") && !image.is_of("api"));
        let port = ImageRef::parse("localhost:5000/api");
        assert_eq!((port.registry.as_deref(), port.tag), (Some("localhost:5000"), None));
        let hub = ImageRef::parse("nginx:1.27");
        assert_eq!(
            (hub.registry, hub.repository.as_str(), hub.tag.as_deref()),
            (None, "nginx", Some("1.27"))
        );
        assert!(!ImageRef::parse("nginx").is_of("nginx"), "Docker Hub's, not ECR's");
        for (text, registry, repository) in
            [("grafana/loki", None, "grafana/loki"), ("localhost/api:1", Some("localhost"), "api")]
        {
            let image = ImageRef::parse(text);
            assert_eq!((image.registry.as_deref(), image.repository.as_str()), (registry, repository));
        }
    }

    #[test]
    fn companions_are_not_images() {
        let signed = r#"{"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:c"},
            "layers":[{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json"}]}"#;
        let sbom = r#"{"artifactType":"text/sbom+json","config":{"mediaType":"application/vnd.oci.empty.v1+json"},
            "layers":[]}"#;
        let referrer = r#"{"config":{"mediaType":"application/vnd.oci.image.config.v1+json"},
            "layers":[],"subject":{"digest":"sha256:a"}}"#;
        let attestations = r#"{"manifests":[{"platform":{"os":"unknown","architecture":"unknown"}}]}"#;
        let soci = r#"{"artifactType":"application/vnd.amazon.soci.index.v1+json","manifests":[]}"#;
        for text in [signed, sbom, referrer, attestations, soci] {
            assert!(matches!(Pushed::from_manifest(text), Ok(Pushed::Artifact(_))), "{text}");
        }
        let hex = "a".repeat(64);
        assert!(is_companion_tag(&format!("sha256-{hex}")) && is_companion_tag(&format!("sha256-{hex}.sig")));
        let odd = format!("sha256-{}é", "a".repeat(63));
        let (word, longer) = (format!("sha256-{}", "word".repeat(16)), format!("sha256-{hex}a"));
        for tag in [&hex, "sha256-abc", "v1", &odd, &word, &longer] {
            assert!(!is_companion_tag(tag), "{tag}");
        }
    }

    #[test]
    fn an_artifact_says_what_it_is() {
        let image = "application/vnd.docker.container.image.v1+json";
        assert!([None, Some(""), Some(image)].into_iter().all(is_image_media_type));
        assert!(!is_image_media_type(Some("application/vnd.dev.cosign.artifact.sig.v1+json")));
    }

    #[test]
    fn images_and_indexes_are_images() {
        let docker = r#"{"config":{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"sha256:c"},
            "layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip"}]}"#;
        assert_eq!(Pushed::from_manifest(docker).unwrap(), Pushed::Image { config: "sha256:c".into() });
        let index = r#"{"manifests":[{"digest":"sha256:1","platform":{"os":"linux","architecture":"arm64"}},
            {"digest":"sha256:2","platform":{"os":"unknown","architecture":"unknown"}}]}"#;
        let Pushed::Index { platforms } = Pushed::from_manifest(index).unwrap() else { panic!() };
        assert_eq!(platforms.iter().map(|p| p.platform.to_string()).collect::<Vec<_>>(), ["linux/arm64"]);
    }
}
