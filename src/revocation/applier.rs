use std::collections::VecDeque;
use std::sync::Arc;

use super::{Freshness, Ledger, Recent};
use crate::store::Entry;

/// Has what other nodes did bite here: what is applied and what is doubted, in the one order that
/// leaves no gap.
#[derive(Debug, Clone)]
pub struct Applier {
    /// The live admissions.
    pub ledger: Arc<Ledger>,
    /// What may have to be sent again.
    pub recent: Arc<Recent>,
    /// Whether this node's knowledge counts.
    pub freshness: Arc<Freshness>,
}

impl Applier {
    /// Applies changes that came through the log. This node's own come too, and have no more to end.
    /// Answers how many admissions they concern, whose exchanges are to be cut.
    #[must_use]
    pub fn apply(&self, entries: &[Entry]) -> usize {
        let mut concerned = 0;
        for entry in entries {
            self.recent.hear(*entry);
            concerned += self.ledger.apply(entry.change);
        }
        concerned
    }

    /// Something may have been missed or lost. Answers what is to be sent again.
    ///
    /// First nothing counts any more, so that nothing is admitted that the next step would not find;
    /// then every admission leaves. A revocation that is answered from now on knows that it came too
    /// late to be sent again with the others.
    #[must_use]
    pub fn doubt(&self) -> VecDeque<Entry> {
        self.freshness.doubt();
        self.ledger.doubt();
        self.recent.next_era()
    }
}
