//! Images as they are read: manifests, details, lists.

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::timestamp;

use super::layers::is_digest;
use super::{Image, ImageId, Repository, image_not_found, invalid, page, repository};

pub(super) fn batch_get(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let repository = repository(cloud, input)?;
    let accepted: Option<Vec<&str>> =
        input["acceptedMediaTypes"].as_array().map(|types| types.iter().filter_map(Value::as_str).collect());
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in input["imageIds"].as_array().into_iter().flatten().map(ImageId::of) {
        let image = match find(repository, &id) {
            Ok(image) => image,
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        let media_type = image.manifest.media_type.as_str();
        if accepted.as_ref().is_some_and(|types| !types.is_empty() && !types.contains(&media_type)) {
            return Err(Fault::not_modelled(format!(
                "ecr:BatchGetImage translating a manifest from '{media_type}' to one of acceptedMediaTypes"
            )));
        }
        images.push(json!({
            "registryId": cloud.settings.account,
            "repositoryName": repository.name,
            "imageId": { "imageDigest": image.digest, "imageTag": id.tag },
            "imageManifest": image.text,
            "imageManifestMediaType": media_type,
        }));
    }
    Ok(json!({ "images": images, "failures": failures }))
}

/// The image, or an entry of `failures`.
pub(super) fn find<'a>(repository: &'a Repository, id: &ImageId) -> Result<&'a Image, Value> {
    let fail = |code: &str, reason: &str| json!({ "imageId": id.json(), "failureCode": code, "failureReason": reason });
    if id.tag.is_none() && id.digest.is_none() {
        let reason = "Invalid request parameters: both tag and digest cannot be null";
        return Err(fail("MissingDigestAndTag", reason));
    }
    if id.digest.as_deref().is_some_and(|digest| !is_digest(digest)) {
        let reason = "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'";
        return Err(fail("InvalidImageDigest", reason));
    }
    if let Some(image) = repository.find(id) {
        return Ok(image);
    }
    let both_exist = id.tag.as_ref().is_some_and(|tag| repository.tags.contains_key(tag))
        && id.digest.as_ref().is_some_and(|digest| repository.images.contains_key(digest));
    if both_exist {
        let reason = "Requested image tag does not match the image digest";
        return Err(fail("ImageTagDoesNotMatchDigest", reason));
    }
    Err(fail("ImageNotFound", "Requested image not found"))
}

/// Which images a request's `filter` lets through.
struct Filter<'a> {
    tag_status: &'a str,
    /// No image here is ever archived.
    wants_active: bool,
}

impl<'a> Filter<'a> {
    fn of(input: &'a Value) -> Self {
        let filter = &input["filter"];
        Self {
            tag_status: filter["tagStatus"].as_str().unwrap_or("ANY"),
            wants_active: matches!(filter["imageStatus"].as_str(), None | Some("ACTIVE" | "ANY")),
        }
    }

    fn fits(&self, is_tagged: bool) -> bool {
        let fits_tag = match self.tag_status {
            "TAGGED" => is_tagged,
            "UNTAGGED" => !is_tagged,
            _ => true,
        };
        self.wants_active && fits_tag
    }
}

pub(super) fn describe(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let repository = repository(cloud, input)?;
    let filter = Filter::of(input);
    let Some(ids) = input["imageIds"].as_array() else {
        let all = repository
            .images
            .values()
            .filter(|image| filter.fits(!repository.image_tags(&image.digest).is_empty()))
            .map(|image| detail(cloud, repository, image))
            .collect();
        let (details, next) = page(cloud, all, input, 100)?;
        return Ok(json!({ "imageDetails": details, "nextToken": next }));
    };
    if ["nextToken", "maxResults", "filter"].iter().any(|member| input.get(member).is_some()) {
        return Err(invalid(
            "imageIds",
            "nextToken, maxResults and filter cannot be used when imageIds is specified",
        ));
    }
    let mut found: Vec<&Image> = Vec::new();
    for id in ids.iter().map(ImageId::of) {
        if id.tag.is_none() && id.digest.is_none() {
            return Err(invalid("imageIds", "both tag and digest cannot be null"));
        }
        let image = repository.find(&id).ok_or_else(|| image_not_found(cloud, &repository.name, &id))?;
        if !found.iter().any(|seen| seen.digest == image.digest) {
            found.push(image);
        }
    }
    let details: Vec<_> = found.into_iter().map(|image| detail(cloud, repository, image)).collect();
    Ok(json!({ "imageDetails": details }))
}

/// Without scan status and summary: basic scanning no longer gives them here.
fn detail(cloud: &Cloud, repository: &Repository, image: &Image) -> Value {
    let tags = repository.image_tags(&image.digest);
    json!({
        "registryId": cloud.settings.account,
        "repositoryName": repository.name,
        "imageDigest": image.digest,
        "imageTags": (!tags.is_empty()).then_some(tags),
        "imageSizeInBytes": image.size,
        "imagePushedAt": timestamp(image.pushed),
        "imageManifestMediaType": image.manifest.media_type,
        "artifactMediaType": image.manifest.artifact_media_type,
        "subjectManifestDigest": image.manifest.subject,
        "imageStatus": "ACTIVE",
    })
}

pub(super) fn list(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let repository = repository(cloud, input)?;
    let filter = Filter::of(input);
    let mut ids = Vec::new();
    for digest in repository.images.keys() {
        let tags = repository.image_tags(digest);
        if !filter.fits(!tags.is_empty()) {
            continue;
        }
        if tags.is_empty() {
            ids.push(json!({ "imageDigest": digest }));
        }
        ids.extend(tags.iter().map(|tag| json!({ "imageDigest": digest, "imageTag": tag })));
    }
    let (ids, next) = page(cloud, ids, input, 100)?;
    Ok(json!({ "imageIds": ids, "nextToken": next }))
}
