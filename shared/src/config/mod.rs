//! `releases.yaml`: which image releases which service, and under which conditions.
//!
//! It is read once, at the start of a function. [`Releases`] is what the rest of Sluice
//! sees: everything in it is parsed, and lookups stay constant with a thousand services.

mod checks;
mod cursor;
mod faults;
mod pattern;
mod read;
pub mod schema;
mod secret;
mod smoke;
mod tree;
mod values;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

pub use checks::{Check, Checks, Migrate, MigrationCheck, OneOff};
pub use faults::{Fault, Faults, Position};
pub use pattern::{JsonPath, Pattern};
pub use secret::{SecretRef, Text};
pub use smoke::{Body, Comparison, JsonTest, Method, Reach, Repeat, Smoke, SmokeRequest, Test, Version};

use crate::freeze::Freeze;
use crate::image::TagPattern;

/// All services that Sluice may touch, indexed by what wakes it.
#[derive(Debug, Default)]
pub struct Releases {
    services: Vec<Service>,
    by_repository: HashMap<String, Vec<(usize, usize)>>,
    by_group: HashMap<(String, String), usize>,
    by_service: HashMap<(String, String), usize>,
    by_name: HashMap<String, usize>,
    by_alarm: HashMap<String, Vec<usize>>,
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
    /// Tells of alarms as well that stop nothing, since no deployment is watched.
    pub unwatched: bool,
}

impl Releases {
    /// Reads a file; fails with everything that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        let file = path.to_string_lossy();
        let fail = |what: String| Faults::new(&file, vec![Fault::of_the_file(what)]);
        let bytes = std::fs::read(path).map_err(|e| fail(format!("can't be read: {e}")))?;
        let text =
            str::from_utf8(&bytes).map_err(|e| fail(format!("is not UTF-8: {e}; save it as UTF-8")))?;
        Self::parse(text, &file)
    }

    /// Reads the text of `file`, which is how faults call it.
    pub fn parse(text: &str, file: &str) -> Result<Self, Faults> {
        let empty = || Fault::of_the_file("is empty; write services: and an entry per service under it");
        let fail = |faults| Faults::new(file, faults);
        let root =
            tree::parse(text).and_then(|root| root.ok_or_else(empty)).map_err(|fault| fail(vec![fault]))?;
        let context = cursor::Context::default();
        let root = cursor::Value::root(&root, &context);
        let services = if root.is_null() {
            root.fault("is empty; write services: and an entry per service under it");
            None
        } else {
            read::document(root)
        };
        let mut faults = context.into_faults();
        match services {
            Some(services) if faults.is_empty() => Ok(Self::new(services)),
            Some(_) => Err(fail(faults)),
            None => {
                if faults.is_empty() {
                    faults.push(Fault::of_the_file("has a fault that has no words yet; please report it"));
                }
                Err(fail(faults))
            }
        }
    }

    /// No two services share a name, a deployment group or an ECS service: reading a file refuses it.
    pub fn new(services: Vec<Service>) -> Self {
        let mut all = Self::default();
        for (s, service) in services.iter().enumerate() {
            for (i, rule) in service.images.iter().enumerate() {
                all.by_repository.entry(rule.repository.clone()).or_default().push((s, i));
            }
            if let Engine::CodeDeploy { application, group } = &service.engine {
                all.by_group.insert((application.clone(), group.clone()), s);
            }
            all.by_service.insert((service.cluster.clone(), service.service.clone()), s);
            all.by_name.insert(service.name.clone(), s);
            for alarm in &service.alarms {
                all.by_alarm.entry(alarm.clone()).or_default().push(s);
            }
        }
        Self { services, ..all }
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

    /// Whom a CodeDeploy deployment group deploys.
    pub fn deployed_by(&self, application: &str, group: &str) -> Option<&Service> {
        self.services.get(*self.by_group.get(&(application.to_owned(), group.to_owned()))?)
    }

    /// By the names that ECS gives it.
    pub fn by_service(&self, cluster: &str, service: &str) -> Option<&Service> {
        self.services.get(*self.by_service.get(&(cluster.to_owned(), service.to_owned()))?)
    }

    /// Whom an alarm guards, in the order of the file.
    pub fn guarded_by(&self, alarm: &str) -> impl Iterator<Item = &Service> {
        let places = self.by_alarm.get(alarm).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|s| self.services.get(*s))
    }

    /// By its entry's key.
    pub fn by_name(&self, name: &str) -> Option<&Service> {
        self.services.get(*self.by_name.get(name)?)
    }
}

impl Severity {
    /// The worst first.
    pub const ALL: [Self; 7] = [
        Self::Critical,
        Self::High,
        Self::Medium,
        Self::Low,
        Self::Informational,
        Self::Untriaged,
        Self::Undefined,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "CRITICAL",
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
            Self::Informational => "INFORMATIONAL",
            Self::Untriaged => "UNTRIAGED",
            Self::Undefined => "UNDEFINED",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
