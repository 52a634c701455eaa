//! One HTTP request to a target or an SNS subscriber on this machine.

use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

use super::Host;
use crate::services::elbv2;
use crate::{Ms, Report};

/// The shortest real time that a check gets, whatever the clock's speed: processes
/// answer in real time.
const LEAST: Duration = Duration::from_secs(2);

pub struct Checker(Client<HttpConnector, Full<Bytes>>);

impl Default for Checker {
    fn default() -> Self {
        // A new connection each time, as a load balancer's health checks make.
        Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http())
    }
}

pub struct Check {
    pub target_group: String,
    pub address: Ipv4Addr,
    pub port: u16,
    pub path: String,
    pub timeout: Ms,
    pub codes: String,
}

pub async fn check(host: Rc<Host>, check: Check) {
    let (healthy, detail) = match status(&host, &check).await {
        Ok(status) if elbv2::fits(&check.codes, status) => (true, String::new()),
        Ok(status) => (false, format!("Health checks failed with these codes: [{status}]")),
        Err(detail) => (false, detail),
    };
    let Check { target_group, address, port, .. } = check;
    host.report(Report::Health { target_group, address, port, healthy, detail });
}

async fn status(host: &Host, check: &Check) -> Result<u16, String> {
    let uri = format!("http://{}:{}{}", check.address, check.port, check.path);
    let request = hyper::Request::get(uri)
        .header("user-agent", "ELB-HealthChecker/2.0")
        .body(Full::default())
        .map_err(|e| format!("health check path is no path: {e}"))?;
    let patience = host.clock.real(check.timeout).max(LEAST);
    match tokio::time::timeout(patience, host.health.0.request(request)).await {
        Ok(Ok(response)) => Ok(response.status().as_u16()),
        Ok(Err(_)) => Err("Health checks failed".into()),
        Err(_) => Err("Request timed out".into()),
    }
}

/// Posts to a loopback address only; anything else is said in the timeline and left.
pub async fn post(host: Rc<Host>, url: String, headers: Vec<(String, String)>, body: String) {
    let loopback = url.parse::<hyper::Uri>().ok().and_then(|u| u.host().map(str::to_owned));
    if !loopback.is_some_and(|h| h == "localhost" || h.parse::<Ipv4Addr>().is_ok_and(|a| a.is_loopback())) {
        host.note(format!("not posted to {url}: only loopback addresses are reached from here"));
        return;
    }
    let mut request = hyper::Request::post(&url);
    for (name, value) in &headers {
        request = request.header(name, value);
    }
    let outcome = match request.body(Full::from(body)) {
        Ok(request) => {
            match tokio::time::timeout(Duration::from_secs(15), host.health.0.request(request)).await {
                Ok(Ok(response)) => format!("{}", response.status()),
                Ok(Err(e)) => e.to_string(),
                Err(_) => "no answer in 15 s".into(),
            }
        }
        Err(e) => e.to_string(),
    };
    host.note(format!("posted to {url}: {outcome}"));
}
