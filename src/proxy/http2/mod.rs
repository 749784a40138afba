//! HTTP/2 to servers: one connection carries many requests, and has a task of its own.
//!
//! It stands on h2. A [`Call`] is to an exchange what a connection is with HTTP/1.1, a [`Session`] is the
//! connection beneath, and [`Sessions`] are those to one server.
//!
//! [`Session`]: session::Session

mod ask;
mod call;
mod frames;
mod message;
mod session;
mod sessions;

pub(super) use ask::ask;
pub(super) use call::Call;
pub(super) use sessions::{Opened, Sessions};
