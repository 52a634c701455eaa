//! The load balancer: a real HTTP proxy on each listener's port.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::Host;
use super::tally::Tally;
use crate::Report;
use crate::services::elbv2::{ListenerRoutes, RouteAction, RouteTargets};
use crate::weighted::Rotation;

/// An ALB's idle timeout, in real time.
const PATIENCE: Duration = Duration::from_secs(60);

type Body = Either<Incoming, Full<Bytes>>;
type Request = hyper::Request<Incoming>;
type Response = hyper::Response<Body>;

pub struct Balancer {
    client: Client<HttpConnector, Incoming>,
    routes: RefCell<BTreeMap<u16, ListenerRoutes>>,
    ports: RefCell<BTreeMap<u16, Vec<AbortHandle>>>,
    rotations: RefCell<BTreeMap<String, Rotation>>,
    /// What was served, by listener port.
    pub tally: Tally,
}

impl Default for Balancer {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(Duration::from_secs(5)));
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            routes: RefCell::default(),
            ports: RefCell::default(),
            rotations: RefCell::default(),
            tally: Tally::default(),
        }
    }
}

/// Whether a listener could be opened here.
pub fn port_is_free(port: u16) -> bool {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Opens and closes ports, and sends the next request by the new routes.
pub fn apply(host: &Rc<Host>, routes: Vec<ListenerRoutes>) {
    let routes: BTreeMap<u16, ListenerRoutes> = routes.into_iter().map(|r| (r.port, r)).collect();
    host.balancer.ports.borrow_mut().retain(|port, listening| {
        let keep = routes.contains_key(port);
        if !keep {
            listening.iter().for_each(AbortHandle::abort);
        }
        keep
    });
    for port in routes.keys() {
        if !host.balancer.ports.borrow().contains_key(port) {
            open(host, *port);
        }
    }
    *host.balancer.routes.borrow_mut() = routes;
}

/// Listens on both of localhost's addresses, for `localhost` may mean either; a
/// machine without IPv6 has the one.
fn open(host: &Rc<Host>, port: u16) {
    let addresses =
        [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))];
    let mut listening = Vec::new();
    for address in addresses {
        let listener = std::net::TcpListener::bind(address)
            .and_then(|l| l.set_nonblocking(true).map(|()| l))
            .and_then(TcpListener::from_std);
        match listener {
            Ok(listener) => {
                let task = tokio::task::spawn_local(accept(Rc::clone(host), listener, port));
                listening.push(task.abort_handle());
            }
            Err(e) if address.is_ipv4() => {
                let host = Rc::clone(host);
                tokio::task::spawn_local(async move {
                    host.note(format!("listener on port {port} is closed: {e}"))
                });
            }
            Err(_) => {}
        }
    }
    host.balancer.ports.borrow_mut().insert(port, listening);
}

async fn accept(host: Rc<Host>, listener: TcpListener, port: u16) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else { continue };
        let host = Rc::clone(&host);
        let service = service_fn(move |request| serve(Rc::clone(&host), port, peer, request));
        tokio::task::spawn_local(async move {
            // A client that goes away is its own business.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn serve(
    host: Rc<Host>,
    port: u16,
    peer: SocketAddr,
    request: Request,
) -> Result<Response, Infallible> {
    let Some(route) = host.balancer.routes.borrow().get(&port).cloned() else {
        return Ok(own(503, "text/plain", "no listener"));
    };
    let began = Instant::now();
    let name = request.headers().get("host").and_then(|h| h.to_str().ok()).unwrap_or("localhost").to_owned();
    let (target_group, response) = match route.action(&name, request.uri().path()) {
        RouteAction::Fixed { status, content_type, body } => (None, own(status, &content_type, &body)),
        RouteAction::Redirect { status, location } => {
            let mut response = own(status, "text/plain", "");
            let query = request.uri().query().unwrap_or_default();
            let location = route.filled_in(&location, &name, request.uri().path(), query);
            if let Ok(location) = HeaderValue::from_str(&location) {
                response.headers_mut().insert("location", location);
            }
            (None, response)
        }
        RouteAction::Forward(groups) => {
            let spell = host.balancer.tally.spell(port, &groups);
            let (group, response) = forward(&host, &route, &groups, port, peer, request).await;
            host.balancer.tally.count(port, spell, group.as_deref(), response.status().as_u16());
            (group, response)
        }
    };
    host.report(Report::Served {
        load_balancer: route.load_balancer,
        target_group,
        status: response.status().as_u16(),
        latency_ms: began.elapsed().as_secs_f64() * 1000.0,
        count: 1,
    });
    Ok(response)
}

/// The target group that served, if a target answered, and its answer; else the balancer's own.
async fn forward(
    host: &Rc<Host>,
    route: &ListenerRoutes,
    groups: &[RouteTargets],
    port: u16,
    peer: SocketAddr,
    request: Request,
) -> (Option<String>, Response) {
    let Some((group, address)) = choose(&host.balancer, route, groups) else {
        return (None, own(503, "text/plain", "no target is registered"));
    };
    let Some(request) = readdressed(request, address, port, peer) else {
        return (None, own(400, "text/plain", "not a request that can be forwarded"));
    };
    match tokio::time::timeout(PATIENCE, host.balancer.client.request(request)).await {
        Ok(Ok(response)) => (Some(group), response.map(Either::Left)),
        Ok(Err(_)) => (None, own(502, "text/plain", "the target did not answer")),
        Err(_) => (None, own(504, "text/plain", "the target did not answer in time")),
    }
}

fn choose(
    balancer: &Balancer,
    route: &ListenerRoutes,
    groups: &[RouteTargets],
) -> Option<(String, SocketAddr)> {
    let weights: Vec<_> = groups.iter().map(|g| (g.target_group.clone(), g.weight)).collect();
    let mut rotations = balancer.rotations.borrow_mut();
    let group = &groups[rotations.entry(route.listener.clone()).or_default().next(&weights)?];
    let targets: Vec<_> = group.targets.iter().map(|(ip, port)| (format!("{ip}:{port}"), 1)).collect();
    let n =
        rotations.entry(format!("{} {}", route.listener, group.target_group)).or_default().next(&targets)?;
    Some((group.target_group.clone(), SocketAddr::from(group.targets[n])))
}

/// The request as an ALB sends it on.
fn readdressed(request: Request, address: SocketAddr, port: u16, peer: SocketAddr) -> Option<Request> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    parts.uri = format!("http://{address}{path}").parse().ok()?;
    for name in ["connection", "keep-alive", "proxy-connection", "upgrade"] {
        parts.headers.remove(name);
    }
    let client = peer.ip().to_string();
    let before = parts.headers.get("x-forwarded-for").and_then(|v| v.to_str().ok());
    let chain = before.map_or_else(|| client.clone(), |b| format!("{b}, {client}"));
    parts.headers.insert("x-forwarded-for", HeaderValue::from_str(&chain).ok()?);
    parts.headers.insert("x-forwarded-proto", HeaderValue::from_static("http"));
    parts.headers.insert("x-forwarded-port", HeaderValue::from(port));
    Some(Request::from_parts(parts, body))
}

fn own(status: u16, content_type: &str, text: &str) -> Response {
    let mut response = hyper::Response::new(Either::Right(Full::from(text.to_owned())));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::BAD_GATEWAY);
    if let Ok(kind) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert("content-type", kind);
    }
    response
}
