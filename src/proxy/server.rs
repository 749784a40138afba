use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::HeaderValue;

use super::tls::ServerTls;
use super::{ProxyError, UpstreamTlsError};
use crate::config::{self, Scheme};

/// The upstreams of a node, as all workers see them: who refused lately, how much is in flight.
#[derive(Debug)]
pub struct Upstreams {
    upstreams: Vec<Upstream>,
    started: Instant,
}

/// An upstream and its servers.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) config: config::Upstream,
    pub(super) servers: Vec<Server>,
    /// Nothing where no server is `https://`.
    tls: Option<ServerTls>,
    in_flight: AtomicUsize,
}

impl Upstream {
    /// TLS to a server, and the host that it is; nothing for a server without.
    pub(super) fn tls_to(&self, server: usize) -> Option<(&ServerTls, &str)> {
        let server = self.config.servers.get(server)?;
        let tls = self
            .tls
            .as_ref()
            .filter(|_| server.scheme == Scheme::Https)?;
        Some((tls, &server.host))
    }

    /// `Host` for a request that names none, which HTTP/1.1 does not allow.
    pub(super) fn host(&self) -> HeaderValue {
        let server = self.servers.first().map(|server| server.address.as_str());
        let host = HeaderValue::from_str(server.unwrap_or_default());
        host.unwrap_or(HeaderValue::from_static(""))
    }
}

/// A server of an upstream.
#[derive(Debug)]
pub(super) struct Server {
    /// `host:port`, for connecting and for logs.
    pub(super) address: String,
    /// Left alone until then, in milliseconds since the node started; 0 when it never refused.
    alone_until: AtomicU64,
}

/// A place among the exchanges that an upstream may have in flight; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    upstreams: Arc<Upstreams>,
    index: usize,
}

/// How long a server that refused is left alone. Long enough that a dead server costs a request a
/// second, short enough that a restarted one is found at once.
const COOL_DOWN: Duration = Duration::from_secs(1);

impl Upstreams {
    /// The upstreams of this configuration.
    ///
    /// # Errors
    ///
    /// [`UpstreamTlsError`]
    pub fn new(config: &[config::Upstream]) -> Result<Self, UpstreamTlsError> {
        let upstream = |config: &config::Upstream| {
            let is_tls = |server: &config::UpstreamServer| server.scheme == Scheme::Https;
            let tls = config.servers.iter().any(is_tls);
            let tls = tls.then(|| ServerTls::new(&config.name, &config.tls));
            Ok(Upstream {
                servers: config.servers.iter().map(Server::new).collect(),
                tls: tls.transpose()?,
                config: config.clone(),
                in_flight: AtomicUsize::new(0),
            })
        };
        Ok(Self {
            upstreams: config.iter().map(upstream).collect::<Result<_, _>>()?,
            started: Instant::now(),
        })
    }

    /// The name of an upstream; empty for an index that there is not.
    #[must_use]
    pub fn name(&self, index: usize) -> &str {
        self.find(index)
            .map_or("", |upstream| upstream.config.name.as_str())
    }

    /// The address of a server of an upstream; empty for an index that there is not.
    #[must_use]
    pub fn server(&self, index: usize, server: usize) -> &str {
        self.find(index)
            .and_then(|upstream| upstream.servers.get(server))
            .map_or("", |server| server.address.as_str())
    }

    /// How many exchanges are in flight with each upstream.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let upstreams = self.upstreams.iter();
        upstreams
            .map(|upstream| upstream.in_flight.load(Ordering::Relaxed))
            .sum()
    }

    pub(super) fn find(&self, index: usize) -> Option<&Upstream> {
        self.upstreams.get(index)
    }

    pub(super) fn all(&self) -> &[Upstream] {
        &self.upstreams
    }

    /// Takes a place among the exchanges of an upstream.
    pub(super) fn enter(self: &Arc<Self>, index: usize) -> Result<Place, ProxyError> {
        let over = |name: &str| ProxyError::OverBound {
            upstream: name.to_owned(),
        };
        let upstream = self.find(index).ok_or_else(|| over(""))?;
        let place = Place {
            upstreams: Arc::clone(self),
            index,
        };
        let before = upstream.in_flight.fetch_add(1, Ordering::Relaxed);
        if before >= upstream.config.max_in_flight {
            return Err(over(&upstream.config.name));
        }
        Ok(place)
    }

    /// Whether this server may be tried: it did not refuse of late.
    pub(super) fn may_try(&self, server: &Server) -> bool {
        let until = server.alone_until.load(Ordering::Relaxed);
        until == 0 || until <= self.millis(Duration::ZERO)
    }

    /// Leaves a server that refused alone for a while.
    pub(super) fn leave_alone(&self, server: &Server) {
        let until = self.millis(COOL_DOWN);
        server.alone_until.store(until, Ordering::Relaxed);
    }

    fn millis(&self, ahead: Duration) -> u64 {
        let since = self.started.elapsed().saturating_add(ahead);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Server {
    fn new(config: &config::UpstreamServer) -> Self {
        let is_bare_ipv6 = config.host.contains(':') && !config.host.starts_with('[');
        let address = if is_bare_ipv6 {
            format!("[{}]:{}", config.host, config.port)
        } else {
            format!("{}:{}", config.host, config.port)
        };
        Self {
            address,
            alone_until: AtomicU64::new(0),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(upstream) = self.upstreams.find(self.index) {
            upstream.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
