use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::config;

/// How a server does: whether its health check passes, how it answered of late, whether it is left alone.
///
/// Times are milliseconds since the upstream began, never 0. Everything is an atomic; an ejection is
/// decided under the upstream's lock, which a request that goes well never sees.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Its health check says that it is not well.
    is_down: AtomicBool,
    /// Failures since the last success.
    failures: AtomicU32,
    /// Left alone since and until then; 0 when it never was.
    out_since: AtomicU64,
    out_until: AtomicU64,
    /// Ejections one after the other: each lasts twice as long as the one before.
    streak: AtomicU32,
    /// It takes its share slowly since then; 0 when it has all of it.
    back_since: AtomicU64,
    /// One request tries it although it is left alone.
    is_on_trial: AtomicBool,
    ejections: AtomicU64,
    failed_checks: AtomicU64,
}

/// What a server did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It did not take a connection: it is left alone at once.
    Refused,
    /// It broke off, came too late, or answered with a status that counts.
    Broken,
}

/// Full fitness: a server takes all of its share.
pub(super) const WHOLE: u64 = 1_000;
/// The least that a server takes which has just come back.
const FIRST: u64 = 100;

impl Standing {
    /// How much of its share it takes now, in thousandths; 0 while it is left alone or not well.
    pub(super) fn fitness(&self, now: u64, slow_start: Duration) -> u64 {
        if self.is_out(now) {
            return 0;
        }
        let back_since = self.back_since.load(Ordering::Relaxed);
        if back_since == 0 {
            return WHOLE;
        }
        let back = now.saturating_sub(back_since);
        let slow = millis(slow_start);
        if back >= slow {
            self.back_since.store(0, Ordering::Relaxed);
            return WHOLE;
        }
        (back * WHOLE / slow.max(1)).max(FIRST)
    }

    /// Whether it is well, and always was: it takes all of its share, whatever the time.
    pub(super) fn has_no_past(&self) -> bool {
        let never = |at: &AtomicU64| at.load(Ordering::Relaxed) == 0;
        !self.is_down() && never(&self.out_until) && never(&self.back_since)
    }

    /// Whether it takes no requests.
    pub(super) fn is_out(&self, now: u64) -> bool {
        self.is_down() || self.is_left_alone(now)
    }

    pub(super) fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    pub(super) fn is_left_alone(&self, now: u64) -> bool {
        self.out_until.load(Ordering::Relaxed) > now
    }

    /// Whether it has failed so often that it should be left alone, or is.
    pub(super) fn is_bad(&self, now: u64, threshold: u32) -> bool {
        self.is_out(now) || self.failures.load(Ordering::Relaxed) >= threshold
    }

    /// It joins others that are at work.
    pub(super) fn begin_slowly(&self, now: u64) {
        self.back_since.store(now, Ordering::Relaxed);
    }

    /// Whether there is anything that a success could mend.
    pub(super) fn has_record(&self) -> bool {
        self.failures.load(Ordering::Relaxed) != 0 || self.streak.load(Ordering::Relaxed) != 0
    }

    /// It answered. Whether it has just come back.
    pub(super) fn succeeded(&self, now: u64) -> bool {
        let streak = self.streak.load(Ordering::Relaxed);
        if streak == 0 {
            if self.failures.load(Ordering::Relaxed) != 0 {
                self.failures.store(0, Ordering::Relaxed);
            }
            return false;
        }
        let until = self.out_until.load(Ordering::Relaxed);
        if until > now {
            // What was in flight when it was left alone proves nothing; the trial does.
            let is_back = self.is_on_trial.swap(false, Ordering::Relaxed);
            if is_back {
                self.come_back(now);
            }
            return is_back;
        }
        let was_bad = self.failures.swap(0, Ordering::Relaxed) != 0;
        let was_out = until.saturating_sub(self.out_since.load(Ordering::Relaxed));
        if now.saturating_sub(until) > was_out {
            self.streak.store(0, Ordering::Relaxed);
        }
        was_bad
    }

    /// Counts a failure. Whether it is time to leave the server alone.
    pub(super) fn failed(&self, failure: Failure, threshold: u32) -> bool {
        match failure {
            Failure::Refused => {
                self.failures.fetch_max(threshold, Ordering::Relaxed);
                true
            }
            Failure::Broken => {
                let before = self.failures.fetch_add(1, Ordering::Relaxed);
                before.saturating_add(1) >= threshold
            }
        }
    }

    /// Leaves it alone, each time twice as long. How long, and how often now; nothing when it was left
    /// alone already. Under the upstream's lock.
    pub(super) fn eject(&self, now: u64, config: &config::Ejection) -> Option<(Duration, u32)> {
        if self.is_left_alone(now) && !self.is_on_trial.swap(false, Ordering::Relaxed) {
            return None;
        }
        let streak = self.streak.load(Ordering::Relaxed);
        let times = 1_u32.checked_shl(streak).unwrap_or(u32::MAX);
        let span = config.time.saturating_mul(times).min(config.max_time);
        let until = now.saturating_add(millis(span));
        let streak = streak.saturating_add(1);
        self.streak.store(streak, Ordering::Relaxed);
        // Back again, one more failure is enough.
        let failures = config.failures.saturating_sub(1);
        self.failures.store(failures, Ordering::Relaxed);
        self.out_since.store(now, Ordering::Relaxed);
        self.back_since.store(until, Ordering::Relaxed);
        self.out_until.store(until, Ordering::Relaxed);
        self.ejections.fetch_add(1, Ordering::Relaxed);
        Some((span, streak))
    }

    /// Where no server is left: whether one request may try this one, which was left alone for `least`.
    pub(super) fn claim_trial(&self, now: u64, least: Duration) -> bool {
        let since = self.out_since.load(Ordering::Relaxed);
        if self.is_down() || now.saturating_sub(since) < millis(least) {
            return false;
        }
        let claimed =
            self.out_since
                .compare_exchange(since, now, Ordering::Relaxed, Ordering::Relaxed);
        if claimed.is_ok() {
            self.is_on_trial.store(true, Ordering::Relaxed);
        }
        claimed.is_ok()
    }

    /// Its health check says that it is well, or not.
    pub(super) fn set_down(&self, is_down: bool, now: u64) {
        if !is_down {
            self.come_back(now);
            self.streak.store(0, Ordering::Relaxed);
        }
        self.is_down.store(is_down, Ordering::Relaxed);
    }

    pub(super) fn count_failed_check(&self) {
        self.failed_checks.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was left alone.
    pub(super) fn ejections(&self) -> u64 {
        self.ejections.load(Ordering::Relaxed)
    }

    pub(super) fn failed_checks(&self) -> u64 {
        self.failed_checks.load(Ordering::Relaxed)
    }

    fn come_back(&self, now: u64) {
        self.failures.store(0, Ordering::Relaxed);
        self.back_since.store(now, Ordering::Relaxed);
        self.out_until
            .store(now.saturating_sub(1), Ordering::Relaxed);
    }
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Duration = Duration::from_secs(10);

    fn config() -> config::Ejection {
        config::Ejection {
            failures: 3,
            statuses: Vec::new(),
            time: Duration::from_secs(1),
            max_time: Duration::from_secs(30),
            max_share: 500,
        }
    }

    #[test]
    fn each_ejection_in_a_row_lasts_twice_as_long_up_to_the_longest() {
        let standing = Standing::default();
        let mut now = 1;
        let mut spans = Vec::new();
        for _ in 0..7 {
            assert!(standing.failed(Failure::Refused, 3));
            let (span, _) = standing.eject(now, &config()).unwrap();
            assert_eq!(
                standing.eject(now, &config()),
                None,
                "it is left alone already"
            );
            assert_eq!(standing.fitness(now, SLOW), 0);
            now += millis(span);
            assert_eq!(standing.fitness(now, SLOW), FIRST);
            spans.push(span.as_secs());
        }
        assert_eq!(spans, [1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn failures_count_only_in_a_row_and_after_a_return_one_is_enough() {
        let standing = Standing::default();
        assert!(!standing.failed(Failure::Broken, 3));
        assert!(!standing.failed(Failure::Broken, 3));
        standing.succeeded(1);
        assert!(!standing.failed(Failure::Broken, 3));
        assert!(!standing.failed(Failure::Broken, 3));
        assert!(standing.failed(Failure::Broken, 3));
        standing.eject(1, &config()).unwrap();
        assert!(standing.failed(Failure::Broken, 3));
    }

    #[test]
    fn a_return_is_slow_and_time_without_trouble_ends_the_streak() {
        let standing = Standing::default();
        standing.failed(Failure::Refused, 3);
        standing.eject(1_000, &config()).unwrap();
        assert_eq!(standing.fitness(2_000, SLOW), FIRST);
        assert!(standing.succeeded(2_000), "the first success is the return");
        assert!(!standing.succeeded(2_001));
        assert_eq!(standing.fitness(7_000, SLOW), 500);
        assert_eq!(standing.fitness(12_000, SLOW), WHOLE);
        standing.succeeded(12_000);
        standing.failed(Failure::Refused, 3);
        let (span, _) = standing.eject(13_000, &config()).unwrap();
        assert_eq!(span, Duration::from_secs(1));
    }

    #[test]
    fn only_the_trial_brings_a_server_back_before_its_time() {
        let standing = Standing::default();
        standing.failed(Failure::Refused, 3);
        standing.eject(1_000, &config()).unwrap();
        standing.failed(Failure::Refused, 3);
        standing.eject(2_000, &config()).unwrap();
        let least = config().time;
        assert!(!standing.claim_trial(2_500, least));
        assert!(!standing.succeeded(2_500), "it was in flight before");
        assert!(standing.claim_trial(3_000, least));
        assert!(!standing.claim_trial(3_000, least), "one at a time");
        assert!(standing.succeeded(3_100));
        assert_eq!(standing.fitness(3_100, SLOW), FIRST);
    }

    #[test]
    fn a_server_that_is_down_takes_nothing_until_it_is_well_again() {
        let standing = Standing::default();
        standing.set_down(true, 5);
        assert_eq!(standing.fitness(1_000_000, SLOW), 0);
        assert!(!standing.claim_trial(1_000_000, Duration::ZERO));
        standing.set_down(false, 1_000_000);
        assert_eq!(standing.fitness(1_000_000, SLOW), FIRST);
    }
}
