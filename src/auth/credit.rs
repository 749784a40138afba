use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::Timestamp;
use crate::store::{Limit, LimitKey};

/// What this node took from limits for attempts that turned out right, and may use again.
///
/// An attempt must be counted before the password is looked at, else many at once would get past the
/// limit. So a right one is paid for as well, and earns a credit that the next attempt spends instead
/// of taking from the limit: in the end only wrong ones count. Credits fade as the limit recovers, so
/// they never add to it. Losing them costs their owner an attempt and nothing else.
#[derive(Debug, Default)]
pub(super) struct Credits {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    by_key: HashMap<LimitKey, Book>,
    /// When they were looked through for those that are over.
    swept_at: Option<Timestamp>,
}

impl Credits {
    /// Pays for an attempt with credits where there are any: which limits are paid for, and which
    /// are due.
    pub(super) fn spend(&self, limits: Vec<Limit>, now: Timestamp) -> (Vec<Limit>, Vec<Limit>) {
        let mut books = self.books.lock();
        limits.into_iter().partition(|limit| {
            let book = books.by_key.get_mut(&limit.key);
            book.is_some_and(|book| book.spend(limit.every, now))
        })
    }

    /// Notes that one was taken from each of `limits`.
    pub(super) fn charge(&self, limits: &[Limit], now: Timestamp) {
        let mut books = self.books.lock();
        if !books.has_room(limits.len(), now) {
            return;
        }
        for limit in limits {
            let book = books.by_key.entry(limit.key).or_insert(Book {
                charged_until: now,
                credits: 0,
            });
            book.charged_until = book.charged_until.max(now).after(limit.every);
        }
    }

    /// Gives back what one attempt took or spent.
    pub(super) fn give_back(&self, limits: &[Limit]) {
        let mut books = self.books.lock();
        for limit in limits {
            if let Some(book) = books.by_key.get_mut(&limit.key) {
                book.credits = book.credits.saturating_add(1);
            }
        }
    }
}

impl Books {
    fn has_room(&mut self, more: usize, now: Timestamp) -> bool {
        if self.by_key.len() + more <= MAX_BOOKS {
            return true;
        }
        // A flood of log-ins comes here with each of them, and looking through takes as long as many.
        if self
            .swept_at
            .is_some_and(|at| at <= now && now.since(at) < SWEEP)
        {
            return false;
        }
        self.swept_at = Some(now);
        self.by_key.retain(|_, book| book.charged_until > now);
        self.by_key.len() + more <= MAX_BOOKS
    }
}

/// What passed between this node and one limit.
#[derive(Debug)]
struct Book {
    /// When the limit will have recovered from what this node took.
    charged_until: Timestamp,
    /// Attempts that were given back.
    credits: u32,
}

impl Book {
    fn spend(&mut self, every: Duration, now: Timestamp) -> bool {
        let left = self.charged_until.since(now).as_millis();
        let charges = left.div_ceil(every.as_millis().max(1));
        let usable = self.credits.min(u32::try_from(charges).unwrap_or(u32::MAX));
        self.credits = usable.saturating_sub(1);
        usable > 0
    }
}

/// A few megabytes under attack from everywhere.
const MAX_BOOKS: usize = 20_000;
/// How often they are looked through, at the most.
const SWEEP: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(60);

    fn limit(name: &str) -> Limit {
        Limit {
            key: LimitKey::new(name, &[]),
            burst: 5,
            every: EVERY,
        }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    /// Whether an attempt was paid for with a credit.
    fn spends(credits: &Credits, name: &str, now: Timestamp) -> bool {
        credits.spend(vec![limit(name)], now).1.is_empty()
    }

    #[test]
    fn a_credit_is_spent_once() {
        let credits = Credits::default();
        assert!(!spends(&credits, "a", at(0)));
        credits.charge(&[limit("a")], at(0));
        assert!(!spends(&credits, "a", at(0)));
        credits.give_back(&[limit("a")]);
        assert!(!spends(&credits, "b", at(0)));
        assert!(spends(&credits, "a", at(0)));
        assert!(!spends(&credits, "a", at(0)));
    }

    #[test]
    fn credits_fade_as_the_limit_recovers() {
        let credits = Credits::default();
        for _ in 0..3 {
            credits.charge(&[limit("a")], at(0));
            credits.give_back(&[limit("a")]);
        }
        assert!(
            spends(&credits, "a", at(61)),
            "two of three charges are left"
        );
        assert!(spends(&credits, "a", at(61)));
        assert!(!spends(&credits, "a", at(61)));
        credits.give_back(&[limit("a")]);
        assert!(!spends(&credits, "a", at(180)), "the limit has recovered");
    }

    #[test]
    fn nothing_is_given_back_that_was_not_taken() {
        let credits = Credits::default();
        credits.give_back(&[limit("a")]);
        assert!(!spends(&credits, "a", at(0)));
    }

    #[test]
    fn an_attack_from_everywhere_does_not_grow_memory() {
        let credits = Credits::default();
        for number in 0..MAX_BOOKS + 100 {
            credits.charge(&[limit(&number.to_string())], at(0));
        }
        assert!(credits.books.lock().by_key.len() <= MAX_BOOKS);
        credits.charge(&[limit("a")], at(61));
        assert_eq!(credits.books.lock().by_key.len(), 1);
    }

    #[test]
    fn full_books_are_looked_through_once_a_second() {
        let credits = Credits::default();
        let swept_at = || credits.books.lock().swept_at;
        let now = |millis| Timestamp::from_millis(millis);
        for number in 0..=MAX_BOOKS {
            credits.charge(&[limit(&number.to_string())], now(0));
        }
        assert_eq!(swept_at(), Some(now(0)));

        credits.charge(&[limit("a")], now(999));
        assert_eq!(swept_at(), Some(now(0)));
        credits.charge(&[limit("a")], now(1_000));
        assert_eq!(swept_at(), Some(now(1_000)));
        // A clock that was set back keeps nobody from looking.
        credits.charge(&[limit("a")], now(500));
        assert_eq!(swept_at(), Some(now(500)));
    }
}
