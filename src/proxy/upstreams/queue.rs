use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Requests that wait for a place with an upstream, the longest first.
///
/// Who gives a place back looks at one number; only where it is not 0 is somebody woken.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: AtomicUsize,
    freed: Notify,
    max: usize,
    timeout: Duration,
}

/// One that waits, counted until it is dropped.
struct Turn<'a>(&'a Queue);

impl Queue {
    pub(super) fn new(max: usize, timeout: Duration) -> Self {
        Self {
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
            max,
            timeout,
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// A place was given back.
    pub(super) fn tell(&self) {
        if self.waiting() > 0 {
            self.freed.notify_one();
        }
    }

    /// Attempts again whenever a place was given back. Nothing when too many wait already, or at the
    /// end of its time.
    pub(super) async fn wait_for<T>(&self, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
        let _turn = self.line_up()?;
        let waiting = async {
            loop {
                let mut freed = pin!(self.freed.notified());
                // Registered before the attempt: what is freed after it is not missed.
                freed.as_mut().enable();
                if let Some(taken) = attempt() {
                    return taken;
                }
                freed.await;
            }
        };
        tokio::time::timeout(self.timeout, waiting).await.ok()
    }

    fn line_up(&self) -> Option<Turn<'_>> {
        let turn = Turn(self);
        let before = self.waiting.fetch_add(1, Ordering::SeqCst);
        (before < self.max).then_some(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
        // It may have been told of a place that it did not take.
        self.0.tell();
    }
}
