use std::sync::OnceLock;

use tokio::sync::Notify;

/// Why the connections of one session are of no use any more. The first reason stands.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    reason: OnceLock<String>,
    bell: Notify,
}

impl Trouble {
    pub(super) fn report(&self, reason: impl Into<String>) {
        if self.reason.set(reason.into()).is_ok() {
            self.bell.notify_waiters();
        }
    }

    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// Waits until there is a reason.
    pub(super) async fn wait(&self) -> &str {
        loop {
            let bell = self.bell.notified();
            if let Some(reason) = self.reason() {
                return reason;
            }
            bell.await;
        }
    }
}
