//! HTTP in the simulated world: to a listener, which sends it on, or straight to a task.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::World;
use crate::http::{Request, Response};
use crate::sample_app::{Behaviour, Reaction};
use crate::services::elbv2::{self, ListenerRoutes, RouteAction, RouteTargets};
use crate::slack;
use crate::{Ms, Report, SECOND};

/// An ALB's idle timeout.
const PATIENCE: Ms = 60 * SECOND;

/// What a listener did with a request.
struct Served {
    /// `None`: no target answered.
    target_group: Option<String>,
    /// Of the application that answered, `-` for the balancer itself.
    version: String,
    after: Ms,
    response: Response,
}

impl World {
    /// Sends a request over HTTP, now: to a listener where the host is this machine's name, to
    /// a task where it is the task's address; or to Slack. A listener's answer is counted at once, however
    /// long it takes. Errors: nothing listens there.
    pub fn request(&mut self, host: &str, port: u16, request: &Request) -> Result<Reaction, String> {
        if let Some(path) = slack::path(host, request) {
            let now = self.now();
            return match self.cloud.slack(path, request, now) {
                slack::Outcome::Answer(response) => Ok(Reaction::Answer { after: 0, response }),
                slack::Outcome::Broken(why) => Err(format!("{host}:{port}: {why}")),
                slack::Outcome::Silence => Ok(Reaction::Silence),
            };
        }
        if matches!(host, "localhost" | "127.0.0.1" | "::1" | "[::1]") {
            let route = self.route(port).ok_or_else(|| format!("{host}:{port}: connection refused"))?;
            let action = route.action(request.header("host").unwrap_or(host), request.path());
            let sent_on = sent_on(request, port);
            let served = self.through(&route, &action, request, |app| app.react(&sent_on));
            let (status, latency) = (served.response.status, served.after);
            self.count(port, &served.version, status);
            self.tell(&route, served.target_group, status, latency, 1);
            return Ok(Reaction::Answer { after: latency, response: served.response });
        }
        let address: Ipv4Addr = host.parse().map_err(|_| format!("{host}: name or service not known"))?;
        let app = self.listening((address, port));
        app.map(|app| app.react(request)).ok_or_else(|| format!("{host}:{port}: connection refused"))
    }

    /// Sends so many requests to `/` on a listener, now. A port without one takes none.
    pub fn send(&mut self, port: u16, requests: u64) {
        let Some(route) = self.route(port) else { return };
        let action = route.action("localhost", "/");
        let request = Request { method: "GET".into(), target: "/".into(), ..Request::default() };
        let mut outcomes: BTreeMap<(Option<String>, u16), (u64, Ms)> = BTreeMap::new();
        for _ in 0..requests {
            // Nobody reads these answers: they are judged, not written.
            let judged = self.through(&route, &action, &request, |app| app.judge("/"));
            let Served { target_group, version, after, response } = judged;
            self.count(port, &version, response.status);
            let outcome = outcomes.entry((target_group, response.status)).or_default();
            *outcome = (outcome.0 + 1, after);
        }
        for ((target_group, status), (count, latency)) in outcomes {
            self.tell(&route, target_group, status, latency, count);
        }
    }

    fn route(&self, port: u16) -> Option<ListenerRoutes> {
        elbv2::routes(&self.cloud).into_iter().find(|route| route.port == port)
    }

    fn count(&mut self, port: u16, version: &str, status: u16) {
        *self.served.entry(port).or_default().entry((version.to_owned(), status)).or_default() += 1;
    }

    fn tell(&mut self, route: &ListenerRoutes, group: Option<String>, status: u16, latency: Ms, count: u64) {
        let load_balancer = route.load_balancer.clone();
        #[allow(clippy::cast_precision_loss)]
        let latency_ms = latency as f64;
        self.report(Report::Served { load_balancer, target_group: group, status, latency_ms, count });
    }

    /// Does what the listener's action says; `ask` asks the target.
    fn through(
        &mut self,
        route: &ListenerRoutes,
        action: &RouteAction,
        request: &Request,
        ask: impl Fn(&mut Behaviour) -> Reaction,
    ) -> Served {
        match action {
            RouteAction::Fixed { status, content_type, body } => own(*status, content_type, body),
            RouteAction::Redirect { status, location } => {
                let host = request.header("host").unwrap_or("localhost");
                let location = route.filled_in(location, host, request.path(), request.query());
                let mut served = own(*status, "text/plain", "");
                served.response.headers.push(("location".to_owned(), location));
                served
            }
            RouteAction::Forward(groups) => self.forward(route, groups, ask),
        }
    }

    fn forward(
        &mut self,
        route: &ListenerRoutes,
        groups: &[RouteTargets],
        ask: impl Fn(&mut Behaviour) -> Reaction,
    ) -> Served {
        let Some((group, target)) = self.choose(route, groups) else {
            return own(503, "text/plain", "no target is registered");
        };
        let Some(app) = self.listening(target) else {
            return own(502, "text/plain", "the target did not answer");
        };
        match ask(app) {
            Reaction::Answer { after, response } if after <= PATIENCE => {
                Served { target_group: Some(group), version: app.version.clone(), after, response }
            }
            _ => {
                let late = own(504, "text/plain", "the target did not answer in time");
                Served { after: PATIENCE, ..late }
            }
        }
    }

    fn choose(
        &mut self,
        route: &ListenerRoutes,
        groups: &[RouteTargets],
    ) -> Option<(String, (Ipv4Addr, u16))> {
        let weights: Vec<_> = groups.iter().map(|g| (g.target_group.clone(), g.weight)).collect();
        let group = &groups[self.rotations.entry(route.listener.clone()).or_default().next(&weights)?];
        let targets: Vec<_> = group.targets.iter().map(|(ip, p)| (format!("{ip}:{p}"), 1)).collect();
        let key = format!("{} {}", route.listener, group.target_group);
        let n = self.rotations.entry(key).or_default().next(&targets)?;
        Some((group.target_group.clone(), group.targets[n]))
    }

    /// The application that listens on an address and port now.
    fn listening(&mut self, (address, port): (Ipv4Addr, u16)) -> Option<&mut Behaviour> {
        let now = self.now();
        let here = self.tasks.values_mut().flatten();
        let mut apps = here.filter(|c| c.address == address && c.listens_from <= now);
        apps.find_map(|container| container.app.as_mut().filter(|app| app.port == port))
    }

    /// How long a health check took, whether it passed, and why not.
    pub(super) fn health(
        &mut self,
        target: (Ipv4Addr, u16),
        path: &str,
        timeout: Ms,
        codes: &str,
    ) -> (Ms, bool, String) {
        let headers = vec![("user-agent".to_owned(), "ELB-HealthChecker/2.0".to_owned())];
        let request = Request { method: "GET".into(), target: path.to_owned(), headers, body: Vec::new() };
        if let Some(app) = self.listening(target) {
            return match app.react(&request) {
                Reaction::Answer { after, response } if after <= timeout => {
                    let passed = elbv2::fits(codes, response.status);
                    let why = format!("Health checks failed with these codes: [{}]", response.status);
                    (after.max(1), passed, if passed { String::new() } else { why })
                }
                _ => (timeout, false, "Request timed out".into()),
            };
        }
        // Where a task is, its port refuses at once; where none is, nobody answers.
        match self.tasks.values().flatten().any(|c| c.address == target.0) {
            true => (1, false, "Health checks failed".into()),
            false => (timeout, false, "Request timed out".into()),
        }
    }
}

/// The balancer's own answer.
fn own(status: u16, content_type: &str, text: &str) -> Served {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    let response = Response { status, headers, body: text.as_bytes().to_vec() };
    Served { target_group: None, version: "-".to_owned(), after: 0, response }
}

/// The request as an ALB sends it on.
fn sent_on(request: &Request, port: u16) -> Request {
    let mut request = request.clone();
    let before = request.header("x-forwarded-for").map(|chain| format!("{chain}, "));
    let chain = format!("{}127.0.0.1", before.unwrap_or_default());
    let added = [("x-forwarded-for", chain), ("x-forwarded-proto", "http".to_owned())];
    let added = added.into_iter().chain([("x-forwarded-port", port.to_string())]);
    request.headers.retain(|(name, _)| !name.starts_with("x-forwarded-"));
    request.headers.extend(added.map(|(name, value)| (name.to_owned(), value)));
    request
}
