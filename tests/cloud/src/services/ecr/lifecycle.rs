//! Lifecycle policies: kept, read, and once a day really carried out.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{DAY, Ms, timestamp};

use super::{
    Image, Repository, Timer, delete, invalid, publish_action, repository, repository_mut, wildcard,
};

/// A repository's policy.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Applied {
    /// Tells its timer from an older policy's.
    number: u64,
    text: String,
    #[serde(skip)]
    rules: Vec<Rule>,
    evaluated: Option<Ms>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    rule_priority: u64,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    selection: Selection,
    action: Action,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selection {
    tag_status: String,
    #[serde(default)]
    tag_prefix_list: Vec<String>,
    #[serde(default)]
    tag_pattern_list: Vec<String>,
    count_type: String,
    count_unit: Option<String>,
    count_number: u64,
    storage_class: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Action {
    #[serde(rename = "type")]
    kind: String,
    target_storage_class: Option<String>,
}

pub(super) fn put(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let text = input["lifecyclePolicyText"].as_str().unwrap_or_default().to_owned();
    let rules = read(&text)?;
    let name = repository(cloud, input)?.name.clone();
    // A policy that takes another's place takes over its day as well.
    let running =
        repository(cloud, input)?.lifecycle.as_ref().map(|applied| (applied.number, applied.evaluated));
    let (number, evaluated) = running.unwrap_or_else(|| {
        cloud.state.ecr.count += 1;
        (cloud.state.ecr.count, None)
    });
    repository_mut(cloud, input)?.lifecycle = Some(Applied { number, text: text.clone(), rules, evaluated });
    if running.is_none() {
        cloud.after(DAY, Timer::Lifecycle { repository: name.clone(), policy: number });
    }
    Ok(json!({
        "registryId": cloud.settings.account,
        "repositoryName": name,
        "lifecyclePolicyText": text,
    }))
}

pub(super) fn get(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let repository = repository(cloud, input)?;
    let applied = repository.lifecycle.as_ref().ok_or_else(|| none(cloud, repository))?;
    Ok(shown(cloud, repository, applied))
}

pub(super) fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let answer = get(cloud, input)?;
    repository_mut(cloud, input)?.lifecycle = None;
    Ok(answer)
}

fn none(cloud: &Cloud, repository: &Repository) -> Fault {
    Fault::new(
        "LifecyclePolicyNotFoundException",
        format!(
            "Lifecycle policy does not exist for the repository with name '{}' in the registry with id '{}'",
            repository.name, cloud.settings.account
        ),
    )
}

fn shown(cloud: &Cloud, repository: &Repository, applied: &Applied) -> Value {
    json!({
        "registryId": cloud.settings.account,
        "repositoryName": repository.name,
        "lifecyclePolicyText": applied.text,
        "lastEvaluatedAt": applied.evaluated.map(timestamp),
    })
}

fn refused(why: impl std::fmt::Display) -> Fault {
    invalid("LifecyclePolicyText", &format!("Lifecycle policy validation failure: {why}"))
}

/// The rules of a policy in the order of their priority.
fn read(text: &str) -> Result<Vec<Rule>, Fault> {
    let Policy { mut rules } = serde_json::from_str(text).map_err(refused)?;
    rules.sort_by_key(|rule| rule.rule_priority);
    if rules.is_empty() || rules.len() > 50 {
        return Err(refused("a policy has 1 to 50 rules"));
    }
    if rules.windows(2).any(|pair| pair[0].rule_priority == pair[1].rule_priority) {
        return Err(refused("rulePriority must be unique"));
    }
    let last = rules.len() - 1;
    for (n, rule) in rules.iter().enumerate() {
        rule.check()?;
        if rule.selection.tag_status == "any" && n != last {
            return Err(refused("the rule with tagStatus 'any' must have the highest rulePriority"));
        }
    }
    Ok(rules)
}

impl Rule {
    fn check(&self) -> Result<(), Fault> {
        let Selection { tag_status, tag_prefix_list, tag_pattern_list, .. } = &self.selection;
        match self.action.kind.as_str() {
            "expire" if self.action.target_storage_class.is_none() => {}
            "transition" => return Err(Fault::not_modelled("ecr:PutLifecyclePolicy with a transition")),
            other => return Err(refused(format!("'{other}' is no action that can be taken"))),
        }
        if !matches!(self.selection.storage_class.as_deref(), None | Some("standard")) {
            return Err(Fault::not_modelled("ecr:PutLifecyclePolicy for archived images"));
        }
        if self.rule_priority == 0 || self.selection.count_number == 0 {
            return Err(refused("rulePriority and countNumber must be at least 1"));
        }
        match (tag_status.as_str(), tag_prefix_list.is_empty(), tag_pattern_list.is_empty()) {
            ("tagged", true, false) | ("tagged", false, true) | ("any" | "untagged", true, true) => {}
            ("tagged", ..) => {
                return Err(refused("tagStatus 'tagged' needs either tagPrefixList or tagPatternList"));
            }
            ("any" | "untagged", ..) => {
                return Err(refused("tagPrefixList and tagPatternList need tagStatus 'tagged'"));
            }
            (other, ..) => return Err(refused(format!("'{other}' is no tagStatus"))),
        }
        match (self.selection.count_type.as_str(), self.selection.count_unit.as_deref()) {
            ("imageCountMoreThan", None) | ("sinceImagePushed", Some("days")) => Ok(()),
            ("sinceImagePulled" | "sinceImageTransitioned", _) => Err(Fault::not_modelled(format!(
                "ecr:PutLifecyclePolicy with countType {}",
                self.selection.count_type
            ))),
            (kind, unit) => Err(refused(format!("countType '{kind}' with countUnit {unit:?}"))),
        }
    }

    /// Whether the rule is about images tagged like this. All prefixes (patterns)
    /// have to be found among an image's tags.
    fn is_about(&self, tags: &[&str]) -> bool {
        let Selection { tag_status, tag_prefix_list, tag_pattern_list, .. } = &self.selection;
        match tag_status.as_str() {
            "any" => true,
            "untagged" => tags.is_empty(),
            _ => {
                let prefixed = |prefix: &String| tags.iter().any(|tag| tag.starts_with(prefix.as_str()));
                let fitting = |pattern: &String| tags.iter().any(|tag| wildcard(pattern, tag));
                tag_prefix_list.iter().all(prefixed) && tag_pattern_list.iter().all(fitting)
            }
        }
    }

    /// Which of `images`, the youngest first, are over the rule's count.
    fn over<'a>(&self, images: &[&'a Image], now: Ms) -> Vec<&'a Image> {
        let count = self.selection.count_number;
        if self.selection.count_type == "imageCountMoreThan" {
            return images.iter().skip(usize::try_from(count).unwrap_or(usize::MAX)).copied().collect();
        }
        let age = count.saturating_mul(DAY);
        images.iter().filter(|image| now.saturating_sub(image.pushed) > age).copied().collect()
    }
}

/// Digests of the images that expire now.
fn expired(repository: &Repository, rules: &[Rule], now: Ms) -> Vec<String> {
    let mut youngest_first: Vec<&Image> = repository.images.values().collect();
    youngest_first.sort_by(|a, b| b.pushed.cmp(&a.pushed).then_with(|| a.digest.cmp(&b.digest)));
    // The first rule that is about an image is the only one that may expire it, but
    // later ones count it all the same.
    let owner = |image: &Image| {
        let tags = repository.image_tags(&image.digest);
        rules.iter().position(|rule| rule.is_about(&tags))
    };
    let mut digests = Vec::new();
    for (n, rule) in rules.iter().enumerate() {
        let about: Vec<&Image> = youngest_first
            .iter()
            .filter(|image| rule.is_about(&repository.image_tags(&image.digest)))
            .copied()
            .collect();
        let over = rule.over(&about, now);
        digests.extend(over.iter().filter(|image| owner(image) == Some(n)).map(|image| image.digest.clone()));
    }
    digests
}

/// The policy's daily run, if it is still the repository's.
pub(super) fn evaluate(cloud: &mut Cloud, name: &str, policy: u64) {
    let now = cloud.now;
    let Some(repository) = cloud.state.ecr.repositories.get_mut(name) else { return };
    let Some(applied) = repository.lifecycle.as_mut().filter(|applied| applied.number == policy) else {
        return;
    };
    applied.evaluated = Some(now);
    let rules = applied.rules.clone();
    let mut pending = expired(repository, &rules, now);
    let mut deleted = Vec::new();
    // What an index still refers to stays until the index is gone.
    while let Some(at) = pending.iter().position(|digest| !repository.is_referenced(digest)) {
        let digest = pending.remove(at);
        deleted.extend(delete::remove(repository, &digest));
        // Signatures and SBOMs go with their image.
        let about: Vec<_> = repository
            .images
            .values()
            .filter(|image| image.manifest.subject.as_ref() == Some(&digest))
            .map(|image| image.digest.clone())
            .filter(|artifact| !pending.contains(artifact))
            .collect();
        pending.extend(about);
    }
    for id in &deleted {
        publish_action(cloud, delete::delete_detail(name, id));
    }
    cloud.after(DAY, Timer::Lifecycle { repository: name.to_owned(), policy });
}
