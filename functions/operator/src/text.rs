//! What the command prints.

use std::time::Duration;

use jiff::SignedDuration;
use shared::config::{Checks, Engine, Releases, Service};

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
    lines.push(("hooks", hooks(&service.checks)));
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
        Engine::Ecs => "ECS rolling deployment".to_owned(),
    }
}

fn hooks(checks: &Checks) -> String {
    let hooks: Vec<_> = checks
        .by_lifecycle_event()
        .into_iter()
        .filter(|(_, checks)| !checks.is_empty())
        .map(|(event, checks)| format!("{event} {}", checks.len()))
        .collect();
    hooks.join(", ")
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
  hooks    BeforeInstall 1, BeforeAllowTraffic 1
  alarms   api-5xx-green, api-latency
  watch    30m
  scan     refuses CRITICAL, HIGH, waits 10m
  freeze   fri 16:00 - mon 08:00 Europe/Dublin
  slack    #deploys
  on call  #ops

worker
  service  api-cluster/worker
  engine   ECS rolling deployment
  image    worker -> worker, tags v[0-9]+[.][0-9]+[.][0-9]+
"
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
