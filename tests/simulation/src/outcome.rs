//! What a run comes to in the end, without the moments at which it did.

use std::collections::BTreeMap;
use std::fmt;

use cloud::slack::Post;
use serde_json::{Value, json};

use crate::account::Account;

/// Two runs of a scenario should come to the same, wherever one of them crashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// By service: the tag of the image that serves, or what is wrong with it.
    pub live: BTreeMap<String, String>,
    /// By repository and tag: the verdict on its revision.
    pub verdicts: BTreeMap<String, String>,
    /// What the channels show.
    pub told: BTreeMap<String, Vec<String>>,
}

impl Outcome {
    pub fn of(account: &Account) -> Self {
        let live = ["api", "web"].map(|name| (name.to_owned(), live(account, name)));
        let told = ["deploys", "ops"].map(|channel| (channel.to_owned(), told(account, channel)));
        Self { live: live.into(), verdicts: verdicts(account), told: told.into() }
    }
}

impl Outcome {
    /// The images that were rejected. Whether one that was superseded counts as good depends on
    /// when a sweep came.
    pub fn rejected(&self) -> Vec<&str> {
        let rejected = self.verdicts.iter().filter(|(_, verdict)| *verdict == "rejected");
        rejected.map(|(image, _)| image.as_str()).collect()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = self.live.iter().map(|(service, version)| format!("{service} {version}"));
        let verdicts = self.verdicts.iter().map(|(image, verdict)| format!("{image} {verdict}"));
        let told = self.told.iter().map(|(channel, titles)| format!("#{channel} {}", titles.join(" | ")));
        let all: Vec<_> = live.chain(verdicts).chain(told).collect();
        f.write_str(&all.join(", "))
    }
}

/// The version that has all of a service's traffic.
fn live(account: &Account, name: &str) -> String {
    let input = json!({ "cluster": format!("{name}-cluster"), "services": [name] });
    let service = account.ask("ecs", "DescribeServices", input).unwrap_or_default()["services"][0].take();
    let sets = service["taskSets"].as_array().filter(|sets| !sets.is_empty());
    let sets = sets.or(service["deployments"].as_array()).cloned().unwrap_or_default();
    let Some(primary) = sets.iter().find(|set| set["status"] == "PRIMARY") else {
        return "nothing serves".to_owned();
    };
    let known =
        account.ask("ecs", "DescribeTaskDefinition", json!({ "taskDefinition": primary["taskDefinition"] }));
    let known = known.unwrap_or_default();
    let image = known["taskDefinition"]["containerDefinitions"][0]["image"].as_str().unwrap_or_default();
    let digest = image.rsplit('@').next().unwrap_or_default();
    tag(account, name, digest)
}

fn tag(account: &Account, repository: &str, digest: &str) -> String {
    let input = json!({ "repositoryName": repository, "imageIds": [{ "imageDigest": digest }] });
    let known = account.ask("ecr", "DescribeImages", input).unwrap_or_default();
    let mut tags: Vec<_> = known["imageDetails"][0]["imageTags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    tags.sort_unstable();
    tags.join("+")
}

fn verdicts(account: &Account) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for family in ["api", "web"] {
        let input = json!({ "familyPrefix": family });
        let arns =
            account.ask("ecs", "ListTaskDefinitions", input).unwrap_or_default()["taskDefinitionArns"].take();
        for arn in arns.as_array().into_iter().flatten() {
            let input = json!({ "taskDefinition": arn, "include": ["TAGS"] });
            let known = account.ask("ecs", "DescribeTaskDefinition", input).unwrap_or_default();
            let tags = known["tags"].as_array().cloned().unwrap_or_default();
            let value = |key: &str| {
                let tag = tags.iter().find(|tag| tag["key"] == key)?;
                tag["value"].as_str().map(str::to_owned)
            };
            if let (Some(digest), Some(verdict)) = (value("sluice:digest"), value("sluice:verdict")) {
                found.insert(format!("{family}:{}", tag(account, family, &digest)), verdict);
            }
        }
    }
    found
}

fn told(account: &Account, channel: &str) -> Vec<String> {
    account.cloud.with(|world| {
        let mut titles: Vec<_> = world.cloud.slack.shown(channel).into_iter().map(Post::title).collect();
        titles.sort();
        titles
    })
}
