//! The upstreams of a node: their servers, how those are, and which one takes a request.
//!
//! What all workers share of a server are atomics; a worker has its own [`Lane`] to each upstream, with
//! its own connections and its own copy of the list of servers. Tasks of the control runtime keep the
//! lists and the servers' health ([`Upstreams::attend`]); the path of a request only reads.

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

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use self::resolver::Resolver;
use super::UpstreamTlsError;
use crate::config;

pub(super) use self::lane::{Lane, Member};
pub(super) use self::pick::NotPicked;
pub(super) use self::place::Place;
pub(super) use self::server::Target;
pub(super) use self::standing::Failure;
pub(super) use self::upstream::{Again, Upstream};

/// The upstreams of a node, as all workers see them.
#[derive(Debug)]
pub struct Upstreams {
    upstreams: Vec<Arc<Upstream>>,
    resolver: Resolver,
    /// Names that were never looked up.
    unknown: watch::Sender<usize>,
}

/// How long a start waits for names: with a dead name server the node serves what it can.
const FIRST_NAMES: Duration = Duration::from_secs(3);

impl Upstreams {
    /// The upstreams of this configuration.
    ///
    /// # Errors
    ///
    /// [`UpstreamTlsError`]
    pub fn new(config: &[config::Upstream], dns: &config::Dns) -> Result<Self, UpstreamTlsError> {
        let upstreams = config.iter().map(Upstream::new);
        let upstreams = upstreams.collect::<Result<Vec<_>, _>>()?;
        let names = upstreams.iter().map(|upstream| upstream.names().count());
        Ok(Self {
            unknown: watch::Sender::new(names.sum()),
            upstreams,
            resolver: Resolver::new(dns),
        })
    }

    /// The name of an upstream; empty for an index that there is not.
    #[must_use]
    pub fn name(&self, index: usize) -> &str {
        self.upstreams
            .get(index)
            .map_or("", |upstream| upstream.config.name.as_str())
    }

    /// How many exchanges are in flight with all upstreams.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let upstreams = self.upstreams.iter();
        upstreams.map(|upstream| upstream.in_flight()).sum()
    }

    /// Looks names up again as they expire, and asks servers how they are, for ever.
    pub async fn attend(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        for upstream in &self.upstreams {
            for name in upstream.names() {
                let (all, upstream) = (Arc::clone(&self), Arc::clone(upstream));
                tasks.spawn(async move { all.keep_resolved(&upstream, name).await });
            }
            if upstream.config.health_check.is_some() {
                tasks.spawn(health::attend(Arc::clone(upstream)));
            }
        }
        while tasks.join_next().await.is_some() {}
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
}
