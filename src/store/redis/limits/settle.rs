use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use redis::Cmd;

use super::{Limits, MAX_MILLIS, every};
use crate::store::Spent;
use crate::store::redis::connection::Connection;
use crate::store::redis::fault::Fault;
use crate::store::redis::keys::Keys;
use crate::store::redis::scripts::SETTLE;
use crate::store::redis::slots::slot_of;

impl Limits {
    /// Counts what this node let pass; how far each limit is used, where that is known.
    pub(in crate::store::redis) async fn settle(
        &self,
        keys: &Keys,
        spent: &[Spent],
    ) -> Vec<Option<Duration>> {
        let named: Vec<_> = spent
            .iter()
            .map(|spent| (keys.limit(spent.limit.key), spent))
            .collect();
        let mut groups = BTreeMap::<u16, Vec<usize>>::new();
        for (index, (key, _)) in named.iter().enumerate() {
            // A Cluster alone has slots.
            let slot = self.spread.as_ref().map_or(0, |_| slot_of(key));
            groups.entry(slot).or_default().push(index);
        }
        let asked = groups.into_iter().map(|(slot, indexes)| {
            let group: Vec<_> = indexes
                .iter()
                .filter_map(|index| named.get(*index))
                .collect();
            async move { (indexes, self.settle_in(slot, &group).await) }
        });
        let mut known = vec![None; spent.len()];
        let mut has_failed = false;
        for (indexes, answer) in join_all(asked).await {
            let Ok(spans) = answer else {
                has_failed = true;
                continue;
            };
            for (index, micros) in indexes.into_iter().zip(spans) {
                if let Some(known) = known.get_mut(index) {
                    *known = Some(Duration::from_micros(micros));
                }
            }
        }
        if let Some(spread) = self.spread.as_ref().filter(|_| has_failed) {
            spread.ask_again(&self.own, self.patience).await;
        }
        known
    }

    async fn settle_in(&self, slot: u16, group: &[&(String, &Spent)]) -> Result<Vec<u64>, Fault> {
        match &self.spread {
            Some(spread) => {
                let connection = spread.connection(slot, &self.own).await?;
                self.settle_at(&connection, group).await
            }
            None => self.settle_at(&self.own, group).await,
        }
    }

    async fn settle_at(
        &self,
        connection: &Connection,
        group: &[&(String, &Spent)],
    ) -> Result<Vec<u64>, Fault> {
        let call = |call: &mut Cmd| {
            call.arg(group.len());
            for (key, _) in group {
                call.arg(key);
            }
            for (_, spent) in group {
                let every = every(&spent.limit);
                let span = (every * f64::from(spent.limit.burst.max(1))).min(MAX_MILLIS);
                let age = (spent.age.as_secs_f64() * 1000.0).min(MAX_MILLIS);
                call.arg(every).arg(span).arg(spent.count).arg(age);
            }
        };
        connection.run(&SETTLE, call, self.patience).await
    }
}
