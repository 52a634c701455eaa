//! Pulling: from an image reference to what a task runs, or the text ECS shows
//! when that fails.

use serde_json::Value;

use crate::cloud::Cloud;
use crate::http::Response;
use crate::image::{ImageConfig, ResolvedImage};

use super::manifest::{Descriptor, Platform};
use super::{Image, ImageId, Repository};

/// How many indexes may lie within one another.
const DEEPEST: usize = 4;

/// Whether `reference` names this account's registry.
pub(crate) fn is_ours(cloud: &Cloud, reference: &str) -> bool {
    reference.starts_with(&format!("{}/", cloud.registry()))
}

/// What an image reference (`<registry>/<repository>[:tag][@digest]`) names, as ECS pulls it.
/// Of an index the linux image is taken that fits best: amd64, else arm64, else the first.
/// `Err` is the text ECS shows (`CannotPullContainerError: ...`).
pub(crate) fn resolve(cloud: &Cloud, reference: &str) -> Result<ResolvedImage, String> {
    let unresolved = |why: &str| {
        format!(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {reference}: {why}"
        )
    };
    let Some(path) = reference.strip_prefix(&format!("{}/", cloud.registry())) else {
        return Err(unresolved("this registry cannot be reached from the local cloud"));
    };
    let (name, id) = parse(path);
    let Some(repository) = cloud.state.ecr.repositories.get(name) else {
        return Err(unresolved(&format!(
            "name unknown: The repository with name '{name}' does not exist in the registry with id '{}'",
            cloud.settings.account
        )));
    };
    let image = repository.find(&id).ok_or_else(|| unresolved(&format!("{reference}: not found")))?;
    let config = platform_image(repository, image, DEEPEST)
        .and_then(|image| config(repository, image))
        .filter(|config| config.os == "linux")
        .ok_or_else(|| {
            format!("CannotPullContainerError: ref pull has been retried 1 time(s): failed to unpack image on snapshotter overlayfs: image Manifest does not contain descriptor matching platform 'linux/amd64': {reference}")
        })?;
    Ok(ResolvedImage { repository: name.to_owned(), digest: image.digest.clone(), config })
}

/// Repository, and tag or digest; with a digest the tag means nothing, with
/// neither it is `latest`.
fn parse(path: &str) -> (&str, ImageId) {
    let (named, digest) = path.split_once('@').map_or((path, None), |(named, digest)| (named, Some(digest)));
    let (name, tag) = named.split_once(':').map_or((named, None), |(name, tag)| (name, Some(tag)));
    let tag = if digest.is_some() { None } else { Some(tag.unwrap_or("latest").to_owned()) };
    (name, ImageId { tag, digest: digest.map(str::to_owned) })
}

/// The image itself, or the one of an index's that is to be run.
fn platform_image<'a>(repository: &'a Repository, image: &'a Image, depth: usize) -> Option<&'a Image> {
    if !image.manifest.is_index() {
        return image.manifest.is_image().then_some(image);
    }
    if depth == 0 {
        return None;
    }
    let linux: Vec<(String, &Image)> = image
        .manifest
        .children
        .iter()
        .filter_map(|child| {
            let image = platform_image(repository, repository.images.get(&child.digest)?, depth - 1)?;
            let platform = platform(repository, child, image)?;
            (platform.os == "linux").then_some((platform.architecture, image))
        })
        .collect();
    let of = |wanted: &str| linux.iter().find(|(architecture, _)| architecture == wanted);
    of("amd64").or_else(|| of("arm64")).or_else(|| linux.first()).map(|(_, image)| *image)
}

/// As the index says, or else the image's configuration.
fn platform(repository: &Repository, child: &Descriptor, image: &Image) -> Option<Platform> {
    child.platform.clone().or_else(|| {
        let config = config(repository, image)?;
        Some(Platform { architecture: config.architecture, os: config.os })
    })
}

/// The configuration blob as JSON; artifacts have others, or none.
pub(super) fn config_json(repository: &Repository, image: &Image) -> Option<Value> {
    let config = image.manifest.config.as_ref()?;
    serde_json::from_slice(&repository.layers.get(&config.digest)?.bytes).ok()
}

fn config(repository: &Repository, image: &Image) -> Option<ImageConfig> {
    let json = config_json(repository, image)?;
    let run = &json["config"];
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Some(ImageConfig {
        architecture: json["architecture"].as_str()?.to_owned(),
        os: json["os"].as_str()?.to_owned(),
        entrypoint: texts(&run["Entrypoint"]),
        command: texts(&run["Cmd"]),
        environment: texts(&run["Env"]),
        working_directory: run["WorkingDir"].as_str().filter(|dir| !dir.is_empty()).map(str::to_owned),
    })
}

/// A layer or config blob by digest, for the server's download path.
/// What is behind the link that GetDownloadUrlForLayer gives.
pub fn download(cloud: &Cloud, digest: &str) -> Response {
    let content = blob(cloud, digest);
    let headers = vec![("content-type".to_owned(), "application/octet-stream".to_owned())];
    Response {
        status: if content.is_some() { 200 } else { 404 },
        headers,
        body: content.unwrap_or_default().to_vec(),
    }
}

fn blob<'a>(cloud: &'a Cloud, digest: &str) -> Option<&'a [u8]> {
    cloud.state.ecr.repositories.values().find_map(|r| r.layers.get(digest)).map(|layer| &*layer.bytes)
}
