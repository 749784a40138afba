use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::standing::Standing;
use crate::config::{Scheme, ServerAddress};
use crate::proxy::tls::{ServerTls, TlsServer};

/// A server of an upstream, at one address.
///
/// Aligned, so that what workers write for one server does not slow the others.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Server {
    in_flight: AtomicUsize,
    pub(super) standing: Standing,
    /// How much of the load it takes beside the others.
    pub(super) weight: u32,
    pub(super) target: Target,
    /// What log lines and metrics call it.
    name: String,
}

/// What is connected to. A name was looked up before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// An address and a port.
    Tcp(SocketAddr),
    /// An address and a port, and who answers there with TLS.
    Tls(SocketAddr, TlsServer),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Server {
    pub(super) fn new(target: Target, weight: u32) -> Self {
        Self {
            in_flight: AtomicUsize::new(0),
            standing: Standing::default(),
            weight,
            name: target.to_string(),
            target,
        }
    }

    /// What log lines and metrics call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How many exchanges are in flight with it.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes one of `max` connections in use; whether there was one left.
    pub(super) fn take(&self, max: usize) -> bool {
        let is_free = self.in_flight.fetch_add(1, Ordering::SeqCst) < max;
        if !is_free {
            self.give_back();
        }
        is_free
    }

    pub(super) fn give_back(&self) {
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Target {
    /// Where a server leads that need not be looked up.
    pub(super) fn fixed(server: &ServerAddress, tls: Option<&ServerTls>) -> Option<Self> {
        match server {
            ServerAddress::Tcp { host, port, .. } => {
                let address = SocketAddr::new(host.parse().ok()?, *port);
                Some(Self::at(address, server, tls))
            }
            ServerAddress::Unix(path) => Some(Self::Unix(path.clone())),
        }
    }

    /// Its address, unless it is a Unix socket.
    pub(super) const fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) | Self::Tls(address, _) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// A server at one of its addresses. With TLS it must be who the configuration says, wherever it is.
    pub(super) fn at(address: SocketAddr, server: &ServerAddress, tls: Option<&ServerTls>) -> Self {
        match (server, tls) {
            (
                ServerAddress::Tcp {
                    scheme: Scheme::Https,
                    host,
                    ..
                },
                Some(tls),
            ) => Self::Tls(address, tls.server(host)),
            _ => Self::Tcp(address),
        }
    }
}

impl Target {
    /// What is spoken there beneath HTTP.
    pub(crate) const fn scheme(&self) -> Scheme {
        match self {
            Self::Tls(..) => Scheme::Https,
            Self::Tcp(_) | Self::Unix(_) => Scheme::Http,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Tls(address, server) if server.is_at(address.ip()) => {
                write!(f, "https://{address}")
            }
            Self::Tls(address, server) => write!(f, "https://{address} ({server})"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
