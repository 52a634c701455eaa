//! ECR: an image as the registry describes it.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use aws_sdk_ecr::types::{
    DescribeImagesFilter, FindingSeverity, ImageDetail, ImageIdentifier, ScanStatus, TagStatus,
};
use jiff::Timestamp;

use super::{Aws, Missing, PATIENCE, WebRequest, failed, timestamp};
use crate::config::Severity;
use crate::image::{Digest, Platform, Pushed};

/// How an image is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageId {
    Digest(Digest),
    Tag(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub digest: Digest,
    /// In alphabetical order.
    pub tags: Vec<String>,
    pub pushed_at: Timestamp,
    /// The account whose registry it is in.
    pub registry_id: String,
}

/// What a manifest tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    pub digest: Digest,
    pub pushed: Pushed,
}

/// What scanning says of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scan {
    /// Not begun, or not finished.
    Pending,
    Done(BTreeMap<Severity, u64>),
    /// There will be no result; what ECR says.
    Impossible(String),
}

/// An image's configuration is a few kilobytes; nothing larger is read.
const LARGEST_CONFIG: usize = 1 << 20;

/// DescribeImages gives so many at once.
const PAGE: i32 = 1_000;

impl Image {
    fn narrowed(detail: &ImageDetail) -> anyhow::Result<Self> {
        let mut tags = detail.image_tags().to_vec();
        tags.sort();
        Ok(Self {
            digest: detail.image_digest().ok_or(Missing("imageDigest"))?.parse()?,
            tags,
            pushed_at: detail.image_pushed_at().and_then(timestamp).ok_or(Missing("imagePushedAt"))?,
            registry_id: detail.registry_id().ok_or(Missing("registryId"))?.to_owned(),
        })
    }
}

impl ImageId {
    fn sdk(&self) -> ImageIdentifier {
        match self {
            Self::Digest(digest) => ImageIdentifier::builder().image_digest(digest.as_str()).build(),
            Self::Tag(tag) => ImageIdentifier::builder().image_tag(tag).build(),
        }
    }
}

impl std::fmt::Display for ImageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Digest(digest) => write!(f, "@{digest}"),
            Self::Tag(tag) => write!(f, ":{tag}"),
        }
    }
}

impl Aws {
    /// None if the repository has no such image (any more).
    pub async fn image(&self, repository: &str, id: &ImageId) -> anyhow::Result<Option<Image>> {
        let call = self.ecr.describe_images().repository_name(repository).image_ids(id.sdk());
        let answer = match call.send().await {
            Err(e) if e.as_service_error().is_some_and(|e| e.is_image_not_found_exception()) => {
                return Ok(None);
            }
            other => other.map_err(failed(format!("describing the image {repository}{id}")))?,
        };
        answer.image_details().first().map(Image::narrowed).transpose()
    }

    /// All images of a repository that have a tag, in no order.
    pub async fn tagged_images(&self, repository: &str) -> anyhow::Result<Vec<Image>> {
        let (mut images, mut token) = (Vec::new(), None);
        loop {
            let tagged = DescribeImagesFilter::builder().tag_status(TagStatus::Tagged).build();
            let call = self.ecr.describe_images().repository_name(repository).filter(tagged);
            let answer = call.max_results(PAGE).set_next_token(token).send().await;
            let answer = answer.map_err(failed(format!("listing the images of {repository}")))?;
            for detail in answer.image_details() {
                images.push(Image::narrowed(detail)?);
            }
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(images);
            }
        }
    }

    /// The manifest of an image; none if it is gone.
    pub async fn manifest(&self, repository: &str, id: &ImageId) -> anyhow::Result<Option<Manifest>> {
        let call = self.ecr.batch_get_image().repository_name(repository).image_ids(id.sdk());
        let what = || format!("reading the manifest of {repository}{id}");
        let answer = call.send().await.map_err(failed(what()))?;
        let Some(image) = answer.images().first() else { return Ok(None) };
        let text = image.image_manifest().ok_or(Missing("imageManifest")).with_context(what)?;
        let digest = image.image_id().and_then(|id| id.image_digest());
        let digest = digest.ok_or(Missing("imageDigest")).with_context(what)?.parse()?;
        Ok(Some(Manifest { digest, pushed: Pushed::from_manifest(text).with_context(what)? }))
    }

    /// What scanning found in all of `digests`, which are one image for several platforms.
    pub async fn scan(&self, repository: &str, digests: &[&str]) -> anyhow::Result<Scan> {
        let mut all = BTreeMap::new();
        for digest in digests {
            match self.scan_one(repository, digest).await? {
                Scan::Done(counts) => {
                    counts.into_iter().for_each(|(severity, n)| *all.entry(severity).or_default() += n);
                }
                other => return Ok(other),
            }
        }
        Ok(Scan::Done(all))
    }

    async fn scan_one(&self, repository: &str, digest: &str) -> anyhow::Result<Scan> {
        let id = ImageIdentifier::builder().image_digest(digest).build();
        let call = self.ecr.describe_image_scan_findings().repository_name(repository).image_id(id);
        let answer = match call.max_results(1).send().await {
            Err(e) if e.as_service_error().is_some_and(|e| e.is_scan_not_found_exception()) => {
                return Ok(Scan::Pending);
            }
            other => other.map_err(failed(format!("reading the scan of {repository}@{digest}")))?,
        };
        let status = answer.image_scan_status();
        match status.and_then(|status| status.status()) {
            Some(ScanStatus::Complete | ScanStatus::Active) => {}
            Some(ScanStatus::InProgress | ScanStatus::Pending) | None => return Ok(Scan::Pending),
            Some(other) => {
                let description = status.and_then(|status| status.description()).unwrap_or_default();
                return Ok(Scan::Impossible(format!("{other} {description}").trim().to_owned()));
            }
        }
        let counts = answer.image_scan_findings().and_then(|findings| findings.finding_severity_counts());
        let counts = counts.into_iter().flatten();
        Ok(Scan::Done(counts.filter_map(|(s, n)| Some((severity(s)?, u64::try_from(*n).ok()?))).collect()))
    }

    /// The platform that the configuration of an image names. Two round trips: ECR gives a
    /// link, and what is behind it is fetched.
    pub async fn platform(&self, repository: &str, config: &str) -> anyhow::Result<Platform> {
        let call = self.ecr.get_download_url_for_layer().repository_name(repository).layer_digest(config);
        let what = || format!("reading the configuration {config} of an image in {repository}");
        let answer = call.send().await.map_err(failed(what()))?;
        let url = answer.download_url().ok_or(Missing("downloadUrl"))?;
        let body = self.fetch(url).await.with_context(what)?;
        serde_json::from_slice(&body).with_context(what)
    }

    /// GET of a signed link, through the clients' own connection pool.
    async fn fetch(&self, url: &str) -> anyhow::Result<Vec<u8>> {
        let (method, url) = ("GET", url.to_owned());
        let request = WebRequest { method, url, headers: Vec::new(), body: String::new() };
        // The link is a secret of its own: errors name the host alone.
        let host = request.url.split('/').nth(2).unwrap_or_default();
        let answer = self.web().send(&request, PATIENCE).await;
        let answer = answer.map_err(|e| anyhow::anyhow!("{e} at {host}"))?;
        match answer.status {
            200 if answer.body.len() <= LARGEST_CONFIG => Ok(answer.body),
            200 => bail!("{} bytes are no image configuration", answer.body.len()),
            status => bail!("{host} answered {status}"),
        }
    }
}

/// By its text: the SDK's enumeration lacks some that ECR gives.
fn severity(name: &FindingSeverity) -> Option<Severity> {
    Some(match name.as_str() {
        "CRITICAL" => Severity::Critical,
        "HIGH" => Severity::High,
        "MEDIUM" => Severity::Medium,
        "LOW" => Severity::Low,
        "INFORMATIONAL" => Severity::Informational,
        "UNTRIAGED" => Severity::Untriaged,
        "UNDEFINED" => Severity::Undefined,
        _ => return None,
    })
}
