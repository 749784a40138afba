use std::io;

use crate::auth::SigningKeyError;
use crate::mail::StartError;
use crate::proxy::UpstreamTlsErrors;
use crate::server::{AdminSocketError, ListenError, TlsErrors};
use crate::store::{OpenError, RedisSetupError, StoreError};
use crate::telemetry::LogError;

/// Why a node cannot run. Each says what the operator can do.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsErrors),
    /// TLS to upstreams.
    #[error(transparent)]
    UpstreamTls(#[from] UpstreamTlsErrors),
    /// A listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The store in Redis.
    #[error(transparent)]
    Redis(#[from] RedisSetupError),
    /// The server of the store is set up so that a node must not run on it.
    #[error("the redis server cannot be used as it is: {0}")]
    UnfitRedis(String),
    /// The store cannot be asked.
    #[error(transparent)]
    StoreAway(StoreError),
    /// A signing key.
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    /// Mail.
    #[error(transparent)]
    Mail(#[from] StartError),
    /// The admin socket.
    #[error(transparent)]
    AdminSocket(#[from] AdminSocketError),
    /// The system refused a thread or a file descriptor.
    #[error("the system refused {what}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A worker ended before it was told to.
    #[error("a worker has failed; the log says why")]
    Worker,
}

impl NodeError {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
