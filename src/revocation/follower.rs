mod doubt;
mod step;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

pub use self::doubt::Doubt;
pub use self::step::{Heard, Step};
use crate::store::{Beat, Entry, ServerId, StoreId};

/// Decides what a node does next to know the changes that other nodes record, and what it may
/// conclude from what it heard.
///
/// It does nothing itself and knows no clock: whoever runs it carries out [`next_step`](Self::next_step), tells
/// it what came of it by [`heard`](Self::heard) where the step says so, and asks for the next one.
///
/// Its rules: changes are applied in the order of their numbers, none left out. Knowledge is as old as
/// the last beat that may be believed and whose changes were all applied, counted from when that beat
/// was sent. Wherever something may have been missed or lost (a gap, a log that was trimmed or goes
/// back, another server, another history) everything is doubted: no admission made before admits
/// again, what was revoked of late is sent again, what is in flight is checked, and only then can
/// knowledge be fresh again. Another store than the first that was believed never is.
#[derive(Debug)]
pub struct Follower {
    pace: Pace,
    phase: Phase,
    /// What follows from what was heard, to be carried out first.
    due: VecDeque<Step>,
    store: Option<StoreId>,
    server: Option<ServerId>,
    /// Whether anything was ever confirmed: until then nothing rests on the store that answered.
    is_settled: bool,
    /// The number of the last change that was applied.
    applied: u64,
    /// Why everything is to be doubted, until that is done.
    doubt: Option<Doubt>,
    /// The last sure beat whose changes are not all applied: when it was sent, and its last change.
    pending: Option<(Duration, u64)>,
    /// When the first of the unsure beats without a sure one between them was sent.
    unsure_since: Option<Duration>,
    /// When the last beat was sent.
    beat_at: Duration,
    /// When the log was last read.
    read_at: Duration,
    /// How often in a row the link was lost, or all doubted, with nothing confirmed between.
    failures: u32,
}

/// How often beats are sent, and how long unsure ones are put up with.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The longest time between two beats.
    pub beat: Duration,
    /// How long a server may answer unsure beats until another one is looked for.
    pub unsure: Duration,
}

#[derive(Debug)]
enum Phase {
    Apart,
    /// Connected, with a doubt: a server that cannot be believed must not settle it.
    Proving {
        is_paused: bool,
    },
    Doubting,
    SendingAgain(VecDeque<Entry>),
    Rechecking,
    Beating,
    Reading,
}

/// How many entries are sent again in one step: the link is looked at in between.
const TOGETHER: usize = 256;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl Follower {
    /// Nothing known yet.
    #[must_use]
    pub const fn new(pace: Pace) -> Self {
        Self {
            pace,
            phase: Phase::Apart,
            due: VecDeque::new(),
            store: None,
            server: None,
            is_settled: false,
            applied: 0,
            doubt: None,
            pending: None,
            unsure_since: None,
            beat_at: Duration::ZERO,
            read_at: Duration::ZERO,
            failures: 0,
        }
    }

    /// What is to be done next.
    pub fn next_step(&mut self) -> Step {
        if let Some(step) = self.due.pop_front() {
            return step;
        }
        match &self.phase {
            Phase::Apart => Step::Connect {
                pause: pause(self.failures),
            },
            Phase::Proving { is_paused: true } => Step::Wait(self.pace.beat),
            Phase::Proving { is_paused: false } | Phase::Beating => Step::Beat,
            // There is always a reason in this phase.
            Phase::Doubting => Step::Doubt(self.doubt.unwrap_or(Doubt::Server)),
            Phase::SendingAgain(entries) => {
                Step::SendAgain(entries.iter().take(TOGETHER).copied().collect())
            }
            Phase::Rechecking => Step::Recheck,
            Phase::Reading => Step::Read {
                after: self.applied,
                wait: self.until_beat(),
            },
        }
    }

    /// What came of the last step that is answered.
    pub fn heard(&mut self, heard: Heard) {
        match heard {
            Heard::Connected(beat) => self.connected(beat),
            Heard::Beat { beat, sent_at } => self.beat(&beat, sent_at),
            Heard::Entries { entries, at } => self.entries(entries, at),
            Heard::ToSendAgain(entries) => self.send_again(entries),
            Heard::Done => self.done(),
            Heard::Lost => self.lost(),
        }
    }

    fn connected(&mut self, beat: Beat) {
        // What was heard of from that one must not be forgotten: it may be the right one after all.
        if !self.is_settled
            && self.store.is_some()
            && beat.store.is_some_and(|it| Some(it) != self.store)
        {
            self.store = None;
            self.doubt = Some(Doubt::Replaced);
        }
        let Some(store) = self.same_store(&beat) else {
            return;
        };
        let is_first = self.store.replace(store).is_none();
        if !is_first {
            self.doubt = self.doubt.or_else(|| self.doubt_about(&beat));
        }
        self.server = Some(beat.server);
        self.pending = None;
        self.unsure_since = None;
        if self.doubt.is_some() {
            self.phase = Phase::Proving { is_paused: false };
            return;
        }
        if is_first {
            self.applied = beat.last;
        }
        self.follow();
    }

    fn beat(&mut self, beat: &Beat, sent_at: Duration) {
        self.beat_at = sent_at;
        self.read_at = sent_at;
        if self.same_store(beat).is_none() {
            return;
        }
        if matches!(self.phase, Phase::Proving { .. }) {
            self.prove(beat, sent_at);
            return;
        }
        if let Some(doubt) = self.doubt_about(beat) {
            self.doubt(doubt);
            return;
        }
        self.phase = Phase::Reading;
        if beat.is_sure {
            self.unsure_since = None;
            self.pending = Some((sent_at, beat.last));
            self.confirm();
        } else {
            self.bear_unsure(sent_at);
        }
    }

    /// A doubt is settled against a server that may be believed alone: another one could have lost
    /// what keeps a good credential working.
    fn prove(&mut self, beat: &Beat, sent_at: Duration) {
        if self.server.as_ref() != Some(&beat.server) {
            self.doubt(Doubt::Server);
        } else if beat.is_sure {
            // What is read from now on shows everything up to here.
            self.applied = beat.last;
            self.phase = Phase::Doubting;
        } else {
            self.phase = Phase::Proving { is_paused: true };
            self.bear_unsure(sent_at);
        }
    }

    fn entries(&mut self, entries: Vec<Entry>, at: Duration) {
        self.read_at = at;
        let is_empty = entries.is_empty();
        let mut news = Vec::with_capacity(entries.len());
        for entry in entries {
            if entry.number <= self.applied {
                continue;
            }
            if entry.number.checked_sub(self.applied) != Some(1) {
                self.apply(news);
                return self.doubt(Doubt::Gap);
            }
            self.applied = entry.number;
            news.push(entry);
        }
        self.apply(news);
        self.confirm();
        // A log that keeps back what a beat has promised is asked for another beat.
        let is_kept_back = self.pending.is_some() && is_empty;
        if is_kept_back || self.until_beat().is_zero() {
            self.phase = Phase::Beating;
        }
    }

    fn send_again(&mut self, entries: VecDeque<Entry>) {
        self.phase = Phase::SendingAgain(entries);
        self.open_when_sent();
    }

    fn done(&mut self) {
        match &mut self.phase {
            Phase::Proving { is_paused } => *is_paused = false,
            Phase::SendingAgain(entries) => {
                entries.drain(..entries.len().min(TOGETHER));
                self.open_when_sent();
            }
            Phase::Rechecking => {
                self.doubt = None;
                self.phase = Phase::Beating;
            }
            Phase::Apart | Phase::Doubting | Phase::Beating | Phase::Reading => {}
        }
    }

    fn lost(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.pending = None;
        self.unsure_since = None;
        self.phase = Phase::Apart;
    }

    fn open_when_sent(&mut self) {
        if matches!(&self.phase, Phase::SendingAgain(entries) if entries.is_empty()) {
            self.due.push_back(Step::Open);
            self.phase = Phase::Rechecking;
        }
    }

    fn follow(&mut self) {
        self.due.push_back(Step::Open);
        self.phase = Phase::Beating;
    }

    fn apply(&mut self, entries: Vec<Entry>) {
        if !entries.is_empty() {
            self.due.push_back(Step::Apply(entries));
        }
    }

    /// Concludes what the pending beat allows, once its changes are all applied.
    fn confirm(&mut self) {
        if let Some((since, last)) = self.pending
            && self.applied >= last
        {
            self.pending = None;
            self.failures = 0;
            self.is_settled = true;
            self.due.push_back(Step::Confirm { since });
        }
    }

    /// An unsure server may be one that others have left: after a while look for another.
    fn bear_unsure(&mut self, sent_at: Duration) {
        let since = *self.unsure_since.get_or_insert(sent_at);
        if sent_at.saturating_sub(since) >= self.pace.unsure {
            self.lost();
        }
    }

    /// The store that answers, when it is the one that was known, or none was.
    fn same_store(&mut self, beat: &Beat) -> Option<StoreId> {
        if self.store.is_some() && beat.store != self.store {
            self.doubt = Some(Doubt::Replaced);
            self.due.push_back(Step::Replace);
        }
        let same = beat
            .store
            .filter(|store| self.store.is_none_or(|own| own == *store));
        if same.is_none() {
            self.lost();
        }
        same
    }

    fn doubt_about(&self, beat: &Beat) -> Option<Doubt> {
        if self.server.as_ref().is_some_and(|own| *own != beat.server) {
            Some(Doubt::Server)
        } else if beat.last < self.applied {
            Some(Doubt::Rewound)
        } else if beat.trimmed_to > self.applied {
            Some(Doubt::Trimmed)
        } else {
            None
        }
    }

    /// Doubts are settled right after connecting, while the store is closed: so no read is under way
    /// that was begun after the doubt and asks the server from before it.
    fn doubt(&mut self, doubt: Doubt) {
        self.doubt = Some(doubt);
        self.lost();
    }

    fn until_beat(&self) -> Duration {
        let passed = self.read_at.saturating_sub(self.beat_at);
        self.pace.beat.saturating_sub(passed)
    }
}

/// None before the first attempt and the one after a loss, then longer and longer.
fn pause(failures: u32) -> Duration {
    match failures.checked_sub(2) {
        None => Duration::ZERO,
        Some(more) => FIRST_PAUSE
            .saturating_mul(1_u32.checked_shl(more).unwrap_or(u32::MAX))
            .min(LONGEST_PAUSE),
    }
}
