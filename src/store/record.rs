use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{
    ApiKey, Digest, Email, KeyId, KeyName, Role, SessionId, Timestamp, UserId, UserName,
};

/// A user, as every store keeps it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    /// Which user; ids sort by creation.
    pub id: UserId,
    /// Their address.
    pub email: Email,
    /// What they are called.
    pub name: UserName,
    /// What they may do.
    pub role: Role,
    /// Whether they may do anything.
    pub is_active: bool,
    /// When they were added.
    pub created_at: Timestamp,
    /// Their password as a PHC string (argon2id).
    pub password: String,
    /// Which sessions are theirs: those whose token carries this number.
    pub epoch: u64,
    /// How often the record was written; a writer names the version it read.
    pub version: u64,
    /// The one live reset token, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<LiveReset>,
}

impl UserRecord {
    /// An active user as they are first written, with no password that any fits.
    #[must_use]
    pub fn new(email: Email, name: UserName, role: Role, created_at: Timestamp) -> Self {
        Self {
            id: UserId::new(),
            email,
            name,
            role,
            is_active: true,
            created_at,
            password: String::new(),
            epoch: 1,
            version: 1,
            reset: None,
        }
    }
}

/// Without the password's hash.
impl fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserRecord")
            .field("id", &self.id)
            .field("role", &self.role)
            .field("is_active", &self.is_active)
            .field("epoch", &self.epoch)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// A mailed reset token that was not spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveReset {
    /// SHA-256 of the token.
    pub digest: Digest,
    /// From when on it does not work.
    pub expires_at: Timestamp,
}

/// An API key, as every store keeps it: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Which key; ids sort by creation.
    pub id: KeyId,
    /// Whose.
    pub user: UserId,
    /// What its owner calls it.
    pub name: KeyName,
    /// Its first characters, for lists.
    pub shown_prefix: String,
    /// SHA-256 of the key.
    pub digest: Digest,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it does not work, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked: the record is a tombstone since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

impl KeyRecord {
    /// What is kept of a new key of `user`, which never expires.
    #[must_use]
    pub fn new(key: &ApiKey, user: UserId, name: KeyName, created_at: Timestamp) -> Self {
        Self {
            id: KeyId::new(),
            user,
            name,
            shown_prefix: key.shown_prefix().to_owned(),
            digest: key.digest(),
            created_at,
            expires_at: None,
            revoked_at: None,
        }
    }

    /// Whether it has had its time at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// An API key with its owner.
#[derive(Debug, Clone)]
pub struct OwnedKey {
    /// The key.
    pub key: KeyRecord,
    /// Its owner, unless they were deleted.
    pub owner: Option<UserRecord>,
}

/// What a session's admission rests on.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// Whether this one session was revoked.
    pub is_revoked: bool,
    /// Its user, unless they were deleted.
    pub user: Option<UserRecord>,
}

/// A session that ended before its token expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedSession {
    /// Which.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// From when on nobody needs to remember it: its token's expiry and an hour, for clocks that differ.
    pub forget_at: Timestamp,
}
