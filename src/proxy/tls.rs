use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificate::{FileError, PemFile};
use crate::config;

/// TLS to the servers of one upstream. There is no way to leave out the check of their certificates.
pub(super) struct ServerTls {
    connector: TlsConnector,
    /// What all their certificates must be for, in place of their own hosts.
    name: Option<ServerName<'static>>,
}

/// The files of `[upstreams.NAME.tls]` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamTlsError {
    /// One is not what it should be.
    #[error("[upstreams.{upstream}.tls] names a file that cannot be used")]
    File {
        /// The upstream's name.
        upstream: String,
        /// Which file, and why not.
        #[source]
        source: FileError,
    },
    /// Certificate and key do not fit together.
    #[error(
        "[upstreams.{upstream}.tls] client_certificate {certificate:?} and client_key {key:?} cannot \
         be used together"
    )]
    Pair {
        /// The upstream's name.
        upstream: String,
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// Why not.
        #[source]
        source: Box<rustls::Error>,
    },
    /// The provider of cryptography is not complete.
    #[error("tls to upstreams could not be set up")]
    Setup(#[source] rustls::Error),
}

impl ServerTls {
    /// Reads the files.
    pub(super) fn new(
        upstream: &str,
        config: &config::UpstreamTls,
    ) -> Result<Self, UpstreamTlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = roots(config).map_err(|source| file(upstream, source))?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)
            .map_err(UpstreamTlsError::Setup)?
            .with_root_certificates(roots);
        let mut client = match &config.client {
            None => builder.with_no_client_auth(),
            Some(files) => {
                let chain = PemFile::read("certificate", &files.certificate)
                    .and_then(|file| file.chain())
                    .map_err(|source| file(upstream, source))?;
                let key = PemFile::read("private key", &files.private_key)
                    .and_then(|file| file.private_key())
                    .map_err(|source| file(upstream, source))?;
                let shown = builder.with_client_auth_cert(chain, key);
                shown.map_err(|source| UpstreamTlsError::Pair {
                    upstream: upstream.to_owned(),
                    certificate: files.certificate.clone(),
                    key: files.private_key.clone(),
                    source: Box::new(source),
                })?
            }
        };
        client.alpn_protocols = vec![b"http/1.1".to_vec()];
        // The configuration has checked it.
        let name = config.server_name.clone();
        let name = name.and_then(|name| ServerName::try_from(name).ok());
        Ok(Self {
            connector: TlsConnector::from(Arc::new(client)),
            name,
        })
    }

    /// Does the handshake with a server at `host`, a name or an address. Whoever calls sets the deadline;
    /// dropping the future closes the connection.
    ///
    /// # Errors
    ///
    /// As the system says, or when the server is not who it should be.
    pub(super) async fn connect<Io>(&self, io: Io, host: &str) -> io::Result<TlsStream<Io>>
    where
        Io: AsyncRead + AsyncWrite + Unpin,
    {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(io::Error::other)?,
        };
        self.connector.connect(name, io).await
    }
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerTls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn file(upstream: &str, source: FileError) -> UpstreamTlsError {
    UpstreamTlsError::File {
        upstream: upstream.to_owned(),
        source,
    }
}

/// The authorities of `ca`, else those that browsers trust.
fn roots(config: &config::UpstreamTls) -> Result<RootCertStore, FileError> {
    match &config.ca {
        Some(path) => PemFile::read("authority's certificate", path)?.roots(),
        None => Ok(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()),
    }
}
