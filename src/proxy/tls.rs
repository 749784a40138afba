use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::stream::{HTTP2, Offer};
use crate::certificate::{FileError, PemFile};
use crate::config;
use crate::domain::Digest;
use crate::telemetry::with_causes;

/// TLS to the servers of one upstream. There is no way to leave out the check of their certificates.
pub(super) struct ServerTls {
    connectors: Connectors,
    /// What all their certificates must be for, in place of their own hosts.
    name: Option<String>,
    /// Of all files, in the order in which they are written.
    digests: Vec<Digest>,
}

/// How TLS is begun, by what is offered.
#[derive(Clone)]
struct Connectors {
    http1: TlsConnector,
    http2: TlsConnector,
    either: TlsConnector,
}

/// TLS to one of them, and who that must be.
#[derive(Clone)]
pub(super) struct TlsServer {
    connectors: Connectors,
    /// A name or an address; an IPv6 address without brackets.
    name: String,
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

/// Everything that is wrong with the files of upstreams; never empty.
#[derive(Debug)]
pub struct UpstreamTlsErrors(pub(super) Vec<UpstreamTlsError>);

impl std::error::Error for UpstreamTlsErrors {}

/// Each with what is beneath it, on a line of its own.
impl fmt::Display for UpstreamTlsErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(|error| with_causes(error)).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl ServerTls {
    /// Reads the files of an upstream; nothing where no server is `https://`.
    pub(super) fn of(upstream: &config::Upstream) -> Result<Option<Self>, UpstreamTlsError> {
        let is_tls = |server: &config::UpstreamServer| server.address.is_tls();
        let tls = upstream.servers.iter().any(is_tls);
        let tls = tls.then(|| Self::new(&upstream.name, &upstream.tls));
        tls.transpose()
    }

    fn new(upstream: &str, config: &config::UpstreamTls) -> Result<Self, UpstreamTlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut digests = Vec::new();
        let roots = roots(config, &mut digests).map_err(|source| file(upstream, source))?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)
            .map_err(UpstreamTlsError::Setup)?
            .with_root_certificates(roots);
        let client = match &config.client {
            None => builder.with_no_client_auth(),
            Some(files) => {
                let chain = noted("certificate", &files.certificate, &mut digests)
                    .and_then(|file| file.chain())
                    .map_err(|source| file(upstream, source))?;
                let key = noted("private key", &files.private_key, &mut digests)
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
        Ok(Self {
            connectors: Connectors::of(&client),
            name: config.server_name.clone(),
            digests,
        })
    }

    /// Whether its files hold what those of the other did.
    pub(super) fn has_files_of(&self, other: &Self) -> bool {
        self.digests == other.digests
    }

    /// The server whose host the configuration writes so.
    pub(super) fn server(&self, host: &str) -> TlsServer {
        TlsServer {
            connectors: self.connectors.clone(),
            name: self.name.as_deref().unwrap_or(host).to_owned(),
        }
    }
}

impl Connectors {
    fn of(client: &ClientConfig) -> Self {
        let offering = |protocols: &[&[u8]]| {
            let mut client = client.clone();
            client.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            TlsConnector::from(Arc::new(client))
        };
        Self {
            http1: offering(&[HTTP1]),
            http2: offering(&[HTTP2]),
            either: offering(&[HTTP2, HTTP1]),
        }
    }

    const fn which(&self, offer: Offer) -> &TlsConnector {
        match offer {
            Offer::Http1 => &self.http1,
            Offer::Http2 => &self.http2,
            Offer::Either => &self.either,
        }
    }
}

/// What ALPN calls it (RFC 7301 §6).
const HTTP1: &[u8] = b"http/1.1";

impl TlsServer {
    /// Does the handshake. Whoever calls sets the deadline; dropping the future closes the connection.
    ///
    /// # Errors
    ///
    /// As the system says, or when the server is not who it should be.
    pub(super) async fn connect<Io>(&self, io: Io, offer: Offer) -> io::Result<TlsStream<Io>>
    where
        Io: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(self.name.clone()).map_err(io::Error::other)?;
        self.connectors.which(offer).connect(name, io).await
    }

    /// Whether its name is this address.
    pub(super) fn is_at(&self, address: IpAddr) -> bool {
        self.name.parse() == Ok(address)
    }
}

/// Within an upstream, where all have the same authorities.
impl PartialEq for TlsServer {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for TlsServer {}

impl fmt::Display for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tls = f.debug_struct("TlsServer");
        tls.field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tls = f.debug_struct("ServerTls");
        tls.field("name", &self.name).finish_non_exhaustive()
    }
}

fn file(upstream: &str, source: FileError) -> UpstreamTlsError {
    UpstreamTlsError::File {
        upstream: upstream.to_owned(),
        source,
    }
}

/// The authorities of `ca`, else those that browsers trust.
fn roots(
    config: &config::UpstreamTls,
    digests: &mut Vec<Digest>,
) -> Result<RootCertStore, FileError> {
    match &config.ca {
        Some(path) => noted("authority's certificate", path, digests)?.roots(),
        None => Ok(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()),
    }
}

/// Reads a file, and notes what it holds.
fn noted(what: &'static str, path: &Path, digests: &mut Vec<Digest>) -> Result<PemFile, FileError> {
    let file = PemFile::read(what, path)?;
    digests.push(file.digest());
    Ok(file)
}
