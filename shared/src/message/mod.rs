//! What Sluice says to people: the messages that functions publish and `notify` posts.
//!
//! Pure: a message states one fact, when it became true, and of which release. Whom it
//! reaches is [`route`], in which words [`text`], and which of two is the later state of a
//! deployment [`order`].

pub mod order;
pub mod route;
pub mod slack;
pub mod text;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::image::Digest;

/// The form that is written. A reader takes no other, and members that it does not know.
const VERSION: u32 = 1;

/// SNS takes 256 KiB in all, twice the text among it; Slack far less.
const LONGEST_REASON: usize = 16_000;

/// One fact of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Key of the entry in `releases.yaml`.
    pub service: String,
    /// When it became true, by AWS's clock; not when it was told.
    pub at: Timestamp,
    /// What it is about; as much of it as is known.
    pub release: Release,
    pub news: News,
}

/// The release that a message is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// CodeDeploy's id, or the ARN of an ECS service deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// ARN of the task definition revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "digest")]
    pub digest: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// What is worth saying. Reasons are whole: where there is little room, they are cut there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum News {
    /// A deployment was created.
    Started { reason: String },
    /// A hook's verdict was Failed; `event` is the lifecycle event.
    CheckFailed { event: String, reason: String },
    /// A deployment succeeded. `lead_time`: from the push of the image until it served all traffic.
    Succeeded { lead_time: Option<SignedDuration> },
    /// A deployment failed or was stopped.
    Failed { reason: String },
    /// The traffic is back on `to`, the ARN of a revision.
    RolledBack {
        reason: String,
        to: Option<String>,
        #[serde(default)]
        times: RollbackTimes,
    },
    /// The rollback itself failed: a person is needed.
    RollbackFailed { reason: String },
    /// There is no revision to go back to: a person is needed.
    NoWayBack { reason: String },
    /// An alarm stopped a deployment, whose rollback is under way.
    AlarmStopped { alarm: String, reason: String },
    /// An alarm was red before the deployment, which is not blamed for it.
    AlarmRedBefore { alarm: String },
    /// An alarm went red after the watch over the deployment had ended.
    AlarmAfterWatch { alarm: String },
    /// An alarm is red while a rollback is under way: no second one is started.
    AlarmDuringRollback { alarm: String },
    /// An image waits: another deployment, a scan, a freeze, a hold.
    Waiting { reason: String },
    /// An image is not deployed until a person puts something right.
    Refused { reason: String },
    /// Another image serves than the last deployment brought.
    WrongImageLive { expected: String, found: String },
    /// The hook of a lifecycle event has not reported in its time.
    HookOverdue { event: String },
}

/// When each step of a rollback happened, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackTimes {
    pub alarm: Option<Timestamp>,
    pub stopped: Option<Timestamp>,
    /// All traffic was back on the good revision.
    pub traffic_back: Option<Timestamp>,
}

#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("is not a message of Sluice: {0}")]
    Json(#[from] serde_json::Error),
    #[error(
        "has version {0} and this function reads version {VERSION}; deploy the same version of all functions"
    )]
    Version(u32),
}

#[derive(Serialize, Deserialize)]
struct Wire {
    version: u32,
    service: String,
    at: Timestamp,
    #[serde(default)]
    release: Release,
    news: News,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Message {
    /// As it goes to the queue.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let Self { service, at, release, news } = self.clone();
        serde_json::to_string(&Wire { version: VERSION, service, at, release, news: news.bounded() })
    }

    pub fn from_json(text: &str) -> Result<Self, Unreadable> {
        let Versioned { version } = serde_json::from_str(text)?;
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let Wire { service, at, release, news, .. } = serde_json::from_str(text)?;
        Ok(Self { service, at, release, news })
    }

    /// What tells this message from others, and one that is delivered twice from two.
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.key(), self.news.kind(), self.at)
    }

    /// What messages are about together: a deployment, an image that has none yet, or
    /// nothing but themselves.
    pub fn key(&self) -> String {
        let Release { deployment, digest, .. } = &self.release;
        match (deployment, digest) {
            (Some(deployment), _) => format!("{}/{}", self.service, short(deployment)),
            (None, Some(digest)) => format!("{}/{digest}", self.service),
            (None, None) => format!("{}/{}/{}", self.service, self.news.kind(), self.at),
        }
    }
}

/// A deployment's id without what is the same for all of its service: ECS's is an ARN.
pub fn short(deployment: &str) -> &str {
    deployment.rsplit_once('/').map_or(deployment, |(_, id)| id)
}

impl News {
    /// Its name: in messages' JSON, as SNS attribute, in logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::CheckFailed { .. } => "check-failed",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::RolledBack { .. } => "rolled-back",
            Self::RollbackFailed { .. } => "rollback-failed",
            Self::NoWayBack { .. } => "no-way-back",
            Self::AlarmStopped { .. } => "alarm-stopped",
            Self::AlarmRedBefore { .. } => "alarm-red-before",
            Self::AlarmAfterWatch { .. } => "alarm-after-watch",
            Self::AlarmDuringRollback { .. } => "alarm-during-rollback",
            Self::Waiting { .. } => "waiting",
            Self::Refused { .. } => "refused",
            Self::WrongImageLive { .. } => "wrong-image-live",
            Self::HookOverdue { .. } => "hook-overdue",
        }
    }

    /// Why, where somebody says so.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Started { reason }
            | Self::CheckFailed { reason, .. }
            | Self::Failed { reason }
            | Self::RolledBack { reason, .. }
            | Self::RollbackFailed { reason }
            | Self::NoWayBack { reason }
            | Self::AlarmStopped { reason, .. }
            | Self::Waiting { reason }
            | Self::Refused { reason } => Some(reason),
            Self::Succeeded { .. }
            | Self::AlarmRedBefore { .. }
            | Self::AlarmAfterWatch { .. }
            | Self::AlarmDuringRollback { .. }
            | Self::WrongImageLive { .. }
            | Self::HookOverdue { .. } => None,
        }
    }

    /// With a reason that SNS and SQS take.
    fn bounded(mut self) -> Self {
        match &mut self {
            Self::Started { reason }
            | Self::CheckFailed { reason, .. }
            | Self::Failed { reason }
            | Self::RolledBack { reason, .. }
            | Self::RollbackFailed { reason }
            | Self::NoWayBack { reason }
            | Self::AlarmStopped { reason, .. }
            | Self::Waiting { reason }
            | Self::Refused { reason } => *reason = text::cut(reason, LONGEST_REASON),
            Self::Succeeded { .. }
            | Self::AlarmRedBefore { .. }
            | Self::AlarmAfterWatch { .. }
            | Self::AlarmDuringRollback { .. }
            | Self::WrongImageLive { .. }
            | Self::HookOverdue { .. } => {}
        }
        self
    }
}

/// A digest as its text.
mod digest {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::image::Digest;

    pub fn serialize<S: Serializer>(digest: &Option<Digest>, serializer: S) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => serializer.serialize_str(digest.as_str()),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Digest>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
pub(crate) mod tests;
