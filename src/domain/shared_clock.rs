use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::{Clock, Timestamp};

/// The machine's clock, put right by one that several machines ask: what one of them issues must not be
/// of the future to another.
///
/// Clocks that differ by less than a second are left alone, so that time does not jump where it need
/// not. One that is far off may be the other one: it is not followed.
#[derive(Debug)]
pub struct SharedClock {
    own: Arc<dyn Clock>,
    /// By how many milliseconds the other clock is ahead; 0 while they agree.
    difference: AtomicI64,
}

/// What is left alone.
const TOLERATED: Duration = Duration::from_secs(1);
/// What is followed; in milliseconds.
const FOLLOWED: u64 = 10 * 60 * 1000;

impl SharedClock {
    /// `own`, until another clock is known.
    #[must_use]
    pub fn new(own: Arc<dyn Clock>) -> Self {
        Self {
            own,
            difference: AtomicI64::new(0),
        }
    }

    /// The other clock showed `shown` at some moment of the last `within`. Answers by how many
    /// milliseconds it is ahead when that is news, 0 when they agree again.
    pub fn learn(&self, shown: Timestamp, within: Duration) -> Option<i64> {
        let now = shown.after(within / 2).as_millis();
        let difference = now.saturating_sub(self.own.now().as_millis());
        let slack = u64::try_from((TOLERATED + within / 2).as_millis()).unwrap_or(u64::MAX);
        let known = self.difference.load(Ordering::Relaxed);
        if difference.abs_diff(known) <= slack {
            return None;
        }
        let agrees = difference.unsigned_abs() <= slack;
        let difference = if agrees { 0 } else { difference };
        self.difference.store(difference, Ordering::Relaxed);
        Some(difference)
    }

    /// How far the two clocks are apart, where that is more than what is left alone.
    #[must_use]
    pub fn apart(&self) -> Duration {
        Duration::from_millis(self.difference.load(Ordering::Relaxed).unsigned_abs())
    }

    /// Whether a clock so many milliseconds ahead is followed.
    #[must_use]
    pub const fn follows(difference: i64) -> bool {
        difference.unsigned_abs() <= FOLLOWED
    }
}

impl Clock for SharedClock {
    fn now(&self) -> Timestamp {
        let own = self.own.now();
        match self.difference.load(Ordering::Relaxed) {
            0 => own,
            ahead if Self::follows(ahead) => {
                Timestamp::from_millis(own.as_millis().saturating_add(ahead))
            }
            _ => own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ManualClock;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const QUICK: Duration = Duration::from_millis(2);

    fn clock() -> (Arc<ManualClock>, SharedClock) {
        let own = Arc::new(ManualClock::at(NOW));
        (own.clone(), SharedClock::new(own))
    }

    #[test]
    fn clocks_that_nearly_agree_are_left_alone() {
        let (_, clock) = clock();
        for millis in [0, 400, 1000] {
            let by = Duration::from_millis(millis);
            assert_eq!(clock.learn(NOW.after(by), QUICK), None);
            assert_eq!(clock.learn(NOW.before(by), QUICK), None);
        }
        // Nobody knows when within these four seconds it was read.
        let late = Duration::from_secs(4);
        assert_eq!(clock.learn(NOW.before(Duration::from_secs(4)), late), None);
        assert_eq!(clock.now(), NOW);
    }

    #[test]
    fn a_clock_that_is_a_minute_off_is_put_right_and_back() {
        let (own, clock) = clock();
        let minute = Duration::from_mins(1);

        assert_eq!(clock.learn(NOW.before(minute), QUICK), Some(-59_999));
        assert_eq!(clock.now(), NOW.before(Duration::from_millis(59_999)));
        assert_eq!(clock.learn(NOW.before(minute), QUICK), None, "no news");
        assert_eq!(clock.apart(), Duration::from_millis(59_999));

        own.advance(minute);
        assert_eq!(clock.learn(NOW.after(minute), QUICK), Some(0));
        assert_eq!(clock.now(), NOW.after(minute));
        assert_eq!(clock.apart(), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_is_far_off_is_not_followed() {
        let (_, clock) = clock();
        let said = clock.learn(Timestamp::from_secs(0), QUICK);
        assert!(said.is_some_and(|difference| !SharedClock::follows(difference)));
        assert_eq!(clock.now(), NOW);
        assert!(clock.apart() > Duration::from_hours(24));
    }
}
