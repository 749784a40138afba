use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::HeaderValue;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::Failure;
use super::budget::Budget;
use super::queue::Queue;
use super::server::{Server, Target};
use crate::config::{self, ServerAddress};
use crate::proxy::UpstreamTlsError;
use crate::proxy::tls::ServerTls;
use crate::telemetry::Seldom;

/// An upstream as all workers see it.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) config: config::Upstream,
    pub(super) queue: Queue,
    pub(super) budget: Budget,
    in_flight: AtomicUsize,
    /// Counts the changes of `servers`, so that a worker sees with one look that its copy is old.
    generation: AtomicU64,
    servers: Mutex<Servers>,
    changed: watch::Sender<()>,
    /// Held while it is decided whether a server is left alone.
    ejecting: Mutex<()>,
    sent_again: [AtomicU64; Again::ALL.len()],
    pub(super) over_budget: AtomicU64,
    pub(super) failed_lookups: AtomicU64,
    /// Log lines of requests that got no answer.
    pub(super) untold: Seldom,
    /// Nothing where no server is `https://`.
    tls: Option<ServerTls>,
    began: Instant,
}

#[derive(Debug)]
struct Servers {
    /// By the servers of the configuration: what a name was found to stand for.
    found: Vec<Vec<Target>>,
    all: Arc<[Arc<Server>]>,
}

/// Why a request is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// The server took no connection.
    Refused,
    /// A kept connection was closed before anything was sent.
    Unsent,
    /// The connection broke before the head of the answer.
    Broken,
    /// The answer had a status that is not passed on.
    Status,
}

impl Again {
    pub(super) const ALL: [Self; 4] = [Self::Refused, Self::Unsent, Self::Broken, Self::Status];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unsent => "unsent",
            Self::Broken => "broken",
            Self::Status => "status",
        }
    }
}

impl Upstream {
    pub(super) fn new(config: &config::Upstream) -> Result<Arc<Self>, UpstreamTlsError> {
        let tls = ServerTls::of(config)?;
        let servers = config.servers.iter();
        let found = servers.map(|server| Target::fixed(&server.address, tls.as_ref()));
        let upstream = Self {
            queue: Queue::new(config.max_waiting, config.waiting_timeout),
            budget: Budget::new(&config.retries),
            in_flight: AtomicUsize::new(0),
            generation: AtomicU64::new(0),
            servers: Mutex::new(Servers {
                found: found.map(Vec::from_iter).collect(),
                all: Arc::new([]),
            }),
            changed: watch::Sender::new(()),
            ejecting: Mutex::new(()),
            sent_again: Default::default(),
            over_budget: AtomicU64::new(0),
            failed_lookups: AtomicU64::new(0),
            untold: Seldom::default(),
            config: config.clone(),
            tls,
            began: Instant::now(),
        };
        upstream.gather(&mut upstream.servers.lock());
        Ok(Arc::new(upstream))
    }

    /// `Host` for a request that names none, which HTTP/1.1 does not allow.
    pub(crate) fn host(&self) -> HeaderValue {
        host_of(self.config.servers.first().map(|server| &server.address))
    }

    /// Milliseconds since it began, never 0.
    pub(super) fn now(&self) -> u64 {
        super::standing::millis(self.began.elapsed()).saturating_add(1)
    }

    /// The servers as they are now. Takes a lock: workers ask only when [`Self::generation`] has moved.
    pub(super) fn servers(&self) -> Arc<[Arc<Server>]> {
        Arc::clone(&self.servers.lock().all)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Tells when the servers have changed.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Which servers of the configuration are names: index, name and port.
    pub(super) fn names(&self) -> impl Iterator<Item = (usize, String, u16)> {
        let servers = self.config.servers.iter().enumerate();
        servers.filter_map(|(index, server)| match &server.address {
            ServerAddress::Tcp { host, port, .. } if host.parse::<IpAddr>().is_err() => {
                Some((index, host.clone(), *port))
            }
            ServerAddress::Tcp { .. } | ServerAddress::Unix(_) => None,
        })
    }

    /// Whether it is what another of the same name would be: by its configuration and the files that names.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let files = match (&self.tls, &other.tls) {
            (Some(one), Some(other)) => one.has_files_of(other),
            (None, None) => true,
            _ => false,
        };
        files && self.config == other.config
    }

    /// Takes over what `old` knows of names that both have.
    pub(super) fn learn(&self, old: &Self) {
        for (index, name, port) in self.names() {
            let known = old
                .names()
                .find(|(_, other, at)| (other, *at) == (&name, port));
            let Some((at, ..)) = known else {
                continue;
            };
            let found = old.servers.lock().found.get(at).cloned();
            let addresses = found.iter().flatten().filter_map(Target::address);
            let addresses: Vec<_> = addresses.collect();
            if !addresses.is_empty() {
                self.found(index, addresses);
            }
        }
    }

    /// The name with this index stands for these addresses. Whether that is new.
    pub(super) fn found(&self, index: usize, addresses: Vec<SocketAddr>) -> bool {
        let Some(config) = self.config.servers.get(index) else {
            return false;
        };
        let tls = self.tls.as_ref();
        let target = |address| Target::at(address, &config.address, tls);
        let mut targets: Vec<_> = addresses.into_iter().map(target).collect();
        targets.sort_by_key(ToString::to_string);
        let mut servers = self.servers.lock();
        let Some(found) = servers.found.get_mut(index).filter(|old| **old != targets) else {
            return false;
        };
        *found = targets;
        self.gather(&mut servers);
        drop(servers);
        self.changed.send_replace(());
        true
    }

    /// Makes the list anew; a server that stays keeps everything that is known of it.
    fn gather(&self, servers: &mut Servers) {
        let mut all: Vec<Arc<Server>> = Vec::new();
        for (config, targets) in self.config.servers.iter().zip(&servers.found) {
            for target in targets {
                if all.iter().any(|server| server.target == *target) {
                    continue;
                }
                let known = servers.all.iter().find(|server| server.target == *target);
                let server = known.map_or_else(
                    || Arc::new(Server::new(target.clone(), config.weight)),
                    Arc::clone,
                );
                if known.is_none() && !servers.all.is_empty() {
                    server.standing.begin_slowly(self.now());
                }
                all.push(server);
            }
        }
        servers.all = all.into();
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// How many exchanges are in flight with it.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes a place among those in flight; whether there was one left.
    pub(super) fn enter(&self) -> bool {
        let is_free = self.in_flight.fetch_add(1, Ordering::SeqCst) < self.config.max_in_flight;
        if !is_free {
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
        }
        is_free
    }

    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.queue.tell();
    }

    /// Counts that a request is sent again.
    pub(crate) fn count_again(&self, why: Again) {
        if let Some(count) = self.sent_again.get(why as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn sent_again(&self, why: Again) -> u64 {
        let count = self.sent_again.get(why as usize);
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// A server answered.
    pub(super) fn succeeded(&self, server: &Server) {
        let is_back = server.standing.has_record() && server.standing.succeeded(self.now());
        if is_back {
            tracing::info!(
                upstream = self.config.name,
                server = server.name(),
                "upstream server answers again"
            );
        }
    }

    /// A server failed: it is left alone when it does so too often and enough others are left.
    pub(super) fn failed(
        &self,
        server: &Server,
        failure: Failure,
        error: Option<&(dyn std::error::Error + 'static)>,
    ) {
        let config = &self.config.ejection;
        if !server.standing.failed(failure, config.failures) || config.max_share == 0 {
            return;
        }
        let deciding = self.ejecting.lock();
        let now = self.now();
        // One that is on trial is out already, and stays so.
        if !server.standing.is_left_alone(now) && !self.may_eject(server, failure, now) {
            return;
        }
        let Some((span, streak)) = server.standing.eject(now, config) else {
            return;
        };
        drop(deciding);
        self.tell_ejected(server, span, streak, error);
    }

    /// Whether a server more may be left alone: as many as the share allows, one at least.
    ///
    /// All of them only when none takes connections. What else a server does wrong some client may have
    /// brought it to, with a request that no server survives: the last one that stands goes on.
    fn may_eject(&self, server: &Server, failure: Failure, now: u64) -> bool {
        let config = &self.config.ejection;
        let servers = self.servers();
        let others = || {
            servers
                .iter()
                .filter(|other| !std::ptr::eq(&***other, server))
        };
        let out = others().filter(|other| other.standing.is_out(now)).count();
        let share = usize::try_from(config.max_share).unwrap_or(usize::MAX);
        let most = (servers.len().saturating_mul(share) / 1_000).max(1);
        match failure {
            Failure::Broken => out < most && out < others().count(),
            Failure::Refused => {
                let is_bad = |other: &Arc<Server>| other.standing.is_bad(now, config.failures);
                out < most || others().all(is_bad)
            }
        }
    }

    fn tell_ejected(
        &self,
        server: &Server,
        span: Duration,
        streak: u32,
        error: Option<&(dyn std::error::Error + 'static)>,
    ) {
        let (upstream, server) = (self.config.name.as_str(), server.name());
        let seconds = span.as_secs_f64();
        // A server that stays away is told of once.
        if streak == 1 {
            tracing::warn!(
                error,
                upstream,
                server,
                seconds,
                "upstream server left alone"
            );
        } else {
            tracing::debug!(
                error,
                upstream,
                server,
                seconds,
                streak,
                "upstream server left alone again"
            );
        }
    }
}

/// How `Host` names a server.
pub(super) fn host_of(address: Option<&ServerAddress>) -> HeaderValue {
    let host = match address {
        Some(ServerAddress::Tcp { host, port, .. }) if host.contains(':') => {
            format!("[{host}]:{port}")
        }
        Some(ServerAddress::Tcp { host, port, .. }) => format!("{host}:{port}"),
        Some(ServerAddress::Unix(_)) | None => "localhost".to_owned(),
    };
    HeaderValue::from_str(&host).unwrap_or(HeaderValue::from_static("localhost"))
}
