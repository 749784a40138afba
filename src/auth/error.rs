use std::time::Duration;

use super::TokenError;
use crate::domain::ApiKeyError;
use crate::http::{ApiError, Code};
use crate::revocation::NotFresh;
use crate::store::StoreError;

/// Why a credential is not admitted.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// It is no session token of ours, or not any more.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It is no API key.
    #[error(transparent)]
    Key(#[from] ApiKeyError),
    /// No such API key was ever made, or its tombstone is gone.
    #[error("the API key is unknown")]
    KeyUnknown,
    /// The API key was revoked.
    #[error("the API key was revoked")]
    KeyRevoked,
    /// The API key has expired.
    #[error("the API key has expired")]
    KeyExpired,
    /// The session was revoked, alone or with all of the user's.
    #[error("the session was revoked")]
    SessionRevoked,
    /// The user is gone or inactive.
    #[error("the user is not active")]
    UserInactive,
    /// The store could not be asked.
    #[error("the credential could not be checked")]
    Store(#[from] StoreError),
    /// The principal changed again and again while it was asked for.
    #[error("the principal is being changed too often to be read")]
    Unsteady,
}

impl From<NotFresh> for AuthError {
    fn from(error: NotFresh) -> Self {
        Self::Store(error.into())
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Token(error) => error.into(),
            AuthError::Key(_) => Self::new(Code::CredentialMalformed),
            AuthError::KeyUnknown => Self::new(Code::KeyUnknown),
            AuthError::KeyRevoked => Self::new(Code::KeyRevoked),
            AuthError::KeyExpired => Self::new(Code::KeyExpired),
            AuthError::SessionRevoked => Self::new(Code::SessionRevoked),
            AuthError::UserInactive => Self::new(Code::UserInactive),
            AuthError::Store(error) => error.into(),
            AuthError::Unsteady => {
                Self::new(Code::StoreUnavailable).retry_after(Duration::from_secs(1))
            }
        }
    }
}
