use std::time::Duration;

use super::bucket::Quota;

/// What this node let pass of one limit for one subject and has not told the other nodes of.
///
/// A node has a batch of each limit on lease: it lets so many pass on its own word, and must then tell
/// of them and hear what the others did. It tells when half of the batch is used, so that it seldom has to
/// wait for the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Debt {
    /// When it would have begun, had it come without a pause and no faster than the limit brings it, up to
    /// where it ends; in nanoseconds since the limits began.
    since: u64,
    /// Below zero where something told already went back.
    count: i32,
    /// Whether it waits to be told, or is being told.
    is_due: bool,
}

/// How many a node lets pass on its own word, of a limit that gives `burst` at once.
pub(super) const fn batch(burst: u32) -> u32 {
    let tenth = burst / 10;
    if tenth == 0 { 1 } else { tenth }
}

/// How long the quiet time is at least after which a debt is told however small it is. It would else be
/// counted with what is taken then, although that time has made it good.
const QUIET: u64 = 1_000_000_000;

impl Debt {
    /// Whether no more may pass before it was told.
    pub(super) fn is_full(self, batch: u32) -> bool {
        self.count() >= batch
    }

    /// One more has passed. It grows no larger than a batch: beyond that the node is on its own, and what
    /// passes then is nobody else's.
    pub(super) fn add(&mut self, quota: &Quota, batch: u32, now: u64) {
        if self.count <= 0 {
            self.since = now;
        }
        if !self.is_full(batch) {
            let pause = now.saturating_sub(self.end(quota));
            self.since = self.since.saturating_add(pause);
            self.count = self.count.saturating_add(1);
        }
    }

    /// One went back.
    pub(super) const fn sub(&mut self) {
        self.count = self.count.saturating_sub(1);
    }

    /// Whether it has become due: whoever is told so has it told.
    pub(super) fn falls_due(&mut self, quota: &Quota, batch: u32, now: u64) -> bool {
        let quiet = now.saturating_sub(self.end(quota));
        let is_old = self.count > 0 && quiet >= QUIET.max(quota.span() / 2);
        let is_much = self.count().saturating_mul(2) >= batch;
        let falls_due = !self.is_due && (is_much || is_old);
        self.is_due |= falls_due;
        falls_due
    }

    /// How many there are to tell of.
    pub(super) fn count(self) -> u32 {
        u32::try_from(self.count).unwrap_or(0)
    }

    /// How long ago it began.
    pub(super) fn age(self, now: u64) -> Duration {
        match self.count {
            1.. => Duration::from_nanos(now.saturating_sub(self.since)),
            _ => Duration::ZERO,
        }
    }

    /// So many were told of.
    pub(super) fn told(&mut self, quota: &Quota, count: u32) {
        self.since = self.since.saturating_add(quota.of(count));
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        self.count = self.count.saturating_sub(count);
        self.is_due = false;
    }

    fn end(self, quota: &Quota) -> u64 {
        self.since.saturating_add(quota.of(self.count()))
    }

    /// Nobody could be told.
    pub(super) const fn untold(&mut self) {
        self.is_due = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Limit, Per, Rate};

    const SECOND: u64 = 1_000_000_000;

    /// One a second, and a hundred at once.
    fn quota() -> Quota {
        Quota::new(&Limit {
            per: Per::Address,
            rate: Rate {
                count: 1,
                per: Duration::from_secs(1),
            },
            burst: 100,
        })
    }

    #[test]
    fn a_batch_is_a_tenth_of_the_burst_and_one_at_least() {
        assert_eq!([1, 9, 19, 20, 1000].map(batch), [1, 1, 1, 2, 100]);
    }

    #[test]
    fn half_a_batch_is_told_once_and_a_whole_one_is_the_end() {
        let (mut debt, quota) = (Debt::default(), quota());
        for _ in 0..4 {
            debt.add(&quota, 10, 7);
            assert!(!debt.falls_due(&quota, 10, 7));
        }
        debt.add(&quota, 10, 7);
        assert!(debt.falls_due(&quota, 10, 7));
        assert!(!debt.falls_due(&quota, 10, 7));
        for _ in 0..5 {
            assert!(!debt.is_full(10));
            debt.add(&quota, 10, 9);
        }
        assert!(debt.is_full(10));

        debt.told(&quota, 5);
        assert!(!debt.is_full(10));
        assert_eq!(debt.count(), 5);
        assert!(debt.falls_due(&quota, 10, 10));
    }

    #[test]
    fn a_debt_is_told_after_a_quiet_time_however_small_it_is() {
        let (mut debt, quota) = (Debt::default(), quota());
        debt.add(&quota, 10, 0);
        assert!(!debt.falls_due(&quota, 10, 51 * SECOND - 1));
        assert!(debt.falls_due(&quota, 10, 51 * SECOND));
    }

    #[test]
    fn pauses_do_not_count() {
        let (mut debt, quota) = (Debt::default(), quota());
        for second in [0, 1, 2, 10, 10, 10] {
            debt.add(&quota, 10, second * SECOND);
        }
        // As if the three of the tenth second had come last of six in a row.
        assert_eq!(debt.age(10 * SECOND), Duration::from_secs(3));
        debt.told(&quota, 4);
        assert_eq!((debt.count(), debt.age(11 * SECOND)), (2, Duration::ZERO));
    }
}
