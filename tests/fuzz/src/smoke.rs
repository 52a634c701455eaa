//! What a service answers to a smoke test: its version, its headers, its JSON, where it redirects.

use std::sync::OnceLock;
use std::time::Duration;

use lifecycle_hook::secrets::Values;
use lifecycle_hook::smoke::{Deployed, expect, redirected};
use shared::aws::{WebAnswer, WebRequest};
use shared::config::{Check, Releases, SmokeRequest};

/// One request with each kind of expectation.
const RELEASES: &str = r"
services:
  api:
    cluster: c
    service: s
    images: [{ repository: r, container: c, tags: v.* }]
    deploy: { ecs: {} }
    checks:
      before-allow-traffic:
        - smoke:
            base-url: https://api.internal
            requests:
              - { get: /a, status: 200, version: { header: x-version } }
              - { get: /b, status: 200, version: { json: $.version } }
              - { get: /c, status: 200, version: { body: 'version ([^ ]+)' } }
              - { get: /d, status: ['200-204', 409], response-headers: { x-version: '[0-9a-f.]+' } }
              - { get: /e, json: { status: healthy, $.queue.depth: { at-most: 10, above: 1 }, '$..name': { matches: 'a.*' } } }
              - { get: /f, body: '(ok|fine)' }
";

fn requests() -> &'static [SmokeRequest] {
    static REQUESTS: OnceLock<Vec<SmokeRequest>> = OnceLock::new();
    REQUESTS.get_or_init(|| {
        let releases = Releases::parse(RELEASES, "releases.yaml").unwrap_or_else(|faults| panic!("{faults}"));
        let checks = releases.services().iter().flat_map(|service| service.checks.by_lifecycle_event());
        let smoke = checks.flat_map(|(_, checks)| checks).filter_map(|check| match check {
            Check::Smoke(smoke) => Some(smoke.requests.clone()),
            Check::Migrate(_) | Check::MigrationCheck(_) => None,
        });
        smoke.flatten().collect()
    })
}

/// A line with a header, which is a version and a place as well, and the body.
pub fn answer(input: &[u8]) -> bool {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (header, body) = input.split_at(end);
    let header = String::from_utf8_lossy(header);
    let headers = vec![("x-version".to_owned(), header.clone().into_owned())];
    let body = body.get(1..).unwrap_or_default().to_vec();
    let answer = WebAnswer { status: 200, headers, body, took: Duration::ZERO };
    let secrets = Values::default();
    let deployed = Deployed { digest: None, tag: Some("c03b7e5a94d2".to_owned()) };
    let held = requests().iter().filter(|request| match expect(request, &answer, &deployed, &secrets) {
        Ok(()) => true,
        Err(wrong) => {
            assert!(!wrong.reason().contains(|c: char| c.is_control()) && wrong.reason().len() < 2_000);
            false
        }
    });
    let held = held.count();
    stays_at_its_origin(&header);
    held > 0
}

fn stays_at_its_origin(location: &str) {
    let request = WebRequest {
        method: "POST",
        url: "https://api.internal:8443/a/b?c".to_owned(),
        headers: Vec::new(),
        body: "text".to_owned(),
    };
    for status in [302, 307] {
        if let Ok(next) = redirected(&request, status, location) {
            assert!(next.url.starts_with("https://api.internal:8443/"), "{}", next.url);
        }
    }
}
