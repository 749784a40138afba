use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use super::error::{QueueFull, StartError};
use super::letter::Sender;
use super::task::Post;
use super::transport::Transport;
use super::{Mail, OutboxTask, Pace};
use crate::config;
use crate::domain::Clock;

/// Takes mails to be sent behind the answer. Clones share one queue.
#[derive(Debug, Clone)]
pub struct Outbox {
    queue: mpsc::UnboundedSender<Queued>,
    places: Arc<Semaphore>,
    capacity: usize,
    counts: Arc<Counts>,
}

/// A place in the queue, held until the mail in it was sent or given up.
#[derive(Debug)]
pub struct Place {
    queue: mpsc::UnboundedSender<Queued>,
    permit: OwnedSemaphorePermit,
    counts: Arc<Counts>,
}

/// What became of mails since the start, and how many wait now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailStats {
    /// Mails that were neither sent nor given up yet, and places held for more.
    pub queued: usize,
    /// Mails that were handed over.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Mails that will not be sent.
    pub given_up: u64,
}

#[derive(Debug)]
pub(super) struct Queued {
    pub(super) mail: Mail,
    pub(super) since: Instant,
    pub(super) place: OwnedSemaphorePermit,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) sent: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) given_up: AtomicU64,
}

impl Outbox {
    /// The outbox of this configuration, and the task that empties it. Nothing is sent unless the
    /// caller runs the task.
    ///
    /// # Errors
    ///
    /// [`StartError`] when mails could never be sent like this.
    pub fn start(
        config: &config::Mail,
        pace: Pace,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, OutboxTask), StartError> {
        let post = Post {
            sender: Sender::parse(&config.from)?,
            transport: Arc::new(Transport::new(&config.transport, &pace)?),
            pace,
            clock,
        };
        let capacity = config.queue.min(Semaphore::MAX_PERMITS);
        // The places bound it: whoever holds one may send.
        let (queue, waiting) = mpsc::unbounded_channel();
        let outbox = Self {
            queue,
            places: Arc::new(Semaphore::new(capacity)),
            capacity,
            counts: Arc::default(),
        };
        let places = Arc::clone(&outbox.places);
        let task = OutboxTask::new(post, waiting, places, Arc::clone(&outbox.counts));
        Ok((outbox, task))
    }

    /// Queues `mail`; never waits.
    ///
    /// # Errors
    ///
    /// [`QueueFull`] when as many mails wait as may wait, those for another attempt included, or
    /// the node is going down.
    pub fn queue(&self, mail: Mail) -> Result<(), QueueFull> {
        self.reserve().map(|place| place.fill(mail))
    }

    /// Holds a place for a mail that is yet to be written, so that whoever asks for it can be
    /// refused before anything about them was looked up.
    ///
    /// # Errors
    ///
    /// [`QueueFull`] as [`Outbox::queue`].
    pub fn reserve(&self) -> Result<Place, QueueFull> {
        let permit = Arc::clone(&self.places).try_acquire_owned();
        Ok(Place {
            queue: self.queue.clone(),
            permit: permit.map_err(|_| QueueFull)?,
            counts: Arc::clone(&self.counts),
        })
    }

    /// What became of mails so far.
    #[must_use]
    pub fn stats(&self) -> MailStats {
        MailStats {
            queued: self
                .capacity
                .saturating_sub(self.places.available_permits()),
            sent: self.counts.sent.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
            given_up: self.counts.given_up.load(Ordering::Relaxed),
        }
    }
}

impl Place {
    /// Puts `mail` in this place.
    pub fn fill(self, mail: Mail) {
        let queued = Queued {
            mail,
            since: Instant::now(),
            place: self.permit,
        };
        if self.queue.send(queued).is_err() {
            self.counts.given_up.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(reason = "shutdown", "mail given up");
        }
    }
}
