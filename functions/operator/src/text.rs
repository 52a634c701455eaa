//! What the command prints.

use std::time::Duration;

use jiff::SignedDuration;
use shared::config::{Check, Engine, Migrate, Reach, Releases, Service};

/// What `releases.yaml` says, a block per service: what is not said has no line.
pub fn summary(releases: &Releases) -> String {
    let blocks: Vec<_> = releases.services().iter().map(service).collect();
    blocks.join("\n")
}

fn service(service: &Service) -> String {
    let mut lines = vec![
        ("service", format!("{}/{}", service.cluster, service.service)),
        ("engine", engine(&service.engine)),
    ];
    for rule in &service.images {
        lines.push((
            "image",
            format!("{} -> {}, tags {}", rule.repository, rule.container, rule.tags.as_str()),
        ));
    }
    for (event, of_event) in service.checks.by_lifecycle_event() {
        if !of_event.is_empty() {
            lines.push(("checks", format!("{event}: {}", checks(of_event))));
        }
    }
    let secrets: Vec<_> = service.checks.secrets().iter().map(|secret| secret.to_string()).collect();
    lines.push(("secrets", secrets.join(", ")));
    lines.push(("alarms", service.alarms.join(", ")));
    if !service.watch.is_zero() {
        lines.push(("watch", duration(service.watch)));
    }
    if let Some(scan) = &service.scan {
        let block: Vec<_> = scan.block.iter().map(|severity| severity.as_str()).collect();
        lines.push(("scan", format!("refuses {}, waits {}", block.join(", "), duration(scan.wait))));
    }
    for freeze in &service.freeze {
        lines.push(("freeze", freeze.text.clone()));
    }
    lines.push(("slack", service.notify.slack.clone().unwrap_or_default()));
    lines.push(("on call", service.notify.alarms.clone().unwrap_or_default()));
    lines.retain(|(_, value)| !value.is_empty());
    let lines: Vec<_> = lines.into_iter().map(|(label, value)| format!("  {label:<8} {value}\n")).collect();
    format!("{}\n{}", service.name, lines.concat())
}

fn engine(engine: &Engine) -> String {
    match engine {
        Engine::CodeDeploy { application, group } => format!("CodeDeploy {application}/{group}"),
        Engine::Ecs => "ECS itself".to_owned(),
    }
}

fn checks(checks: &[Check]) -> String {
    let told: Vec<_> = checks.iter().map(check).collect();
    told.join(", ")
}

fn check(check: &Check) -> String {
    match check {
        Check::Migrate(Migrate { task, snapshot }) => {
            let snapshot = snapshot.as_ref().map_or(String::new(), |of| format!(" after a snapshot of {of}"));
            format!("migrate by {}{snapshot}", task.container)
        }
        Check::MigrationCheck(check) => {
            let allowed: Vec<_> = check.allow.iter().map(|rule| rule.as_str()).collect();
            let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(" ") };
            let (container, dialect) = (&check.task.container, check.dialect.as_str());
            format!("migration-check of {container} ({dialect}, allows {allowed})")
        }
        Check::Smoke(smoke) => {
            let reach = match &smoke.reach {
                Reach::BaseUrl(url) => url.clone(),
                Reach::Tasks { port: Some(port) } => format!("each task's port {port}"),
                Reach::Tasks { port: None } => "each task".to_owned(),
            };
            let requests = if smoke.requests.len() == 1 { "request" } else { "requests" };
            format!("smoke: {} {requests} to {reach}", smoke.requests.len())
        }
    }
}

/// As `releases.yaml` writes it: `1h 30m`.
fn duration(duration: Duration) -> String {
    SignedDuration::try_from(duration).map_or_else(|_| format!("{duration:?}"), |span| format!("{span:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_names_what_each_service_releases_and_how() {
        let releases =
            Releases::parse(include_str!("../../../tests/releases.yaml"), "releases.yaml").unwrap();
        assert_eq!(
            summary(&releases),
            "\
api-production
  service  api-cluster/api-service
  engine   CodeDeploy api-deploy/api-production
  image    api-service -> api, tags [0-9a-f]{40}
  checks   BeforeInstall: migrate by api
  checks   BeforeAllowTraffic: smoke: 2 requests to https://api.internal:8443
  secrets  secret:api/smoke-token
  alarms   api-5xx-green, api-latency
  watch    30m
  scan     refuses CRITICAL, HIGH, waits 10m
  freeze   fri 16:00 - mon 08:00 Europe/Dublin
  slack    #deploys
  on call  #ops

worker
  service  api-cluster/worker
  engine   ECS itself
  image    worker -> worker, tags v[0-9]+[.][0-9]+[.][0-9]+
"
        );
    }

    #[test]
    fn checks_are_told_in_a_line_per_lifecycle_event() {
        let releases =
            Releases::parse(include_str!("../../../shared/src/config/tests/checks.yaml"), "f").unwrap();
        let told = summary(&releases);
        let lines: Vec<_> = told.lines().filter_map(|line| line.strip_prefix("  checks   ")).collect();
        assert_eq!(
            lines,
            [
                "BeforeInstall: migration-check of api (postgresql, allows drop-column), \
                 migrate by api after a snapshot of api-db",
                "AfterInstall: smoke: 2 requests to each task's port 8080",
                "BeforeAllowTraffic: smoke: 2 requests to https://api.internal:8443",
            ]
        );
    }

    #[test]
    fn durations_read_as_they_are_written() {
        for (seconds, text) in [(0, "0s"), (90, "1m 30s"), (1800, "30m"), (5400, "1h 30m"), (604_800, "168h")]
        {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
    }
}
