use crate::auth::{AuthError, HashError, IssueError, RandomError, Throttled};
use crate::domain::UserId;
use crate::http::{ApiError, Code, FieldError};
use crate::mail::QueueFull;
use crate::revocation::Ended;
use crate::store::StoreError;

/// Why something was not done. Nothing was changed, but for [`StoreError::OutcomeUnknown`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The caller's role may not do this.
    #[error("the role may not do this")]
    NotAllowed,
    /// Only a session may do this.
    #[error("only a session may do this")]
    SessionRequired,
    /// The caller's credential was revoked before anything was written.
    #[error("the credential was revoked meanwhile")]
    Ended(Ended),
    /// The caller's user, role or credential changed, and does not work any more.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// Unknown account, wrong password or inactive user: the client never learns which.
    #[error("email or password is wrong")]
    LoginFailed {
        /// Whose account it is, for the audit line alone.
        user: Option<UserId>,
    },
    /// The current password is wrong.
    #[error("the current password is wrong")]
    PasswordWrong,
    /// The reset token is unknown, spent, replaced or expired.
    #[error("the reset token does not work")]
    ResetTokenInvalid,
    /// Nobody deletes their own account.
    #[error("nobody can delete their own account")]
    OwnAccount,
    /// There is no such user or key, or the caller may not know.
    #[error("there is no such record")]
    NotFound,
    /// Fields that are well-formed and not valid.
    #[error("{} fields are not valid", .0.len())]
    Invalid(Vec<FieldError>),
    /// Too many attempts, or the brake could not be asked.
    #[error(transparent)]
    Brake(#[from] Throttled),
    /// The password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// Too many mails are waiting.
    #[error(transparent)]
    Mail(#[from] QueueFull),
    /// No session token could be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// No secret could be made.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AccountError {
    /// Whose account a log-in was refused for, where it is known. For the audit line alone.
    #[must_use]
    pub const fn account(&self) -> Option<UserId> {
        match self {
            Self::LoginFailed { user } => *user,
            _ => None,
        }
    }

    /// One field is not valid.
    pub(super) fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError {
            field,
            message: message.into(),
        }])
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::NotAllowed => Self::new(Code::NotAllowed),
            AccountError::SessionRequired => Self::new(Code::SessionRequired),
            AccountError::Ended(ended) => ended.into(),
            AccountError::Auth(error) => error.into(),
            AccountError::LoginFailed { .. } => Self::new(Code::LoginFailed),
            AccountError::PasswordWrong => Self::new(Code::PasswordWrong),
            AccountError::ResetTokenInvalid => Self::new(Code::ResetTokenInvalid),
            AccountError::OwnAccount => Self::new(Code::OwnAccount),
            AccountError::NotFound => Self::new(Code::NotFound),
            AccountError::Invalid(fields) => Self::invalid(fields),
            AccountError::Brake(error) => error.into(),
            AccountError::Hash(error) => error.into(),
            AccountError::Mail(error) => error.into(),
            AccountError::Issue(error) => error.into(),
            AccountError::Random(error) => error.into(),
            AccountError::Store(error) => error.into(),
        }
    }
}
