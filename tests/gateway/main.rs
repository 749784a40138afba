//! What clients, services and operators can rely on, tried on the real binary over real connections.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]
#![expect(unreachable_pub, reason = "modules of one test program")]

mod admission;
mod crash;
mod forwarding;
mod revocation;
mod seeing;
mod server;
#[path = "../support/mod.rs"]
mod support;
