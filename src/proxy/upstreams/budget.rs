use parking_lot::Mutex;

use super::standing::WHOLE;
use crate::config;

/// How much may be sent again: a share of the requests of the last ten seconds or so, and a few a second
/// however quiet it is. Without it retries would multiply the load on servers that break under load.
///
/// In thousandths of a request. Requests pay in through their worker's lane, so that none of them takes
/// this lock; only what is sent again does.
#[derive(Debug)]
pub(super) struct Budget {
    min_per_second: u64,
    pot: Mutex<Pot>,
}

#[derive(Debug)]
struct Pot {
    /// What requests have paid in; a tenth is lost each second.
    saved: u64,
    /// What is left of the few a second.
    reserve: u64,
    /// Milliseconds since the upstream began.
    settled: u64,
}

impl Budget {
    pub(super) fn new(config: &config::Retries) -> Self {
        let min_per_second = u64::from(config.min_per_second);
        Self {
            min_per_second,
            pot: Mutex::new(Pot {
                saved: 0,
                reserve: min_per_second * WHOLE,
                settled: 0,
            }),
        }
    }

    /// Pays in.
    pub(super) fn save(&self, more: u64, now: u64) {
        let mut pot = self.pot.lock();
        self.settle(&mut pot, now);
        pot.saved = pot.saved.saturating_add(more);
    }

    /// Takes one request's worth; whether there was as much.
    pub(super) fn spend(&self, now: u64) -> bool {
        let mut pot = self.pot.lock();
        self.settle(&mut pot, now);
        let purse = if pot.reserve >= WHOLE {
            &mut pot.reserve
        } else {
            &mut pot.saved
        };
        match purse.checked_sub(WHOLE) {
            Some(rest) => *purse = rest,
            None => return false,
        }
        true
    }

    fn settle(&self, pot: &mut Pot, now: u64) {
        let most = self.min_per_second * WHOLE;
        let passed = now.saturating_sub(pot.settled);
        let more = passed.saturating_mul(self.min_per_second);
        pot.reserve = pot.reserve.saturating_add(more).min(most);
        let seconds = (now / 1_000).saturating_sub(pot.settled / 1_000);
        for _ in 0..seconds.min(100) {
            pot.saved = pot.saved * 9 / 10;
        }
        pot.settled = pot.settled.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(min_per_second: u32) -> Budget {
        Budget::new(&config::Retries {
            attempts: 3,
            budget: 200,
            min_per_second,
            statuses: Vec::new(),
        })
    }

    fn spent(budget: &Budget, now: u64) -> usize {
        (0..10_000).take_while(|_| budget.spend(now)).count()
    }

    #[test]
    fn a_share_of_the_requests_may_be_sent_again() {
        let budget = budget(0);
        assert_eq!(spent(&budget, 1), 0);
        budget.save(1_000 * 200, 1);
        assert_eq!(spent(&budget, 1), 200);
    }

    #[test]
    fn so_many_a_second_may_be_sent_again_however_few_there_are() {
        let budget = budget(10);
        assert_eq!(spent(&budget, 1), 10);
        assert_eq!(spent(&budget, 501), 5);
        assert_eq!(spent(&budget, 60_501), 10, "they are not kept");
    }

    #[test]
    fn what_was_saved_is_lost_in_time() {
        let budget = budget(0);
        budget.save(100 * WHOLE, 1);
        assert_eq!(spent(&budget, 10_001), 34);
        budget.save(100 * WHOLE, 10_001);
        assert_eq!(spent(&budget, 1_000_000), 0);
    }
}
