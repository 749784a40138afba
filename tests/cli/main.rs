//! The command line: the real program, with a node running and with none.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]
#![expect(unreachable_pub, reason = "modules of one test program")]

mod check;
mod demo;
mod deploy;
mod keys;
mod moving;
mod prompt;
mod serve;
mod signing_key;
mod store;
mod usage;
mod users;
mod world;
