//! Where requests go now: what the proxy reads after each change.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::{Action, Health, Redirect, TargetGroup};
use crate::cloud::Cloud;
use crate::glob;

/// What the proxy has to know of one listener.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListenerRoutes {
    pub load_balancer: String,
    pub listener: String,
    pub port: u16,
    /// In order of priority; the last one is the default and always matches.
    pub rules: Vec<RouteRule>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RouteRule {
    /// Glob patterns (`*`, `?`) of which one must fit; empty: any.
    pub hosts: Vec<String>,
    pub paths: Vec<String>,
    pub action: RouteAction,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum RouteAction {
    Forward(Vec<RouteTargets>),
    Fixed {
        status: u16,
        content_type: String,
        body: String,
    },
    /// `location` has AWS's placeholders: `#{host}`, `#{path}` …
    Redirect {
        status: u16,
        location: String,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RouteTargets {
    pub target_group: String,
    pub weight: u32,
    /// Addresses that may take a request now: healthy ones, or all registered if none is
    /// healthy (an ALB fails open), never draining ones.
    pub targets: Vec<(Ipv4Addr, u16)>,
}

impl ListenerRoutes {
    /// What the first rule that fits does. `host` as the request's header has it, with or without
    /// a port; `path` without the query.
    pub fn action(&self, host: &str, path: &str) -> RouteAction {
        let name = without_port(host).to_lowercase();
        let fits = |patterns: &[String], text: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| glob::fits(pattern, text))
        };
        let rule = self.rules.iter().find(|rule| fits(&rule.paths, path) && fits(&rule.hosts, &name));
        rule.map_or_else(|| RouteAction::Forward(Vec::new()), |rule| rule.action.clone())
    }

    /// A redirect's location with its placeholders filled in from the request.
    pub fn filled_in(&self, location: &str, host: &str, path: &str, query: &str) -> String {
        let filled = location
            .replace("#{protocol}", "http")
            .replace("#{host}", without_port(host))
            .replace("#{port}", &self.port.to_string())
            .replace("#{path}", path.trim_start_matches('/'))
            .replace("#{query}", query);
        filled.trim_end_matches('?').to_owned()
    }
}

fn without_port(host: &str) -> &str {
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// Every listener with what it does now.
pub fn routes(cloud: &Cloud) -> Vec<ListenerRoutes> {
    let state = &cloud.state.elbv2;
    let listeners = state.listeners.iter().map(|(arn, listener)| {
        let mut own: Vec<_> = state.rules.values().filter(|rule| &rule.listener == arn).collect();
        own.sort_by_key(|rule| rule.priority);
        let mut rules: Vec<_> = own
            .into_iter()
            .map(|rule| RouteRule {
                hosts: rule.hosts.clone(),
                paths: rule.paths.clone(),
                action: action(cloud, &rule.action),
            })
            .collect();
        rules.push(RouteRule { hosts: vec![], paths: vec![], action: action(cloud, &listener.action) });
        ListenerRoutes {
            load_balancer: listener.load_balancer.clone(),
            listener: arn.clone(),
            port: listener.port,
            rules,
        }
    });
    listeners.collect()
}

fn action(cloud: &Cloud, action: &Action) -> RouteAction {
    match action {
        Action::Forward(groups) => {
            let groups = groups.iter().map(|(arn, weight)| RouteTargets {
                target_group: arn.clone(),
                weight: *weight,
                targets: cloud.state.elbv2.target_groups.get(arn).map(taking_traffic).unwrap_or_default(),
            });
            RouteAction::Forward(groups.collect())
        }
        Action::Fixed { status, content_type, body } => {
            RouteAction::Fixed { status: *status, content_type: content_type.clone(), body: body.clone() }
        }
        Action::Redirect { status, location: Redirect { protocol, host, port, path, query } } => {
            let location = format!("{}://{host}:{port}{path}?{query}", protocol.to_lowercase());
            RouteAction::Redirect { status: *status, location }
        }
    }
}

fn taking_traffic(group: &TargetGroup) -> Vec<(Ipv4Addr, u16)> {
    let registered = || group.targets.iter().filter(|t| t.draining_until.is_none());
    let address = |t: &super::Target| (t.address, t.port);
    let healthy: Vec<_> = registered().filter(|t| t.health == Health::Healthy).map(address).collect();
    if healthy.is_empty() { registered().map(address).collect() } else { healthy }
}
