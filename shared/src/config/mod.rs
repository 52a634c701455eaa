//! `releases.yaml`: which image releases which service, and under which conditions.
//!
//! It is read once, at the start of a function. [`Releases`] is what the rest of Sluice
//! sees: everything in it is parsed, and lookups stay constant with a thousand services.

use std::collections::HashMap;
use std::time::Duration;

use crate::freeze::Freeze;
use crate::image::TagPattern;

/// All services that Sluice may touch, indexed by what wakes it.
#[derive(Debug, Default)]
pub struct Releases {
    services: Vec<Service>,
    by_repository: HashMap<String, Vec<(usize, usize)>>,
}

/// One entry under `services`.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// The entry's key, as people and messages call it.
    pub name: String,
    pub cluster: String,
    pub service: String,
    /// At least one; no two for the same container.
    pub images: Vec<ImageRule>,
    pub engine: Engine,
    pub checks: Checks,
    /// Names of CloudWatch alarms, metric or composite.
    pub alarms: Vec<String>,
    /// How long after success an alarm still rolls back; zero if not at all.
    pub watch: Duration,
    pub scan: Option<ScanGate>,
    pub freeze: Vec<Freeze>,
    pub notify: Notify,
}

/// Pushes of `repository` whose tag matches replace the image of `container`.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageRule {
    pub repository: String,
    pub container: String,
    pub tags: TagPattern,
}

/// What runs the service's deployments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// Blue/green through CodeDeploy.
    CodeDeploy { application: String, group: String },
    /// The service's own deployment controller.
    Ecs,
}

/// The checks of each lifecycle event, in the order in which they run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checks {
    pub before_install: Vec<Check>,
    pub after_install: Vec<Check>,
    pub after_allow_test_traffic: Vec<Check>,
    pub before_allow_traffic: Vec<Check>,
    pub after_allow_traffic: Vec<Check>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    Migrate(Migrate),
    Smoke(Smoke),
}

/// A one-off task of the new revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Migrate {
    pub container: String,
    pub command: Vec<String>,
    pub timeout: Duration,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Smoke {
    /// `http://` or `https://`, a host, perhaps a port; no path.
    pub base_url: String,
    pub requests: Vec<SmokeRequest>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SmokeRequest {
    /// The path, from `/` on.
    pub get: String,
    /// Values may be references: `secret:name#field` or `secret:name`.
    pub headers: Vec<(String, String)>,
    pub status: u16,
    /// Members that the answer's JSON object must have, with these values.
    pub json: serde_json::Map<String, serde_json::Value>,
}

/// Findings that keep an image from being released.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanGate {
    pub block: Vec<Severity>,
    /// How long after the push a scan may take before the image is refused.
    pub wait: Duration,
}

/// Severities as ECR and Inspector name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Critical,
    High,
    Medium,
    Low,
    Informational,
    Untriaged,
    Undefined,
}

/// Slack channels, with their `#`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notify {
    pub slack: Option<String>,
    pub alarms: Option<String>,
}

/// TEMP
#[derive(Debug)]
pub struct Faults;
impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("temp")
    }
}

impl Releases {
    /// TEMP
    pub fn load(_: &std::path::Path) -> Result<Self, Faults> {
        Err(Faults)
    }

    pub fn new(services: Vec<Service>) -> Self {
        let mut by_repository: HashMap<String, Vec<_>> = HashMap::new();
        for (s, service) in services.iter().enumerate() {
            for (i, rule) in service.images.iter().enumerate() {
                by_repository.entry(rule.repository.clone()).or_default().push((s, i));
            }
        }
        Self { services, by_repository }
    }

    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// Who takes images of a repository, in the order of the file.
    pub fn taking(&self, repository: &str) -> impl Iterator<Item = (&Service, &ImageRule)> {
        let places = self.by_repository.get(repository).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|(s, i)| {
            let service = self.services.get(*s)?;
            Some((service, service.images.get(*i)?))
        })
    }
}

impl Checks {
    /// CodeDeploy's lifecycle events that have checks, in the order in which they come.
    pub fn lifecycle_events(&self) -> Vec<&'static str> {
        let all = [
            ("BeforeInstall", &self.before_install),
            ("AfterInstall", &self.after_install),
            ("AfterAllowTestTraffic", &self.after_allow_test_traffic),
            ("BeforeAllowTraffic", &self.before_allow_traffic),
            ("AfterAllowTraffic", &self.after_allow_traffic),
        ];
        all.into_iter().filter(|(_, checks)| !checks.is_empty()).map(|(event, _)| event).collect()
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Critical => "CRITICAL",
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
            Self::Informational => "INFORMATIONAL",
            Self::Untriaged => "UNTRIAGED",
            Self::Undefined => "UNDEFINED",
        })
    }
}
