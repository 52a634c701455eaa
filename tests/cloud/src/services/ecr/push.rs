//! PutImage: an image's manifest, after its layers.

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;

use super::layers::missing_layers;
use super::manifest::Manifest;
use super::{Image, ImageId, Repository, invalid, publish_action, repository, repository_mut, scan, sha256};

pub(super) fn put_image(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let text = input["imageManifest"].as_str().unwrap_or_default();
    let id = ImageId::of(input);
    let digest = sha256(text.as_bytes());
    let repository = repository(cloud, input)?;
    if id.tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
        return Err(invalid(
            "imageTag",
            "Member must satisfy regular expression pattern: [a-zA-Z0-9_][a-zA-Z0-9._-]*",
        ));
    }
    let manifest = Manifest::parse(text, input["imageManifestMediaType"].as_str())?;
    if let Some(claimed) = id.digest.as_ref().filter(|claimed| **claimed != digest) {
        return Err(Fault::new(
            "ImageDigestDoesNotMatchException",
            format!("The image digest '{claimed}' does not match the manifest's, '{digest}'"),
        ));
    }
    refuse_existing(cloud, repository, &digest, id.tag.as_deref())?;
    refuse_missing(cloud, repository, &manifest)?;
    let size = size(repository, &manifest);
    store(cloud, input, &digest, id.tag.as_deref(), text, manifest, size)
}

/// Stores and tags the image, tells of it, and begins the scan.
fn store(
    cloud: &mut Cloud,
    input: &Value,
    digest: &str,
    tag: Option<&str>,
    text: &str,
    manifest: Manifest,
    size: u64,
) -> Result<Value, Fault> {
    let (now, account) = (cloud.now, cloud.settings.account.clone());
    let repository = repository_mut(cloud, input)?;
    let name = repository.name.clone();
    let is_new = !repository.images.contains_key(digest);
    for blob in manifest.blobs() {
        if let Some(layer) = repository.layers.get_mut(&blob.digest) {
            layer.media_type.get_or_insert_with(|| blob.media_type.clone());
        }
    }
    // A tag that was on another image leaves it, untagged if it had no other.
    if let Some(tag) = tag {
        repository.tags.insert(tag.to_owned(), digest.to_owned());
    }
    let detail = push_detail(&name, digest, tag, &manifest);
    let answer = json!({ "image": {
        "registryId": account,
        "repositoryName": name,
        "imageId": { "imageDigest": digest, "imageTag": tag },
        "imageManifest": text,
        "imageManifestMediaType": manifest.media_type,
    } });
    let scanned = is_new && repository.scan_on_push && manifest.is_image();
    repository.images.entry(digest.to_owned()).or_insert_with(|| Image {
        digest: digest.to_owned(),
        manifest,
        text: text.to_owned(),
        pushed: now,
        size,
        scan: None,
    });
    publish_action(cloud, detail);
    if scanned {
        scan::begin(cloud, &name, digest);
    }
    Ok(answer)
}

fn is_tag(text: &str) -> bool {
    !text.starts_with(['.', '-']) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn refuse_existing(
    cloud: &Cloud,
    repository: &Repository,
    digest: &str,
    tag: Option<&str>,
) -> Result<(), Fault> {
    let Repository { name, .. } = repository;
    let holder = tag.and_then(|tag| repository.tags.get(tag));
    if let Some(tag) = tag
        && holder.is_some()
        && repository.immutable(tag)
    {
        // Even for the image that already has the tag.
        return Err(Fault::new(
            "ImageTagAlreadyExistsException",
            format!(
                "The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the tag is immutable."
            ),
        ));
    }
    let exists = match tag {
        Some(_) => holder.is_some_and(|held| held == digest),
        None => repository.images.contains_key(digest),
    };
    if exists {
        let and_tag = tag.map(|tag| format!(" and tag '{tag}'")).unwrap_or_default();
        return Err(Fault::new(
            "ImageAlreadyExistsException",
            format!(
                "Image with digest '{digest}'{and_tag} already exists in the repository with name '{name}' in registry with id '{}'",
                cloud.settings.account
            ),
        ));
    }
    Ok(())
}

/// Everything that a manifest refers to comes before it.
fn refuse_missing(cloud: &Cloud, repository: &Repository, manifest: &Manifest) -> Result<(), Fault> {
    let layers: Vec<_> = manifest
        .blobs()
        .into_iter()
        .map(|blob| blob.digest.as_str())
        .filter(|digest| !repository.layers.contains_key(*digest))
        .collect();
    if !layers.is_empty() {
        return Err(missing_layers(cloud, repository, &layers, "required for pushing an image"));
    }
    let images: Vec<_> = manifest
        .children
        .iter()
        .map(|child| child.digest.as_str())
        .filter(|digest| !repository.images.contains_key(*digest))
        .collect();
    if !images.is_empty() {
        return Err(Fault::new(
            "ReferencedImagesNotFoundException",
            format!(
                "Images with digests '[{}]' required for pushing image into repository with name '{}' in the registry with id '{}' do not exist",
                images.join(", "),
                repository.name,
                cloud.settings.account
            ),
        ));
    }
    Ok(())
}

/// Of an image its configuration and layers together, of an index its largest image.
fn size(repository: &Repository, manifest: &Manifest) -> u64 {
    if manifest.is_index() {
        let images = manifest.children.iter().filter_map(|child| repository.images.get(&child.digest));
        return images.map(|image| image.size).max().unwrap_or(0);
    }
    manifest
        .blobs()
        .iter()
        .filter_map(|blob| repository.layers.get(&blob.digest))
        .map(|l| l.size as u64)
        .sum()
}

/// The detail of `ECR Image Action`; the media types are what real events carry
/// beyond AWS's own samples, an index has no artifact type.
pub(super) fn push_detail(repository: &str, digest: &str, tag: Option<&str>, manifest: &Manifest) -> Value {
    let mut detail = json!({
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "action-type": "PUSH",
        "image-tag": tag.unwrap_or_default(),
        "manifest-media-type": manifest.media_type,
    });
    if let Some(kind) = &manifest.artifact_media_type {
        detail["artifact-media-type"] = json!(kind);
    }
    detail
}
