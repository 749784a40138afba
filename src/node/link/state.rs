use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::revocation::{Doubt, Knowledge};
use crate::store::{ServerId, StoreId};

/// How a link does, for metrics.
#[derive(Debug)]
pub struct LinkState {
    pub(super) is_up: AtomicBool,
    /// How often it connected.
    pub(super) connects: watch::Sender<u64>,
    /// What is known of this node's knowledge, as it was told last.
    pub(super) knowledge: watch::Sender<Knowledge>,
    /// Why it is not up, as it was told last.
    pub(super) trouble: Mutex<Option<String>>,
    /// The server and the store that it came to, and when that was told last.
    pub(super) found: Mutex<Option<(ServerId, Option<StoreId>, Duration)>>,
    pub(super) losses: AtomicU64,
    pub(super) applied: AtomicU64,
    pub(super) sent_again: AtomicU64,
    pub(super) doubts: [AtomicU64; Doubt::ALL.len()],
}

impl Default for LinkState {
    fn default() -> Self {
        Self {
            is_up: AtomicBool::new(false),
            connects: watch::Sender::new(0),
            knowledge: watch::Sender::new(Knowledge::Stale),
            trouble: Mutex::default(),
            found: Mutex::default(),
            losses: AtomicU64::new(0),
            applied: AtomicU64::new(0),
            sent_again: AtomicU64::new(0),
            doubts: <[AtomicU64; Doubt::ALL.len()]>::default(),
        }
    }
}

impl LinkState {
    /// 1 while it is connected, else 0.
    #[must_use]
    pub fn up(&self) -> u64 {
        u64::from(self.is_up.load(Ordering::Relaxed))
    }

    /// How often it connected.
    #[must_use]
    pub fn connects(&self) -> u64 {
        *self.connects.borrow()
    }

    /// Tells whenever it has connected.
    #[must_use]
    pub fn watch_connects(&self) -> watch::Receiver<u64> {
        self.connects.subscribe()
    }

    /// Tells whenever this node's knowledge has become another.
    #[must_use]
    pub fn watch_knowledge(&self) -> watch::Receiver<Knowledge> {
        self.knowledge.subscribe()
    }

    /// How often it was lost.
    #[must_use]
    pub fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }

    /// How many changes it applied.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Relaxed)
    }

    /// How many revocations it sent again.
    #[must_use]
    pub fn sent_again(&self) -> u64 {
        self.sent_again.load(Ordering::Relaxed)
    }

    /// How often everything was doubted, by the index of the [`Doubt`].
    #[must_use]
    pub fn doubts(&self, doubt: usize) -> u64 {
        let counter = self.doubts.get(doubt);
        counter.map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}
