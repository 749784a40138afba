use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::Uptime;
use crate::store::{Change, Entry};
use crate::telemetry::Spans;

/// The revocations of the last ten minutes, this node's own and those it heard of.
///
/// A store whose server is lost may go on without its newest writes. What was revoked by them is then
/// sent again, by every node that remembers it.
#[derive(Debug)]
pub struct Recent {
    state: Mutex<State>,
    uptime: Arc<dyn Uptime>,
    /// From when a change of this node's own was recorded until it came back through the log.
    round_trips: Arc<Spans>,
}

#[derive(Debug, Default)]
struct State {
    era: u64,
    /// Oldest first, each with when it was remembered.
    entries: VecDeque<(Duration, Entry)>,
    /// The number of the last change that was heard of in this era.
    heard: u64,
    /// The numbers of this node's own changes that it did not hear of yet, and since when.
    unheard: HashMap<u64, Duration>,
}

/// The time during which nothing recorded can have been lost: it ends when the store's server changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Era(u64);

/// The store's server has changed since a change was begun: it may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MayBeLost;

/// Longer than a failover takes, and a node that cannot reach the new server until somebody mends that.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);
/// At about 130 bytes each. Beyond it the oldest are forgotten early.
const MAX_ENTRIES: usize = 100_000;

impl Recent {
    /// Nothing to remember yet.
    #[must_use]
    pub fn new(uptime: Arc<dyn Uptime>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            uptime,
            round_trips: Arc::default(),
        })
    }

    /// To be taken before a change is begun.
    #[must_use]
    pub fn era(&self) -> Era {
        Era(self.state.lock().era)
    }

    /// Remembers a change of this node's own that the store has taken.
    ///
    /// # Errors
    ///
    /// [`MayBeLost`] when the server has changed since `era`: what was to be sent again has been
    /// gathered without it, so it is as if the store had not said whether it was written.
    pub fn note(&self, era: Era, entry: Entry) -> Result<(), MayBeLost> {
        let now = self.uptime.elapsed();
        let mut state = self.state.lock();
        if state.era != era.0 {
            return if is_revocation(entry.change) {
                Err(MayBeLost)
            } else {
                Ok(())
            };
        }
        // The log is often quicker than the answer.
        if entry.number <= state.heard {
            self.round_trips.count(Duration::ZERO);
            return Ok(());
        }
        state.remember(now, entry);
        if state.unheard.len() < MAX_ENTRIES {
            state.unheard.insert(entry.number, now);
        }
        Ok(())
    }

    /// Remembers a change that came through the log.
    pub fn hear(&self, entry: Entry) {
        let now = self.uptime.elapsed();
        let mut state = self.state.lock();
        state.heard = entry.number;
        match state.unheard.remove(&entry.number) {
            Some(at) => self.round_trips.count(now.saturating_sub(at)),
            None => state.remember(now, entry),
        }
    }

    /// How long changes of this node's own took to come back through the log.
    #[must_use]
    pub const fn round_trips(&self) -> &Arc<Spans> {
        &self.round_trips
    }

    /// The server has changed: a new era begins, and this is what must be sent again, oldest first.
    #[must_use]
    pub fn next_era(&self) -> VecDeque<Entry> {
        let now = self.uptime.elapsed();
        let mut state = self.state.lock();
        state.era = state.era.wrapping_add(1);
        state.unheard.clear();
        state.heard = 0;
        state.forget(now);
        let mut again: VecDeque<Entry> = VecDeque::new();
        let mut places: HashMap<Change, usize> = HashMap::new();
        for (_, entry) in &state.entries {
            match places.get(&entry.change).and_then(|at| again.get_mut(*at)) {
                Some(one) => *one = both(*one, *entry),
                None => {
                    places.insert(entry.change, again.len());
                    again.push_back(*entry);
                }
            }
        }
        again
    }

    /// How many revocations are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.lock().entries.len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl State {
    fn remember(&mut self, now: Duration, entry: Entry) {
        self.forget(now);
        if is_revocation(entry.change) {
            self.entries.push_back((now, entry));
        }
    }

    fn forget(&mut self, now: Duration) {
        let is_old = |at: Duration| now.saturating_sub(at) >= REMEMBERED_FOR;
        while let Some((at, _)) = self.entries.front()
            && (is_old(*at) || self.entries.len() >= MAX_ENTRIES)
        {
            self.entries.pop_front();
        }
    }
}

/// What says all that two entries of one change say. The later one alone would not: after a history was
/// lost, its epoch may be the lower.
fn both(first: Entry, second: Entry) -> Entry {
    Entry {
        number: second.number,
        change: second.change,
        epoch: first.epoch.max(second.epoch),
        forget_at: first.forget_at.max(second.forget_at),
    }
}

/// Whether something stopped working with it. Only that can be sent again: what a role was changed to
/// is not told to nodes.
const fn is_revocation(change: Change) -> bool {
    match change {
        Change::Session { .. }
        | Change::Key { .. }
        | Change::Sessions { .. }
        | Change::User { .. } => true,
        Change::Reread { .. } | Change::Addition => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{KeyId, ManualUptime, UserId};

    fn world() -> (Arc<ManualUptime>, Arc<Recent>) {
        let uptime = Arc::new(ManualUptime::default());
        (uptime.clone(), Recent::new(uptime))
    }

    fn entry(number: u64, change: Change) -> Entry {
        Entry {
            number,
            change,
            epoch: None,
            forget_at: None,
        }
    }

    fn key() -> Change {
        Change::Key {
            user: UserId::new(),
            key: KeyId::new(),
        }
    }

    #[test]
    fn own_and_heard_revocations_are_sent_again_once_each_and_nothing_else_is() {
        let (_, recent) = world();
        let (own, heard, user) = (key(), key(), UserId::new());
        recent.note(recent.era(), entry(7, own)).unwrap();
        recent.hear(entry(7, own));
        recent.hear(entry(8, heard));
        recent.hear(entry(9, Change::Addition));
        recent.hear(entry(10, Change::Reread { user }));
        let mut sessions = entry(11, Change::Sessions { user });
        sessions.epoch = Some(5);
        recent.hear(sessions);
        let again: Vec<_> = recent.next_era().into();
        assert_eq!(again, [entry(7, own), entry(8, heard), sessions]);

        // Of a history that has lost the first.
        recent.hear(Entry {
            number: 10,
            epoch: Some(4),
            ..sessions
        });

        let again: Vec<_> = recent.next_era().into();
        sessions.number = 10;
        assert_eq!(again, [entry(7, own), entry(8, heard), sessions]);
        assert_eq!(recent.next_era(), again, "until it is ten minutes old");
    }

    #[test]
    fn what_is_ten_minutes_old_is_not_sent_again() {
        let (uptime, recent) = world();
        recent.hear(entry(1, key()));
        uptime.advance(REMEMBERED_FOR - Duration::from_nanos(1));
        let young = entry(2, key());
        recent.hear(young);
        assert_eq!(recent.next_era().len(), 2);

        uptime.advance(Duration::from_nanos(1));

        assert_eq!(recent.next_era(), [young]);
    }

    #[test]
    fn an_own_revocation_that_outlasts_its_server_may_be_lost() {
        let (_, recent) = world();
        let era = recent.era();

        assert!(recent.next_era().is_empty());

        assert_eq!(recent.note(era, entry(1, key())), Err(MayBeLost));
        assert_eq!(recent.note(era, entry(2, Change::Addition)), Ok(()));
        assert_eq!(recent.note(recent.era(), entry(1, key())), Ok(()));
    }

    #[test]
    fn own_changes_count_once_whether_they_are_answered_or_heard_of_first() {
        let (_, recent) = world();
        let (answered, heard) = (entry(3, key()), entry(4, key()));
        recent.note(recent.era(), answered).unwrap();
        recent.hear(answered);
        assert_eq!(recent.round_trips().total(), 1);

        recent.hear(heard);
        recent.note(recent.era(), heard).unwrap();

        assert_eq!(recent.round_trips().total(), 2);
        assert_eq!(recent.len(), 2);
        assert!(recent.state.lock().unheard.is_empty(), "for ever");
    }
}
