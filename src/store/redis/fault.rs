use std::fmt;

use redis::{ErrorKind, RedisError};

use crate::store::StoreError;

/// Why a server did not do what it was asked.
#[derive(Debug)]
pub(super) enum Fault {
    /// It was never asked.
    Unasked(String),
    /// It refused before it wrote anything.
    Refused {
        /// What is wrong, for the operator.
        reason: &'static str,
        /// Whether another server must be looked for.
        is_wrong_server: bool,
        source: RedisError,
    },
    /// It did not answer: nobody knows whether it did it.
    Silent(Option<RedisError>),
    /// Its answer makes no sense. Nobody knows whether it did it.
    Odd(RedisError),
}

impl Fault {
    /// An answer of another shape than the one that was expected.
    pub(super) fn shape(expected: &'static str) -> Self {
        Self::Odd((ErrorKind::UnexpectedReturnType, expected).into())
    }

    /// The same while connecting, when nothing was asked yet.
    pub(super) fn at(self, address: &impl fmt::Display) -> Self {
        match self {
            Self::Unasked(reason) => {
                Self::Unasked(format!("redis at {address} cannot be reached: {reason}"))
            }
            Self::Refused { .. } => self,
            Self::Silent(Some(error)) | Self::Odd(error) => {
                Self::Unasked(format!("redis at {address} refuses us: {error}"))
            }
            Self::Silent(None) => Self::Unasked(format!("redis at {address} does not answer")),
        }
    }

    /// What a read that failed answers.
    pub(super) fn of_read(self) -> StoreError {
        match self {
            Self::Unasked(reason) => StoreError::Unavailable {
                reason,
                source: None,
            },
            Self::Refused { reason, source, .. } => StoreError::unavailable(reason, source),
            Self::Silent(None) => StoreError::Unavailable {
                reason: SILENT.to_owned(),
                source: None,
            },
            Self::Silent(Some(source)) => StoreError::unavailable(SILENT, source),
            Self::Odd(source) => StoreError::unavailable(ODD, source),
        }
    }

    /// What a change that failed answers.
    pub(super) fn of_change(self) -> StoreError {
        match self {
            Self::Unasked(_) | Self::Refused { .. } => self.of_read(),
            Self::Silent(_) => StoreError::OutcomeUnknown,
            Self::Odd(source) => {
                tracing::error!(
                    error = &source as &dyn std::error::Error,
                    "redis odd answer"
                );
                StoreError::OutcomeUnknown
            }
        }
    }
}

const SILENT: &str = "redis does not answer";
const ODD: &str = "redis answered something else than expected";

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        if error.is_timeout() || error.is_io_error() || error.is_connection_dropped() {
            return Self::Silent(Some(error));
        }
        let code = match error.kind() {
            ErrorKind::AuthenticationFailed => Some("WRONGPASS"),
            _ => error.code(),
        };
        let known = code.and_then(refusal);
        match known {
            Some((reason, is_wrong_server)) => Self::Refused {
                reason,
                is_wrong_server,
                source: error,
            },
            None => Self::Odd(error),
        }
    }
}

/// The errors with which a server says that it did nothing: what they mean, and whether another one
/// must be looked for.
fn refusal(code: &str) -> Option<(&'static str, bool)> {
    Some(match code {
        "READONLY" => ("the redis server became a replica", true),
        "UNBLOCKED" => ("the redis server became a replica", true),
        "LOADING" => ("the redis server is still loading its data", true),
        "MASTERDOWN" => ("the redis server is a replica without a primary", true),
        "MOVED" | "ASK" | "TRYAGAIN" => (
            "the Redis Cluster has moved the records to another node",
            true,
        ),
        "CLUSTERDOWN" => ("the Redis Cluster is down", true),
        "NOAUTH" | "WRONGPASS" => (
            "the redis server takes neither our user nor our password; look at [store] user and password_file",
            true,
        ),
        "NOPERM" => (
            "the redis server's ACL does not let the gateway do what it must; docs/configuration.md has the line",
            false,
        ),
        "OOM" => (
            "the redis server's memory is full; give it more (maxmemory)",
            false,
        ),
        "MISCONF" => (
            "the redis server cannot save to its disk and takes no changes; look at its log",
            false,
        ),
        "NOREPLICAS" => (
            "the redis server has too few replicas to take changes (min-replicas-to-write)",
            false,
        ),
        "BUSY" => ("the redis server is busy with somebody's script", false),
        _ => return None,
    })
}
