use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::NodeError;
use crate::server::{Drain, Stage};

/// Leads a node out on SIGTERM or SIGINT, and ends it at once on the second.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on. Must be called within a runtime.
    pub(super) fn listen() -> Result<Self, NodeError> {
        let signals = |kind| signal(kind).map_err(NodeError::system("signals"));
        Ok(Self {
            terminate: signals(SignalKind::terminate())?,
            interrupt: signals(SignalKind::interrupt())?,
        })
    }

    /// Waits for the first signal and leads the node out stage by stage.
    pub(super) async fn lead_out(
        mut self,
        drain: Drain,
        times: impl Fn() -> (Duration, Duration) + Send,
    ) {
        self.next().await;
        let (delay, timeout) = times();
        tracing::info!(delay = ?delay, timeout = ?timeout, "shutting down");
        let out = async {
            drain.advance(Stage::Leaving);
            tokio::time::sleep(delay).await;
            drain.advance(Stage::Draining);
            tokio::time::sleep(timeout).await;
        };
        // A second signal ends the wait; nothing is lost but time.
        tokio::select! {
            () = out => {}
            () = self.next() => tracing::warn!("ended at once by a second signal"),
        }
        drain.advance(Stage::Ended);
    }

    async fn next(&mut self) {
        // Both are cancel safe: a signal stays noted.
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
