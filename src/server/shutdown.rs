use tokio::sync::watch;

/// How far a node is on its way out; every part of it sees the same stage.
#[derive(Debug, Clone)]
pub struct Drain(watch::Sender<Stage>);

/// A stage on a node's way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It serves.
    Serving,
    /// It says that it is not ready, and goes on accepting: load balancers need a while to hear it.
    Leaving,
    /// It accepts nothing more; exchanges in flight may end.
    Draining,
    /// Whatever is left ends now.
    Ended,
}

impl Drain {
    /// A node that serves.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(Stage::Serving))
    }

    /// The stage now.
    #[must_use]
    pub fn stage(&self) -> Stage {
        *self.0.borrow()
    }

    /// Goes on to `stage`; there is no way back.
    pub fn advance(&self, stage: Stage) {
        self.0.send_if_modified(|now| {
            let is_ahead = stage > *now;
            if is_ahead {
                *now = stage;
            }
            is_ahead
        });
    }

    /// Waits until `stage` is reached.
    pub async fn reached(&self, stage: Stage) {
        // The sender is held here, so it cannot be gone.
        let _ = self.0.subscribe().wait_for(|now| *now >= stage).await;
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}
