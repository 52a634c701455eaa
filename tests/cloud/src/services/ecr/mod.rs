//! ECR: repositories, layers and images of this account's registry.
//!
//! An image's vulnerabilities are what its configuration's label
//! `sluice.cloud/findings` says, see [`scan`].

mod delete;
mod images;
#[cfg(test)]
pub(crate) mod kit;
mod layers;
mod lifecycle;
mod manifest;
mod pull;
mod push;
mod repositories;
mod scan;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;
use crate::services::events;
use crate::time::Ms;

use manifest::Manifest;

pub use pull::download;
pub(crate) use pull::{is_ours, resolve};

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    repositories: BTreeMap<String, Repository>,
    /// Numbers scans and lifecycle policies, for the timers to know theirs.
    count: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {
    Scanned { repository: String, digest: String, scan: u64 },
    Lifecycle { repository: String, policy: u64 },
}

#[derive(Debug, Clone, Serialize)]
struct Repository {
    name: String,
    created: Ms,
    tag_mutability: String,
    /// As they were given.
    exclusion_filters: Option<Value>,
    scan_on_push: bool,
    /// As it was given, or the default.
    encryption: Value,
    resource_tags: BTreeMap<String, String>,
    layers: BTreeMap<String, Layer>,
    uploads: BTreeMap<String, Upload>,
    images: BTreeMap<String, Image>,
    /// Image tag → digest.
    tags: BTreeMap<String, String>,
    lifecycle: Option<lifecycle::Applied>,
}

#[derive(Debug, Clone, Serialize)]
struct Layer {
    size: usize,
    /// As the first manifest that refers to it says.
    media_type: Option<String>,
    #[serde(skip)]
    bytes: Arc<[u8]>,
}

#[derive(Debug, Clone, Default, Serialize)]
struct Upload {
    part_sizes: Vec<usize>,
    #[serde(skip)]
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Serialize)]
struct Image {
    digest: String,
    manifest: Manifest,
    /// The manifest to the letter: its digest depends on it.
    text: String,
    pushed: Ms,
    size: u64,
    scan: Option<scan::Scan>,
}

pub(crate) fn call(cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    let input = call.input;
    let answer = match call.operation {
        "BatchCheckLayerAvailability" => layers::check(cloud, input),
        "BatchDeleteImage" => delete::batch(cloud, input),
        "BatchGetImage" => images::batch_get(cloud, input),
        "CompleteLayerUpload" => layers::complete(cloud, input),
        "CreateRepository" => repositories::create(cloud, input),
        "DeleteLifecyclePolicy" => lifecycle::delete(cloud, input),
        "DeleteRepository" => repositories::delete(cloud, input),
        "DescribeImageScanFindings" => scan::findings(cloud, input),
        "DescribeImages" => images::describe(cloud, input),
        "DescribeRepositories" => repositories::describe(cloud, input),
        "GetAuthorizationToken" => repositories::authorization_token(cloud, input),
        "GetDownloadUrlForLayer" => layers::download_url(cloud, input),
        "GetLifecyclePolicy" => lifecycle::get(cloud, input),
        "InitiateLayerUpload" => layers::initiate(cloud, input),
        "ListImages" => images::list(cloud, input),
        "ListTagsForResource" => tags::list(cloud, input),
        "PutImage" => push::put_image(cloud, input),
        "PutImageScanningConfiguration" => repositories::put_scanning(cloud, input),
        "PutImageTagMutability" => repositories::put_mutability(cloud, input),
        "PutLifecyclePolicy" => lifecycle::put(cloud, input),
        "StartImageScan" => scan::start(cloud, input),
        "TagResource" => tags::tag(cloud, input),
        "UntagResource" => tags::untag(cloud, input),
        "UploadLayerPart" => layers::upload_part(cloud, input),
        other => return Err(Fault::not_modelled(format!("ecr:{other}"))),
    };
    answer.map(Reply::Now)
}

pub(crate) fn fire(cloud: &mut Cloud, timer: Timer) {
    match timer {
        Timer::Scanned { repository, digest, scan } => scan::finish(cloud, &repository, &digest, scan),
        Timer::Lifecycle { repository, policy } => lifecycle::evaluate(cloud, &repository, policy),
    }
}

impl Repository {
    fn image_tags(&self, digest: &str) -> Vec<&str> {
        self.tags.iter().filter(|(_, d)| *d == digest).map(|(tag, _)| tag.as_str()).collect()
    }

    /// Whether an index refers to this image.
    fn is_referenced(&self, digest: &str) -> bool {
        self.images.values().any(|image| image.manifest.children.iter().any(|child| child.digest == digest))
    }

    /// The image that a tag, a digest, or both name.
    fn find(&self, id: &ImageId) -> Option<&Image> {
        let by_tag = match &id.tag {
            Some(tag) => Some(self.tags.get(tag)?),
            None => None,
        };
        let digest = match (&id.digest, by_tag) {
            (Some(digest), Some(tagged)) if digest != tagged => return None,
            (Some(digest), _) | (None, Some(digest)) => digest,
            (None, None) => return None,
        };
        self.images.get(digest)
    }
}

/// `imageTag` and `imageDigest` of a request.
#[derive(Debug, Clone)]
struct ImageId {
    tag: Option<String>,
    digest: Option<String>,
}

impl ImageId {
    fn of(value: &Value) -> Self {
        let text = |member: &str| value[member].as_str().map(str::to_owned);
        Self { tag: text("imageTag"), digest: text("imageDigest") }
    }

    /// As ECR's messages write it.
    fn shown(&self) -> String {
        let or_null = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".into());
        format!("{{imageDigest:'{}', imageTag:'{}'}}", or_null(&self.digest), or_null(&self.tag))
    }

    fn json(&self) -> Value {
        json!({ "imageDigest": self.digest, "imageTag": self.tag })
    }
}

/// The registry that a request means: ours, unless it says otherwise.
fn registry_id<'a>(cloud: &'a Cloud, input: &'a Value) -> &'a str {
    input["registryId"].as_str().unwrap_or(&cloud.settings.account)
}

fn no_repository(name: &str, registry: &str) -> Fault {
    Fault::new(
        "RepositoryNotFoundException",
        format!("The repository with name '{name}' does not exist in the registry with id '{registry}'"),
    )
}

/// The repository that a request names.
fn repository<'a>(cloud: &'a Cloud, input: &Value) -> Result<&'a Repository, Fault> {
    let name = input["repositoryName"].as_str().unwrap_or_default();
    let registry = registry_id(cloud, input);
    cloud
        .state
        .ecr
        .repositories
        .get(name)
        .filter(|_| registry == cloud.settings.account)
        .ok_or_else(|| no_repository(name, registry))
}

fn repository_mut<'a>(cloud: &'a mut Cloud, input: &Value) -> Result<&'a mut Repository, Fault> {
    let name = repository(cloud, input)?.name.clone();
    let missing = no_repository(&name, &cloud.settings.account);
    cloud.state.ecr.repositories.get_mut(&name).ok_or(missing)
}

fn image_not_found(cloud: &Cloud, repository: &str, id: &ImageId) -> Fault {
    Fault::new(
        "ImageNotFoundException",
        format!(
            "The image with imageId {} does not exist within the repository with name '{repository}' in the registry with id '{}'",
            id.shown(),
            cloud.settings.account
        ),
    )
}

/// ECR's own form of a refused parameter.
fn invalid(parameter: &str, constraint: &str) -> Fault {
    Fault::new(
        "InvalidParameterException",
        format!("Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'"),
    )
}

fn sha256(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Whether `text` fits a pattern in which `*` stands for any characters.
fn wildcard(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    (0..=text.len()).filter(|&n| text.is_char_boundary(n)).any(|n| wildcard(rest, &text[n..]))
}

/// The part of `items` that `nextToken` and `maxResults` ask for, and the next token.
fn page(
    cloud: &Cloud,
    items: Vec<Value>,
    input: &Value,
    default: usize,
) -> Result<(Vec<Value>, Option<String>), Fault> {
    let bad_token = || invalid("nextToken", "Invalid NextToken");
    let start = match input["nextToken"].as_str() {
        None => 0,
        Some(token) => BASE64_STANDARD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok()?.strip_prefix("from:")?.parse().ok())
            .filter(|start| *start <= items.len())
            .ok_or_else(bad_token)?,
    };
    let most = input["maxResults"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(default);
    let most = most.min(cloud.settings.longest_page);
    let end = items.len().min(start + most);
    let next = (end < items.len()).then(|| BASE64_STANDARD.encode(format!("from:{end}")));
    Ok((items.into_iter().skip(start).take(end - start).collect(), next))
}

/// Tells EventBridge what happened to an image.
fn publish_action(cloud: &mut Cloud, detail: Value) {
    events::publish(cloud, "aws.ecr", "ECR Image Action", &[], detail);
}
