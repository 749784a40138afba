use redb::ReadableTable;

use super::fault::Fault;
use super::sweep::{self, Kind};
use super::tables::{Hash, Id, Json, Tables, record};
use crate::domain::{KeyId, Timestamp, UserId};
use crate::store::lifetime::tombstone_ends;
use crate::store::{Change, KeyRecord, StoreError};

/// Adds an API key for an owner who is active, at `epoch` where one is given, and has fewer than
/// `max` keys that work.
pub(super) fn create(
    tables: &mut Tables<'_>,
    key: &KeyRecord,
    epoch: Option<u64>,
    max: usize,
) -> Result<Change, Fault> {
    let owner = tables.user(key.user)?;
    let is_fit = |epoch_now| epoch.is_none_or(|epoch| epoch == epoch_now);
    if !owner.is_some_and(|owner| owner.is_active && is_fit(owner.epoch)) {
        return Err(StoreError::NotFound.into());
    }
    let (id, digest) = (key.id.as_bytes(), key.digest.as_bytes());
    if tables.key_ids.get(id)?.is_some() || tables.keys.get(digest)?.is_some() {
        return Err(StoreError::Conflict.into());
    }
    let keys = unrevoked(&tables.user_keys, &tables.key_ids, &tables.keys, key.user)?;
    let working = keys
        .iter()
        .filter(|other| !other.is_expired(key.created_at));
    if working.count() >= max {
        return Err(StoreError::TooManyKeys { max }.into());
    }

    tables.put_key(key)?;
    tables.key_ids.insert(id, digest)?;
    tables.user_keys.insert((key.user.as_bytes(), id), ())?;
    Ok(Change::Addition)
}

/// Revokes an API key; the first moment stands.
pub(super) fn revoke(tables: &mut Tables<'_>, id: KeyId, now: Timestamp) -> Result<Change, Fault> {
    let key = tables.key(id)?.ok_or(StoreError::NotFound)?;
    let change = Change::Key {
        user: key.user,
        key: id,
    };
    if key.revoked_at.is_none() {
        bury(tables, key, now)?;
    }
    Ok(change)
}

/// Makes a tombstone of a key.
pub(super) fn bury(
    tables: &mut Tables<'_>,
    mut key: KeyRecord,
    now: Timestamp,
) -> Result<(), Fault> {
    key.revoked_at = Some(now);
    tables.put_key(&key)?;
    let id = key.id.as_bytes();
    tables.user_keys.remove((key.user.as_bytes(), id))?;
    sweep::schedule(tables, Kind::Tombstone, id, tombstone_ends(now))
}

/// The keys of a user that were not revoked, in order of their ids.
pub(super) fn unrevoked(
    user_keys: &impl ReadableTable<(Id, Id), ()>,
    key_ids: &impl ReadableTable<Id, Hash>,
    keys: &impl ReadableTable<Hash, Json>,
    user: UserId,
) -> Result<Vec<KeyRecord>, Fault> {
    let (first, last) = (&[0; 16], &[u8::MAX; 16]);
    let mut found = Vec::new();
    for entry in user_keys.range((user.as_bytes(), first)..=(user.as_bytes(), last))? {
        let (entry, ()) = entry.map(|(key, nothing)| (key, nothing.value()))?;
        let (_, id) = entry.value();
        let Some(digest) = key_ids.get(id)? else {
            continue;
        };
        found.extend(record::<_, KeyRecord>(keys, digest.value())?);
    }
    Ok(found)
}
