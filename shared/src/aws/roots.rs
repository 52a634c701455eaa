//! The root certificates that this machine trusts.
//!
//! From the file that OpenSSL would take, which `SSL_CERT_FILE` may name. The usual loader
//! decodes it in constant time, as one would a private key: with the 140 certificates that
//! Lambda's images have that was a fifth of all instructions of a cold start.

use memchr::{memchr_iter, memmem};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

/// # Errors
/// The machine has no root certificate that can be read.
pub(super) fn load() -> std::io::Result<RootCertStore> {
    let file = openssl_probe::probe().cert_file.and_then(|path| std::fs::read(path).ok());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(file.iter().flat_map(|pem| certificates(pem)));
    if roots.is_empty() {
        // A machine that keeps them in a folder, or in another form.
        let native = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(native.certs);
    }
    if roots.is_empty() {
        return Err(std::io::Error::other(
            "this machine has no root certificates; SSL_CERT_FILE may name a file of them",
        ));
    }
    Ok(roots)
}

/// The certificates of a PEM file (RFC 7468); what is not one is left out.
fn certificates(pem: &[u8]) -> impl Iterator<Item = CertificateDer<'static>> {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    memmem::find_iter(pem, BEGIN).filter_map(|at| {
        let section = pem.get(at + BEGIN.len()..)?;
        let body = section.get(..memmem::find(section, b"-----")?)?;
        base64_simd::STANDARD.decode_to_vec(on_one_line(body)).ok().map(CertificateDer::from)
    })
}

fn on_one_line(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len());
    let mut start = 0;
    for end in memchr_iter(b'\n', body).chain([body.len()]) {
        text.extend_from_slice(body.get(start..end).unwrap_or_default().trim_ascii());
        start = end + 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_read_among_comments_and_broken_ones_left_out() {
        let pem = "# a comment\n-----BEGIN CERTIFICATE-----\r\nAAEC\r\nAwQ=\r\n-----END CERTIFICATE-----\n\
                   -----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n\
                   -----BEGIN X509 CRL-----\nAAEC\n-----END X509 CRL-----\n\
                   -----BEGIN CERTIFICATE-----\nBQY=\n-----END CERTIFICATE-----";
        let read: Vec<_> = certificates(pem.as_bytes()).map(|certificate| certificate.to_vec()).collect();
        assert_eq!(read, [vec![0, 1, 2, 3, 4], vec![5, 6]]);
    }

    #[test]
    fn this_reads_what_the_usual_loader_reads_of_the_file() {
        let file = openssl_probe::probe().cert_file;
        let mut usual = RootCertStore::empty();
        usual.add_parsable_certificates(
            rustls_native_certs::load_certs_from_paths(file.as_deref(), None).certs,
        );
        assert_eq!(load().map(|roots| roots.len()).unwrap_or_default(), usual.len());
    }
}
