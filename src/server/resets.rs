use std::time::Duration;

use tokio::time::Instant;

use crate::config::Rate;

/// How a request of HTTP/2 ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It was answered, or broken off by us.
    Ours,
    /// The client cancelled it.
    Cancelled,
}

/// Counts the requests that the client of a connection cancels.
///
/// Each may cost a service a connection and work for nobody, and the client a few bytes. One that lets as
/// many end as it cancels costs no more than who lets all of them end, so these make up for it: a proxy
/// that brings many clients over one connection must not lose it.
#[derive(Debug)]
pub(super) struct Resets {
    allowed: u32,
    per: Duration,
    /// Cancelled since `since`, less those that ended.
    count: u32,
    since: Option<Instant>,
}

impl Resets {
    pub(super) const fn new(rate: Rate) -> Self {
        Self {
            allowed: rate.count,
            per: rate.per,
            count: 0,
            since: None,
        }
    }

    /// Takes the end of a request; whether the client has cancelled too many.
    pub(super) fn take(&mut self, ending: Ending) -> bool {
        match ending {
            Ending::Ours => {
                self.count = self.count.saturating_sub(1);
                false
            }
            Ending::Cancelled => self.cancelled(Instant::now()),
        }
    }

    fn cancelled(&mut self, now: Instant) -> bool {
        let is_over = self
            .since
            .is_none_or(|since| now.saturating_duration_since(since) >= self.per);
        if is_over {
            self.since = Some(now);
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.count > self.allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resets() -> Resets {
        Resets::new(Rate {
            count: 2,
            per: Duration::from_secs(60),
        })
    }

    #[test]
    fn so_many_are_allowed_in_a_span() {
        let (mut resets, now) = (resets(), Instant::now());
        assert!(!resets.cancelled(now));
        assert!(!resets.cancelled(now));
        assert!(resets.cancelled(now + Duration::from_secs(59)));
        assert!(!resets.cancelled(now + Duration::from_secs(60)));
    }

    #[test]
    fn a_request_that_ends_makes_up_for_one_that_was_cancelled() {
        let (mut resets, now) = (resets(), Instant::now());
        for _ in 0..100 {
            assert!(!resets.cancelled(now));
            resets.take(Ending::Ours);
        }
        assert!(!resets.cancelled(now));
        assert!(!resets.cancelled(now));
        assert!(resets.cancelled(now));
    }
}
