//! Repositories and their settings, and the registry's login.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{HOUR, timestamp};

use super::{
    Repository, invalid, no_repository, page, registry_id, repository, repository_mut, tags, wildcard,
};

pub(super) fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = input["repositoryName"].as_str().unwrap_or_default();
    let registry = registry_id(cloud, input);
    if registry != cloud.settings.account {
        return Err(Fault::not_modelled("ecr:CreateRepository in another account's registry"));
    }
    if cloud.state.ecr.repositories.contains_key(name) {
        return Err(Fault::new(
            "RepositoryAlreadyExistsException",
            format!("The repository with name '{name}' already exists in the registry with id '{registry}'"),
        ));
    }
    let tag_mutability = input["imageTagMutability"].as_str().unwrap_or("MUTABLE").to_owned();
    let exclusion_filters = exclusion_filters(&tag_mutability, input)?;
    let mut resource_tags = BTreeMap::new();
    tags::add(&mut resource_tags, &input["tags"])?;
    let repository = Repository {
        name: name.to_owned(),
        created: cloud.now,
        tag_mutability,
        exclusion_filters,
        scan_on_push: input["imageScanningConfiguration"]["scanOnPush"].as_bool().unwrap_or(false),
        encryption: encryption(&input["encryptionConfiguration"])?,
        resource_tags,
        layers: BTreeMap::new(),
        uploads: BTreeMap::new(),
        images: BTreeMap::new(),
        tags: BTreeMap::new(),
        lifecycle: None,
    };
    let shown = described(cloud, &repository);
    cloud.state.ecr.repositories.insert(repository.name.clone(), repository);
    Ok(json!({ "repository": shown }))
}

fn encryption(given: &Value) -> Result<Value, Fault> {
    match given["encryptionType"].as_str() {
        None | Some("AES256") if given["kmsKey"].is_string() => {
            Err(invalid("encryptionConfiguration", "kmsKey cannot be specified with encryption type AES256"))
        }
        None => Ok(json!({ "encryptionType": "AES256" })),
        Some(_) => Ok(given.clone()),
    }
}

/// Filters belong to the `_WITH_EXCLUSION` settings and to them only.
fn exclusion_filters(mutability: &str, input: &Value) -> Result<Option<Value>, Fault> {
    let filters = input.get("imageTagMutabilityExclusionFilters");
    let wanted = mutability.ends_with("_WITH_EXCLUSION");
    let given = filters.and_then(Value::as_array).is_some_and(|filters| !filters.is_empty());
    match (wanted, given) {
        (true, false) => Err(invalid(
            "imageTagMutabilityExclusionFilters",
            &format!("filters are required when imageTagMutability is {mutability}"),
        )),
        (false, true) => Err(invalid(
            "imageTagMutabilityExclusionFilters",
            &format!("filters cannot be specified when imageTagMutability is {mutability}"),
        )),
        _ => Ok(filters.filter(|_| given).cloned()),
    }
}

impl Repository {
    /// Whether a tag, once there, must stay on its image.
    pub(super) fn immutable(&self, tag: &str) -> bool {
        let excluded = self
            .exclusion_filters
            .iter()
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(|filter| filter["filter"].as_str())
            .any(|filter| wildcard(filter, tag));
        self.tag_mutability.starts_with("IMMUTABLE") != excluded
    }
}

fn described(cloud: &Cloud, repository: &Repository) -> Value {
    json!({
        "repositoryArn": cloud.arn("ecr", &format!("repository/{}", repository.name)),
        "registryId": cloud.settings.account,
        "repositoryName": repository.name,
        "repositoryUri": format!("{}/{}", cloud.registry(), repository.name),
        "createdAt": timestamp(repository.created),
        "imageTagMutability": repository.tag_mutability,
        "imageTagMutabilityExclusionFilters": repository.exclusion_filters,
        "imageScanningConfiguration": { "scanOnPush": repository.scan_on_push },
        "encryptionConfiguration": repository.encryption,
    })
}

pub(super) fn describe(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let registry = registry_id(cloud, input);
    let ours = registry == cloud.settings.account;
    let Some(names) = input["repositoryNames"].as_array() else {
        if !ours {
            return Err(Fault::not_modelled("ecr:DescribeRepositories of another account's registry"));
        }
        let all = cloud.state.ecr.repositories.values().map(|r| described(cloud, r)).collect();
        let (repositories, next) = page(cloud, all, input, 100)?;
        return Ok(json!({ "repositories": repositories, "nextToken": next }));
    };
    if input.get("nextToken").is_some() || input.get("maxResults").is_some() {
        return Err(invalid(
            "repositoryNames",
            "nextToken and maxResults cannot be used when repositoryNames is specified",
        ));
    }
    let repositories = names
        .iter()
        .filter_map(Value::as_str)
        .map(|name| {
            let repository = cloud.state.ecr.repositories.get(name).filter(|_| ours);
            repository.map(|r| described(cloud, r)).ok_or_else(|| no_repository(name, registry))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "repositories": repositories }))
}

pub(super) fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let found = repository(cloud, input)?;
    if !found.images.is_empty() && input["force"] != true {
        return Err(Fault::new(
            "RepositoryNotEmptyException",
            format!(
                "The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains images",
                found.name, cloud.settings.account
            ),
        ));
    }
    let (name, mut shown) = (found.name.clone(), described(cloud, found));
    if let Some(shown) = shown.as_object_mut() {
        shown.remove("imageScanningConfiguration");
        shown.remove("encryptionConfiguration");
    }
    cloud.state.ecr.repositories.remove(&name);
    Ok(json!({ "repository": shown }))
}

pub(super) fn put_mutability(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let mutability = input["imageTagMutability"].as_str().unwrap_or_default().to_owned();
    let filters = exclusion_filters(&mutability, input)?;
    let account = cloud.settings.account.clone();
    let repository = repository_mut(cloud, input)?;
    repository.tag_mutability = mutability;
    repository.exclusion_filters = filters;
    Ok(json!({
        "registryId": account,
        "repositoryName": repository.name,
        "imageTagMutability": repository.tag_mutability,
        "imageTagMutabilityExclusionFilters": repository.exclusion_filters,
    }))
}

pub(super) fn put_scanning(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let account = cloud.settings.account.clone();
    let repository = repository_mut(cloud, input)?;
    repository.scan_on_push = input["imageScanningConfiguration"]["scanOnPush"].as_bool().unwrap_or(false);
    Ok(json!({
        "registryId": account,
        "repositoryName": repository.name,
        "imageScanningConfiguration": { "scanOnPush": repository.scan_on_push },
    }))
}

pub(super) fn authorization_token(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let others = input["registryIds"].as_array().into_iter().flatten();
    if others.filter_map(Value::as_str).any(|id| id != cloud.settings.account) {
        return Err(Fault::not_modelled("ecr:GetAuthorizationToken for another account's registry"));
    }
    let password = cloud.ids.alphanumeric(128);
    Ok(json!({ "authorizationData": [{
        "authorizationToken": BASE64_STANDARD.encode(format!("AWS:{password}")),
        "expiresAt": timestamp(cloud.now + 12 * HOUR),
        "proxyEndpoint": format!("https://{}", cloud.registry()),
    }] }))
}
