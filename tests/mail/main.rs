//! Mails against a real SMTP server program, and the reset page in a real browser.
//!
//! `tests/setup` installs both; without them these tests fail.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]
#![expect(unreachable_pub, reason = "modules of one test program")]

#[path = "../support/browser.rs"]
mod browser;
mod delivery;
mod failure;
mod files;
mod log;
mod page;
mod security;
mod server;
mod world;
