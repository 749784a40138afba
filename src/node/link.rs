mod state;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

pub use self::state::LinkState;
use crate::auth::{Authenticator, random};
use crate::domain::{SharedClock, Uptime};
use crate::revocation::{Applier, Bells, Doubt, Follower, Heard, Knowledge, Pace, Step};
use crate::store::{Answer, Beat, Entry, Feed, Store};

/// The task that keeps this node's knowledge of a shared store fresh: it carries out what the
/// [`Follower`] decides.
#[derive(Debug)]
pub struct Link {
    /// The log of the store.
    pub feed: Arc<dyn Feed>,
    /// The store itself, asked whatever the node's knowledge is.
    pub store: Arc<dyn Store>,
    /// Where changes bite.
    pub applier: Applier,
    /// Checks what is in flight.
    pub authenticator: Arc<Authenticator>,
    /// The workers that cut exchanges.
    pub bells: Arc<Bells>,
    /// Put right by the store's clock.
    pub clock: Arc<SharedClock>,
    /// How old knowledge may become.
    pub max_staleness: Duration,
    /// What others see of it.
    pub state: Arc<LinkState>,
}

/// Beats come at least this often, and oftener where knowledge must be younger.
const BEAT_EVERY: Duration = Duration::from_millis(500);
/// More than any feed takes: each has time-outs of its own, and this one ends a feed that does not
/// keep to them.
const PATIENCE: Duration = Duration::from_secs(15);
/// How many revocations are sent again at a time: each may wait 50 ms for a replica behind the others.
const SENT_AT_ONCE: usize = 8;
/// How often it is said that the same server, which cannot be used, was found once more.
const FOUND_AGAIN_EVERY: Duration = Duration::from_secs(600);
/// What a worker may take to its bell before the link goes on without it: it is no reason to become
/// stale.
const BELL_PATIENCE: Duration = Duration::from_millis(100);

impl Link {
    /// Follows the log for as long as the node runs.
    pub async fn run(self) {
        let mut follower = Follower::new(pace(self.max_staleness));
        loop {
            let step = follower.next_step();
            if let Some(heard) = self.carry_out(step).await {
                follower.heard(heard);
            }
            self.tell();
        }
    }

    /// Does what a step says; answers what came of it, where the step is answered.
    async fn carry_out(&self, step: Step) -> Option<Heard> {
        match step {
            Step::Connect { pause } => Some(self.connect(pause).await),
            Step::Wait(span) => {
                tokio::time::sleep(span).await;
                Some(Heard::Done)
            }
            Step::Beat => {
                let sent_at = self.uptime().elapsed();
                let beat = self.asked(self.feed.beat(), Duration::ZERO).await;
                Some(beat.map_or(Heard::Lost, |beat| {
                    self.set_clock(&beat, sent_at);
                    Heard::Beat { beat, sent_at }
                }))
            }
            Step::Read { after, wait } => {
                let entries = self.asked(self.feed.entries(after, wait), wait).await;
                let at = self.uptime().elapsed();
                Some(entries.map_or(Heard::Lost, |entries| Heard::Entries { entries, at }))
            }
            Step::Doubt(doubt) => Some(self.doubt(doubt)),
            Step::SendAgain(entries) => Some(self.send_again(&entries).await),
            Step::Recheck => Some(self.recheck().await),
            Step::Open => {
                self.feed.open();
                None
            }
            Step::Apply(entries) => {
                self.apply(&entries).await;
                None
            }
            Step::Confirm { since } => {
                self.applier.freshness.confirm(since);
                None
            }
            Step::Replace => {
                self.applier.freshness.replace();
                None
            }
        }
    }

    async fn connect(&self, pause: Duration) -> Heard {
        self.feed.close();
        self.state.is_up.store(false, Ordering::Relaxed);
        tokio::time::sleep(jittered(pause)).await;
        let connecting = self.asked(self.feed.connect(), Duration::ZERO);
        let Some(beat) = connecting.await else {
            return Heard::Lost;
        };
        self.state.is_up.store(true, Ordering::Relaxed);
        self.state.connects.send_modify(|connects| *connects += 1);
        *self.state.trouble.lock() = None;
        self.tell_found(&beat);
        Heard::Connected(beat)
    }

    /// Says what the link has come to. A server that cannot be used is come to again every second: of the
    /// same one is told only now and then.
    fn tell_found(&self, beat: &Beat) {
        let now = self.uptime().elapsed();
        let mut told = self.state.found.lock();
        let is_told = told.as_ref().is_some_and(|(server, store, at)| {
            (server, store) == (&beat.server, &beat.store)
                && now.saturating_sub(*at) < FOUND_AGAIN_EVERY
        });
        if is_told && self.applier.freshness.knowledge() != Knowledge::Fresh {
            return;
        }
        *told = Some((beat.server.clone(), beat.store, now));
        tracing::info!(server = beat.server.0, last = beat.last, "store link up");
        if beat.store.is_none() {
            tracing::warn!(
                "store link found no store: the server is empty, or keys of a store are left there without its identity"
            );
        }
    }

    fn doubt(&self, doubt: Doubt) -> Heard {
        if let Some(counter) = self.state.doubts.get(doubt.index()) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let again = self.applier.doubt();
        tracing::warn!(
            reason = doubt.as_str(),
            sent_again = again.len(),
            "store changes may have been missed; everything is checked again"
        );
        Heard::ToSendAgain(again)
    }

    /// Several at a time: until the last of many is sent, nothing that needs the store is answered.
    async fn send_again(&self, entries: &[Entry]) -> Heard {
        let mut sending = Vec::with_capacity(entries.len());
        for entry in entries {
            sending.push(self.asked(self.feed.send_again(entry), Duration::ZERO));
        }
        let mut sending = stream::iter(sending).buffer_unordered(SENT_AT_ONCE);
        while let Some(sent) = sending.next().await {
            self.state.sent_again.fetch_add(1, Ordering::Relaxed);
            if sent.is_none() {
                return Heard::Lost;
            }
        }
        Heard::Done
    }

    async fn recheck(&self) -> Heard {
        match self.authenticator.recheck(self.store.as_ref()).await {
            Ok(rechecked) => {
                let (checked, ended) = (rechecked.checked, rechecked.ended);
                tracing::info!(checked, ended, "what is in flight was checked again");
                if ended > 0 {
                    self.ring().await;
                }
                Heard::Done
            }
            Err(error) => self.lost(&error),
        }
    }

    async fn apply(&self, entries: &[Entry]) {
        if self.applier.apply(entries) > 0 {
            self.ring().await;
        }
        let more = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        self.state.applied.fetch_add(more, Ordering::Relaxed);
    }

    /// Has every worker cut what has ended. All bells have rung when this returns, though a worker that
    /// is busy may not have come to its own yet.
    async fn ring(&self) {
        let _ = tokio::time::timeout(BELL_PATIENCE, self.bells.ring()).await;
    }

    /// What the feed answers, within its time.
    async fn asked<T>(&self, answer: Answer<'_, T>, wait: Duration) -> Option<T> {
        let answered = tokio::time::timeout(wait.saturating_add(PATIENCE), answer).await;
        match answered {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => self.lost(&error),
            Err(error) => self.lost(&error),
        };
        None
    }

    /// Has this node go by the clock of a server that may be believed.
    fn set_clock(&self, beat: &Beat, sent_at: Duration) {
        if !beat.is_sure {
            return;
        }
        let within = self.uptime().elapsed().saturating_sub(sent_at);
        match self.clock.learn(beat.time, within) {
            None => {}
            Some(0) => tracing::info!("clock agrees with the store's"),
            Some(ahead_ms) if SharedClock::follows(ahead_ms) => tracing::warn!(
                ahead_ms,
                "clock differs from the store's, which counts; have both machines set theirs"
            ),
            Some(ahead_ms) => tracing::error!(
                ahead_ms,
                "clock differs from the store's too much to go by it; sessions of other nodes may be refused"
            ),
        }
    }

    /// Says that the link is lost, and at attempts to mend it only what is new.
    fn lost(&self, error: &(dyn Error + 'static)) -> Heard {
        self.feed.close();
        *self.state.found.lock() = None;
        let why = error.to_string();
        let is_new = self.state.trouble.lock().replace(why.clone()) != Some(why);
        if self.state.is_up.swap(false, Ordering::Relaxed) {
            self.state.losses.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(error, "store link lost");
        } else if is_new {
            tracing::warn!(error, "store link not made");
        }
        Heard::Lost
    }

    /// Says when knowledge has become another.
    fn tell(&self) {
        let knowledge = self.applier.freshness.knowledge();
        let was = self.state.knowledge.send_replace(knowledge);
        if was == knowledge {
            return;
        }
        match knowledge {
            Knowledge::Fresh => tracing::info!("store knowledge fresh"),
            Knowledge::Stale => tracing::warn!(
                max_staleness = ?self.max_staleness,
                "store knowledge stale; what needs the store is refused"
            ),
            Knowledge::Replaced => tracing::error!(
                "store replaced; bring the old one back, or restart the node to go on with this one"
            ),
        }
    }

    fn uptime(&self) -> &dyn Uptime {
        self.applier.freshness.uptime().as_ref()
    }
}

/// Four beats fit into the bound, so that one may be lost and one late.
fn pace(max_staleness: Duration) -> Pace {
    Pace {
        beat: (max_staleness / 4).min(BEAT_EVERY),
        unsure: max_staleness,
    }
}

/// Between half of `pause` and all of it, so that nodes do not come all at once.
fn jittered(pause: Duration) -> Duration {
    let half = pause / 2;
    let chance = random::<1>().map_or(u8::MAX, |[byte]| byte);
    half + half * u32::from(chance) / u32::from(u8::MAX)
}
