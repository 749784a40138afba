//! Where users, API keys, reset tokens and revocations are kept.
//!
//! [`Store`] is the port; what implements it passes one suite of tests (`tests/store`). Every change
//! is one atomic step that checks what it rests on, and answers with the [`Change`] that nodes must
//! hear of. The records are the same JSON in every store.

mod change;
mod embedded;
mod error;
mod feed;
mod key_roll;
mod lifetime;
mod limit;
mod memory_limits;
mod moving;
mod record;
mod redis;

use std::fmt;
use std::pin::Pin;

pub use change::{Change, Durability, Recorded};
pub use embedded::{BackupError, Embedded, Existing, OpenError, RestoreError, import, restore};
pub use error::StoreError;
pub use feed::{Beat, Entry, Feed, ServerId, StoreId};
pub use key_roll::KeyRoll;
pub use limit::{Limit, LimitKey, Verdict};
pub use memory_limits::MemoryLimits;
pub use moving::{
    ExportError, ExportReader, ExportWriter, ImportError, Item, Revival, RevivalReport, RevivedKey,
};
pub use record::{KeyRecord, LiveReset, OwnedKey, RevokedSession, SessionView, UserRecord};
pub use redis::{Finding, Redis, RedisSetupError, Severity};

use crate::domain::{Digest, Email, KeyId, SessionId, Timestamp, UserId};

/// What a store gives back, in its own time.
///
/// Dropping the future of a read abandons it. Dropping the future of a change does not undo it.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Where users, API keys, reset tokens and revocations are kept.
///
/// Reads see every change that was answered before they began.
pub trait Store: Send + Sync + fmt::Debug {
    /// What a session's admission rests on: whether it was revoked, and its user.
    fn session(&self, session: SessionId, user: UserId) -> Answer<'_, SessionView>;

    /// What an API key's admission rests on: its record, revoked ones too, and its owner.
    fn owned_key(&self, digest: Digest) -> Answer<'_, Option<OwnedKey>>;

    /// The user of this id.
    fn user(&self, id: UserId) -> Answer<'_, Option<UserRecord>>;

    /// The user of this address, in its normal form.
    fn user_by_email<'a>(&'a self, email: &'a Email) -> Answer<'a, Option<UserRecord>>;

    /// The user whose one live reset token has this digest. It may have expired.
    fn user_by_reset(&self, token: Digest) -> Answer<'_, Option<UserRecord>>;

    /// At most `limit` users in order of their ids, which is that of creation, after `after`.
    fn users(&self, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<UserRecord>>;

    /// The API key of this id, revoked ones too while their tombstone stands.
    fn key(&self, id: KeyId) -> Answer<'_, Option<KeyRecord>>;

    /// The keys of a user that were not revoked, oldest first. They may have expired.
    fn keys_of(&self, user: UserId) -> Answer<'_, Vec<KeyRecord>>;

    /// Adds a user.
    ///
    /// # Errors
    ///
    /// [`StoreError::EmailTaken`].
    fn create_user(&self, user: UserRecord) -> Answer<'_, Recorded>;

    /// Writes a user whose `version` is still the one that was read; the store counts it up.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when the record was changed since it was
    /// read (read it again); [`StoreError::EmailTaken`]; [`StoreError::LastAdmin`] when no active
    /// administrator would be left.
    fn update_user(&self, user: UserRecord) -> Answer<'_, Recorded>;

    /// Deletes a user and all their keys; keys keep tombstones.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`]; [`StoreError::LastAdmin`].
    fn delete_user(&self, id: UserId, now: Timestamp) -> Answer<'_, Recorded>;

    /// Adds an API key, when its owner is there and active, their session epoch is still `epoch`
    /// (where one is given) and they have fewer than `max` keys that work at the key's `created_at`.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] when the owner is gone, inactive, or their epoch another;
    /// [`StoreError::TooManyKeys`].
    fn create_key(&self, key: KeyRecord, epoch: Option<u64>, max: usize) -> Answer<'_, Recorded>;

    /// Revokes an API key and leaves a tombstone. Revoking it again is no error and moves nothing:
    /// the first moment stands.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`].
    fn revoke_key(&self, id: KeyId, now: Timestamp) -> Answer<'_, Recorded>;

    /// Revokes one session until its token has surely expired.
    fn revoke_session(&self, session: RevokedSession) -> Answer<'_, Recorded>;

    /// When each of these keys was last used, where that is known, in their order.
    fn last_used<'a>(&'a self, keys: &'a [KeyId]) -> Answer<'a, Vec<Option<Timestamp>>>;

    /// Notes when keys were last used. An earlier time never replaces a later one.
    fn note_used(&self, used: Vec<(KeyId, Timestamp)>) -> Answer<'_, ()>;

    /// Takes one from each of `limits`, or from none of them when one is used up.
    fn take<'a>(&'a self, limits: &'a [Limit], now: Timestamp) -> Answer<'a, Verdict>;

    /// Whether the owner of this account logged in from this address in the time that is remembered.
    fn knows_address(&self, user: UserId, address: Digest, now: Timestamp) -> Answer<'_, bool>;

    /// Remembers that the owner of this account logged in from this address.
    fn remember_address(&self, user: UserId, address: Digest, now: Timestamp) -> Answer<'_, ()>;

    /// Forgets what has had its time: tombstones, revoked sessions, addresses, spent limits.
    /// Answers how many records it removed.
    fn sweep(&self, now: Timestamp) -> Answer<'_, u64>;
}
