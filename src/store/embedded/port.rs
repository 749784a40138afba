use std::ops::Bound;

use super::tables::{
    ADDRESSES, EMAILS, KEY_IDS, KEYS, LAST_USED, RESETS, REVOKED, USER_KEYS, USERS, parsed, record,
    user_by,
};
use super::{Embedded, keys, sweep, traces, users};
use crate::domain::{Digest, Email, KeyId, SessionId, Timestamp, UserId};
use crate::store::lifetime::address_ends;
use crate::store::{
    Answer, KeyRecord, Limit, OwnedKey, Recorded, RevokedSession, SessionView, Store, UserRecord,
    Verdict,
};

impl Store for Embedded {
    fn session(&self, session: SessionId, user: UserId) -> Answer<'_, SessionView> {
        self.read(move |view| {
            let revoked = view.open_table(REVOKED)?.get(session.as_bytes())?;
            Ok(SessionView {
                is_revoked: revoked.is_some(),
                user: record(&view.open_table(USERS)?, user.as_bytes())?,
            })
        })
    }

    fn owned_key(&self, digest: Digest) -> Answer<'_, Option<OwnedKey>> {
        self.read(move |view| {
            let key: Option<KeyRecord> = record(&view.open_table(KEYS)?, digest.as_bytes())?;
            let Some(key) = key else {
                return Ok(None);
            };
            let owner = record(&view.open_table(USERS)?, key.user.as_bytes())?;
            Ok(Some(OwnedKey { key, owner }))
        })
    }

    fn user(&self, id: UserId) -> Answer<'_, Option<UserRecord>> {
        self.read(move |view| record(&view.open_table(USERS)?, id.as_bytes()))
    }

    fn user_by_email<'a>(&'a self, email: &'a Email) -> Answer<'a, Option<UserRecord>> {
        self.read(move |view| user_by(view, EMAILS, email.normal()))
    }

    fn user_by_reset(&self, token: Digest) -> Answer<'_, Option<UserRecord>> {
        self.read(move |view| user_by(view, RESETS, token.as_bytes()))
    }

    fn users(&self, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<UserRecord>> {
        self.read(move |view| {
            let users = view.open_table(USERS)?;
            let first = after
                .as_ref()
                .map_or(Bound::Unbounded, |after| Bound::Excluded(after.as_bytes()));
            let page = users.range::<&[u8; 16]>((first, Bound::Unbounded))?;
            page.take(limit)
                .map(|entry| parsed(entry?.1.value()))
                .collect()
        })
    }

    fn key(&self, id: KeyId) -> Answer<'_, Option<KeyRecord>> {
        self.read(move |view| {
            let Some(digest) = view.open_table(KEY_IDS)?.get(id.as_bytes())? else {
                return Ok(None);
            };
            record(&view.open_table(KEYS)?, digest.value())
        })
    }

    fn keys_of(&self, user: UserId) -> Answer<'_, Vec<KeyRecord>> {
        self.read(move |view| {
            let (user_keys, ids) = (view.open_table(USER_KEYS)?, view.open_table(KEY_IDS)?);
            keys::unrevoked(&user_keys, &ids, &view.open_table(KEYS)?, user)
        })
    }

    fn create_user(&self, user: UserRecord) -> Answer<'_, Recorded> {
        self.record(move |tables| users::create(tables, &user))
    }

    fn update_user(&self, user: UserRecord) -> Answer<'_, Recorded> {
        self.record(move |tables| users::update(tables, user))
    }

    fn delete_user(&self, id: UserId, now: Timestamp) -> Answer<'_, Recorded> {
        self.record(move |tables| users::delete(tables, id, now))
    }

    fn create_key(&self, key: KeyRecord, epoch: Option<u64>, max: usize) -> Answer<'_, Recorded> {
        self.record(move |tables| keys::create(tables, &key, epoch, max))
    }

    fn revoke_key(&self, id: KeyId, now: Timestamp) -> Answer<'_, Recorded> {
        self.record(move |tables| keys::revoke(tables, id, now))
    }

    fn revoke_session(&self, session: RevokedSession) -> Answer<'_, Recorded> {
        self.record(move |tables| traces::revoke_session(tables, &session))
    }

    fn last_used<'a>(&'a self, keys: &'a [KeyId]) -> Answer<'a, Vec<Option<Timestamp>>> {
        self.read(move |view| {
            let used = view.open_table(LAST_USED)?;
            keys.iter()
                .map(|key| {
                    let at = used.get(key.as_bytes())?;
                    Ok(at.map(|at| Timestamp::from_millis(at.value())))
                })
                .collect()
        })
    }

    fn note_used(&self, used: Vec<(KeyId, Timestamp)>) -> Answer<'_, ()> {
        self.write(move |tables| traces::note_used(tables, &used))
    }

    fn take<'a>(&'a self, limits: &'a [Limit], now: Timestamp) -> Answer<'a, Verdict> {
        Box::pin(async move { Ok(self.limits.take(limits, now)) })
    }

    fn knows_address(&self, user: UserId, address: Digest, now: Timestamp) -> Answer<'_, bool> {
        self.read(move |view| {
            let addresses = view.open_table(ADDRESSES)?;
            let last = addresses.get((user.as_bytes(), address.as_bytes()))?;
            let last = last.map(|last| Timestamp::from_millis(last.value()));
            Ok(last.is_some_and(|last| address_ends(last) > now))
        })
    }

    fn remember_address(&self, user: UserId, address: Digest, now: Timestamp) -> Answer<'_, ()> {
        self.write(move |tables| traces::remember_address(tables, user, address, now))
    }

    fn sweep(&self, now: Timestamp) -> Answer<'_, u64> {
        Box::pin(async move {
            let mut removed = self.limits.sweep(now);
            loop {
                let batch = self.write(move |tables| sweep::batch(tables, now)).await?;
                removed = removed.saturating_add(batch.removed);
                if !batch.is_full {
                    return Ok(removed);
                }
            }
        })
    }
}
