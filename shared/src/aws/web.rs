//! Requests to others than AWS, through the same HTTP client: what a smoke test asks, what
//! a link from AWS leads to.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::body::SdkBody;
use http::Uri;
use http_body_util::Limited;
use tokio::time::Instant;

use super::Aws;
use super::address::{Loopback, literal, refused};

/// No more of an answer is read: a function has 128 MB, and several requests at a time.
pub const LARGEST: usize = 4 << 20;

/// Sends requests, each once: no retries, no redirects, no cookies, no proxy.
#[derive(Debug, Clone)]
pub struct Web {
    http: SharedHttpClient,
    loopback: Loopback,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebRequest {
    pub method: &'static str,
    /// Absolute, `http` or `https`.
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAnswer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// From the request's departure to the end of the body.
    pub took: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    #[error("{0} is not a URL that can be asked: {1}")]
    Url(String, String),
    #[error("{0} leads to {1}, {2}, which no check may ask")]
    Refused(String, String, &'static str),
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// No connection, or one that broke.
    #[error("{0}")]
    Connection(String),
}

impl WebAnswer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl Aws {
    /// What is not AWS, through these clients' connections.
    pub fn web(&self) -> Web {
        Web { http: SharedHttpClient::new(Bounded(self.http.clone())), loopback: self.loopback }
    }
}

impl Web {
    /// Sends one request and reads the whole answer, within `patience`.
    pub async fn send(&self, request: &WebRequest, patience: Duration) -> Result<WebAnswer, WebError> {
        let began = Instant::now();
        let answer = tokio::time::timeout(patience, self.call(request)).await;
        let answer = answer.map_err(|_| WebError::TimedOut(patience))??;
        Ok(WebAnswer { took: began.elapsed(), ..answer })
    }

    async fn call(&self, request: &WebRequest) -> Result<WebAnswer, WebError> {
        let (origin, path) = self.split(&request.url)?;
        let request = request.clone();
        let operation = Operation::builder()
            .service_name("web")
            .operation_name("Request")
            .http_client(self.http.clone())
            .endpoint_url(&origin)
            .no_auth()
            .no_retry()
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .serializer(move |(): ()| {
                let body = request.body.clone();
                let mut message = HttpRequest::new(SdkBody::from(body));
                message.set_method(request.method)?;
                message.set_uri(path.clone())?;
                for (name, value) in &request.headers {
                    message.headers_mut().try_append(name.clone(), value.clone())?;
                }
                Ok(message)
            })
            .deserializer::<_, std::io::Error>(|answer: &HttpResponse| Ok(narrowed(answer)))
            .build();
        operation.invoke(()).await.map_err(|e| WebError::Connection(causes(&e)))
    }

    /// Scheme and authority, and the rest of a URL, if it may be asked.
    fn split(&self, url: &str) -> Result<(String, String), WebError> {
        let wrong = |what: String| WebError::Url(url.to_owned(), what);
        let uri: Uri = url.parse().map_err(|e: http::uri::InvalidUri| wrong(e.to_string()))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong("it is not absolute".to_owned()));
        };
        let address = literal(authority.host());
        if let Some((address, why)) = address.and_then(|a| Some((a, refused(a, self.loopback)?))) {
            return Err(WebError::Refused(url.to_owned(), address.to_string(), why));
        }
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        Ok((format!("{scheme}://{authority}"), path.to_owned()))
    }
}

fn narrowed(answer: &HttpResponse) -> WebAnswer {
    WebAnswer {
        status: answer.status().as_u16(),
        headers: answer.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: answer.body().bytes().unwrap_or_default().to_vec(),
        took: Duration::ZERO,
    }
}

/// The last cause says what happened; those above it only where.
fn causes(error: &dyn Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// A client whose answers end at [`LARGEST`].
#[derive(Debug)]
struct Bounded(SharedHttpClient);

struct BoundedConnector(SharedHttpConnector);

impl fmt::Debug for BoundedConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundedConnector")
    }
}

impl HttpClient for Bounded {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(BoundedConnector(self.0.http_connector(settings, components)))
    }
}

impl HttpConnector for BoundedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            Ok(answer.map(|body| SdkBody::from_body_1_x(Limited::new(body, LARGEST))))
        })
    }
}
