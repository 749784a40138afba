use super::due;
use super::entry::Line;
use super::records::{Stored, json};
use super::scripts::{CREATE_KEY, REVOKE_KEY};
use super::session::{Said, Session};
use super::users::MAX_RACES;
use crate::domain::{Digest, KeyId, Timestamp, UserId};
use crate::store::lifetime::tombstone_ends;
use crate::store::{Change, KeyRecord, OwnedKey, Recorded, StoreError};

pub(super) async fn create(
    session: &Session,
    key: KeyRecord,
    epoch: Option<u64>,
    max: usize,
) -> Result<Recorded, StoreError> {
    let (keys, record) = (&session.keys, json(&key)?);
    let line = Line::new(Change::Addition);
    for _ in 0..MAX_RACES {
        let owner = session.stored_user(key.user).await?;
        let is_fit = |now| epoch.is_none_or(|epoch| epoch == now);
        let owner = owner.filter(|owner| owner.record.is_active && is_fit(owner.record.epoch));
        let owner = owner.ok_or(StoreError::NotFound)?;
        let call = |call: &mut redis::Cmd| {
            call.arg(6)
                .arg(keys.counter())
                .arg(keys.log())
                .arg(keys.user(key.user))
                .arg(keys.key(key.digest))
                .arg(keys.key_ids())
                .arg(keys.keys_of(key.user));
            line.write(call);
            call.arg(&owner.json)
                .arg(&record)
                .arg(key.id.to_string())
                .arg(key.digest.to_string())
                .arg(expiry(&key))
                .arg(key.created_at.as_millis())
                .arg(max);
        };
        match session.write(&CREATE_KEY, call).await? {
            Said::Written(number) => return Ok(session.recorded(line, number).await),
            Said::TooManyKeys => return Err(StoreError::TooManyKeys { max }),
            Said::Raced => {}
        }
    }
    Err(StoreError::Conflict)
}

pub(super) async fn revoke(
    session: &Session,
    id: KeyId,
    now: Timestamp,
) -> Result<Recorded, StoreError> {
    let keys = &session.keys;
    for _ in 0..MAX_RACES {
        let old = by_id(session, id).await?.ok_or(StoreError::NotFound)?;
        let key = &old.record;
        let revoked_at = key.revoked_at.unwrap_or(now);
        let tombstone = json(&KeyRecord {
            revoked_at: Some(revoked_at),
            ..key.clone()
        })?;
        let line = Line::new(Change::Key {
            user: key.user,
            key: id,
        });
        let call = |call: &mut redis::Cmd| {
            call.arg(5)
                .arg(keys.counter())
                .arg(keys.log())
                .arg(keys.key(key.digest))
                .arg(keys.keys_of(key.user))
                .arg(keys.due());
            line.write(call);
            call.arg(&old.json)
                .arg(&tombstone)
                .arg(key.digest.to_string())
                .arg(due::of_tombstone(key))
                .arg(tombstone_ends(revoked_at).as_millis());
        };
        if let Said::Written(number) = session.write(&REVOKE_KEY, call).await? {
            return Ok(session.recorded(line, number).await);
        }
    }
    Err(StoreError::Conflict)
}

pub(super) async fn by_id(
    session: &Session,
    id: KeyId,
) -> Result<Option<Stored<KeyRecord>>, StoreError> {
    let Some(digest) = session.digest_of(id).await? else {
        return Ok(None);
    };
    session.stored_key(digest).await
}

pub(super) async fn owned(
    session: &Session,
    digest: Digest,
) -> Result<Option<OwnedKey>, StoreError> {
    let Some(key) = session.stored_key(digest).await? else {
        return Ok(None);
    };
    let key = key.into_record();
    let owner = session.stored_user(key.user).await?;
    Ok(Some(OwnedKey {
        key,
        owner: owner.map(Stored::into_record),
    }))
}

/// The keys of a user that were not revoked, in order of their ids.
pub(super) async fn unrevoked(
    session: &Session,
    user: UserId,
) -> Result<Vec<KeyRecord>, StoreError> {
    let keys = session.stored_keys_of(user).await?;
    let keys = keys.into_iter().map(Stored::into_record);
    let mut keys: Vec<_> = keys.filter(|key| key.revoked_at.is_none()).collect();
    keys.sort_by_key(|key| key.id);
    Ok(keys)
}

/// When a key stops to count, as a score.
pub(super) fn expiry(key: &KeyRecord) -> String {
    key.expires_at
        .map_or_else(|| "+inf".to_owned(), |at| at.as_millis().to_string())
}
