use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Chance for spreading load: cheap, and of no use where it must not be guessed (splitmix64).
#[derive(Debug)]
pub(super) struct Chance(Cell<u64>);

impl Chance {
    pub(super) fn new() -> Self {
        Self(Cell::new(RandomState::new().hash_one(0)))
    }

    /// A number below `bound`; 0 for 0.
    pub(super) fn below(&self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// `span`, a tenth shorter or longer.
    pub(super) fn about(&self, span: Duration) -> Duration {
        let thousandths = u32::try_from(900 + self.below(201)).unwrap_or(1_000);
        span.saturating_mul(thousandths) / 1_000
    }

    fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
