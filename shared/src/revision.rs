//! Task definition revisions: what is known of one, and the next one made from it.
//!
//! A revision passes through Sluice as the JSON that ECS gave. Only `image` of the named
//! containers and `sluice:` tags are written; everything else is carried over as text,
//! whether anyone here knows it or not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::ended::Ended;
use crate::image::{Digest, ImageRef, Platform};
use crate::members::Members;

/// What DescribeTaskDefinition adds and RegisterTaskDefinition does not take.
const ANSWER_ONLY: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
];

/// ECS's limits: bytes of a task definition, tags of a resource.
const LARGEST: usize = 64 * 1024;
const MOST_TAGS: usize = 50;

/// A revision as DescribeTaskDefinition with `include: [TAGS]` answered it.
#[derive(Debug, Clone)]
pub struct Revision {
    pub arn: String,
    /// Whether tasks can be started from it: its status is `ACTIVE`.
    pub active: bool,
    pub registered_at: Option<Timestamp>,
    pub containers: Vec<Container>,
    /// What its tasks run on; none if it does not say and it is not for Fargate alone.
    pub platform: Option<RuntimePlatform>,
    pub release: ReleaseTags,
    members: Members,
    tags: Vec<Tag>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    pub name: String,
    pub image: ImageRef,
}

/// In ECS's words: `LINUX` or `WINDOWS_SERVER_…`, `X86_64` or `ARM64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimePlatform {
    pub os_family: String,
    pub cpu_architecture: String,
}

/// The `sluice:` tags of a revision; each is missing where Sluice did not write it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseTags {
    pub digest: Option<Digest>,
    pub tag: Option<String>,
    pub pushed_at: Option<Timestamp>,
    /// ARN of the revision that was live when this one was made.
    pub replaces: Option<String>,
    pub verdict: Option<Verdict>,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// What its migration took away that versions before the one it replaced may need: the
    /// names of rules.
    pub contracted: Option<String>,
    /// No older revision can run any more: a migration that began while this one served took
    /// away what they need. Says which.
    pub oldest: Option<String>,
    /// How its last deployment ended.
    pub ended: Option<Ended>,
    /// The alarm for which people were last called while it served, and since when that is red.
    pub escalated: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Good,
    Rejected,
}

/// The image that a revision is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub digest: Digest,
    pub tag: String,
    pub pushed_at: Timestamp,
}

/// The body of a RegisterTaskDefinition call.
#[derive(Debug, Clone)]
pub struct Rendered {
    pub family: String,
    pub body: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error("{0} has no container '{1}'; name one of its containers in releases.yaml: {2}")]
    NoContainer(String, String, String),
    #[error(
        "the next revision would have {0} bytes and ECS takes {LARGEST}; make the task definition smaller, \
         for example by moving environment variables to an environment file"
    )]
    TooLarge(usize),
    #[error("{0} has {1} tags of its own and ECS takes {MOST_TAGS} in all; remove {2} of them")]
    TooManyTags(String, usize, usize),
    #[error("cannot read {0} as ECS described it: {1}")]
    Unreadable(String, String),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    task_definition: Members,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// The members of a task definition that Sluice reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    task_definition_arn: String,
    status: Option<String>,
    registered_at: Option<f64>,
    container_definitions: Vec<ContainerView>,
    runtime_platform: Option<PlatformView>,
    #[serde(default)]
    requires_compatibilities: Vec<String>,
}

#[derive(Deserialize)]
struct ContainerView {
    name: String,
    #[serde(default)]
    image: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoggingView {
    name: String,
    log_configuration: Option<LogView>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogView {
    log_driver: String,
    #[serde(default)]
    options: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlatformView {
    operating_system_family: Option<String>,
    cpu_architecture: Option<String>,
}

impl Revision {
    /// Reads the body of a DescribeTaskDefinition answer.
    pub fn from_answer(body: &[u8]) -> Result<Self, serde_json::Error> {
        let answer: Answer = serde_json::from_slice(body)?;
        let whole = serde_json::to_string(&answer.task_definition)?;
        let view: View = serde_json::from_str(&whole)?;
        let containers = view.container_definitions.into_iter();
        Ok(Self {
            arn: view.task_definition_arn,
            active: view.status.as_deref() == Some("ACTIVE"),
            registered_at: view.registered_at.and_then(from_epoch_seconds),
            containers: containers
                .map(|c| Container { name: c.name, image: ImageRef::parse(&c.image) })
                .collect(),
            platform: RuntimePlatform::of(view.runtime_platform, &view.requires_compatibilities),
            release: ReleaseTags::from_tags(&answer.tags),
            members: answer.task_definition,
            tags: answer.tags,
        })
    }

    /// `family:revision`.
    pub fn short(&self) -> &str {
        short_arn(&self.arn)
    }

    pub fn family(&self) -> &str {
        self.short().rsplit_once(':').map_or(self.short(), |(family, _)| family)
    }

    /// Its number in its family.
    pub fn number(&self) -> Option<u64> {
        self.short().rsplit_once(':')?.1.parse().ok()
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str())
    }

    /// Group and stream prefix of a container's log, where it goes to CloudWatch Logs.
    pub fn awslogs(&self, container: &str) -> Option<(String, String)> {
        let all: Vec<LoggingView> = self.members.get("containerDefinitions").and_then(|c| read(c).ok())?;
        let log = all.into_iter().find(|view| view.name == container)?.log_configuration?;
        let option = |name: &str| log.options.get(name).cloned();
        (log.log_driver == "awslogs").then_some((option("awslogs-group")?, option("awslogs-stream-prefix")?))
    }

    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.name == name)
    }

    /// The revision after this one: `images` (container, image) replaced, tagged as `release`.
    pub fn next(&self, images: &[(&str, String)], release: &Release) -> Result<Rendered, RenderError> {
        let unreadable =
            |e: serde_json::Error| RenderError::Unreadable(self.short().to_owned(), e.to_string());
        let mut members = self.members.clone().without(&ANSWER_ONLY);
        members.set("containerDefinitions", self.containers_with(images)?);
        members.set("tags", to_raw_value(&self.next_tags(release)?).map_err(unreadable)?);
        let body = serde_json::to_string(&members).map_err(unreadable)?;
        if body.len() > LARGEST {
            return Err(RenderError::TooLarge(body.len()));
        }
        Ok(Rendered { family: self.family().to_owned(), body })
    }

    fn containers_with(&self, images: &[(&str, String)]) -> Result<Box<RawValue>, RenderError> {
        let unreadable =
            |e: serde_json::Error| RenderError::Unreadable(self.short().to_owned(), e.to_string());
        let mut containers: Vec<Members> =
            self.members.get("containerDefinitions").map_or(Ok(Vec::new()), read).map_err(unreadable)?;
        for (name, image) in images {
            let place = self.containers.iter().position(|container| container.name == *name);
            let Some(container) = place.and_then(|n| containers.get_mut(n)) else {
                let known: Vec<_> = self.containers.iter().map(|c| c.name.as_str()).collect();
                let (revision, known) = (self.short().to_owned(), known.join(", "));
                return Err(RenderError::NoContainer(revision, (*name).to_owned(), known));
            };
            container.set("image", to_raw_value(image).map_err(unreadable)?);
        }
        to_raw_value(&containers).map_err(unreadable)
    }

    /// Tags of others stay, but those under `aws:`, which only AWS may write.
    fn next_tags(&self, release: &Release) -> Result<Vec<Tag>, RenderError> {
        let others =
            self.tags.iter().filter(|tag| !["sluice:", "aws:"].iter().any(|p| tag.key.starts_with(p)));
        let mut tags: Vec<_> = others.cloned().collect();
        let own = [
            ("sluice:digest", release.digest.to_string()),
            ("sluice:tag", release.tag.clone()),
            ("sluice:pushed-at", release.pushed_at.to_string()),
            ("sluice:replaces", self.arn.clone()),
        ];
        // The verdict, its reason, the Slack thread, what was contracted here and after it, how
        // its deployment ended, since when a hook waits and the alarm that people were called for
        // are still to come.
        let room = MOST_TAGS - own.len() - 8;
        if tags.len() > room {
            return Err(RenderError::TooManyTags(self.short().to_owned(), tags.len(), tags.len() - room));
        }
        tags.extend(own.map(|(key, value)| Tag { key: key.to_owned(), value }));
        Ok(tags)
    }

    /// Whether registering `rendered` would only make a copy of this revision: one that
    /// was registered for the same release and not judged yet.
    pub fn is_already(&self, rendered: &Rendered) -> bool {
        if !self.active || self.release.verdict.is_some() {
            return false;
        }
        let body = |tags: &[Tag], members: &Members| {
            let mut members = members.clone().without(&ANSWER_ONLY).without(&["tags"]);
            let tags: BTreeSet<_> = tags.iter().filter(|tag| !tag.key.starts_with("aws:")).cloned().collect();
            members.set("tags", to_raw_value(&tags).ok()?);
            serde_json::to_value(&members).ok()
        };
        let Ok(members) = serde_json::from_str::<Members>(&rendered.body) else { return false };
        let wanted: Option<Vec<Tag>> = members.get("tags").and_then(|tags| read(tags).ok());
        let wanted: Option<Value> = wanted.and_then(|tags| body(&tags, &members));
        wanted.is_some() && wanted == body(&self.tags, &self.members)
    }
}

/// `family:revision` of a task definition's ARN.
pub fn short_arn(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, short)| short)
}

fn read<T: for<'a> Deserialize<'a>>(value: &RawValue) -> Result<T, serde_json::Error> {
    serde_json::from_str(value.get())
}

#[allow(clippy::cast_possible_truncation)]
pub(crate) fn from_epoch_seconds(seconds: f64) -> Option<Timestamp> {
    Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok()
}

impl fmt::Display for RuntimePlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os_family, self.cpu_architecture)
    }
}

impl RuntimePlatform {
    /// Whether an image for `platform` can run here.
    pub fn runs(&self, platform: &Platform) -> bool {
        let os = if self.os_family.starts_with("WINDOWS") { "windows" } else { "linux" };
        let architecture = if self.cpu_architecture == "ARM64" { "arm64" } else { "amd64" };
        platform.os == os && platform.architecture == architecture
    }

    /// Fargate runs on Linux and X86_64 where nothing is said; elsewhere the instances decide.
    fn of(view: Option<PlatformView>, compatibilities: &[String]) -> Option<Self> {
        let fargate = compatibilities.iter().any(|kind| kind == "FARGATE");
        let view = view.unwrap_or(PlatformView { operating_system_family: None, cpu_architecture: None });
        let otherwise = |default: &str| fargate.then(|| default.to_owned());
        Some(Self {
            os_family: view.operating_system_family.or_else(|| otherwise("LINUX"))?,
            cpu_architecture: view.cpu_architecture.or_else(|| otherwise("X86_64"))?,
        })
    }
}

impl ReleaseTags {
    fn from_tags(tags: &[Tag]) -> Self {
        let tag = |name: &str| {
            tags.iter().find(|tag| tag.key.strip_prefix("sluice:") == Some(name)).map(|tag| tag.value.clone())
        };
        Self {
            digest: tag("digest").and_then(|text| text.parse().ok()),
            tag: tag("tag"),
            pushed_at: tag("pushed-at").and_then(|text| text.parse().ok()),
            replaces: tag("replaces"),
            verdict: match tag("verdict").as_deref() {
                Some("good") => Some(Verdict::Good),
                Some("rejected") => Some(Verdict::Rejected),
                _ => None,
            },
            reason: tag("reason"),
            contracted: tag("contracted"),
            oldest: tag("oldest"),
            ended: tag("ended").and_then(|text| text.parse().ok()),
            escalated: tag("escalated"),
        }
    }
}

#[cfg(test)]
mod tests;
