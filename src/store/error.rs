use std::time::Duration;

use crate::http::{ApiError, Code};

/// Why a store did not do what was asked. A refused change changed nothing, but for
/// [`StoreError::OutcomeUnknown`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such record, or not any more.
    #[error("there is no such record")]
    NotFound,
    /// The record was changed since it was read: read it and decide again.
    #[error("the record was changed by somebody else")]
    Conflict,
    /// Another user has this address.
    #[error("another user has this email address")]
    EmailTaken,
    /// No active administrator would be left.
    #[error("no active administrator would be left")]
    LastAdmin,
    /// The owner has as many working keys as they may have.
    #[error("the owner has {max} active keys, which is the most they may have")]
    TooManyKeys {
        /// The most they may have.
        max: usize,
    },
    /// The store cannot be asked; a change was surely not written.
    #[error("the store cannot be asked: {reason}")]
    Unavailable {
        /// What is wrong, for the operator.
        reason: String,
        /// The error beneath, where there is one.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// This node has not heard from the store for so long that what it knows may be outdated; a change
    /// was surely not written.
    #[error("this node has not heard from the store for too long")]
    Stale,
    /// Another store stands where this node's store stood, or an empty one.
    #[error(
        "the store is another one than this node began with; bring the old one back, or restart the node"
    )]
    Replaced,
    /// Nobody knows whether the change was written.
    #[error("the store did not say whether the change was written")]
    OutcomeUnknown,
}

impl StoreError {
    /// The store cannot be asked, because of `source`.
    pub fn unavailable(
        reason: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unavailable {
            reason: reason.to_owned(),
            source: Some(source.into()),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::new(Code::NotFound),
            StoreError::Conflict => Self::new(Code::ConcurrentChange),
            StoreError::EmailTaken => Self::new(Code::EmailTaken),
            StoreError::LastAdmin => Self::new(Code::LastAdmin),
            StoreError::TooManyKeys { max } => Self::new(Code::TooManyKeys).detail(format!(
                "you have {max} active keys, which is the most you may have; revoke one you no longer use"
            )),
            StoreError::Unavailable { .. } => {
                tracing::error!(error = &error as &dyn std::error::Error, "store unavailable");
                Self::new(Code::StoreUnavailable).retry_after(Duration::from_secs(1))
            }
            // Every request gets it while it lasts: the link logs once when it begins.
            StoreError::Stale => {
                Self::new(Code::StoreUnavailable).retry_after(Duration::from_secs(1))
            }
            StoreError::Replaced => {
                Self::new(Code::StoreReplaced).retry_after(Duration::from_secs(1))
            }
            StoreError::OutcomeUnknown => {
                tracing::error!("store outcome unknown");
                Self::new(Code::OutcomeUnknown).retry_after(Duration::from_secs(1))
            }
        }
    }
}
