//! Image manifests and indexes, Docker's and OCI's: what they are and refer to.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::Fault;

use super::invalid;

pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// What a manifest says, reduced to what ECR acts on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Manifest {
    pub media_type: String,
    /// `artifactType`, or the configuration's media type; an index mostly has neither.
    pub artifact_media_type: Option<String>,
    /// The configuration; an index has none.
    pub config: Option<Descriptor>,
    /// Layers that have to be in the repository.
    pub layers: Vec<Descriptor>,
    /// What an index refers to.
    pub children: Vec<Descriptor>,
    /// Digest of the image that this artifact (a signature, an SBOM) is about.
    pub subject: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Where a foreign layer is to be had; it need not be in the registry.
    #[serde(default, skip_serializing)]
    pub urls: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Platform {
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub os: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    schema_version: u8,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
}

impl Manifest {
    /// `media_type` is the one of the request; a manifest that names none needs it.
    pub fn parse(text: &str, media_type: Option<&str>) -> Result<Self, Fault> {
        let bad_syntax = || invalid("ImageManifest", "Invalid JSON syntax");
        let value: Value = serde_json::from_str(text).map_err(|_| bad_syntax())?;
        if value["schemaVersion"] == 1 {
            return Err(Fault::not_modelled("ecr:PutImage of a Docker schema 1 manifest"));
        }
        let manifest: Text = serde_json::from_value(value).map_err(|_| bad_syntax())?;
        let media_type = match (manifest.media_type.as_deref(), media_type) {
            (Some(own), Some(given)) if own != given => {
                let text = format!("media type of the manifest is '{own}', not '{given}'");
                return Err(invalid("ImageManifestMediaType", &text));
            }
            (Some(known), _) | (None, Some(known)) => known.to_owned(),
            // What ECR says to an OCI manifest without a media type.
            (None, None) => return Err(bad_syntax()),
        };
        if manifest.schema_version != 2 {
            return Err(bad_syntax());
        }
        match media_type.as_str() {
            DOCKER_MANIFEST | OCI_MANIFEST => Self::image(manifest, media_type),
            DOCKER_LIST | OCI_INDEX => Self::index(manifest, media_type),
            other => Err(Fault::not_modelled(format!("ecr:PutImage of a manifest of type '{other}'"))),
        }
    }

    fn image(text: Text, media_type: String) -> Result<Self, Fault> {
        let (Some(config), Some(layers)) = (text.config, text.layers) else {
            return Err(invalid("ImageManifest", "Invalid JSON syntax"));
        };
        Ok(Self {
            artifact_media_type: text.artifact_type.or_else(|| Some(config.media_type.clone())),
            config: Some(config),
            layers: layers.into_iter().filter(|layer| layer.urls.is_empty()).collect(),
            children: Vec::new(),
            subject: text.subject.map(|subject| subject.digest),
            media_type,
        })
    }

    fn index(text: Text, media_type: String) -> Result<Self, Fault> {
        let children = text.manifests.ok_or_else(|| invalid("ImageManifest", "Invalid JSON syntax"))?;
        Ok(Self {
            artifact_media_type: text.artifact_type,
            config: None,
            layers: Vec::new(),
            children,
            subject: text.subject.map(|subject| subject.digest),
            media_type,
        })
    }

    pub fn is_index(&self) -> bool {
        self.config.is_none()
    }

    /// Whether this is a container image for one platform: no index, signature or SBOM.
    pub fn is_image(&self) -> bool {
        self.config.as_ref().is_some_and(|c| matches!(c.media_type.as_str(), DOCKER_CONFIG | OCI_CONFIG))
            && self.artifact_media_type.as_deref().is_some_and(|t| matches!(t, DOCKER_CONFIG | OCI_CONFIG))
    }

    /// Digests of the blobs that have to be there, each once.
    pub fn blobs(&self) -> Vec<&Descriptor> {
        let mut blobs: Vec<&Descriptor> = Vec::new();
        for blob in self.config.iter().chain(&self.layers) {
            if !blobs.iter().any(|seen| seen.digest == blob.digest) {
                blobs.push(blob);
            }
        }
        blobs
    }
}
