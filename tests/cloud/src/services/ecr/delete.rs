//! Deleting images, by request or by a lifecycle policy.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;

use super::{ImageId, Repository, images, publish_action, repository, repository_mut};

/// What one entry of `imageIds` comes to.
enum Deletion {
    /// The image has other tags and stays.
    Untag(ImageId),
    Delete(String),
}

pub(super) fn batch(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = repository(cloud, input)?.name.clone();
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    // References count as they were before the request: an index and its images
    // take two requests.
    let referenced = references(repository(cloud, input)?);
    for id in input["imageIds"].as_array().into_iter().flatten().map(ImageId::of) {
        let repository = repository_mut(cloud, input)?;
        match deletion(repository, &referenced, &id) {
            Ok(Deletion::Untag(id)) => {
                if let Some(tag) = &id.tag {
                    repository.tags.remove(tag);
                }
                deleted.push(id);
            }
            Ok(Deletion::Delete(digest)) => deleted.extend(remove(repository, &digest)),
            Err(failure) => failures.push(failure),
        }
    }
    for id in &deleted {
        publish_action(cloud, delete_detail(&name, id));
    }
    let ids: Vec<_> = deleted.iter().map(ImageId::json).collect();
    Ok(json!({ "imageIds": ids, "failures": failures }))
}

/// Digest of each image that an index refers to → the indexes.
fn references(repository: &Repository) -> BTreeMap<String, Vec<String>> {
    let mut references = BTreeMap::<_, Vec<_>>::new();
    for index in repository.images.values() {
        for child in &index.manifest.children {
            references.entry(child.digest.clone()).or_default().push(index.digest.clone());
        }
    }
    references
}

fn deletion(
    repository: &Repository,
    referenced: &BTreeMap<String, Vec<String>>,
    id: &ImageId,
) -> Result<Deletion, Value> {
    let digest = images::find(repository, id)?.digest.clone();
    let last_tag = repository.image_tags(&digest).len() <= 1;
    if id.tag.is_some() && !last_tag {
        return Ok(Deletion::Untag(ImageId { tag: id.tag.clone(), digest: Some(digest) }));
    }
    let Some(indexes) = referenced.get(&digest) else {
        return Ok(Deletion::Delete(digest));
    };
    Err(json!({
        "imageId": id.json(),
        "failureCode": "ImageReferencedByManifestList",
        "failureReason": format!("Requested image referenced by manifest list: [{}]", indexes.join(", ")),
    }))
}

/// Removes an image with its tags; one id for each tag, or one without.
pub(super) fn remove(repository: &mut Repository, digest: &str) -> Vec<ImageId> {
    let tags: Vec<_> = repository.image_tags(digest).into_iter().map(str::to_owned).collect();
    for tag in &tags {
        repository.tags.remove(tag);
    }
    if repository.images.remove(digest).is_none() {
        return Vec::new();
    }
    let id = |tag| ImageId { tag, digest: Some(digest.to_owned()) };
    if tags.is_empty() { vec![id(None)] } else { tags.into_iter().map(|tag| id(Some(tag))).collect() }
}

pub(super) fn delete_detail(repository: &str, id: &ImageId) -> Value {
    json!({
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": id.digest,
        "action-type": "DELETE",
        "image-tag": id.tag.as_deref().unwrap_or_default(),
    })
}
