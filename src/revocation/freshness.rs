use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::OnStale;
use crate::domain::{BootUptime, Uptime};
use crate::http::ApiError;
use crate::store::StoreError;

/// Until when this node's knowledge of the store's changes counts as fresh.
///
/// Everything that needs the store asks it, cached admissions too: past the bound a revocation may have
/// been recorded that this node has not heard of. One task writes it, the [link](super::Follower).
#[derive(Debug)]
pub struct Freshness {
    /// The moment, in nanoseconds of uptime; or [`ALWAYS`], [`REPLACED`] or [`NEVER`].
    until: AtomicU64,
    /// When the last beat that counted was sent, in nanoseconds of uptime; 0 before the first.
    since: AtomicU64,
    max_staleness: Duration,
    on_stale: OnStale,
    uptime: Arc<dyn Uptime>,
}

/// What is known of what this node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// Nothing was recorded longer than the bound ago that it has not heard of.
    Fresh,
    /// Something may have been.
    Stale,
    /// Another store stands where this node's store stood.
    Replaced,
}

/// Nothing that needs the store can be decided now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotFresh {
    /// This node has not heard from the store for longer than it may.
    #[error("this node has not heard from the store for too long")]
    Stale,
    /// Another store stands where this node's store stood.
    #[error("another store stands where this node's store stood")]
    Replaced,
}

/// No other node writes to the store.
const ALWAYS: u64 = u64::MAX;
const NEVER: u64 = 0;
const REPLACED: u64 = 1;

impl Freshness {
    /// For a store that no other node writes to: every change is this node's own.
    #[must_use]
    pub fn always() -> Arc<Self> {
        Arc::new(Self {
            until: AtomicU64::new(ALWAYS),
            since: AtomicU64::new(0),
            max_staleness: Duration::MAX,
            on_stale: OnStale::Keep,
            uptime: Arc::new(BootUptime),
        })
    }

    /// For a store that several nodes share. It is stale until it is [confirmed](Self::confirm).
    #[must_use]
    pub fn bounded(
        max_staleness: Duration,
        on_stale: OnStale,
        uptime: Arc<dyn Uptime>,
    ) -> Arc<Self> {
        Arc::new(Self {
            until: AtomicU64::new(NEVER),
            since: AtomicU64::new(0),
            max_staleness,
            on_stale,
            uptime,
        })
    }

    /// What is known of this node's knowledge now. One atomic load and, where nodes share a store, one
    /// look at the machine's clock.
    #[must_use]
    pub fn knowledge(&self) -> Knowledge {
        match self.until.load(Ordering::Acquire) {
            ALWAYS => Knowledge::Fresh,
            REPLACED => Knowledge::Replaced,
            until if nanos(self.uptime.elapsed()) < until => Knowledge::Fresh,
            _ => Knowledge::Stale,
        }
    }

    /// Refuses whatever needs the store while this node's knowledge is not fresh.
    ///
    /// # Errors
    ///
    /// [`NotFresh`]: 503, and never a word about the credential.
    pub fn check(&self) -> Result<(), NotFresh> {
        match self.knowledge() {
            Knowledge::Fresh => Ok(()),
            Knowledge::Stale => Err(NotFresh::Stale),
            Knowledge::Replaced => Err(NotFresh::Replaced),
        }
    }

    /// Whether exchanges in flight are to be cut now.
    #[must_use]
    pub fn cuts(&self) -> bool {
        self.on_stale == OnStale::Cut && self.knowledge() != Knowledge::Fresh
    }

    /// How old this node's knowledge is; `None` where it is always fresh, or never was.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Relaxed);
        let age = || {
            self.uptime
                .elapsed()
                .saturating_sub(Duration::from_nanos(since))
        };
        (since > 0).then(age)
    }

    /// The clock it is counted on.
    #[must_use]
    pub const fn uptime(&self) -> &Arc<dyn Uptime> {
        &self.uptime
    }

    /// Everything recorded before `since` is known.
    pub fn confirm(&self, since: Duration) {
        let until = nanos(since.saturating_add(self.max_staleness));
        self.since.store(nanos(since), Ordering::Relaxed);
        self.until
            .store(until.clamp(REPLACED + 1, ALWAYS - 1), Ordering::Release);
    }

    /// Something may have been missed: stale from now on.
    pub fn doubt(&self) {
        self.until.store(NEVER, Ordering::Release);
    }

    /// Another store was found: [`Knowledge::Replaced`] until the old one is back.
    pub fn replace(&self) {
        self.until.store(REPLACED, Ordering::Release);
    }
}

impl From<NotFresh> for StoreError {
    fn from(error: NotFresh) -> Self {
        match error {
            NotFresh::Stale => Self::Stale,
            NotFresh::Replaced => Self::Replaced,
        }
    }
}

impl From<NotFresh> for ApiError {
    fn from(error: NotFresh) -> Self {
        StoreError::from(error).into()
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ManualUptime;
    use crate::http::Code;

    const BOUND: Duration = Duration::from_secs(2);

    fn bounded(on_stale: OnStale) -> (Arc<ManualUptime>, Arc<Freshness>) {
        let uptime = Arc::new(ManualUptime::default());
        uptime.advance(Duration::from_secs(1000));
        let freshness = Freshness::bounded(BOUND, on_stale, uptime.clone());
        (uptime, freshness)
    }

    #[test]
    fn a_store_of_ones_own_is_always_fresh() {
        let freshness = Freshness::always();
        assert_eq!(freshness.knowledge(), Knowledge::Fresh);
        assert_eq!(freshness.age(), None);
        assert!(!freshness.cuts());
    }

    #[test]
    fn it_is_fresh_until_the_bound_after_what_was_confirmed_and_not_a_moment_longer() {
        let (uptime, freshness) = bounded(OnStale::Cut);
        assert_eq!(freshness.knowledge(), Knowledge::Stale);

        freshness.confirm(uptime.elapsed() - Duration::from_millis(500));

        uptime.advance(Duration::from_millis(1500) - Duration::from_nanos(1));
        assert_eq!(freshness.knowledge(), Knowledge::Fresh);
        assert!(!freshness.cuts());
        uptime.advance(Duration::from_nanos(1));
        assert_eq!(freshness.check(), Err(NotFresh::Stale));
        assert!(freshness.cuts());
        assert_eq!(freshness.age(), Some(BOUND));
    }

    #[test]
    fn a_replaced_store_stays_replaced_however_much_time_passes() {
        let (uptime, freshness) = bounded(OnStale::Keep);
        freshness.confirm(uptime.elapsed());

        freshness.replace();
        uptime.advance(Duration::from_secs(3600));

        let refused = ApiError::from(freshness.check().unwrap_err());
        assert_eq!(refused.code, Code::StoreReplaced);
        assert!(refused.retry_after.is_some());
        assert!(!freshness.cuts(), "only where it is asked for");
        freshness.confirm(uptime.elapsed());
        assert_eq!(freshness.check(), Ok(()));
    }
}
