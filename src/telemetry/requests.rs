use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// The classes of status.
pub(super) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The requests that one worker has answered, by the route's name: its index is another in another
/// configuration. Locked when routes change and when somebody reads the metrics.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<BTreeMap<String, Counted>>);

/// Those of one route, by class of status.
#[derive(Debug, Default)]
pub struct RouteCounts([AtomicU64; CLASSES.len()]);

#[derive(Debug)]
struct Counted {
    counts: Arc<RouteCounts>,
    /// Whether there is such a route now.
    is_current: bool,
}

impl Requests {
    /// As [`WorkerMetrics::routes`](super::WorkerMetrics::routes).
    pub(super) fn of(&self, names: &[String]) -> Vec<Arc<RouteCounts>> {
        let wanted: HashSet<&String> = names.iter().collect();
        let mut all = self.0.lock();
        all.retain(|name, route| std::mem::take(&mut route.is_current) || wanted.contains(name));
        let counts = names.iter().map(|name| {
            let route = all.entry(name.clone()).or_insert_with(|| Counted {
                counts: Arc::default(),
                is_current: true,
            });
            route.is_current = true;
            Arc::clone(&route.counts)
        });
        counts.collect()
    }

    /// Adds them to the sums of all workers.
    pub(super) fn add_to(&self, sums: &mut BTreeMap<String, [u64; CLASSES.len()]>) {
        for (name, route) in &*self.0.lock() {
            let sums = sums.entry(name.clone()).or_default();
            for (sum, count) in sums.iter_mut().zip(&route.counts.0) {
                *sum = sum.saturating_add(count.load(Ordering::Relaxed));
            }
        }
    }
}

impl RouteCounts {
    pub(super) fn of(&self, class: usize) -> Option<&AtomicU64> {
        self.0.get(class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_is_gone_is_shown_until_the_next_change_and_one_that_is_back_goes_on() {
        let requests = Requests::default();
        let of = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            requests.of(&names)
        };
        let shown = || {
            let mut sums = BTreeMap::new();
            requests.add_to(&mut sums);
            let sums = sums.into_iter().map(|(name, sums)| (name, sums[1]));
            sums.collect::<Vec<_>>()
        };
        of(&["a", "b"])[1].0[1].store(7, Ordering::Relaxed);

        of(&["a"]);
        assert_eq!(shown(), [("a".to_owned(), 0), ("b".to_owned(), 7)]);
        of(&["b"]);
        assert_eq!(shown(), [("a".to_owned(), 0), ("b".to_owned(), 7)]);
        of(&["c"]);
        of(&["c"]);
        assert_eq!(shown(), [("c".to_owned(), 0)]);
    }
}
