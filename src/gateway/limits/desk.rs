use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Counted, Subject};

/// Where what must be told to the other nodes waits for the task that tells it.
#[derive(Debug)]
pub(super) struct Desk {
    due: Mutex<Vec<Due>>,
    count: AtomicUsize,
    /// Something has come.
    bell: Notify,
    /// Somebody waits for it to be told.
    urgent: Notify,
    /// It was told, or cannot be.
    settled: Notify,
    /// Until then nobody can be told, and this node keeps the limits by itself; in nanoseconds since the
    /// limits began.
    alone_until: AtomicU64,
}

/// One limit of one subject of which something must be told.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub(super) limit: Arc<Counted>,
    pub(super) of: Subject,
}

/// How many may wait. What comes beyond that is not told, and kept by this node alone.
const MAX_DUE: usize = 10_000;
/// How many are told at once.
const AT_ONCE: usize = 256;
/// How long something may wait for company, unless a request waits for it.
const GATHER: Duration = Duration::from_millis(20);
/// How long nobody is asked after nobody could be told.
const PAUSE: Duration = Duration::from_secs(1);

/// A desk that nobody stands behind.
impl Default for Desk {
    fn default() -> Self {
        Self {
            due: Mutex::default(),
            count: AtomicUsize::new(0),
            bell: Notify::new(),
            urgent: Notify::new(),
            settled: Notify::new(),
            alone_until: AtomicU64::new(u64::MAX),
        }
    }
}

impl Desk {
    /// Whether a limit's batch binds this node now: whether somebody will be told.
    pub(super) fn is_open(&self, now: u64) -> bool {
        now >= self.alone_until.load(Ordering::Acquire)
            && self.count.load(Ordering::Relaxed) < MAX_DUE
    }

    pub(super) fn put(&self, due: Due) {
        let mut all = self.due.lock();
        all.push(due);
        self.count.store(all.len(), Ordering::Relaxed);
        drop(all);
        self.bell.notify_one();
    }

    /// Waits until something was told; from this call on, not from its first poll.
    pub(super) fn settled(&self) -> impl Future<Output = ()> + '_ {
        let settled = self.settled.notified();
        async move {
            self.urgent.notify_one();
            settled.await;
        }
    }

    /// Whoever calls this stands behind the desk, until they drop it.
    pub(super) fn open(&self) -> Open<'_> {
        self.alone_until.store(0, Ordering::Release);
        Open(self)
    }

    /// Waits until there is something to tell.
    pub(super) async fn some(&self) {
        self.bell.notified().await;
        // Neither keeps anything that would be lost.
        tokio::select! {
            () = tokio::time::sleep(GATHER) => {}
            () = self.urgent.notified() => {}
        }
    }

    /// Some of what there is to tell.
    pub(super) fn draw(&self) -> Vec<Due> {
        let mut all = self.due.lock();
        let rest = all.len().saturating_sub(AT_ONCE);
        let some = all.split_off(rest);
        self.count.store(all.len(), Ordering::Relaxed);
        some
    }

    /// Whoever waits looks again.
    pub(super) fn wake(&self) {
        self.settled.notify_waiters();
    }

    /// Nobody could be told at `now`: a pause begins.
    pub(super) async fn pause(&self, now: u64) {
        let pause = u64::try_from(PAUSE.as_nanos()).unwrap_or(u64::MAX);
        self.alone_until
            .store(now.saturating_add(pause), Ordering::Release);
        self.wake();
        tokio::time::sleep(PAUSE).await;
    }
}

/// Somebody stands behind the desk.
pub(super) struct Open<'a>(&'a Desk);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.alone_until.store(u64::MAX, Ordering::Release);
        self.0.wake();
    }
}
