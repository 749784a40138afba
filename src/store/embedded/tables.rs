use redb::{
    ReadTransaction, ReadableDatabase as _, ReadableTable, Table, TableDefinition,
    TableHandle as _, WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::fault::Fault;
use crate::domain::{KeyId, UserId};
use crate::store::{KeyRecord, StoreError, UserRecord};

/// The sixteen bytes of an id.
pub(super) type Id = &'static [u8; 16];
/// The bytes of a SHA-256.
pub(super) type Hash = &'static [u8; 32];
/// A record as JSON, the same in every store.
pub(super) type Json = &'static [u8];
/// When to look at a record again, its kind, and its key: see [`super::sweep`].
pub(super) type Due = (i64, u8, &'static [u8]);

/// User → record.
pub(super) const USERS: TableDefinition<'_, Id, Json> = TableDefinition::new("users");
/// Normal email → user.
pub(super) const EMAILS: TableDefinition<'_, &str, Id> = TableDefinition::new("emails");
/// Digest of the live reset token → user.
pub(super) const RESETS: TableDefinition<'_, Hash, Id> = TableDefinition::new("resets");
/// Active administrators.
pub(super) const ADMINS: TableDefinition<'_, Id, ()> = TableDefinition::new("admins");
/// Digest of an API key → record; tombstones too.
pub(super) const KEYS: TableDefinition<'_, Hash, Json> = TableDefinition::new("keys");
/// API key → its digest; tombstones too.
pub(super) const KEY_IDS: TableDefinition<'_, Id, Hash> = TableDefinition::new("key_ids");
/// User and API key, of those that were not revoked.
pub(super) const USER_KEYS: TableDefinition<'_, (Id, Id), ()> = TableDefinition::new("user_keys");
/// API key → when it was last used, in milliseconds.
pub(super) const LAST_USED: TableDefinition<'_, Id, i64> = TableDefinition::new("last_used");
/// Revoked session → record.
pub(super) const REVOKED: TableDefinition<'_, Id, Json> = TableDefinition::new("revoked_sessions");
/// User and digest of an address → when they last logged in from it, in milliseconds.
pub(super) const ADDRESSES: TableDefinition<'_, (Id, Hash), i64> =
    TableDefinition::new("addresses");
/// What the sweep looks at, and when.
pub(super) const DUE: TableDefinition<'_, Due, ()> = TableDefinition::new("due");
/// What the file is: `format`, `id`, `commits`.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// How the tables and records are laid out; counted up when an older gateway could misread them.
pub(super) const FORMAT: u64 = 1;

/// Every table, in one transaction that changes them.
pub(super) struct Tables<'t> {
    pub(super) users: Table<'t, Id, Json>,
    pub(super) emails: Table<'t, &'static str, Id>,
    pub(super) resets: Table<'t, Hash, Id>,
    pub(super) admins: Table<'t, Id, ()>,
    pub(super) keys: Table<'t, Hash, Json>,
    pub(super) key_ids: Table<'t, Id, Hash>,
    pub(super) user_keys: Table<'t, (Id, Id), ()>,
    pub(super) last_used: Table<'t, Id, i64>,
    pub(super) revoked: Table<'t, Id, Json>,
    pub(super) addresses: Table<'t, (Id, Hash), i64>,
    pub(super) due: Table<'t, Due, ()>,
    meta: Table<'t, &'static str, &'static [u8]>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            users: transaction.open_table(USERS)?,
            emails: transaction.open_table(EMAILS)?,
            resets: transaction.open_table(RESETS)?,
            admins: transaction.open_table(ADMINS)?,
            keys: transaction.open_table(KEYS)?,
            key_ids: transaction.open_table(KEY_IDS)?,
            user_keys: transaction.open_table(USER_KEYS)?,
            last_used: transaction.open_table(LAST_USED)?,
            revoked: transaction.open_table(REVOKED)?,
            addresses: transaction.open_table(ADDRESSES)?,
            due: transaction.open_table(DUE)?,
            meta: transaction.open_table(META)?,
        })
    }

    /// Makes this a store of its own, that no node takes for another.
    pub(super) fn found(&mut self) -> Result<(), Fault> {
        self.meta
            .insert("format", FORMAT.to_le_bytes().as_slice())?;
        let id = Uuid::now_v7();
        self.meta.insert("id", id.as_bytes().as_slice())?;
        Ok(())
    }

    /// Numbers this commit, so that after a failure the file itself says whether it was written.
    pub(super) fn number_commit(&mut self) -> Result<u64, Fault> {
        let last = self
            .meta
            .get("commits")?
            .map_or(0, |last| number(last.value()));
        let next = last.wrapping_add(1);
        self.meta.insert("commits", next.to_le_bytes().as_slice())?;
        Ok(next)
    }

    pub(super) fn user(&self, id: UserId) -> Result<Option<UserRecord>, Fault> {
        record(&self.users, id.as_bytes())
    }

    pub(super) fn key(&self, id: KeyId) -> Result<Option<KeyRecord>, Fault> {
        let Some(digest) = self.key_ids.get(id.as_bytes())? else {
            return Ok(None);
        };
        record(&self.keys, digest.value())
    }

    pub(super) fn put_user(&mut self, user: &UserRecord) -> Result<(), Fault> {
        self.users
            .insert(user.id.as_bytes(), json(user)?.as_slice())?;
        Ok(())
    }

    pub(super) fn put_key(&mut self, key: &KeyRecord) -> Result<(), Fault> {
        self.keys
            .insert(key.digest.as_bytes(), json(key)?.as_slice())?;
        Ok(())
    }
}

impl std::fmt::Debug for Tables<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tables(..)")
    }
}

/// What the table `meta` says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) format: u64,
    pub(super) id: Uuid,
    pub(super) commits: u64,
}

impl Meta {
    /// `None` when the file is a database, but none of ours.
    pub(super) fn read(database: &redb::Database) -> Result<Option<Self>, Fault> {
        let transaction = database.begin_read()?;
        if !transaction
            .list_tables()?
            .any(|table| table.name() == META.name())
        {
            return Ok(None);
        }
        let meta = transaction.open_table(META)?;
        let (Some(format), Some(id)) = (meta.get("format")?, meta.get("id")?) else {
            return Ok(None);
        };
        let Ok(id) = Uuid::from_slice(id.value()) else {
            return Ok(None);
        };
        let commits = meta.get("commits")?;
        Ok(Some(Self {
            format: number(format.value()),
            id,
            commits: commits.map_or(0, |commits| number(commits.value())),
        }))
    }
}

/// The record of `key` in `table`.
pub(super) fn record<K: redb::Key + 'static, T: DeserializeOwned>(
    table: &impl ReadableTable<K, Json>,
    key: K::SelfType<'_>,
) -> Result<Option<T>, Fault> {
    table
        .get(key)?
        .map(|found| parsed(found.value()))
        .transpose()
}

/// The user whose id stands under `key` in the index `index`.
pub(super) fn user_by<K: redb::Key + 'static>(
    transaction: &ReadTransaction,
    index: TableDefinition<'_, K, Id>,
    key: K::SelfType<'_>,
) -> Result<Option<UserRecord>, Fault> {
    let Some(id) = transaction.open_table(index)?.get(key)? else {
        return Ok(None);
    };
    record(&transaction.open_table(USERS)?, id.value())
}

pub(super) fn parsed<T: DeserializeOwned>(json: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(json).map_err(|error| {
        let reason = "a record cannot be read; restore a backup with `store restore`";
        StoreError::unavailable(reason, error).into()
    })
}

pub(super) fn json<T: Serialize>(record: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(record).map_err(|error| {
        StoreError::unavailable("a record cannot be written as JSON", error).into()
    })
}

fn number(bytes: &[u8]) -> u64 {
    <[u8; 8]>::try_from(bytes).map_or(u64::MAX, u64::from_le_bytes)
}
