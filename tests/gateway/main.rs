//! What clients, services and operators can rely on, tried on the real binary over real connections.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]
#![expect(unreachable_pub, reason = "modules of one test program")]

mod admission;
#[path = "../support/browser.rs"]
#[expect(
    dead_code,
    reason = "the tests of the page alone look at more of the browser"
)]
mod browser;
mod crash;
mod forwarding;
mod multiplexed;
mod peers;
mod reload;
mod reset;
mod revocation;
mod routes;
mod seeing;
mod server;
mod streams;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "other test programs use more of the world")]
mod support;
mod tls;
mod upstreams;
mod websockets;
