//! Several nodes on one store, and what clients see when the store or the network between fails.
//!
//! With `--no-capture` the tests of faults tell how long clients were answered 503.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]
#![expect(
    clippy::print_stdout,
    reason = "the tests of faults tell what they measured"
)]
#![expect(unreachable_pub, reason = "modules of one test program")]

mod clocks;
mod command_line;
mod failover;
mod faults;
mod fleet;
mod probe;
#[path = "../support/redis.rs"]
#[expect(dead_code, reason = "other test programs use more of it")]
mod redis_server;
mod relay;
mod reload;
mod replaced;
mod revocation;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "other test programs use more of the world")]
mod support;
mod together;
