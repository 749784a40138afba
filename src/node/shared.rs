use std::sync::Arc;
use std::time::Duration;

use super::link::{Link, LinkState};
use crate::auth::Authenticator;
use crate::config::OnStale;
use crate::domain::{BootUptime, SharedClock};
use crate::revocation::{
    Applier, Bells, Changes, FreshStore, Freshness, Knowledge, Ledger, Recent,
};
use crate::store::{Feed, KeyRoll, Store};

/// A store that several nodes share, and how this one keeps up with the others.
#[derive(Debug, Clone)]
pub struct Shared {
    store: Arc<dyn Store>,
    feed: Arc<dyn Feed>,
    clock: Arc<SharedClock>,
    max_staleness: Duration,
    freshness: Arc<Freshness>,
    recent: Arc<Recent>,
    state: Arc<LinkState>,
    roll: Option<Arc<dyn KeyRoll>>,
}

impl Shared {
    /// `store`, whose log is `feed`, and whose clock puts `clock` right.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        feed: Arc<dyn Feed>,
        clock: Arc<SharedClock>,
        max_staleness: Duration,
        on_stale: OnStale,
    ) -> Self {
        let uptime = Arc::new(BootUptime);
        Self {
            store,
            feed,
            clock,
            max_staleness,
            freshness: Freshness::bounded(max_staleness, on_stale, uptime.clone()),
            recent: Recent::new(uptime),
            state: Arc::default(),
            roll: None,
        }
    }

    /// Compares the signing keys of the nodes over `roll`.
    #[must_use]
    pub fn with_key_roll(mut self, roll: Arc<dyn KeyRoll>) -> Self {
        self.roll = Some(roll);
        self
    }

    /// The store for everybody but the link: it answers nothing while this node is not fresh.
    #[must_use]
    pub fn guarded(&self) -> Arc<dyn Store> {
        let (store, freshness) = (Arc::clone(&self.store), Arc::clone(&self.freshness));
        Arc::new(FreshStore::new(store, freshness))
    }

    /// Whether this node's knowledge is fresh.
    #[must_use]
    pub const fn freshness(&self) -> &Arc<Freshness> {
        &self.freshness
    }

    /// Has revocations remembered, and nothing admitted while this node is not fresh.
    #[must_use]
    pub fn bound(
        &self,
        changes: Changes,
        authenticator: Authenticator,
    ) -> (Changes, Authenticator) {
        (
            changes.remembered_in(Arc::clone(&self.recent)),
            authenticator.bounded_by(Arc::clone(&self.freshness)),
        )
    }

    /// What may have to be sent again.
    #[must_use]
    pub const fn recent(&self) -> &Arc<Recent> {
        &self.recent
    }

    /// The clock that nodes share.
    #[must_use]
    pub const fn clock(&self) -> &Arc<SharedClock> {
        &self.clock
    }

    /// How the link does.
    #[must_use]
    pub const fn state(&self) -> &Arc<LinkState> {
        &self.state
    }

    /// Waits until this node's knowledge is fresh, for at most `within`; answers whether it is.
    pub async fn until_fresh(&self, within: Duration) -> bool {
        let mut knowledge = self.state.watch_knowledge();
        let fresh = knowledge.wait_for(|knowledge| *knowledge == Knowledge::Fresh);
        tokio::time::timeout(within, fresh).await.is_ok()
    }

    /// Over what signing keys are compared, if over anything.
    #[must_use]
    pub const fn roll(&self) -> Option<&Arc<dyn KeyRoll>> {
        self.roll.as_ref()
    }

    /// The task that follows the log.
    #[must_use]
    pub fn link(
        &self,
        ledger: &Arc<Ledger>,
        authenticator: &Arc<Authenticator>,
        bells: &Arc<Bells>,
    ) -> Link {
        Link {
            feed: Arc::clone(&self.feed),
            store: Arc::clone(&self.store),
            applier: Applier {
                ledger: Arc::clone(ledger),
                recent: Arc::clone(&self.recent),
                freshness: Arc::clone(&self.freshness),
            },
            authenticator: Arc::clone(authenticator),
            bells: Arc::clone(bells),
            clock: Arc::clone(&self.clock),
            max_staleness: self.max_staleness,
            state: Arc::clone(&self.state),
        }
    }
}
