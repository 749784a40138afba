use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::Timestamp;

/// Where the time of day comes from, so that tests own it.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time of day now. It may jump, in both directions; never measure a duration with it.
    fn now(&self) -> Timestamp;

    /// Whether others may be held to it: not when it is known to be far from theirs.
    fn is_agreed(&self) -> bool {
        true
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// To the kernel's tick, which is a few milliseconds: a request asks three times, and the exact time
    /// takes five times as long.
    fn now(&self) -> Timestamp {
        let since = clock_gettime(ClockId::RealtimeCoarse);
        let millis = since.tv_sec.saturating_mul(1000);
        Timestamp::from_millis(millis.saturating_add(since.tv_nsec / 1_000_000))
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `at`.
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.as_millis()))
    }

    /// Moves the clock on by `by`.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
