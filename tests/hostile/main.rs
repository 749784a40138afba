//! Hostile bytes, tried on the real binary: tables that read as the list of attacks.
//!
//! Each row names the attack and the rule that it breaks, and is tried in every place it applies to:
//! over plain and TLS listeners, on public, protected, role-restricted and WebSocket routes. What the
//! client gets is held at once; what arrived at the service is held at the end of a table, when the
//! gateway has ended and every byte that it sent has come.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]
#![expect(unreachable_pub, reason = "modules of one test program")]

mod accounts;
mod ask;
mod chunks;
mod credentials;
mod early;
mod floods;
mod frames;
mod headers;
mod identity;
mod lengths;
mod liars;
mod limits;
mod lines;
mod paths;
mod proxies;
mod pseudo;
mod recorder;
mod row;
mod services;
mod soak;
mod stage;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "these tests need less of the world")]
mod support;
mod targets;
mod tokens;
mod upgrades;
