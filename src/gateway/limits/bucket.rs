use std::time::Duration;

use super::debt::Debt;
use super::{Counted, NotTaken};
use crate::config::Limit;

/// What is left of one limit for one subject, as GCRA has it: from when on the whole burst may come
/// again. No clock: whoever asks says what time it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    /// In nanoseconds since the limits began.
    free_at: u64,
    /// What the other nodes have not been told of.
    pub(super) debt: Debt,
}

/// How much may come, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    /// How long it takes until one more may come.
    every: u64,
    /// The same for the whole burst: how far ahead of now [`Bucket::free_at`] may be.
    span: u64,
}

impl Quota {
    pub(super) fn new(limit: &Limit) -> Self {
        let per = u64::try_from(limit.rate.per.as_nanos()).unwrap_or(u64::MAX);
        let every = (per / u64::from(limit.rate.count.max(1))).max(1);
        Self {
            every,
            span: every.saturating_mul(u64::from(limit.burst)),
        }
    }

    /// How long it takes until one more may come.
    pub(super) const fn every(&self) -> Duration {
        Duration::from_nanos(self.every)
    }

    /// The same for `count`, in nanoseconds.
    pub(super) fn of(&self, count: u32) -> u64 {
        self.every.saturating_mul(u64::from(count))
    }

    /// The same for the whole burst, in nanoseconds.
    pub(super) const fn span(&self) -> u64 {
        self.span
    }
}

impl Bucket {
    /// Takes one.
    ///
    /// # Errors
    ///
    /// How long, in nanoseconds, until there is one again; nothing is taken.
    pub(super) fn take(&mut self, quota: &Quota, now: u64) -> Result<(), u64> {
        let free_at = self.free_at.max(now).saturating_add(quota.every);
        let bound = now.saturating_add(quota.span);
        if free_at > bound {
            return Err(free_at - bound);
        }
        self.free_at = free_at;
        Ok(())
    }

    /// Takes one, of which the other nodes are told later. `is_open` says whether they will be: no more
    /// than a batch passes then before.
    pub(super) fn take_on_lease(
        &mut self,
        limit: &Counted,
        now: u64,
        is_open: bool,
    ) -> Result<(), NotTaken> {
        let mut taken = *self;
        // Who is over the limit is told so at once.
        taken.take(&limit.quota, now)?;
        if is_open && self.debt.is_full(limit.batch) {
            return Err(NotTaken::Owing);
        }
        taken.debt.add(&limit.quota, limit.batch, now);
        *self = taken;
        Ok(())
    }

    /// Puts back what was taken in vain.
    pub(super) const fn put_back(&mut self, quota: &Quota) {
        self.free_at = self.free_at.saturating_sub(quota.every);
        self.debt.sub();
    }

    /// The nodes together have used it up to `free_at`; what they were not told of yet comes on top. They
    /// may count less than this node knows: what is told late is counted early.
    pub(super) fn hear(&mut self, quota: &Quota, free_at: u64) {
        let untold = quota.of(self.debt.count());
        self.free_at = self.free_at.max(free_at.saturating_add(untold));
    }

    /// How many may come at once now.
    pub(super) fn left(self, quota: &Quota, now: u64) -> u64 {
        self.room(quota, now) / quota.every
    }

    /// How long it takes until one more than is left may come.
    pub(super) fn next_in(self, quota: &Quota, now: u64) -> u64 {
        quota.every - self.room(quota, now) % quota.every
    }

    fn room(self, quota: &Quota, now: u64) -> u64 {
        quota.span.saturating_sub(self.used_for(now))
    }

    /// For how long something of it is used up still; never, when it is zero.
    pub(super) const fn used_for(self, now: u64) -> u64 {
        self.free_at.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::config::{Per, Rate};

    const SECOND: u64 = 1_000_000_000;

    fn quota(count: u32, seconds: u64, burst: u32) -> Quota {
        Quota::new(&Limit {
            per: Per::Address,
            rate: Rate {
                count,
                per: Duration::from_secs(seconds),
            },
            burst,
        })
    }

    #[test]
    fn a_burst_comes_at_once_and_then_one_at_a_time() {
        let quota = quota(2, 1, 3);
        let mut bucket = Bucket::default();
        for left in [2, 1, 0] {
            assert_eq!(bucket.take(&quota, 0), Ok(()));
            assert_eq!(bucket.left(&quota, 0), left);
        }
        assert_eq!(bucket.take(&quota, 0), Err(SECOND / 2));
        assert_eq!(bucket.take(&quota, SECOND / 2 - 1), Err(1));
        assert_eq!(bucket.take(&quota, SECOND / 2), Ok(()));
        assert_eq!(bucket.take(&quota, SECOND / 2), Err(SECOND / 2));
        assert_eq!(bucket.left(&quota, 100 * SECOND), 3);
    }

    #[test]
    fn the_next_one_comes_when_a_refusal_says_so() {
        let quota = quota(2, 1, 3);
        let mut bucket = Bucket::default();
        for _ in 0..3 {
            bucket.take(&quota, 0).unwrap();
            assert_eq!(bucket.next_in(&quota, 0), SECOND / 2);
        }
        let now = SECOND / 8;
        assert_eq!(bucket.take(&quota, now), Err(bucket.next_in(&quota, now)));
    }

    #[test]
    fn what_was_taken_in_vain_goes_back() {
        let quota = quota(1, 60, 1);
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(&quota, 5), Ok(()));
        bucket.put_back(&quota);
        assert_eq!(bucket.take(&quota, 5), Ok(()));
        assert!(bucket.take(&quota, 5).is_err());
    }

    proptest! {
        /// Whenever they come, no more than the burst and what the time has brought come through.
        #[test]
        fn no_pattern_beats_the_rate(
            count in 1..50_u32, burst in 1..50_u32, steps in prop::collection::vec(0..SECOND, 1..200),
        ) {
            let quota = quota(count, 1, burst);
            let (mut bucket, mut now, mut passed) = (Bucket::default(), 0, 0_u64);
            for step in steps {
                now += step / 10;
                if bucket.take(&quota, now).is_ok() {
                    passed += 1;
                }
            }
            let most = u64::from(burst) + now / quota.every;
            prop_assert!(passed <= most, "{} of {}", passed, most);
        }

        #[test]
        fn whoever_waits_as_told_comes_through(count in 1..100_u32, burst in 1..10_u32, start in any::<u32>()) {
            let quota = quota(count, 60, burst);
            let (mut bucket, now) = (Bucket::default(), u64::from(start));
            let wait = loop {
                if let Err(wait) = bucket.take(&quota, now) {
                    break wait;
                }
            };
            prop_assert_eq!(bucket.take(&quota, now + wait), Ok(()));
        }
    }
}
