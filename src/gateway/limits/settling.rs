use std::sync::Arc;
use std::time::{Duration, Instant};

use super::desk::Due;
use super::{Bucket, Limits};
use crate::domain::Digest;
use crate::store::{self, LimitKey, Spent, Tally};

impl Limits {
    /// Keeps the limits together with the other nodes that count over `tally`, for as long as it runs. While
    /// it does not, or while the tally cannot be asked, this node keeps them by itself.
    pub async fn settle_over(self: Arc<Self>, tally: Arc<dyn Tally>) {
        let Some(desk) = &self.desk else {
            return;
        };
        let _open = desk.open();
        loop {
            desk.some().await;
            loop {
                let mut due = desk.draw();
                if due.is_empty() {
                    break;
                }
                let spent = self.spent(&mut due, self.nanos(Instant::now()));
                let answer = tally.settle(&spent).await;
                let now = self.nanos(Instant::now());
                if self.settle(&due, &spent, &answer.unwrap_or_default(), now) {
                    desk.wake();
                } else {
                    tracing::debug!("limits kept by this node alone");
                    desk.pause(now).await;
                }
            }
        }
    }

    /// What is to be told of each of `due` that is still remembered.
    pub(super) fn spent(&self, due: &mut Vec<Due>, now: u64) -> Vec<Spent> {
        let mut spent = Vec::with_capacity(due.len());
        due.retain(|due| {
            let debt = self.find(due, |bucket| bucket.debt);
            spent.extend(debt.map(|debt| Spent {
                limit: due.limit(),
                count: debt.count(),
                age: debt.age(now),
            }));
            debt.is_some()
        });
        spent
    }

    /// Each of `due` was told, and its limit is so far used at `now`. Answers whether all are known.
    pub(super) fn settle(
        &self,
        due: &[Due],
        spent: &[Spent],
        ahead: &[Option<Duration>],
        now: u64,
    ) -> bool {
        let mut is_known = true;
        for (index, (due, spent)) in due.iter().zip(spent).enumerate() {
            let ahead = ahead.get(index).copied().flatten();
            is_known &= ahead.is_some();
            self.find(due, |bucket| match ahead {
                Some(ahead) => {
                    bucket.debt.told(&due.limit.quota, spent.count);
                    let ahead = u64::try_from(ahead.as_nanos()).unwrap_or(u64::MAX);
                    bucket.hear(&due.limit.quota, now.saturating_add(ahead));
                }
                None => bucket.debt.untold(),
            });
        }
        is_known
    }

    /// Does something with a bucket, if it was not forgotten meanwhile.
    fn find<T>(&self, due: &Due, work: impl FnOnce(&mut Bucket) -> T) -> Option<T> {
        self.look(&due.limit, &due.of, work)
    }
}

impl Due {
    /// The limit as all nodes call it.
    fn limit(&self) -> store::Limit {
        let limit = &self.limit;
        store::Limit {
            key: LimitKey::new("requests", &[limit.name.as_bytes(), self.of.bytes()]),
            burst: limit.burst,
            every: limit.quota.every(),
        }
    }
}

/// What a limit is called on every node whose configuration has it: its own words, and those of the route
/// that it belongs to. `ordinal` tells limits apart that say the same.
pub(super) fn name(route: &str, limit: &crate::config::Limit, ordinal: usize) -> Digest {
    let rate = limit.rate.to_string();
    let rest = format!("{} {}", limit.burst, ordinal);
    let words = [route, limit.per.as_str(), &rate, &rest];
    let words = words.join("\0");
    Digest::of(&[words.as_bytes()])
}
