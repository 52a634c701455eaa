//! One HTTP client and one TLS set-up for everything that a function says to the outside:
//! ring, the machine's roots loaded once, HTTP/1.1, connections kept.

use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
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
use rustls::{CipherSuite, ClientConfig, RootCertStore};

use super::resolver::Resolver;
use super::roots;

/// As long as the SDK's own clients wait for a connection.
const CONNECT: Duration = Duration::from_millis(3_100);

/// Connections idle for longer are closed: a function may have been frozen in between.
const IDLE: Duration = Duration::from_secs(20);

type Tls = Client<HttpsConnector<Tcp<Resolver>>, SdkBody>;

/// The client, set up beside the rest of a start.
#[derive(Debug, Clone)]
struct Http(Arc<OnceLock<Tls>>);

/// A client that is still being set up, on a thread of its own.
#[derive(Debug)]
pub struct Starting {
    http: Http,
    roots: JoinHandle<std::io::Result<RootCertStore>>,
}

/// Begins with what takes longest: decoding the root certificates.
pub fn start() -> Starting {
    Starting { http: Http(Arc::default()), roots: std::thread::spawn(roots::load) }
}

impl Starting {
    /// The client, not to be used before [`Starting::finish`].
    pub fn client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.http.clone())
    }

    /// # Errors
    /// The machine has no root certificates.
    pub fn finish(self) -> std::io::Result<()> {
        let roots = self.roots.join().map_err(|_| std::io::Error::other("reading them panicked"))??;
        // Set once, here.
        let _ = self.http.0.set(client(roots)?);
        Ok(())
    }
}

/// For `http://` too: that is what an endpoint on this machine speaks.
fn client(roots: RootCertStore) -> std::io::Result<Tls> {
    let mut tcp = Tcp::new_with_resolver(Resolver::default());
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let tls = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
    let client = Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        .build(tls.wrap_connector(tcp));
    Ok(client)
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
        let client = self.0.get().cloned();
        HttpConnectorFuture::new(async move {
            let client = client.ok_or_else(|| ConnectorError::user("the client is not set up yet".into()))?;
            let request = request.try_into_http1x().map_err(|e| ConnectorError::user(e.into()))?;
            // Whatever breaks on the way is for the SDK's retries.
            let answer = client.request(request).await.map_err(|e| ConnectorError::io(e.into()))?;
            let answer = HttpResponse::try_from(answer.map(SdkBody::from_body_1_x));
            answer.map_err(|e| ConnectorError::user(e.into()))
        })
    }
}
