use std::io;

use crate::auth::SigningKeyError;
use crate::mail::StartError;
use crate::server::{AdminSocketError, ListenError, TlsError};
use crate::store::{OpenError, RedisSetupError};
use crate::telemetry::LogError;

/// Why a node cannot run. Each says what the operator can do.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// A store that several nodes share.
    #[error("[store] url names Redis, which this node cannot use yet; write \"embedded:FILE\"")]
    SharedStore,
    /// The store in Redis.
    #[error(transparent)]
    Redis(#[from] RedisSetupError),
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
