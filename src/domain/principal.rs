use super::{Email, KeyId, Role, SessionId, UserId, UserName};

/// Who a valid credential speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Which user.
    pub user: UserId,
    /// Their address, as it was typed when it was set.
    pub email: Email,
    /// What they are called.
    pub name: UserName,
    /// What they may do.
    pub role: Role,
    /// By which credential they were recognised.
    pub credential: CredentialId,
}

impl Principal {
    /// By which kind of credential they were recognised.
    #[must_use]
    pub const fn method(&self) -> Method {
        match self.credential {
            CredentialId::Session(_) => Method::Session,
            CredentialId::Key(_) => Method::ApiKey,
        }
    }
}

/// Which credential, without the secret in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialId {
    /// A session token's `jti`.
    Session(SessionId),
    /// An API key's id.
    Key(KeyId),
}

/// The kind of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// A session token, made at log-in.
    Session,
    /// An API key.
    ApiKey,
}

impl Method {
    /// The word for it in headers and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::ApiKey => "api_key",
        }
    }
}
