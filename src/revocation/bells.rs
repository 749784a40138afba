use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

/// The bells of all workers: rung after admissions ended, so that every worker cuts what rested on them.
#[derive(Debug, Default)]
pub struct Bells(Mutex<Vec<mpsc::UnboundedSender<Ring>>>);

/// The bell of one worker.
#[derive(Debug)]
pub struct Bell(mpsc::UnboundedReceiver<Ring>);

/// To be dropped or answered once the worker has looked at its exchanges.
pub(super) type Ring = oneshot::Sender<()>;

/// A worker that does not come to its bell in this time hangs; the admissions have ended all the same.
const PATIENCE: Duration = Duration::from_secs(5);

impl Bells {
    /// The bell of one more worker.
    pub fn install(&self) -> Bell {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.0.lock().push(sender);
        Bell(receiver)
    }

    /// Rings at every worker and waits until each has looked at its exchanges: from then on no worker
    /// gives another byte of what was cut to a client.
    pub async fn ring(&self) {
        let mut waiting = Vec::new();
        self.0.lock().retain(|worker| {
            let (ring, rung) = oneshot::channel();
            waiting.push(rung);
            worker.send(ring).is_ok()
        });
        for rung in waiting {
            // An error means that the worker is gone, and its exchanges with it.
            if tokio::time::timeout(PATIENCE, rung).await.is_err() {
                tracing::error!("a worker did not answer the revocation bell in {PATIENCE:?}");
            }
        }
    }
}

impl Bell {
    /// Waits until it is rung; `None` when nobody is left to ring it.
    pub(super) async fn rung(&mut self) -> Option<Ring> {
        self.0.recv().await
    }
}
