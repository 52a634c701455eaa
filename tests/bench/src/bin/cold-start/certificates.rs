//! The roots that a function finds and the certificate that `localhost` shows it.

use std::sync::Arc;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// How many roots Lambda's images carry, about: a function reads them all at its start.
const ROOTS: usize = 140;

/// What a root with a 4,096-bit RSA key has more than one of ours, in bytes: key and signature.
const MORE: usize = 1_000;

/// An OID of nobody's: 2.25 and a UUID, cut.
const FILLER: &[u64] = &[2, 25, 1_911_731_040];

pub struct Certificates {
    /// All roots, in PEM; one of them issued the server's certificate.
    pub roots: String,
    pub acceptor: TlsAcceptor,
}

pub fn make() -> Result<Certificates> {
    let key = KeyPair::generate()?;
    let ours = root("Cold Start Root");
    let mut roots = ours.self_signed(&key)?.pem();
    for n in 1..ROOTS {
        roots += &root(&format!("Cold Start Root {n}")).self_signed(&key)?.pem();
    }
    let server_key = KeyPair::generate()?;
    let server =
        CertificateParams::new(["localhost".to_owned()])?.signed_by(&server_key, &Issuer::new(ours, key))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![server.der().clone()],
            PrivatePkcs8KeyDer::from(server_key.serialize_der()).into(),
        )?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Certificates { roots, acceptor: TlsAcceptor::from(Arc::new(config)) })
}

fn root(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.custom_extensions = vec![CustomExtension::from_oid_content(FILLER, vec![5; MORE])];
    params
}
