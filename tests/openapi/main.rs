//! The gateway's own endpoints and their OpenAPI document say the same.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]
#![expect(unreachable_pub, reason = "modules of one test program")]

mod answers;
mod schema;
mod schemathesis;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "these tests need less of the world")]
mod support;
