use std::io;
use std::time::Duration;

use super::AnswerError;
use crate::http::{ApiError, Code};

/// Why an upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// No server of the upstream took the connection.
    #[error("no server of upstream {upstream:?} takes connections; last tried {server}")]
    Refused {
        /// The upstream's name.
        upstream: String,
        /// The server that was tried last.
        server: String,
        /// Why it did not take the connection.
        #[source]
        source: io::Error,
    },
    /// A server took the connection too slowly.
    #[error("server {server} of upstream {upstream:?} did not take the connection in time")]
    ConnectTimeout {
        /// The upstream's name.
        upstream: String,
        /// The server.
        server: String,
    },
    /// The server broke off, or answered what is no HTTP.
    #[error("server {server} of upstream {upstream:?} broke off")]
    Broken {
        /// The upstream's name.
        upstream: String,
        /// The server.
        server: String,
        /// What happened.
        #[source]
        source: AnswerError,
    },
    /// The server switched protocols without being asked to, or to another one than WebSocket.
    #[error("server {server} of upstream {upstream:?} switched protocols unasked")]
    Switched {
        /// The upstream's name.
        upstream: String,
        /// The server.
        server: String,
    },
    /// The server answered a WebSocket's handshake in a way that its client cannot see.
    #[error(
        "server {server} of upstream {upstream:?} did not answer the handshake of a WebSocket as it must"
    )]
    Handshake {
        /// The upstream's name.
        upstream: String,
        /// The server.
        server: String,
    },
    /// The gateway itself lacks what a connection takes.
    #[error(
        "no connection to upstream {upstream:?} could be made, for want of descriptors, ports or memory of this machine; raise its limits, or lower `max_connections`"
    )]
    Spent {
        /// The upstream's name.
        upstream: String,
        /// What is missing.
        #[source]
        source: io::Error,
    },
    /// Every server refused lately.
    #[error("every server of upstream {upstream:?} refused lately")]
    NoneHealthy {
        /// The upstream's name.
        upstream: String,
    },
    /// The upstream has as many exchanges in flight as it may have.
    #[error("upstream {upstream:?} has as many exchanges in flight as it may have")]
    OverBound {
        /// The upstream's name.
        upstream: String,
    },
    /// The client broke off its own request.
    #[error("the client broke off its request")]
    Client,
}

impl From<ProxyError> for ApiError {
    fn from(error: ProxyError) -> Self {
        let code = match error {
            ProxyError::Refused { .. } => Code::UpstreamRefused,
            ProxyError::ConnectTimeout { .. } => Code::UpstreamTimeout,
            ProxyError::Broken { .. }
            | ProxyError::Switched { .. }
            | ProxyError::Handshake { .. } => Code::UpstreamBroken,
            ProxyError::Spent { .. }
            | ProxyError::NoneHealthy { .. }
            | ProxyError::OverBound { .. } => {
                return Self::new(Code::UpstreamUnavailable).retry_after(Duration::from_secs(1));
            }
            ProxyError::Client => Code::MalformedRequest,
        };
        Self::new(code)
    }
}
