//! The upstreams of a node: their servers, how those are, and which one takes a request.
//!
//! What all workers share of a server are atomics; a worker has its own [`Lane`] to each upstream, with
//! its own connections and its own copy of the list of servers. Tasks of the control runtime keep the
//! lists and the servers' health ([`attend`]); the path of a request only reads.

mod attendance;
mod budget;
mod chance;
mod check;
mod health;
mod lane;
mod names;
mod pick;
mod place;
mod queue;
mod resolver;
mod server;
mod standing;
mod tell;
mod upstream;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use self::resolver::Resolver;
use super::UpstreamTlsErrors;
use crate::config;

pub use self::attendance::attend;
pub(super) use self::lane::{Lane, Member};
pub(super) use self::pick::NotPicked;
pub(super) use self::place::Place;
pub(super) use self::server::Target;
pub(super) use self::standing::Failure;
pub(super) use self::upstream::{Again, Upstream};

/// The upstreams of a node by one configuration, as all workers see them.
#[derive(Debug)]
pub struct Upstreams {
    upstreams: Vec<Arc<Upstream>>,
    resolver: Arc<Resolver>,
    /// Names that were never looked up.
    unknown: Arc<watch::Sender<usize>>,
}

/// How long a start waits for names: with a dead name server the node serves what it can.
const FIRST_NAMES: Duration = Duration::from_secs(3);

impl Upstreams {
    /// The upstreams of this configuration.
    ///
    /// # Errors
    ///
    /// [`UpstreamTlsErrors`]
    pub fn new(config: &[config::Upstream], dns: &config::Dns) -> Result<Self, UpstreamTlsErrors> {
        let nothing = Self {
            upstreams: Vec::new(),
            resolver: Arc::new(Resolver::new(dns)),
            unknown: Arc::default(),
        };
        nothing.next(config, dns)
    }

    /// The upstreams of another configuration. Those that it has just so stay what they are, with all that
    /// is known of their servers. Nothing changes yet.
    ///
    /// # Errors
    ///
    /// [`UpstreamTlsErrors`]: every upstream whose files cannot be used.
    pub fn next(
        &self,
        config: &[config::Upstream],
        dns: &config::Dns,
    ) -> Result<Self, UpstreamTlsErrors> {
        let mut upstreams = Vec::with_capacity(config.len());
        let mut errors = Vec::new();
        let old: HashMap<&str, &Arc<Upstream>> = self.upstreams.iter().map(by_name).collect();
        for config in config {
            match Upstream::new(config) {
                Ok(new) => upstreams.push(match old.get(config.name.as_str()) {
                    Some(old) if old.is_same(&new) => Arc::clone(old),
                    Some(old) => {
                        new.learn(old);
                        new
                    }
                    None => new,
                }),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(UpstreamTlsErrors(errors));
        }
        let resolver = if self.resolver.is_of(dns) {
            Arc::clone(&self.resolver)
        } else {
            Arc::new(Resolver::new(dns))
        };
        let stays = Arc::ptr_eq(&resolver, &self.resolver);
        let new = upstreams
            .iter()
            .filter(|one| !(stays && self.has(one)))
            .map(|upstream| upstream.names().count());
        Ok(Self {
            unknown: Arc::new(watch::Sender::new(new.sum())),
            upstreams,
            resolver,
        })
    }

    /// The names of those upstreams that `old` has not, or has otherwise.
    #[must_use]
    pub fn renewed(&self, old: &Self) -> Vec<&str> {
        let new = self.upstreams.iter().filter(|one| !old.has(one));
        new.map(|one| one.config.name.as_str()).collect()
    }

    /// The name of an upstream; empty for an index that there is not.
    #[must_use]
    pub fn name(&self, index: usize) -> &str {
        self.upstreams
            .get(index)
            .map_or("", |upstream| upstream.config.name.as_str())
    }

    /// Whether the log is to tell now that this upstream gave no answer, and how often it was not told since
    /// the last time: clients can make it happen as often as they like.
    #[must_use]
    pub fn may_tell(&self, index: usize) -> Option<u64> {
        self.upstreams.get(index)?.untold.may()
    }

    /// How many exchanges are in flight with all upstreams.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let upstreams = self.upstreams.iter();
        upstreams.map(|upstream| upstream.in_flight()).sum()
    }

    /// Waits until every name was looked up once, for a few seconds at the most.
    pub async fn looked_up(&self) {
        let mut unknown = self.unknown.subscribe();
        let known = unknown.wait_for(|unknown| *unknown == 0);
        if tokio::time::timeout(FIRST_NAMES, known).await.is_err() {
            tracing::warn!("names of upstream servers are not known yet");
        }
    }

    pub(super) fn all(&self) -> &[Arc<Upstream>] {
        &self.upstreams
    }

    fn has(&self, upstream: &Arc<Upstream>) -> bool {
        self.upstreams.iter().any(|one| Arc::ptr_eq(one, upstream))
    }
}

fn by_name(upstream: &Arc<Upstream>) -> (&str, &Arc<Upstream>) {
    (&upstream.config.name, upstream)
}
