//! Where a request goes: to AWS, or over HTTP to a listener or task of the simulated world.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use serde_json::{Value, json};

use crate::cloud::BLOBS;
use crate::http::Request;
use crate::sample_app::Reaction;
use crate::slack;
use crate::wire;
use crate::world::World;

#[derive(Debug)]
pub(super) enum Destination {
    Aws(Request),
    Http(Http),
}

/// A request that is not for AWS.
#[derive(Debug)]
pub(super) struct Http {
    tls: bool,
    host: String,
    port: u16,
    request: Request,
}

impl Destination {
    /// Calls of AWS are signed, or say their operation, or name a host of AWS's; layers of
    /// images are downloaded without a signature.
    pub fn of(request: &HttpRequest) -> Result<Self, ConnectorError> {
        let uri: http::Uri = request.uri().parse().map_err(|e| ConnectorError::user(Box::new(e)))?;
        let host = uri.host().unwrap_or_default().to_lowercase();
        let mut plain = Request {
            method: request.method().to_owned(),
            target: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            headers: request.headers().iter().map(|(n, v)| (n.to_lowercase(), v.to_owned())).collect(),
            body: request.body().bytes().unwrap_or_default().to_vec(),
        };
        let signed = plain.header("authorization").is_some_and(|value| value.starts_with("AWS4-"));
        let named = plain.header("x-amz-target").is_some();
        if signed || named || host.ends_with(".amazonaws.com") || plain.path().starts_with(BLOBS) {
            return Ok(Self::Aws(plain));
        }
        let tls = uri.scheme_str() == Some("https");
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        if plain.header("host").is_none() {
            plain.headers.push(("host".to_owned(), authority));
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self::Http(Http { tls, host, port, request: plain }))
    }

    /// For the timeline: what is called, as text and as data.
    pub fn named(&self) -> (String, Value) {
        match self {
            Self::Aws(request) => {
                let (service, operation) = wire::named(request).unwrap_or(("?", "?".into()));
                let data = json!({ "service": service, "operation": operation });
                (format!("{service}:{operation}"), data)
            }
            Self::Http(http) => http.named(),
        }
    }
}

impl Http {
    pub fn named(&self) -> (String, Value) {
        let scheme = if self.tls { "https" } else { "http" };
        let url = format!("{scheme}://{}:{}{}", self.host, self.port, self.request.target);
        let method = &self.request.method;
        (format!("{method} {url}"), json!({ "method": method, "url": url }))
    }

    /// Errors: nothing listens there, or what listens does not speak TLS.
    pub fn send(&self, world: &mut World) -> Result<Reaction, String> {
        let slack = slack::path(&self.host, &self.request).is_some();
        if self.tls && !slack {
            return Err(format!("{}:{}: nothing here speaks TLS, only http", self.host, self.port));
        }
        world.request(&self.host, self.port, &self.request)
    }
}
