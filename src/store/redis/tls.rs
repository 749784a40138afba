use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::config::{RedisClientCertificate, RedisTls};

/// The store in Redis cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum RedisSetupError {
    /// A file cannot be read as what it should be.
    #[error(
        "[store] {key} {path:?} cannot be read; it must be a PEM file that the gateway's user may read"
    )]
    File {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// There is no certificate in the file.
    #[error("[store] {key} {path:?} holds no certificate; it must be a PEM file with at least one")]
    Empty {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// What is in the files cannot be used.
    #[error("[store] {key} cannot be used")]
    Unusable {
        /// The key that names it.
        key: &'static str,
        /// Why not.
        #[source]
        source: rustls::Error,
    },
}

/// What connections to Redis speak: TLS 1.2 and 1.3, with the authority of the configuration or the
/// public ones.
pub(super) fn client_config(tls: &RedisTls) -> Result<Arc<ClientConfig>, RedisSetupError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|source| RedisSetupError::Unusable { key: "url", source })?
        .with_root_certificates(roots(tls.ca.as_deref())?);
    let config = match &tls.client {
        None => builder.with_no_client_auth(),
        Some(RedisClientCertificate { certificate, key }) => {
            let chain = certificates("client_certificate", certificate)?;
            let key =
                PrivateKeyDer::from_pem_file(key).map_err(|source| RedisSetupError::File {
                    key: "client_key",
                    path: key.clone(),
                    source,
                })?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|source| RedisSetupError::Unusable {
                    key: "client_certificate",
                    source,
                })?
        }
    };
    Ok(Arc::new(config))
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, RedisSetupError> {
    let mut roots = RootCertStore::empty();
    let Some(ca) = ca else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    for certificate in certificates("ca", ca)? {
        roots
            .add(certificate)
            .map_err(|source| RedisSetupError::Unusable { key: "ca", source })?;
    }
    Ok(roots)
}

fn certificates(
    key: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, RedisSetupError> {
    let unreadable = |source| RedisSetupError::File {
        key,
        path: path.to_owned(),
        source,
    };
    let found = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(unreadable)?;
    if found.is_empty() {
        let path = path.to_owned();
        return Err(RedisSetupError::Empty { key, path });
    }
    Ok(found)
}
