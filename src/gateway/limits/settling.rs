use std::sync::Arc;
use std::time::{Duration, Instant};

use super::desk::Due;
use super::{Bucket, Limits};
use crate::store::{self, LimitKey, Spent, StoreError, Tally};

impl Limits {
    /// Keeps the limits together with the other nodes that count over `tally`, for as long as it runs. While
    /// it does not, or while the tally cannot be asked, this node keeps them by itself.
    pub async fn settle_over(self: Arc<Self>, tally: Arc<dyn Tally>) {
        let Some(desk) = &self.desk else {
            return;
        };
        let _open = desk.open();
        let mut is_alone = false;
        loop {
            desk.some().await;
            loop {
                let due = desk.draw();
                if due.is_empty() {
                    break;
                }
                let told = self.tell(due, tally.as_ref()).await;
                if told.is_err() != is_alone {
                    is_alone = told.is_err();
                    log(&told);
                }
                match told {
                    Ok(()) => desk.wake(),
                    Err(_) => desk.pause(self.nanos(Instant::now())).await,
                }
            }
        }
    }

    /// Tells of what is due; fails when something of it is not known to be counted.
    async fn tell(&self, mut due: Vec<Due>, tally: &dyn Tally) -> Result<(), Option<StoreError>> {
        let spent = self.spent(&mut due, self.nanos(Instant::now()));
        let answer = tally.settle(&spent).await;
        let ahead = answer.as_deref().unwrap_or_default();
        let is_known = self.settle(&due, &spent, ahead, self.nanos(Instant::now()));
        match answer {
            Ok(_) if is_known => Ok(()),
            Ok(_) => Err(None),
            Err(error) => Err(Some(error)),
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

fn log(told: &Result<(), Option<StoreError>>) {
    match told {
        Ok(()) => tracing::info!("limits kept together with the other nodes again"),
        Err(error) => tracing::warn!(
            reason = error.as_ref().map(|error| error as &dyn std::error::Error),
            "limits kept by this node alone"
        ),
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
