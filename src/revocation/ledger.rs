#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::{Admission, KeyUsage};
use crate::domain::{CredentialId, UserId};
use crate::store::Change;

/// The live admissions of this node, and the changes that happened of late.
///
/// It closes the gap between asking the store and admitting: whoever admits takes a [`Mark`], asks the
/// store, and enters; a change in between that concerns the admission makes it ask again. A store
/// that answers slowly can therefore never let a revoked credential in, and a storm of changes that
/// concern others costs nothing.
#[derive(Debug, Default)]
pub struct Ledger {
    state: Mutex<State>,
    usage: Arc<KeyUsage>,
    dropped: [AtomicU64; DROPS.len()],
}

/// Why admissions stop admitting, in the order in which [`Ledger::dropped`] counts them.
pub const DROPS: [&str; 6] = ["session", "key", "sessions", "user", "reread", "doubt"];

#[derive(Debug)]
struct State {
    /// How many changes there were.
    count: u64,
    /// The last of them, at most [`REMEMBERED`].
    recent: VecDeque<Change>,
    /// By user, in [`SHARDS`] parts, so that whoever walks through all of it can let others in between.
    live: Vec<HashMap<UserId, Vec<Weak<Admission>>>>,
    /// Changes of which nobody knows whether they were written.
    unsettled: Vec<Change>,
}

/// How many changes there were when somebody began to ask the store.
#[derive(Debug, Clone, Copy)]
pub struct Mark(u64);

/// Something changed while the store was asked: its answer may be old, so ask it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskAgain;

/// Enough for every change within the slowest store read; beyond it readers ask again.
const REMEMBERED: usize = 4096;
/// With 200,000 admissions, walking through one part takes less than a millisecond.
const SHARDS: usize = 256;

impl Ledger {
    /// An empty ledger whose admissions note their use of keys in `usage`.
    #[must_use]
    pub fn new(usage: Arc<KeyUsage>) -> Self {
        Self {
            usage,
            ..Self::default()
        }
    }

    /// Where the admissions of this ledger note the use of keys.
    #[must_use]
    pub const fn usage(&self) -> &Arc<KeyUsage> {
        &self.usage
    }

    /// To be taken before the store is asked.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.state.lock().count)
    }

    /// Enters an admission that rests on what the store said after `mark`.
    ///
    /// # Errors
    ///
    /// [`AskAgain`] when a change since then concerns it, so many happened that nobody knows, or one
    /// is held that would end it.
    pub fn enter(&self, mark: Mark, admission: &Arc<Admission>) -> Result<(), AskAgain> {
        let mut state = self.state.lock();
        if state.may_be_outdated(mark, admission) {
            return Err(AskAgain);
        }
        let Some(shard) = state.live.get_mut(shard(admission.principal().user)) else {
            return Err(AskAgain);
        };
        let live = shard.entry(admission.principal().user).or_default();
        // Amortised: the dead are looked for only when the list would have to grow.
        if live.len() == live.capacity() {
            live.retain(|one| one.strong_count() > 0);
        }
        live.push(Arc::downgrade(admission));
        Ok(())
    }

    /// Nobody knows whether `change` was written: until it is [settled](Self::settle), nothing that it
    /// would end is entered.
    pub fn hold(&self, change: Change) {
        self.state.lock().unsettled.push(change);
    }

    /// It is known what became of a change that was held.
    pub fn settle(&self, change: Change) {
        let mut state = self.state.lock();
        if let Some(at) = state.unsettled.iter().position(|held| *held == change) {
            state.unsettled.swap_remove(at);
        }
    }

    /// Applies a change that the store has taken: ends the admissions that rested on the old state.
    /// Answers how many it concerns, those that had ended before too: their exchanges may not have
    /// been cut yet.
    pub fn apply(&self, change: Change) -> usize {
        let (reason, user) = match change {
            Change::Session { user, .. } => (0, user),
            Change::Key { user, .. } => (1, user),
            Change::Sessions { user } => (2, user),
            Change::User { user } => (3, user),
            Change::Reread { user } => (4, user),
            Change::Addition => return 0,
        };
        let mut state = self.state.lock();
        state.count += 1;
        if state.recent.len() == REMEMBERED {
            state.recent.pop_front();
        }
        state.recent.push_back(change);
        let live = state.live.get(shard(user)).and_then(|live| live.get(&user));
        let concerned = live
            .into_iter()
            .flatten()
            .filter_map(Weak::upgrade)
            .filter(|admission| admission.apply(change))
            .count();
        drop(state);
        self.count_dropped(reason, concerned);
        concerned
    }

    /// How many admissions a reason of [`DROPS`] has concerned so far.
    #[must_use]
    pub fn dropped(&self, reason: usize) -> u64 {
        let counter = self.dropped.get(reason);
        counter.map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Something may have been missed: no admission made until now admits again, and whoever is asking
    /// the store asks again. Exchanges in flight go on; they can still be ended.
    pub fn doubt(&self) {
        let mut state = self.state.lock();
        state.count += 1;
        // Fewer are remembered than there were since any mark, so every reader asks again.
        state.recent.clear();
        drop(state);
        let mut doubted = 0;
        self.walk(|admission| {
            admission.doubt();
            doubted += 1;
        });
        self.count_dropped(5, doubted);
    }

    /// The admissions that somebody holds and that have not ended.
    #[must_use]
    pub fn held(&self) -> Vec<Arc<Admission>> {
        let mut held = Vec::new();
        self.walk(|admission| {
            if admission.ended().is_none() {
                held.push(Arc::clone(admission));
            }
        });
        held
    }

    /// Forgets admissions that nobody holds any more, and gathers when the others' keys were used.
    pub fn sweep(&self) {
        self.walk(|admission| {
            if let (CredentialId::Key(key), Some(used_at)) =
                (admission.principal().credential, admission.take_used())
            {
                self.usage.note(key, used_at);
            }
        });
    }

    fn count_dropped(&self, reason: usize, admissions: usize) {
        if let Some(counter) = self.dropped.get(reason) {
            let more = u64::try_from(admissions).unwrap_or(u64::MAX);
            counter.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// Shows every admission that somebody holds, and forgets the others. The lock is given back
    /// between the parts, so what is entered meanwhile may be seen or not.
    fn walk(&self, mut see: impl FnMut(&Arc<Admission>)) {
        for index in 0..SHARDS {
            let mut held = Vec::new();
            if let Some(shard) = self.state.lock().live.get_mut(index) {
                shard.retain(|_, live| {
                    live.retain(|one| match one.upgrade() {
                        Some(admission) => {
                            held.push(admission);
                            true
                        }
                        None => false,
                    });
                    !live.is_empty()
                });
            }
            // Outside the lock: the last holder of an admission may be this list.
            held.iter().for_each(&mut see);
        }
    }

    /// How many admissions are live.
    #[must_use]
    pub fn live(&self) -> usize {
        let state = self.state.lock();
        let lists = state.live.iter().flat_map(HashMap::values);
        lists.map(Vec::len).sum()
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            count: 0,
            recent: VecDeque::new(),
            live: (0..SHARDS).map(|_| HashMap::new()).collect(),
            unsettled: Vec::new(),
        }
    }
}

/// Which part of the live admissions a user's are in: the last byte of an id is random.
fn shard(user: UserId) -> usize {
    user.as_bytes().last().map_or(0, |&byte| usize::from(byte))
}

impl State {
    fn may_be_outdated(&self, mark: Mark, admission: &Admission) -> bool {
        let is_held = |change: &Change| admission.concerns(*change);
        if self.unsettled.iter().any(is_held) {
            return true;
        }
        let since = usize::try_from(self.count.saturating_sub(mark.0)).unwrap_or(usize::MAX);
        if since > self.recent.len() {
            return true;
        }
        self.recent
            .iter()
            .rev()
            .take(since)
            .any(|&change| admission.concerns(change))
    }
}
