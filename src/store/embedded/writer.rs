use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::door::{Door, Outcome, unavailable};
use super::fault::Fault;
use super::tables::Tables;
use crate::store::StoreError;

/// How many changes may wait; at 0.4 ms a commit that is a blink.
const QUEUE: usize = 1024;
/// How many changes go into one transaction: one sync to the disk serves them all.
const BATCH: usize = 128;

/// The thread that makes every change, one transaction after the other.
#[derive(Debug)]
pub(super) struct Writer {
    /// `None` once the store is being dropped.
    queue: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// A change that waits for the writer, and somebody who waits for its answer.
pub(super) trait Job: Send {
    /// Checks, then writes. A refusal is kept for the answer; an error undoes the whole transaction.
    /// Answers whether anything was written.
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<bool, Fault>;

    /// Tells who waits.
    fn answer(self: Box<Self>, outcome: &Outcome);
}

impl Writer {
    pub(super) fn start(door: Arc<Door>) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(&door, &jobs))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Makes `change`, which must check everything before it writes anything.
    ///
    /// The change is made even if the future is dropped once it was polled.
    pub(super) async fn write<T, F>(&self, change: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tables<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Box::new(Change {
            change: Some(change),
            result: None,
            reply,
        }))?;
        // Only a writer that died while it worked drops the reply.
        answer.await.unwrap_or(Err(StoreError::OutcomeUnknown))
    }

    /// Has the writer look at the file, and open it again if it must be.
    pub(super) fn nudge(&self) {
        let (reply, _) = oneshot::channel::<Result<(), StoreError>>();
        // When the queue is full, it looks anyway.
        let _ = self.send(Box::new(Change {
            change: Some(|_: &mut Tables<'_>| Err(StoreError::NotFound.into())),
            result: None,
            reply,
        }));
    }

    fn send(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        let Some(queue) = &self.queue else {
            return Err(unavailable("the store is closed"));
        };
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => unavailable("too many changes are waiting to be written"),
            TrySendError::Disconnected(_) => {
                unavailable("the store's writer has stopped; restart the gateway")
            }
        })
    }
}

impl Drop for Writer {
    /// Waits until everything queued was written and the file is let go.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(door: &Door, jobs: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        batch.extend(jobs.try_iter().take(BATCH - 1));
        let outcome = door.write(&mut batch);
        for job in batch {
            job.answer(&outcome);
        }
    }
}

struct Change<T, F> {
    change: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Change<T, F>
where
    T: Send,
    F: FnOnce(&mut Tables<'_>) -> Result<T, Fault> + Send,
{
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<bool, Fault> {
        let Some(change) = self.change.take() else {
            return Ok(false);
        };
        let result = match change(tables) {
            Ok(value) => Ok(value),
            Err(Fault::Refused(error)) => Err(error),
            Err(fault @ Fault::File(_)) => return Err(fault),
        };
        let is_changed = result.is_ok();
        self.result = Some(result);
        Ok(is_changed)
    }

    fn answer(self: Box<Self>, outcome: &Outcome) {
        // A refusal may rest on what another change of this transaction wrote: where that was not
        // written, the refusal is not true either.
        let result = match outcome {
            Outcome::Written => self.result.unwrap_or(Err(StoreError::OutcomeUnknown)),
            Outcome::NotWritten { reason } => Err(unavailable(reason)),
            Outcome::Unknown => Err(StoreError::OutcomeUnknown),
        };
        // Nobody may be waiting any more; the change stands all the same.
        let _ = self.reply.send(result);
    }
}
