use std::sync::Arc;

use super::Freshness;
use crate::domain::{Digest, Email, KeyId, SessionId, Timestamp, UserId};
use crate::store::{
    Answer, KeyRecord, Limit, OwnedKey, Recorded, RevokedSession, SessionView, Store, UserRecord,
    Verdict,
};

/// A store that several nodes share, as long as this node's knowledge of it is fresh.
///
/// While it is not, reads and changes fail at once, whatever the store itself would answer: it may be
/// one that the others have left. Limits alone are counted all the same; they hold as well as they can.
#[derive(Debug)]
pub struct FreshStore {
    store: Arc<dyn Store>,
    freshness: Arc<Freshness>,
}

impl FreshStore {
    /// `store`, while `freshness` says so.
    #[must_use]
    pub const fn new(store: Arc<dyn Store>, freshness: Arc<Freshness>) -> Self {
        Self { store, freshness }
    }

    fn ask<'a, T: Send + 'a>(
        &'a self,
        ask: impl FnOnce(&'a dyn Store) -> Answer<'a, T>,
    ) -> Answer<'a, T> {
        match self.freshness.check() {
            Ok(()) => ask(self.store.as_ref()),
            Err(error) => Box::pin(std::future::ready(Err(error.into()))),
        }
    }
}

impl Store for FreshStore {
    fn session(&self, session: SessionId, user: UserId) -> Answer<'_, SessionView> {
        self.ask(|store| store.session(session, user))
    }

    fn owned_key(&self, digest: Digest) -> Answer<'_, Option<OwnedKey>> {
        self.ask(|store| store.owned_key(digest))
    }

    fn user(&self, id: UserId) -> Answer<'_, Option<UserRecord>> {
        self.ask(|store| store.user(id))
    }

    fn user_by_email<'a>(&'a self, email: &'a Email) -> Answer<'a, Option<UserRecord>> {
        self.ask(|store| store.user_by_email(email))
    }

    fn user_by_reset(&self, token: Digest) -> Answer<'_, Option<UserRecord>> {
        self.ask(|store| store.user_by_reset(token))
    }

    fn users(&self, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<UserRecord>> {
        self.ask(|store| store.users(after, limit))
    }

    fn key(&self, id: KeyId) -> Answer<'_, Option<KeyRecord>> {
        self.ask(|store| store.key(id))
    }

    fn keys_of(&self, user: UserId) -> Answer<'_, Vec<KeyRecord>> {
        self.ask(|store| store.keys_of(user))
    }

    fn create_user(&self, user: UserRecord) -> Answer<'_, Recorded> {
        self.ask(|store| store.create_user(user))
    }

    fn update_user(&self, user: UserRecord) -> Answer<'_, Recorded> {
        self.ask(|store| store.update_user(user))
    }

    fn delete_user(&self, id: UserId, now: Timestamp) -> Answer<'_, Recorded> {
        self.ask(|store| store.delete_user(id, now))
    }

    fn create_key(&self, key: KeyRecord, epoch: Option<u64>, max: usize) -> Answer<'_, Recorded> {
        self.ask(|store| store.create_key(key, epoch, max))
    }

    fn revoke_key(&self, id: KeyId, now: Timestamp) -> Answer<'_, Recorded> {
        self.ask(|store| store.revoke_key(id, now))
    }

    fn revoke_session(&self, session: RevokedSession) -> Answer<'_, Recorded> {
        self.ask(|store| store.revoke_session(session))
    }

    fn last_used<'a>(&'a self, keys: &'a [KeyId]) -> Answer<'a, Vec<Option<Timestamp>>> {
        self.ask(|store| store.last_used(keys))
    }

    fn note_used(&self, used: Vec<(KeyId, Timestamp)>) -> Answer<'_, ()> {
        self.ask(|store| store.note_used(used))
    }

    fn take<'a>(&'a self, limits: &'a [Limit], now: Timestamp) -> Answer<'a, Verdict> {
        self.store.take(limits, now)
    }

    fn knows_address(&self, user: UserId, address: Digest, now: Timestamp) -> Answer<'_, bool> {
        self.ask(|store| store.knows_address(user, address, now))
    }

    fn remember_address(&self, user: UserId, address: Digest, now: Timestamp) -> Answer<'_, ()> {
        self.ask(|store| store.remember_address(user, address, now))
    }

    fn sweep(&self, now: Timestamp) -> Answer<'_, u64> {
        self.ask(|store| store.sweep(now))
    }
}
