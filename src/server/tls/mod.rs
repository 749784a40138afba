//! TLS on listeners: which certificate a client sees, whom it must show one of its own, and how both are
//! exchanged while connections go on.

mod by_name;
mod clients;
mod error;
mod material;
mod watch;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ServerConfig};

use self::by_name::ByName;
use self::material::Material;
use crate::config::{Tls, TlsVersion};
use crate::domain::{Clock, Timestamp};

pub(super) use clients::shown_certificate;
pub use error::{TlsError, TlsErrors};

/// TLS as the listeners of a node use it: a connection gets what is right when it is made.
#[derive(Clone)]
pub struct EdgeTls(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

/// TLS that could take the place of the one that is used; nothing where it would be the same.
pub struct PreparedTls(Option<State>);

struct State {
    current: Arc<ServerConfig>,
    /// What it was made of; nothing where the certificate is self-signed.
    material: Option<Arc<Material>>,
}

impl EdgeTls {
    /// Reads the files of `[server.tls]`; without it makes a self-signed certificate.
    ///
    /// # Errors
    ///
    /// [`TlsErrors`]: everything that is wrong with them.
    pub fn open(tls: Option<&Tls>, clock: Arc<dyn Clock>) -> Result<Self, TlsErrors> {
        let state = match tls {
            Some(tls) => State::of(Material::read(tls, clock.now())?)?,
            None => State::self_signed()?,
        };
        let state = Mutex::new(state);
        Ok(Self(Arc::new(Shared { clock, state })))
    }

    /// What a new connection uses.
    #[must_use]
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.state.lock().current)
    }

    /// Reads the files of another `[server.tls]`, or of the same one again, and changes nothing yet.
    ///
    /// # Errors
    ///
    /// [`TlsErrors`]: everything that is wrong with them.
    pub fn prepare(&self, tls: Option<&Tls>) -> Result<PreparedTls, TlsErrors> {
        let Some(tls) = tls else {
            // The certificate of its own that it has is as good as another.
            let is_there = self.material().is_none();
            let state = (!is_there).then(State::self_signed);
            return Ok(PreparedTls(state.transpose()?));
        };
        let material = Material::read(tls, self.0.clock.now())?;
        let old = self.material();
        // Its clients resume where they were.
        if old.is_some_and(|old| old.is_same(&material)) {
            return Ok(PreparedTls(None));
        }
        Ok(PreparedTls(Some(State::of(material)?)))
    }

    /// Uses what was prepared for new connections; open ones go on as they are.
    pub fn exchange(&self, prepared: PreparedTls) {
        if let Some(state) = prepared.0 {
            *self.0.state.lock() = state;
        }
    }

    /// Until when each certificate is valid, by its file. None where it is self-signed.
    #[must_use]
    pub fn expiries(&self) -> Vec<(PathBuf, Timestamp)> {
        let material = self.material();
        let pairs = material.iter().flat_map(|material| material.pairs());
        let expiry = |pair: &material::Pair| {
            let path = pair.files.certificate.clone();
            (path, pair.certificate.not_after)
        };
        pairs.map(expiry).collect()
    }

    /// Apart from the lock: nobody who connects waits for a file that is slow to read.
    fn material(&self) -> Option<Arc<Material>> {
        self.0.state.lock().material.clone()
    }
}

impl PreparedTls {
    /// Whether it is another than the one that is used.
    #[must_use]
    pub const fn is_other(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for PreparedTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PreparedTls")
            .field(&self.0.is_some())
            .finish()
    }
}

impl fmt::Debug for EdgeTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgeTls").finish_non_exhaustive()
    }
}

impl State {
    fn of(material: Material) -> Result<Self, TlsErrors> {
        Ok(Self {
            current: Arc::new(server_config(&material)?),
            material: Some(Arc::new(material)),
        })
    }

    fn self_signed() -> Result<Self, TlsErrors> {
        Ok(Self {
            current: Arc::new(self_signed()?),
            material: None,
        })
    }
}

/// TLS 1.2 and 1.3 as far as they are wanted, HTTP/2 and HTTP/1.1 by ALPN.
fn server_config(material: &Material) -> Result<ServerConfig, TlsError> {
    let versions: &[_] = match material.min_version() {
        TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V1_3 => &[&rustls::version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(TlsError::Setup)?;
    let builder = match material.clients() {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let resolver = ByName::new(material.pairs())?;
    finished(builder.with_cert_resolver(Arc::new(resolver)))
}

/// A certificate for this machine, as its own browser and tools name it.
fn self_signed() -> Result<ServerConfig, TlsError> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).map_err(TlsError::SelfSigned)?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let chain: Vec<CertificateDer<'static>> = vec![made.cert.into()];
    let key = CertifiedKey::from_der(chain, key, &provider()).map_err(TlsError::Setup)?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(TlsError::Setup)?
        .with_no_client_auth();
    finished(builder.with_cert_resolver(Arc::new(ByName::only(key))))
}

/// The provider's cryptography, AES-128 before AES-256.
///
/// OpenSSL asks for AES-256 first, as if by habit. Its key schedule with SHA-384 is a third of what a
/// handshake computes, since processors help with SHA-256 alone.
fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .sort_by_key(|suite| match suite.suite() {
            CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => 0,
            _ => 1,
        });
    Arc::new(provider)
}

fn finished(mut config: ServerConfig) -> Result<ServerConfig, TlsError> {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ignore_client_order = true;
    // Any worker can take up any session, and none keeps a table of them. A configuration has tickets of
    // its own, so that nobody resumes past authorities that are trusted no more.
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Setup)?;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    // Each ticket costs a tenth of a handshake; a client that wants to resume needs one.
    config.send_tls13_tickets = 1;
    Ok(config)
}
