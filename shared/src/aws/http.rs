//! One HTTP client and one TLS set-up for everything that a function says to the outside:
//! ring, the machine's roots loaded once, HTTP/1.1, connections kept.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{CipherSuite, ClientConfig};

use super::address::Loopback;
use super::resolver::Resolver;
use super::roots;

/// As long as the SDK's own clients wait for a connection.
const CONNECT: Duration = Duration::from_millis(3_100);

/// Connections idle for longer are closed: a function may have been frozen in between.
const IDLE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
struct Http(Client<HttpsConnector<Tcp<Resolver>>, SdkBody>);

/// The client, for `http://` too: that is what an endpoint on this machine speaks.
///
/// # Errors
/// The machine has no root certificates.
pub fn client(loopback: Loopback) -> std::io::Result<SharedHttpClient> {
    let mut tcp = Tcp::new_with_resolver(Resolver::new(loopback));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let tls = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .with_root_certificates(roots::load()?)
        .with_no_client_auth();
    let tls =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
    let client = Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        .build(tls);
    Ok(SharedHttpClient::new(Http(client)))
}

/// ring, with AES-128 before AES-256: AWS takes either, and its SHA-256 costs a handshake less
/// than SHA-384 does.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider
}

impl HttpClient for Http {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|e| ConnectorError::user(e.into()))?;
            // Whatever breaks on the way is for the SDK's retries.
            let answer = client.request(request).await.map_err(|e| ConnectorError::io(e.into()))?;
            let answer = HttpResponse::try_from(answer.map(SdkBody::from_body_1_x));
            answer.map_err(|e| ConnectorError::user(e.into()))
        })
    }
}
