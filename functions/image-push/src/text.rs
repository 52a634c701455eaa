//! What a decision says to people: one sentence each, with the way out where one is needed.

use std::fmt::{self, Display, Formatter};

use shared::aws::Controller;
use shared::image::Platform;

use crate::decide::{Decision, Nothing, Refuse, Start, Wait};

impl Decision {
    /// One word for logs and answers.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Wait(_) => "wait",
            Self::Nothing(_) => "nothing",
            Self::Refuse(_) => "refuse",
        }
    }
}

impl Display for Decision {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(start) => start.fmt(f),
            Self::Wait(wait) => wait.fmt(f),
            Self::Nothing(nothing) => nothing.fmt(f),
            Self::Refuse(refuse) => refuse.fmt(f),
        }
    }
}

impl Display for Start {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { release, containers, without_way_back } = self;
        write!(f, "tag {} pushed {} for {}", release.tag, release.pushed_at, containers.join(", "))?;
        match without_way_back {
            Some(why) => write!(f, "; first release, without a way back: {why}"),
            None => Ok(()),
        }
    }
}

impl Display for Wait {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scan { until } => {
                write!(f, "the image is being scanned; it is refused if that lasts beyond {until}")
            }
            Self::ActiveDeployment { id } => write!(f, "the deployment {id} is active on this service"),
            Self::Hold { text } if text.is_empty() => f.write_str("releases of this service are on hold"),
            Self::Hold { text } => write!(f, "releases of this service are on hold: {text}"),
            Self::Freeze { until, window } => write!(f, "releases are frozen until {until} ({window})"),
        }
    }
}

impl Display for Nothing {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPush(what) => write!(f, "not a push: {what}"),
            Self::NotOurs { repository } => {
                write!(f, "no service in releases.yaml takes images of {repository}")
            }
            Self::NoScanGate { repository } => {
                write!(f, "no service that takes images of {repository} waits for their scan")
            }
            Self::ScannedLater { pushed_at } => {
                write!(f, "scanned again: the push of {pushed_at} no longer waits for it")
            }
            Self::Untagged => f.write_str("the image has no tag"),
            Self::TagDoesNotMatch { tags, patterns } => {
                write!(f, "none of the image's tags ({}) matches {}", tags.join(", "), patterns.join(" or "))
            }
            Self::Artifact(kind) => write!(f, "not an image that runs, but {kind}"),
            Self::AlreadyLive { revision } => write!(f, "already live with {revision}"),
            Self::AlreadyInProgress { deployment } => write!(f, "already being deployed by {deployment}"),
            Self::RejectedBefore { by, how } => {
                write!(
                    f,
                    "this image was rejected before ({by}: {how}); push a corrected image, which has another digest"
                )
            }
            Self::DeployedBefore { deployment } => {
                write!(f, "this image was deployed before by {deployment}, and is no longer live")
            }
            Self::OlderThanLive { pushed_at, live_pushed_at } => {
                write!(f, "pushed {pushed_at}, before the image that is live ({live_pushed_at})")
            }
            Self::NothingNewer { since } => write!(f, "no image was pushed since {since}"),
            Self::NoBaseline => f.write_str(
                "what is live was not released by Sluice, and the sweep has not run yet: older images are not \
                 told from newer ones",
            ),
            Self::EventFirst { pushed_at } => {
                write!(f, "the image pushed {pushed_at} is left to the event of its push for now")
            }
            Self::WrongPlatform { image, service } => {
                let image: Vec<_> = image.iter().map(Platform::to_string).collect();
                write!(
                    f,
                    "the image is for {} and the service runs on {service}; build it for that platform",
                    image.join(", ")
                )
            }
        }
    }
}

impl Display for Refuse {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::ImageGone => f.write_str("ECR has no such image (any more); push it again"),
            Self::NoService => f.write_str(
                "ECS has no such active service; correct 'cluster' and 'service' in releases.yaml",
            ),
            Self::OtherController { found } => {
                let (found, entry) = match found {
                    Controller::CodeDeploy => {
                        ("CODE_DEPLOY", "name its application and group under 'deploy: codedeploy'")
                    }
                    Controller::Ecs => ("ECS", "write 'deploy: { ecs: {} }'"),
                    Controller::External => ("EXTERNAL", "Sluice cannot release it"),
                };
                write!(
                    f,
                    "the service's deployment controller is {found}, not what releases.yaml says; {entry}"
                )
            }
            Self::OtherGroup { deploys_to: Some((cluster, service)) } => {
                write!(
                    f,
                    "the deployment group deploys to {cluster}/{service}; correct 'deploy' in releases.yaml"
                )
            }
            Self::OtherGroup { deploys_to: None } => f.write_str(
                "the deployment group deploys to no ECS service; correct 'deploy' in releases.yaml",
            ),
            Self::NoLoadBalancer => f.write_str("the service has no load balancer, which blue/green needs"),
            Self::NoHook { events } => write!(
                f,
                "the service calls no checks at {}: give it a strategy other than ROLLING and, at the stages \
                 that correspond, lifecycle hooks that call Sluice's hook function; or remove these checks",
                events.join(", ")
            ),
            Self::NoContainer { container, known } => write!(
                f,
                "the task definition has no container '{container}'; name one of {} in releases.yaml",
                known.join(", ")
            ),
            Self::ScanFindings(counts) => {
                let counts: Vec<_> = counts.iter().map(|(severity, n)| format!("{n} {severity}")).collect();
                write!(f, "scanning found {}; push a corrected image", counts.join(", "))
            }
            Self::ScanImpossible(why) => {
                write!(
                    f,
                    "the image cannot be scanned ({why}); correct that, or remove the service's scan gate"
                )
            }
            Self::ScanLate { since } => write!(
                f,
                "no scan of the image finished in time since {since}; check the registry's scanning, or lengthen \
                 'gates: scan: wait'"
            ),
            Self::AlarmRed { alarms } => write!(f, "in ALARM before the deployment: {}", alarms.join(", ")),
            Self::AlarmMissing { alarms } => {
                write!(
                    f,
                    "CloudWatch has no such alarm: {}; correct 'alarms' in releases.yaml, or those of the \
                     deployment group",
                    alarms.join(", ")
                )
            }
            Self::NoWayBack(why) => write!(f, "a rollback would have no target: {why}; deploy by hand"),
            Self::Unrenderable(why) => f.write_str(why),
        }
    }
}
