use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Lets only so many log lines of one kind through: what clients can cause at will must neither fill the
/// log nor hide what else is in it.
///
/// A handful at once, so that each of a few is told with what it was about, and then one a second.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// Lines since `since`, less one for each second that has passed.
    count: u32,
    since: Option<Instant>,
    held_back: u64,
}

/// Lines that come at once.
const BURST: u32 = 20;
const EACH: Duration = Duration::from_secs(1);

impl Seldom {
    /// Whether a line may be written now, and how many were not since the last one.
    #[must_use]
    pub fn may(&self) -> Option<u64> {
        self.may_at(Instant::now())
    }

    fn may_at(&self, now: Instant) -> Option<u64> {
        let mut told = self.0.lock();
        told.pass(now);
        if told.count >= BURST {
            told.held_back = told.held_back.saturating_add(1);
            return None;
        }
        told.count += 1;
        Some(std::mem::take(&mut told.held_back))
    }
}

impl Told {
    fn pass(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since).as_secs();
        self.count = self
            .count
            .saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX));
        let whole = EACH.saturating_mul(u32::try_from(passed).unwrap_or(u32::MAX));
        self.since = since.checked_add(whole).or(Some(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handful_is_told_at_once_and_then_one_a_second_that_counts_the_others() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        for _ in 0..BURST {
            assert_eq!(seldom.may_at(start), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(seldom.may_at(start), None);
        }
        let later = start + Duration::from_millis(1500);
        assert_eq!(seldom.may_at(later), Some(7));
        assert_eq!(seldom.may_at(later), None);
        assert_eq!(seldom.may_at(start + EACH * 2), Some(1));
        assert_eq!(seldom.may_at(start + EACH * 1000), Some(0));
    }
}
