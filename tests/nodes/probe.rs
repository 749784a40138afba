//! A client that asks one node again and again, and remembers every answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::message::Call;
use crate::support::wire::Wire;
use crate::support::within;
use crate::support::world::World;

/// Asks a node with one credential until it is dropped.
pub struct Probe {
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When the request was sent: it was admitted, or not, after that.
    pub sent: Instant,
    /// [`CUT`] where it was broken off.
    pub status: u16,
    /// The code of a refusal; empty with a service's answer.
    pub code: String,
}

/// What was seen of an answer that was cut: its credential was revoked after its first byte.
const CUT: u16 = 0;

/// How long a probe waits between an answer and its next request.
const PAUSE: Duration = Duration::from_millis(10);

impl Probe {
    /// Asks `world` with `credential`.
    pub fn of(world: &World, credential: &str) -> Self {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (told, count) = watch::channel(0);
        let (address, call) = (world.http(), Call::get("/probe").bearer(credential));
        let kept = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut wire = Wire::plain(address).await;
            loop {
                let sent = Instant::now();
                wire.send(call.bytes()).await;
                let (status, code) = match wire.try_answer(&call.method).await {
                    Ok(answer) if answer.status == 200 => (200, String::new()),
                    Ok(answer) => (answer.status, answer.refusal().1),
                    Err(_) => {
                        wire = Wire::plain(address).await;
                        (CUT, String::new())
                    }
                };
                kept.lock().push(Seen { sent, status, code });
                told.send_modify(|count| *count += 1);
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { seen, count, task }
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }

    /// Waits for an answer of this status to a request that is sent from now on.
    pub async fn gets(&self, status: u16) -> Seen {
        let since = Instant::now();
        self.finds(&format!("the answer {status}"), |seen| {
            seen.sent >= since && seen.status == status
        })
        .await
    }

    /// Waits for an answer that `is_it` says yes to, those so far too.
    pub async fn finds(&self, what: &str, is_it: impl Fn(&Seen) -> bool) -> Seen {
        let mut count = self.count.clone();
        let search = async {
            loop {
                count.borrow_and_update();
                if let Some(seen) = self.seen.lock().iter().find(|seen| is_it(seen)) {
                    return seen.clone();
                }
                assert!(count.changed().await.is_ok(), "the probe failed");
            }
        };
        within(what, search).await
    }

    /// Fails when the node ever said that the credential is not good, or broke an answer off.
    #[track_caller]
    pub fn was_never_refused(&self) {
        let refused = self
            .all()
            .into_iter()
            .find(|seen| matches!(seen.status, CUT | 401));
        assert!(refused.is_none(), "a good credential got {refused:?}");
    }

    /// Fails when a request was let in that was sent later than `bound` after `revoked`.
    #[track_caller]
    pub fn was_not_let_in(&self, revoked: Instant, bound: Duration) {
        let late = |seen: &Seen| seen.status == 200 && seen.sent > revoked + bound;
        let late = self.all().into_iter().find(late);
        let after = late.map(|late| late.sent - revoked);
        assert!(after.is_none(), "let in {after:?} after the revocation");
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}
