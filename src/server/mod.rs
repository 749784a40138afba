//! Listeners, TLS, connections, shutdown.
//!
//! A worker accepts connections and serves each in a task of its own: [`listener`] accepts,
//! [`connection`] does TLS and chooses HTTP/1.1 or HTTP/2, `http1` and `http2` serve. Between TCP and
//! TLS stands `socket`, which holds back what was cut.

mod admin;
mod admin_socket;
mod connection;
mod crowd;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gathered;
mod http1;
mod http2;
mod line;
mod linger;
mod listener;
mod operations;
mod proxy_header;
mod proxy_protocol;
mod resets;
mod sending;
mod shutdown;
mod socket;
mod tls;
mod worker;

pub use admin::{Admin, NotReady, serve_admin};
pub use admin_socket::{AdminSocket, AdminSocketError};
pub use listener::{Bound, ListenError, bind};
pub use operations::{Ask, Backup, Operations, Reload, Telling, Told};
pub use shutdown::{Drain, Stage};
pub use tls::{EdgeTls, PreparedTls, TlsError, TlsErrors};
pub use worker::{Renewal, Worker, WorkerSettings};
