use std::io;
use std::time::Duration;

use super::AnswerError;
use crate::http::{ApiError, Code, FramingError};

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
    /// The request has no form in which the server takes it.
    #[error("the request to server {server} of upstream {upstream:?} could not be sent")]
    Misfit {
        /// The upstream's name.
        upstream: String,
        /// The server.
        server: String,
        /// What does not fit.
        #[source]
        source: Misfit,
    },
    /// The client broke off its own request.
    #[error("the client broke off its request")]
    Client,
}

/// Why a request cannot be sent over HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A request that was let through always has a form there, whatever its client and its route say: this is a
    /// mistake of the gateway's.
    #[error("it has no form in HTTP/2")]
    Head(#[from] FramingError),
    /// Its trailers were written for HTTP/1.1 already, without a body before them.
    #[error("its trailers cannot be sent over HTTP/2 any more")]
    Trailers,
    /// The server has said that it takes no such head.
    #[error("its head takes {bytes} bytes of a header list, and the server takes {max}")]
    TooLarge {
        /// As RFC 9113 §6.5.2 counts them.
        bytes: u64,
        /// What the server takes.
        max: u32,
    },
}

impl ProxyError {
    /// Whether any client can bring it about as often as it likes, without a server being asked: too large a
    /// head. It is no news of the upstream, whose failures it would keep out of the log.
    #[must_use]
    pub const fn is_at_will(&self) -> bool {
        matches!(
            self,
            Self::Misfit {
                source: Misfit::TooLarge { .. },
                ..
            }
        )
    }
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
            ProxyError::Misfit {
                source: Misfit::TooLarge { .. },
                ..
            } => {
                let told = "the request's headers are larger than the service takes";
                return Self::new(Code::HeadTooLarge).detail(told);
            }
            ProxyError::Misfit { .. } => Code::Internal,
            ProxyError::Client => Code::MalformedRequest,
        };
        Self::new(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_form_in_http2_is_the_clients_only_where_it_is_too_much() {
        let too_large = Misfit::TooLarge { bytes: 2, max: 1 };
        for (source, code) in [
            (Misfit::Head(FramingError::Target), Code::Internal),
            (Misfit::Trailers, Code::Internal),
            (too_large, Code::HeadTooLarge),
        ] {
            let (upstream, server) = (String::new(), String::new());
            let error = ProxyError::Misfit {
                upstream,
                server,
                source,
            };
            assert_eq!(error.is_at_will(), code == Code::HeadTooLarge);
            assert_eq!(ApiError::from(error).code, code);
        }
    }
}
