//! Every endpoint as docs/api.md has it: each success, each refusal, without a network.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking"
)]

mod audit;
mod change_password;
mod common;
mod documents;
mod jwks;
mod keys;
mod login;
mod logout;
mod me;
mod reset;
mod stale;
mod support;
mod users_change;
mod users_create;
mod users_delete;
mod users_list;
