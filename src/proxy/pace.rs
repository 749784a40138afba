use std::time::{Duration, Instant};

/// How a client keeps up with what is asked of it, over many waits.
///
/// A bound on each wait alone lets a client hold a place for ever, with a byte before the end of each. So
/// waiting takes from a grace, and each byte gives some of it back. Time in which nobody waits for the client
/// costs it nothing, and one that keeps up with the rate never comes to an end of its grace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Bytes a second; 0 where there is no such bound.
    rate: u32,
    grace: Duration,
    /// What is left of the grace.
    left: Duration,
    /// Since when the client is waited for.
    since: Option<Instant>,
}

impl Pace {
    /// No bound.
    pub const FREE: Self = Self::new(0, Duration::MAX);

    /// `rate` bytes a second, once the client was waited for as long as `grace`.
    #[must_use]
    pub const fn new(rate: u32, grace: Duration) -> Self {
        Self {
            rate,
            grace,
            left: grace,
            since: None,
        }
    }

    /// The client is waited for from now on: how long at the most.
    pub fn wait(&mut self, now: Instant) -> Duration {
        self.go_on(|| now);
        self.since = Some(now);
        self.remaining(now)
    }

    /// As [`Self::wait`], unless it is waited for already.
    pub fn still_wait(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// Whether it is waited for.
    #[must_use]
    pub const fn is_waited_for(&self) -> bool {
        self.since.is_some()
    }

    /// How long it may still be waited for.
    #[must_use]
    pub fn remaining(&self, now: Instant) -> Duration {
        if self.rate == 0 {
            Duration::MAX
        } else {
            self.left.saturating_sub(self.waited(now))
        }
    }

    /// It is waited for no longer: how long it was. Where it was not, nobody asks for the time.
    pub fn go_on(&mut self, now: impl FnOnce() -> Instant) -> Duration {
        let Some(since) = self.since.take() else {
            return Duration::ZERO;
        };
        let waited = now().saturating_duration_since(since);
        self.left = self.left.saturating_sub(waited);
        waited
    }

    /// It has sent or taken so many bytes.
    pub fn moved(&mut self, bytes: usize) {
        if self.left == self.grace {
            return;
        }
        let millis = u64::try_from(bytes)
            .unwrap_or(u64::MAX)
            .saturating_mul(1_000);
        let earned = millis.checked_div(u64::from(self.rate));
        let earned = earned.map_or(Duration::MAX, Duration::from_millis);
        self.left = self.left.saturating_add(earned).min(self.grace);
    }

    /// How long it is waited for by now, this time.
    #[must_use]
    pub fn waited(&self, now: Instant) -> Duration {
        self.since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn after(pace: &mut Pace, now: &mut Instant, wait: Duration, bytes: usize) -> Duration {
        let left = pace.wait(*now);
        *now += wait;
        pace.go_on(|| *now);
        pace.moved(bytes);
        left
    }

    #[test]
    fn a_byte_now_and_then_uses_the_grace_up() {
        let (mut pace, mut now) = (Pace::new(100, MINUTE), Instant::now());
        let wait = Duration::from_secs(29);
        assert_eq!(after(&mut pace, &mut now, wait, 1), MINUTE);
        let second = after(&mut pace, &mut now, wait, 1);
        assert_eq!(second, Duration::from_millis(31_010));
        assert_eq!(pace.wait(now), Duration::from_millis(2_020));
    }

    #[test]
    fn who_keeps_up_is_waited_for_as_long_as_ever() {
        let (mut pace, mut now) = (Pace::new(100, MINUTE), Instant::now());
        for _ in 0..10_000 {
            let left = after(&mut pace, &mut now, Duration::from_secs(20), 2_000);
            assert_eq!(left, MINUTE);
        }
    }

    #[test]
    fn time_in_which_nobody_waits_costs_nothing() {
        let (mut pace, mut now) = (Pace::new(100, MINUTE), Instant::now());
        after(&mut pace, &mut now, Duration::from_secs(50), 0);
        now += MINUTE * 60;
        pace.go_on(|| now);
        assert_eq!(pace.wait(now), Duration::from_secs(10));
    }

    #[test]
    fn each_wait_is_told_whatever_was_sent() {
        let (mut pace, now) = (Pace::new(100, MINUTE), Instant::now());
        let second = Duration::from_secs(1);
        assert_eq!(pace.waited(now), Duration::ZERO);
        pace.wait(now);
        pace.moved(1_000);
        pace.still_wait(now + second);
        assert_eq!(pace.waited(now + second * 2), second * 2);
        assert_eq!(pace.go_on(|| now + second * 3), second * 3);
        assert_eq!(pace.waited(now + second * 4), Duration::ZERO);
        assert_eq!(pace.go_on(|| now + second * 4), Duration::ZERO);
    }

    #[test]
    fn without_a_rate_there_is_no_bound() {
        let (mut pace, mut now) = (Pace::FREE, Instant::now());
        for _ in 0..10 {
            assert_eq!(after(&mut pace, &mut now, MINUTE * 60, 0), Duration::MAX);
        }
    }
}
