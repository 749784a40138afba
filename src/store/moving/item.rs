use serde::{Deserialize, Serialize};

use crate::domain::{Digest, KeyId, Timestamp, UserId};
use crate::store::{KeyRecord, RevokedSession, UserRecord};

/// One thing that a store holds. Rate limits are none: they begin anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// A user.
    User(UserRecord),
    /// An API key; a tombstone too.
    Key(KeyRecord),
    /// A session that ended before its token expires.
    RevokedSession(RevokedSession),
    /// When a key was last used.
    LastUsed {
        /// Which key.
        key: KeyId,
        /// When.
        at: Timestamp,
    },
    /// That a user has logged in from an address.
    Address {
        /// Who.
        user: UserId,
        /// The address's digest.
        address: Digest,
        /// When they last did.
        at: Timestamp,
    },
}
