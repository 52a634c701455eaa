//! What the cloud needs of a container image: the platform and what to run.

use serde::Serialize;

/// The `config` of an OCI image configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ImageConfig {
    pub architecture: String,
    pub os: String,
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    /// `NAME=value`
    pub environment: Vec<String>,
    pub working_directory: Option<String>,
}

/// An image reference resolved by ECR.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResolvedImage {
    pub repository: String,
    /// Digest of what the reference names: the manifest's, or the index's.
    pub digest: String,
    pub config: ImageConfig,
}
