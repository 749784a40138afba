use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CipherSuite, ServerConfig};

use crate::config::Tls;

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as what it should be.
    #[error(
        "{what} {path:?} cannot be read; it must be a PEM file that the gateway's user may read"
    )]
    File {
        /// Certificate or private key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// There is no certificate in the file.
    #[error(
        "certificate {path:?} holds no certificate; it must be a PEM file with the whole chain"
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not fit together, or are of a kind that is not supported.
    #[error("certificate {certificate:?} and private key {private_key:?} cannot be used together")]
    Pair {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        private_key: PathBuf,
        /// Why not.
        #[source]
        source: rustls::Error,
    },
    /// The self-signed certificate could not be made.
    #[error("a self-signed certificate could not be made")]
    SelfSigned(#[source] rcgen::Error),
    /// The provider of cryptography is not complete.
    #[error("tls could not be set up")]
    Setup(#[source] rustls::Error),
}

/// A certificate with its chain, and its key.
type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// What TLS listeners use: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN.
///
/// # Errors
///
/// [`TlsError`]
pub fn tls_config(tls: Option<&Tls>) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(TlsError::Setup)?
        .with_no_client_auth();
    let (chain, key) = match tls {
        Some(tls) => read(tls)?,
        None => self_signed()?,
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|source| pair(tls, source))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ignore_client_order = true;
    // Any worker can take up any session, and none keeps a table of them.
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Setup)?;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    // Each ticket costs a tenth of a handshake; a client that wants to resume needs one.
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

/// The provider's cryptography, AES-128 before AES-256.
///
/// OpenSSL asks for AES-256 first, as if by habit. Its key schedule with SHA-384 is a third of what a
/// handshake computes, since processors help with SHA-256 alone.
fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .sort_by_key(|suite| match suite.suite() {
            CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => 0,
            _ => 1,
        });
    provider
}

/// A self-signed certificate for this machine, as its own browser and tools name it.
///
/// # Errors
///
/// [`TlsError::SelfSigned`]
pub fn self_signed() -> Result<Pair, TlsError> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).map_err(TlsError::SelfSigned)?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    Ok((vec![made.cert.into()], key))
}

fn read(tls: &Tls) -> Result<Pair, TlsError> {
    let unreadable = |what, path: &Path, source| TlsError::File {
        what,
        path: path.to_owned(),
        source,
    };
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| unreadable("certificate", &tls.certificate, source))?;
    if chain.is_empty() {
        return Err(TlsError::Empty {
            path: tls.certificate.clone(),
        });
    }
    let key = PrivateKeyDer::from_pem_file(&tls.private_key)
        .map_err(|source| unreadable("private key", &tls.private_key, source))?;
    Ok((chain, key))
}

fn pair(tls: Option<&Tls>, source: rustls::Error) -> TlsError {
    match tls {
        Some(tls) => TlsError::Pair {
            certificate: tls.certificate.clone(),
            private_key: tls.private_key.clone(),
            source,
        },
        None => TlsError::Setup(source),
    }
}
