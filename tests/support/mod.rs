//! The world that end-to-end tests run in: the real binary, its clients, its upstreams.

pub mod accounts;
pub mod certificates;
pub mod http2;
pub mod http2_service;
pub mod lines;
pub mod message;
pub mod names;
pub mod node;
pub mod reloading;
pub mod service;
pub mod setup;
pub mod websocket;
pub mod wire;
pub mod world;

use std::time::Duration;

/// How long a test waits for what must happen. No test passes because this has passed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what must happen, and fails with `what` when it does not.
#[track_caller]
pub fn within<T>(what: &str, wait: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(done) => done,
            Err(_) => panic!("waited {PATIENCE:?} for {what}, at {caller}"),
        }
    }
}
