use std::collections::BTreeMap;
use std::future::pending;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;

use super::error::Failure;
use super::letter::{Letter, Sender};
use super::outbox::{Counts, Queued};
use super::smtp::Session;
use super::transport::Transport;
use super::{Mail, Pace};
use crate::domain::Clock;

/// Sends what is queued, several mails at once. It owns every task that takes.
#[derive(Debug)]
pub struct OutboxTask {
    post: Post,
    queue: mpsc::UnboundedReceiver<Queued>,
    places: Arc<Semaphore>,
    counts: Arc<Counts>,
    /// Mails that wait for another attempt, by its moment.
    again: BTreeMap<(Instant, Uuid), Job>,
    /// Each sends one mail.
    hands: JoinSet<Attempt>,
    /// Each ends a connection that has nothing more to send.
    goodbyes: JoinSet<()>,
    going_down: bool,
}

/// What it takes to send a mail.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) transport: Arc<Transport>,
    pub(super) sender: Sender,
    pub(super) pace: Pace,
    pub(super) clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Job {
    letter: Letter,
    tries: u32,
    deadline: Instant,
    /// Given back when the mail is done.
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Attempt {
    job: Job,
    outcome: Result<Option<Session>, Failure>,
}

impl OutboxTask {
    pub(super) fn new(
        post: Post,
        queue: mpsc::UnboundedReceiver<Queued>,
        places: Arc<Semaphore>,
        counts: Arc<Counts>,
    ) -> Self {
        Self {
            post,
            queue,
            places,
            counts,
            again: BTreeMap::new(),
            hands: JoinSet::new(),
            goodbyes: JoinSet::new(),
            going_down: false,
        }
    }

    /// Sends mails until `shutdown` says by when to end. From then on the queue takes no more, every
    /// mail in it gets one last attempt, and the task ends when all are done, or at that moment.
    ///
    /// Dropping this future drops all mails.
    pub async fn run(mut self, shutdown: impl Future<Output = Instant>) {
        let mut shutdown = pin!(shutdown);
        let end = loop {
            select! {
                end = &mut shutdown => break end,
                () = self.step() => {}
            }
        };
        self.go_down();
        let drained = timeout_at(end, async {
            while self.is_busy() {
                self.step().await;
            }
        });
        if drained.await.is_err() {
            self.abandon();
        }
    }

    /// Takes one step. Dropping it loses nothing: it waits at one place only, for branches that are
    /// each cancel safe, and does the rest without waiting.
    async fn step(&mut self) {
        let has_hand = self.hands.len() < self.post.pace.in_flight;
        let due = self.again.first_key_value().map(|((due, _), _)| *due);
        select! {
            Some(done) = self.hands.join_next() => self.finish(done),
            Some(_) = self.goodbyes.join_next() => {}
            Some(queued) = self.queue.recv(), if has_hand => {
                if let Some(job) = self.write(queued) {
                    self.send(job, None);
                }
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if has_hand && due.is_some() => {
                if let Some((_, job)) = self.again.pop_first() {
                    self.send(job, None);
                }
            }
            else => pending().await,
        }
    }

    fn write(&mut self, queued: Queued) -> Option<Job> {
        let id = Uuid::now_v7();
        let life = match &queued.mail {
            Mail::Reset(mail) => mail.valid_for.min(self.post.pace.give_up_after),
        };
        let now = self.post.clock.now();
        match self.post.sender.write(id, &queued.mail, now) {
            Ok(letter) => Some(Job {
                letter,
                tries: 0,
                deadline: queued.since + life,
                _place: queued.place,
            }),
            Err(failure) => {
                self.give_up(id, 0, &failure);
                None
            }
        }
    }

    fn send(&mut self, mut job: Job, kept: Option<Session>) {
        let transport = Arc::clone(&self.post.transport);
        job.tries += 1;
        self.hands.spawn(async move {
            let outcome = if job.deadline <= Instant::now() {
                Err(Failure::Expired)
            } else {
                let sending = transport.send(kept, &job.letter);
                let sent = timeout_at(job.deadline, sending).await;
                sent.unwrap_or(Err(Failure::Expired))
            };
            Attempt { job, outcome }
        });
    }

    fn finish(&mut self, done: Result<Attempt, JoinError>) {
        match done {
            Ok(Attempt { job, outcome }) => match outcome {
                Ok(session) => self.sent(&job, session),
                Err(failure) => self.failed(job, &failure),
            },
            Err(error) => {
                count(&self.counts.given_up);
                tracing::error!(reason = "internal", %error, "mail given up");
            }
        }
    }

    fn sent(&mut self, job: &Job, session: Option<Session>) {
        count(&self.counts.sent);
        tracing::info!(mail.id = %job.letter.id, mail.tries = job.tries, "mail sent");
        let Some(session) = session else { return };
        match self.next() {
            Some(next) => self.send(next, Some(session)),
            None => {
                self.goodbyes.spawn(session.quit());
            }
        }
    }

    /// The mail to send now, where there is one.
    fn next(&mut self) -> Option<Job> {
        if let Some(entry) = self.again.first_entry()
            && entry.key().0 <= Instant::now()
        {
            return Some(entry.remove());
        }
        let queued = self.queue.try_recv().ok()?;
        self.write(queued)
    }

    fn failed(&mut self, job: Job, failure: &Failure) {
        count(&self.counts.failed);
        let (id, tries) = (job.letter.id, job.tries);
        let pause = self.post.pace.pause(tries);
        let due = Instant::now() + pause;
        let is_last = tries >= self.post.pace.tries || due >= job.deadline || self.going_down;
        if failure.is_final() || is_last {
            self.give_up(id, tries, failure);
            return;
        }
        let reply = failure.reply();
        tracing::warn!(
            mail.id = %id,
            mail.tries = tries,
            reason = failure.reason(),
            smtp.code = reply.map(|reply| reply.code),
            smtp.status = reply.and_then(|reply| reply.status.as_deref()),
            error = %failure.cause(),
            pause_seconds = pause.as_secs(),
            "mail delayed"
        );
        self.again.insert((due, id), job);
    }

    fn give_up(&self, id: Uuid, tries: u32, failure: &Failure) {
        count(&self.counts.given_up);
        let reply = failure.reply();
        let code = reply.map(|reply| reply.code);
        let status = reply.and_then(|reply| reply.status.as_deref());
        let (reason, error) = (failure.reason(), failure.cause());
        // A refused mail is its receiver's affair; anything else stops all mails.
        if matches!(failure, Failure::Refused(_) | Failure::Shutdown) {
            tracing::warn!(mail.id = %id, mail.tries = tries, reason, smtp.code = code, smtp.status = status, %error, "mail given up");
        } else {
            tracing::error!(mail.id = %id, mail.tries = tries, reason, smtp.code = code, smtp.status = status, %error, "mail given up");
        }
    }

    fn go_down(&mut self) {
        self.going_down = true;
        self.places.close();
        self.queue.close();
        let now = Instant::now();
        let waiting = mem::take(&mut self.again).into_iter();
        self.again = waiting.map(|((_, id), job)| ((now, id), job)).collect();
    }

    fn is_busy(&self) -> bool {
        let has_mails = !self.again.is_empty() || !self.queue.is_empty();
        has_mails || !self.hands.is_empty() || !self.goodbyes.is_empty()
    }

    /// Tells of the mails that there was no time for. Those in flight may have arrived.
    fn abandon(&mut self) {
        while let Some((_, job)) = self.again.pop_first() {
            self.give_up(job.letter.id, job.tries, &Failure::Shutdown);
        }
        let lost = self.queue.len() + self.hands.len();
        if lost > 0 {
            let more = u64::try_from(lost).unwrap_or(u64::MAX);
            self.counts.given_up.fetch_add(more, Ordering::Relaxed);
            tracing::warn!(reason = "shutdown", mails = lost, "mails given up");
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
