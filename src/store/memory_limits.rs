use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use parking_lot::Mutex;

use super::{Limit, LimitKey, Verdict};
use crate::domain::Timestamp;

/// Limits kept in this process, in bounded memory.
///
/// When there is no room for another key, the one that is closest to being free again is forgotten.
/// So a flood of distinct keys, each used a little, pushes out its own kind. To make the process forget
/// a limit that is used up, somebody must first push `max_entries` other limits further from free than
/// it is. What a flood can do is fill the room, so that keys used once or twice are forgotten early; it
/// locks nobody out who has not used up a limit themselves.
#[derive(Debug)]
pub struct MemoryLimits {
    max_entries: usize,
    entries: Mutex<Entries>,
}

impl MemoryLimits {
    /// Limits for at most `max_entries` keys at a time (one at least), at about 200 bytes each.
    #[must_use]
    pub fn new(max_entries: usize) -> Self {
        Self {
            max_entries: max_entries.max(1),
            entries: Mutex::default(),
        }
    }

    /// Takes one from each of `limits`, or from none of them when one is used up; the wait is then
    /// the longest of them.
    #[must_use]
    pub fn take(&self, limits: &[Limit], now: Timestamp) -> Verdict {
        let now = nanos_at(now);
        let mut entries = self.entries.lock();
        let mut taken: Vec<(LimitKey, Entry)> = Vec::with_capacity(limits.len());
        let mut wait = 0;
        for limit in limits {
            let span = span(limit);
            // One call may count the same key twice.
            let before = taken.iter().rev().find(|(key, _)| *key == limit.key);
            let free_at = before
                .map(|(_, entry)| *entry)
                .or_else(|| entries.clamped(limit.key, now, span))
                .map_or(now, |entry| entry.free_at.max(now));
            let every = nanos(limit.every);
            wait = wait.max(free_at - now - (span - every));
            let free_at = free_at.saturating_add(every);
            taken.push((limit.key, Entry { free_at, span }));
        }
        if wait > 0 {
            return Verdict::Wait(duration(wait));
        }
        for (key, entry) in taken {
            entries.put(key, entry, self.max_entries);
        }
        Verdict::Pass
    }

    /// Forgets the limits that are wholly free at `now`; answers how many.
    pub fn sweep(&self, now: Timestamp) -> u64 {
        let now = nanos_at(now);
        let mut entries = self.entries.lock();
        entries.clamp_all(now);
        let mut removed = 0;
        while entries.order.first().is_some_and(|(at, _)| *at <= now) {
            entries.forget_first();
            removed += 1;
        }
        removed
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.lock().by_key.len()
    }

    /// Whether no key is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What is known of one key, in nanoseconds: an `every` of a third of a second must add up.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// From when on the whole burst may come again (GCRA's theoretical arrival time).
    free_at: i128,
    /// The limit's own span: how far ahead `free_at` can be while the clock goes forward.
    span: i128,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<LimitKey, Entry>,
    /// The same keys, the one that is free first in front.
    order: BTreeSet<(i128, [u8; 32])>,
}

impl Entries {
    /// The entry of `key`, brought into what is possible at `now`.
    ///
    /// After a jump back of the clock an entry would lock its key out until the old time comes again.
    /// It is written down so that the wait really passes, even if every attempt is refused.
    fn clamped(&mut self, key: LimitKey, now: i128, span: i128) -> Option<Entry> {
        let entry = *self.by_key.get(&key)?;
        if entry.free_at <= now.saturating_add(span) {
            return Some(entry);
        }
        let free_at = now.saturating_add(span);
        let entry = Entry { free_at, span };
        self.replace(key, entry);
        Some(entry)
    }

    fn clamp_all(&mut self, now: i128) {
        let is_ahead = |entry: &Entry| entry.free_at > now.saturating_add(entry.span);
        let last = self.order.last().map(|(_, key)| key_of(*key));
        if !last.is_some_and(|key| self.by_key.get(&key).is_some_and(is_ahead)) {
            return;
        }
        let ahead = self.by_key.iter().filter(|(_, entry)| is_ahead(entry));
        let ahead: Vec<_> = ahead.map(|(key, entry)| (*key, entry.span)).collect();
        for (key, span) in ahead {
            self.clamped(key, now, span);
        }
    }

    fn put(&mut self, key: LimitKey, entry: Entry, max_entries: usize) {
        if !self.by_key.contains_key(&key) && self.by_key.len() >= max_entries {
            self.forget_first();
        }
        self.replace(key, entry);
    }

    fn replace(&mut self, key: LimitKey, entry: Entry) {
        if let Some(old) = self.by_key.insert(key, entry) {
            self.order.remove(&(old.free_at, *key.0.as_bytes()));
        }
        self.order.insert((entry.free_at, *key.0.as_bytes()));
    }

    fn forget_first(&mut self) {
        if let Some((_, key)) = self.order.pop_first() {
            self.by_key.remove(&key_of(key));
        }
    }
}

fn key_of(bytes: [u8; 32]) -> LimitKey {
    LimitKey(crate::domain::Digest::from_bytes(bytes))
}

/// How long it takes until the whole burst may come again.
fn span(limit: &Limit) -> i128 {
    nanos(limit.every).saturating_mul(i128::from(limit.burst.max(1)))
}

fn nanos(span: Duration) -> i128 {
    i128::try_from(span.as_nanos()).unwrap_or(i128::MAX)
}

fn nanos_at(moment: Timestamp) -> i128 {
    i128::from(moment.as_millis()) * 1_000_000
}

/// `nanos`, rounded up to the milliseconds that moments have: who waits that long passes.
fn duration(nanos: i128) -> Duration {
    let millis = nanos.saturating_add(999_999) / 1_000_000;
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limit(subject: u32, burst: u32, every: Duration) -> Limit {
        let key = LimitKey::new("test", &[&subject.to_be_bytes()]);
        Limit { key, burst, every }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_773_828_000_000 + millis)
    }

    fn use_up(limits: &MemoryLimits, limit: Limit, now: Timestamp) -> u32 {
        let mut passed = 0;
        while limits.take(&[limit], now) == Verdict::Pass {
            passed += 1;
        }
        passed
    }

    #[test]
    fn a_burst_passes_and_then_one_in_each_span() {
        let limits = MemoryLimits::new(10);
        let limit = limit(1, 3, SECOND);

        assert_eq!(use_up(&limits, limit, at(0)), 3);
        assert_eq!(limits.take(&[limit], at(0)), Verdict::Wait(SECOND));
        assert_eq!(
            limits.take(&[limit], at(999)),
            Verdict::Wait(Duration::from_millis(1))
        );
        assert_eq!(use_up(&limits, limit, at(1000)), 1);
        assert_eq!(use_up(&limits, limit, at(10_000)), 3);
    }

    #[test]
    fn a_clock_that_jumps_back_locks_out_for_no_longer_than_the_span() {
        let limits = MemoryLimits::new(10);
        let limit = limit(1, 3, SECOND);
        use_up(&limits, limit, at(86_400_000));

        let mut passed = 0;
        for step in 0..=30 {
            let verdict = limits.take(&[limit], at(step * 100));
            passed += u32::from(verdict == Verdict::Pass);
        }

        assert_eq!(passed, 3);
        assert_eq!(limits.sweep(at(6_001)), 1);
    }

    #[test]
    fn a_sweep_after_the_clock_jumped_back_forgets_within_the_span() {
        let limits = MemoryLimits::new(10);
        use_up(&limits, limit(1, 3, SECOND), at(86_400_000));

        assert_eq!(limits.sweep(at(0)), 0);
        assert_eq!(limits.sweep(at(3_000)), 1);
        assert!(limits.is_empty());
    }

    #[test]
    fn a_flood_of_keys_does_not_reset_a_limit_that_is_used_up() {
        let limits = MemoryLimits::new(100);
        let victim = limit(0, 5, 180 * SECOND);
        use_up(&limits, victim, at(0));

        for subject in 1..10_000 {
            let fresh = limit(subject, 30, 30 * SECOND);
            assert_eq!(limits.take(&[fresh], at(1_000)), Verdict::Pass);
        }

        assert!(matches!(
            limits.take(&[victim], at(1_000)),
            Verdict::Wait(_)
        ));
        assert_eq!(limits.len(), 100);
    }

    #[test]
    fn extremes_neither_panic_nor_refuse_a_first_attempt() {
        for every in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            for now in [i64::MIN, 0, i64::MAX] {
                let limits = MemoryLimits::new(0);
                let now = Timestamp::from_millis(now);
                for burst in [0, 1, u32::MAX] {
                    let limit = limit(burst, burst, every);
                    assert_eq!(limits.take(&[limit], now), Verdict::Pass);
                    limits.sweep(now);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_window_sees_more_than_burst_and_one_in_each_span(
            burst in 1_u32..8,
            every in 1_u64..400,
            steps in prop::collection::vec(0_i64..300, 1..120),
        ) {
            let limits = MemoryLimits::new(4);
            let limit = limit(7, burst, Duration::from_millis(every));
            let mut now = 0;
            let mut passed = Vec::new();
            for step in steps {
                now += step;
                if limits.take(&[limit], at(now)) == Verdict::Pass {
                    passed.push(now);
                }
            }
            for (first, from) in passed.iter().enumerate() {
                for (last, to) in passed.iter().enumerate().skip(first) {
                    let most = i64::from(burst) + (to - from) / i64::try_from(every).unwrap();
                    prop_assert!(i64::try_from(last - first + 1).unwrap() <= most);
                }
            }
        }

        #[test]
        fn who_waits_as_long_as_told_passes(
            burst in 1_u32..6,
            every in 1_u64..2_000_000_000,
            steps in prop::collection::vec(0_i64..3_000, 1..40),
        ) {
            let limits = MemoryLimits::new(4);
            let limit = limit(7, burst, Duration::from_nanos(every));
            let mut now = at(0);
            for step in steps {
                now = now.after(Duration::from_millis(u64::try_from(step).unwrap()));
                if let Verdict::Wait(wait) = limits.take(&[limit], now) {
                    now = now.after(wait);
                    prop_assert_eq!(limits.take(&[limit], now), Verdict::Pass);
                }
            }
        }

        #[test]
        fn all_limits_are_taken_or_none(
            tight in 1_u32..5,
            wide in 5_u32..20,
            steps in prop::collection::vec((0_i64..800, any::<bool>()), 1..60),
        ) {
            let (both, alone) = (MemoryLimits::new(8), MemoryLimits::new(8));
            let tight = limit(1, tight, SECOND);
            let wide = limit(2, wide, SECOND / 3);
            let mut now = 0;
            for (step, tight_first) in steps {
                now += step;
                let pair = if tight_first { [tight, wide] } else { [wide, tight] };
                if both.take(&pair, at(now)) == Verdict::Pass {
                    prop_assert_eq!(alone.take(&[tight], at(now)), Verdict::Pass);
                    prop_assert_eq!(alone.take(&[wide], at(now)), Verdict::Pass);
                }
            }
            let end = at(now);
            prop_assert_eq!(use_up(&both, tight, end), use_up(&alone, tight, end));
            prop_assert_eq!(use_up(&both, wide, end), use_up(&alone, wide, end));
        }

        #[test]
        fn memory_stays_within_its_bound(subjects in prop::collection::vec(0_u32..50, 1..300)) {
            let limits = MemoryLimits::new(5);
            for (now, subject) in subjects.into_iter().enumerate() {
                let now = at(i64::try_from(now).unwrap() * 300);
                let _ = limits.take(&[limit(subject, 2, SECOND)], now);
                prop_assert!(limits.len() <= 5);
            }
        }
    }
}
