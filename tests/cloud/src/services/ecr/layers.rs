//! Layers and image configurations: uploaded in parts, checked against their
//! digest, downloaded by URL.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::cloud::{BLOBS, Cloud};
use crate::fault::Fault;

use super::{Layer, Repository, Upload, invalid, repository, repository_mut, sha256};

/// What ECR suggests as the size of a part.
const PART_SIZE: usize = 10 * 1024 * 1024;
/// Every part but the last has to be this large.
const SMALLEST_PART: usize = 5 * 1024 * 1024;
const LARGEST_PART: usize = 20 * 1024 * 1024;

pub(super) fn check(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let repository = repository(cloud, input)?;
    let (mut layers, mut failures) = (Vec::new(), Vec::new());
    for digest in input["layerDigests"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let fail = |code: &str, reason: &str| json!({ "layerDigest": digest, "failureCode": code, "failureReason": reason });
        if digest.is_empty() {
            failures.push(fail("MissingLayerDigest", "Layer digest cannot be empty"));
        } else if !is_digest(digest) {
            failures.push(fail(
                "InvalidLayerDigest",
                "Invalid layer digest: it should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
            ));
        } else if let Some(layer) = repository.layers.get(digest) {
            layers.push(json!({
                "layerDigest": digest,
                "layerAvailability": "AVAILABLE",
                "layerSize": layer.size,
                "mediaType": layer.media_type,
            }));
        } else {
            layers.push(json!({ "layerDigest": digest, "layerAvailability": "UNAVAILABLE" }));
        }
    }
    Ok(json!({ "layers": layers, "failures": failures }))
}

/// `<algorithm>:<hex>`
pub(super) fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty()
            && algorithm.chars().all(|c| c.is_ascii_alphanumeric() || "-_+.".contains(c))
            && !hex.is_empty()
            && hex.chars().all(|c| c.is_ascii_hexdigit())
    })
}

pub(super) fn initiate(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    repository(cloud, input)?;
    let id = cloud.ids.uuid();
    repository_mut(cloud, input)?.uploads.insert(id.clone(), Upload::default());
    Ok(json!({ "uploadId": id, "partSize": PART_SIZE }))
}

/// Also the upload's id, for the answer.
fn upload<'a>(
    repository: &'a mut Repository,
    input: &Value,
    account: &str,
) -> Result<(&'a mut Upload, String), Fault> {
    let id = input["uploadId"].as_str().unwrap_or_default();
    let missing = Fault::new(
        "UploadNotFoundException",
        format!(
            "The upload with id '{id}' does not exist in the repository with name '{}' in the registry with id '{account}'",
            repository.name
        ),
    );
    repository.uploads.get_mut(id).map(|upload| (upload, id.to_owned())).ok_or(missing)
}

pub(super) fn upload_part(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let account = cloud.settings.account.clone();
    let repository = repository_mut(cloud, input)?;
    let name = repository.name.clone();
    let (upload, id) = upload(repository, input, &account)?;
    let position = |member: &str| input[member].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let (first, last) = (position("partFirstByte"), position("partLastByte"));
    let bytes = BASE64_STANDARD
        .decode(input["layerPartBlob"].as_str().unwrap_or_default())
        .map_err(|_| invalid("layerPartBlob", "is not base64"))?;
    if bytes.len() > LARGEST_PART {
        return Err(invalid("layerPartBlob", "Member must have length less than or equal to 20971520"));
    }
    if first != upload.bytes.len() || bytes.is_empty() || last.checked_add(1) != Some(first + bytes.len()) {
        let received = upload.bytes.len();
        let text = format!(
            "Part of {} bytes said to be bytes {first} to {last} of the upload, which has {received} bytes: parts follow one another without a gap",
            bytes.len()
        );
        return Err(Fault::new("InvalidLayerPartException", text)
            .with("registryId", account)
            .with("repositoryName", name)
            .with("uploadId", id)
            .with("lastValidByteReceived", received.saturating_sub(1)));
    }
    upload.part_sizes.push(bytes.len());
    upload.bytes.extend_from_slice(&bytes);
    Ok(json!({ "registryId": account, "repositoryName": name, "uploadId": id, "lastByteReceived": last }))
}

pub(super) fn complete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let account = cloud.settings.account.clone();
    let repository = repository_mut(cloud, input)?;
    let name = repository.name.clone();
    let (upload, id) = upload(repository, input, &account)?;
    let in_repository = format!("in the repository with name '{name}' in the registry with id '{account}'");
    if upload.bytes.is_empty() {
        let text = format!("Upload '{id}' {in_repository} does not contain any layer parts");
        return Err(Fault::new("EmptyUploadException", text));
    }
    let earlier = upload.part_sizes.len() - 1;
    if upload.part_sizes.iter().take(earlier).any(|size| *size < SMALLEST_PART) {
        let text = format!("All layer parts but the last must have at least {SMALLEST_PART} bytes");
        return Err(Fault::new("LayerPartTooSmallException", text));
    }
    let digest = sha256(&upload.bytes);
    for claimed in input["layerDigests"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !claimed.starts_with("sha256:") {
            return Err(Fault::not_modelled(format!("ecr:CompleteLayerUpload with digest '{claimed}'")));
        }
        if claimed != digest {
            let text = format!("Layer digest '{claimed}' does not match the layer's content, '{digest}'");
            return Err(Fault::new("InvalidLayerException", text));
        }
    }
    let bytes: Arc<[u8]> = std::mem::take(&mut upload.bytes).into();
    repository.uploads.remove(&id);
    if repository.layers.contains_key(&digest) {
        let text = format!("Layer with digest '{digest}' already exists {in_repository}");
        return Err(Fault::new("LayerAlreadyExistsException", text));
    }
    let layer = Layer { size: bytes.len(), media_type: None, bytes };
    repository.layers.insert(digest.clone(), layer);
    Ok(json!({ "registryId": account, "repositoryName": name, "uploadId": id, "layerDigest": digest }))
}

pub(super) fn download_url(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let repository = repository(cloud, input)?;
    let digest = input["layerDigest"].as_str().unwrap_or_default();
    if !repository.layers.contains_key(digest) {
        return Err(missing_layers(cloud, repository, &[digest], "requested"));
    }
    let in_image =
        repository.images.values().any(|image| image.manifest.blobs().iter().any(|b| b.digest == digest));
    if !in_image {
        return Err(Fault::new(
            "LayerInaccessibleException",
            format!(
                "The layer with digest '{digest}' in the repository with name '{}' is not available because it is not associated with an image",
                repository.name
            ),
        ));
    }
    Ok(json!({
        "downloadUrl": format!("{}{BLOBS}{digest}", cloud.settings.endpoint),
        "layerDigest": digest,
    }))
}

pub(super) fn missing_layers(cloud: &Cloud, repository: &Repository, digests: &[&str], why: &str) -> Fault {
    Fault::new(
        "LayersNotFoundException",
        format!(
            "Layers with digests '[{}]' {why} in the repository with name '{}' in the registry with id '{}' do not exist",
            digests.join(", "),
            repository.name,
            cloud.settings.account
        ),
    )
}
