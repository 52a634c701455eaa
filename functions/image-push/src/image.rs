//! The pushed image as ECR describes it: read once, however many services take it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use shared::aws::{Aws, Image, ImageId, Manifest, Scan};
use shared::events::ecr::ImageEvent;
use shared::image::{Digest, Platform, Pushed};
use tokio::sync::OnceCell;

/// How long a start waits to learn the platform.
const PATIENCE: Duration = Duration::from_secs(3);

/// Reads what is asked for, the first time that it is asked for.
pub struct PushedImage<'a> {
    aws: &'a Aws,
    pub repository: &'a str,
    id: ImageId,
    manifest: OnceCell<Option<Manifest>>,
    described: OnceCell<Option<Image>>,
    scan: OnceCell<Scan>,
    platform: OnceCell<Option<Platform>>,
}

impl<'a> PushedImage<'a> {
    /// The image that the event names, by its digest where that is one.
    pub fn new(aws: &'a Aws, event: &'a ImageEvent) -> anyhow::Result<Self> {
        let id = match (event.digest.parse(), event.tags.first()) {
            (Ok(digest), _) => ImageId::Digest(digest),
            (Err(_), Some(tag)) => ImageId::Tag(tag.clone()),
            (Err(e), None) => return Err(e).context("the event names neither a digest nor a tag"),
        };
        Ok(Self {
            aws,
            repository: &event.repository,
            id,
            manifest: OnceCell::new(),
            described: OnceCell::new(),
            scan: OnceCell::new(),
            platform: OnceCell::new(),
        })
    }

    /// None if the image is gone. One round trip.
    pub async fn manifest(&self) -> anyhow::Result<Option<&Manifest>> {
        let read = self.manifest.get_or_try_init(|| self.aws.manifest(self.repository, &self.id));
        Ok(read.await?.as_ref())
    }

    /// None if the image is gone. One round trip after that for its manifest, on the same
    /// connection: at a function's first event connections are what costs.
    pub async fn described(&self) -> anyhow::Result<Option<&Image>> {
        let Some(manifest) = self.manifest().await? else { return Ok(None) };
        let id = ImageId::Digest(manifest.digest.clone());
        let read = self.described.get_or_try_init(|| self.aws.image(self.repository, &id));
        Ok(read.await?.as_ref())
    }

    /// The digest by ECR's word, once it has been asked.
    pub fn digest(&self) -> Option<&Digest> {
        self.manifest.get()?.as_ref().map(|manifest| &manifest.digest)
    }

    /// What scanning found, of all platforms together. One round trip more.
    pub async fn scan(&self) -> anyhow::Result<Option<&Scan>> {
        let Some(manifest) = self.manifest().await? else { return Ok(None) };
        let digests = match &manifest.pushed {
            Pushed::Index { platforms } => platforms.iter().map(|image| image.digest.as_str()).collect(),
            Pushed::Image { .. } | Pushed::Artifact(_) => vec![manifest.digest.as_str()],
        };
        self.scan.get_or_try_init(|| self.aws.scan(self.repository, &digests)).await.map(Some)
    }

    /// The platform of an image for one; two round trips more. That it cannot be read
    /// keeps nothing back: a task that cannot start shows in the canary.
    pub async fn platform(&self) -> Option<Platform> {
        let Ok(Some(Manifest { pushed: Pushed::Image { config }, .. })) = self.manifest().await else {
            return None;
        };
        let read = || async {
            let platform = tokio::time::timeout(PATIENCE, self.aws.platform(self.repository, config)).await;
            let platform = platform.unwrap_or_else(|_| bail!("not told within {PATIENCE:?}"));
            platform.inspect_err(|e| tracing::warn!("the image's platform is unknown: {e:#}")).ok()
        };
        self.platform.get_or_init(read).await.clone()
    }
}
