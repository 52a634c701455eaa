//! The local cloud behind TLS: a port for each service, as each has a host of its own on AWS.

use std::cell::{Cell, RefCell};
use std::net::Ipv4Addr;
use std::rc::Rc;

use anyhow::Result;
use cloud::http::{Request, Response};
use cloud::world::World;
use cloud::{Answer, Settings};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Services that the SDK finds by a variable of their own.
const SERVICES: [&str; 4] = ["ECR", "ECS", "CODEDEPLOY", "CLOUDWATCH"];

/// What a function asked so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traffic {
    pub requests: usize,
    pub connections: usize,
}

pub struct Aws {
    pub world: RefCell<World>,
    traffic: Cell<Traffic>,
    /// `AWS_ENDPOINT_URL_…` of each service; `AWS_ENDPOINT_URL` is for all others.
    pub variables: Vec<(String, String)>,
    /// Where layers are downloaded from, as S3 has hosts of its own too.
    pub layers: String,
}

impl Aws {
    /// Serves until the runtime ends; to be called within a `LocalSet`.
    pub async fn start(acceptor: &TlsAcceptor) -> Result<Rc<Self>> {
        let (layers, url) = listen().await?;
        let mut listeners = vec![layers];
        let mut variables = vec![("AWS_ENDPOINT_URL".to_owned(), url.clone())];
        for service in SERVICES {
            let (listener, url) = listen().await?;
            listeners.push(listener);
            variables.push((format!("AWS_ENDPOINT_URL_{service}"), url));
        }
        let world = RefCell::new(World::new(Settings::default(), 0));
        let aws = Rc::new(Self { world, traffic: Cell::default(), variables, layers: url });
        for listener in listeners {
            tokio::task::spawn_local(Rc::clone(&aws).accept(listener, acceptor.clone()));
        }
        Ok(aws)
    }

    /// Goes on with another world, of which nobody has asked anything yet.
    pub fn replace(&self, world: World) {
        *self.world.borrow_mut() = world;
        self.traffic.take();
    }

    pub fn traffic(&self) -> Traffic {
        self.traffic.get()
    }

    async fn accept(self: Rc<Self>, listener: TcpListener, acceptor: TlsAcceptor) {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            tokio::task::spawn_local(Rc::clone(&self).connection(stream, acceptor.clone()));
        }
    }

    async fn connection(self: Rc<Self>, stream: TcpStream, acceptor: TlsAcceptor) {
        // Without it an answer in two segments may wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        // A client that trusts us not, or goes away, tells so itself.
        let Ok(stream) = acceptor.accept(stream).await else { return };
        self.traffic.update(|t| Traffic { connections: t.connections + 1, ..t });
        let service = service_fn(|request| self.answer(request));
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
    ) -> Result<hyper::Response<Full<Bytes>>, hyper::Error> {
        let (parts, body) = request.into_parts();
        let text =
            |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let request = Request {
            method: parts.method.to_string(),
            target: parts.uri.path_and_query().map_or_else(|| "/".into(), ToString::to_string),
            headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: body.collect().await?.to_bytes().to_vec(),
        };
        self.traffic.update(|t| Traffic { requests: t.requests + 1, ..t });
        let answer = self.world.borrow_mut().handle(&request);
        Ok(match answer {
            Answer::Ready(response) => whole(response),
            // A long poll: no function that starts a deployment does one.
            Answer::Pending(_) => status(501),
        })
    }
}

async fn listen() -> Result<(TcpListener, String)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("https://localhost:{}", listener.local_addr()?.port());
    Ok((listener, url))
}

fn whole(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::from(response.body)).unwrap_or_else(|_| status(500))
}

fn status(code: u16) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::new(Full::default());
    *response.status_mut() = hyper::StatusCode::from_u16(code).unwrap_or_default();
    response
}
