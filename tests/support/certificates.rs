//! A certificate for the gateway, and the authority that its clients trust.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

struct Certificates {
    roots: Arc<RootCertStore>,
    authority: String,
    certificate: String,
    key: String,
}

static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(|| {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(DnType::CommonName, "Test authority");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    Certificates {
        roots: Arc::new(roots),
        authority: authority.pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
});

/// Writes `gateway.crt` and `gateway.key` into a folder.
pub fn write_into(folder: &Path) {
    std::fs::write(folder.join("gateway.crt"), &CERTIFICATES.certificate).unwrap();
    std::fs::write(folder.join("gateway.key"), &CERTIFICATES.key).unwrap();
}

/// The authority, in PEM.
pub fn authority() -> &'static str {
    &CERTIFICATES.authority
}

/// What a client speaks that trusts the authority.
pub fn client(protocols: &[&[u8]], versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(Arc::clone(&CERTIFICATES.roots))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config
}
