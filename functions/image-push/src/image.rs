//! The pushed image as ECR describes it: read once, however many services take it.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures_util::future::try_join;
use shared::aws::{Aws, Image, ImageId, Scan};
use shared::events::ecr::ImageEvent;
use shared::image::{Digest, Platform, Pushed};
use tokio::sync::OnceCell;

/// How long a start waits to learn the platform.
const PATIENCE: Duration = Duration::from_secs(3);

/// The image, and what kind of thing was pushed.
#[derive(Debug)]
pub struct Read {
    pub image: Image,
    pub pushed: Pushed,
}

/// Reads what is asked for, the first time that it is asked for.
pub struct PushedImage<'a> {
    aws: &'a Aws,
    pub repository: &'a str,
    id: ImageId,
    read: OnceCell<Option<Read>>,
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
            read: OnceCell::new(),
            scan: OnceCell::new(),
            platform: OnceCell::new(),
        })
    }

    /// None if the image is gone. One round trip.
    pub async fn read(&self) -> anyhow::Result<Option<&Read>> {
        let read = self.read.get_or_try_init(|| async {
            let described = self.aws.image(self.repository, &self.id);
            let manifest = self.aws.manifest(self.repository, &self.id);
            let (image, pushed) = try_join(described, manifest).await?;
            anyhow::Ok(image.zip(pushed).map(|(image, pushed)| Read { image, pushed }))
        });
        let read = read.await?.as_ref();
        if let (Some(read), ImageId::Digest(asked)) = (read, &self.id) {
            ensure!(
                read.image.digest == *asked,
                "asked for {asked}, ECR answered with {}",
                read.image.digest
            );
        }
        Ok(read)
    }

    /// The digest by ECR's word, once it has been asked.
    pub fn digest(&self) -> Option<&Digest> {
        self.read.get()?.as_ref().map(|read| &read.image.digest)
    }

    /// What scanning found, of all platforms together. One round trip more.
    pub async fn scan(&self) -> anyhow::Result<Option<&Scan>> {
        let Some(Read { image, pushed }) = self.read().await? else { return Ok(None) };
        let digests = match pushed {
            Pushed::Index { platforms } => platforms.iter().map(|image| image.digest.as_str()).collect(),
            Pushed::Image { .. } | Pushed::Artifact(_) => vec![image.digest.as_str()],
        };
        self.scan.get_or_try_init(|| self.aws.scan(self.repository, &digests)).await.map(Some)
    }

    /// The platform of an image for one; two round trips more. That it cannot be read
    /// keeps nothing back: a task that cannot start shows in the canary.
    pub async fn platform(&self) -> Option<Platform> {
        let Ok(Some(Read { pushed: Pushed::Image { config }, .. })) = self.read().await else { return None };
        let read = || async {
            let platform = tokio::time::timeout(PATIENCE, self.aws.platform(self.repository, config)).await;
            let platform = platform.unwrap_or_else(|_| bail!("not told within {PATIENCE:?}"));
            platform.inspect_err(|e| tracing::warn!("the image's platform is unknown: {e:#}")).ok()
        };
        self.platform.get_or_init(read).await.clone()
    }
}
