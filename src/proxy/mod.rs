//! From an admitted request to an upstream's answer.
//!
//! A worker has one [`Forwarder`] with connections of its own. It takes [`Admitted`] requests and
//! nothing else. Deadlines are set on the [`Exchange`]; who waits for the answer watches its alarm,
//! and dropping the future or the body drops the upstream connection with it.
//!
//! [`Admitted`]: crate::auth::Admitted

mod answer;
mod answer_error;
mod answer_head;
mod batch;
mod buffers;
mod carrier;
mod connection;
mod decoder;
mod error;
mod exchange;
mod forwarder;
#[cfg(fuzzing)]
pub mod fuzzing;
mod handshake;
mod http2;
mod pace;
mod request;
mod request_body;
mod retry;
mod stream;
mod tls;
mod tunnel;
mod upload;
mod upstreams;
mod websocket;

pub use answer::UpstreamBody;
pub use answer_error::AnswerError;
pub use error::{Misfit, ProxyError};
pub use exchange::{Exchange, Waiting};
pub use forwarder::{Answer, Forwarder};
pub use pace::Pace;
pub use request::Inbound;
pub use request_body::RequestBody;
pub use tls::{UpstreamTlsError, UpstreamTlsErrors};
pub use tunnel::{Tunnel, TunnelEnd};
pub use upstreams::{Upstreams, attend};
