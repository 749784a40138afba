use std::sync::Arc;

use dariet_gateway::domain::{Digest, Email, KeyId, SessionId, Timestamp, UserId};
use dariet_gateway::store::{
    Answer, Embedded, KeyRecord, Limit, OwnedKey, Recorded, RevokedSession, SessionView, Store,
    StoreError, UserRecord, Verdict,
};
use parking_lot::Mutex;

/// A real store that fails when a test wants it to.
#[derive(Debug)]
pub(crate) struct Flaky {
    store: Arc<Embedded>,
    trouble: Mutex<Option<Trouble>>,
}

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It cannot be asked for anything.
    Down,
    /// It cannot be asked for users in bulk.
    NoLists,
    /// It writes, and does not say so.
    Silent,
    /// Somebody else is faster, this many times.
    Contended(u32),
}

impl Flaky {
    pub(crate) fn new(store: Arc<Embedded>) -> Self {
        Self {
            store,
            trouble: Mutex::new(None),
        }
    }

    pub(crate) fn set(&self, trouble: Option<Trouble>) {
        *self.trouble.lock() = trouble;
    }

    fn read<'a, T: Send + 'a>(&'a self, answer: Answer<'a, T>) -> Answer<'a, T> {
        match *self.trouble.lock() {
            Some(Trouble::Down) => refusal(StoreError::unavailable("it is down", "a test")),
            _ => answer,
        }
    }

    fn write<'a>(&'a self, answer: Answer<'a, Recorded>) -> Answer<'a, Recorded> {
        let mut trouble = self.trouble.lock();
        match *trouble {
            Some(Trouble::Down) => refusal(StoreError::unavailable("it is down", "a test")),
            Some(Trouble::Silent) => Box::pin(async {
                let _written = answer.await?;
                Err(StoreError::OutcomeUnknown)
            }),
            Some(Trouble::Contended(times)) if times > 0 => {
                *trouble = Some(Trouble::Contended(times - 1));
                refusal(StoreError::Conflict)
            }
            _ => answer,
        }
    }
}

fn refusal<'a, T: Send + 'a>(error: StoreError) -> Answer<'a, T> {
    Box::pin(async { Err(error) })
}

impl Store for Flaky {
    fn session(&self, session: SessionId, user: UserId) -> Answer<'_, SessionView> {
        self.read(self.store.session(session, user))
    }

    fn owned_key(&self, digest: Digest) -> Answer<'_, Option<OwnedKey>> {
        self.read(self.store.owned_key(digest))
    }

    fn user(&self, id: UserId) -> Answer<'_, Option<UserRecord>> {
        self.read(self.store.user(id))
    }

    fn user_by_email<'a>(&'a self, email: &'a Email) -> Answer<'a, Option<UserRecord>> {
        self.read(self.store.user_by_email(email))
    }

    fn user_by_reset(&self, token: Digest) -> Answer<'_, Option<UserRecord>> {
        self.read(self.store.user_by_reset(token))
    }

    fn users(&self, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<UserRecord>> {
        if *self.trouble.lock() == Some(Trouble::NoLists) {
            return refusal(StoreError::unavailable("no lists", "a test"));
        }
        self.read(self.store.users(after, limit))
    }

    fn key(&self, id: KeyId) -> Answer<'_, Option<KeyRecord>> {
        self.read(self.store.key(id))
    }

    fn keys_of(&self, user: UserId) -> Answer<'_, Vec<KeyRecord>> {
        self.read(self.store.keys_of(user))
    }

    fn create_user(&self, user: UserRecord) -> Answer<'_, Recorded> {
        self.write(self.store.create_user(user))
    }

    fn update_user(&self, user: UserRecord) -> Answer<'_, Recorded> {
        self.write(self.store.update_user(user))
    }

    fn delete_user(&self, id: UserId, now: Timestamp) -> Answer<'_, Recorded> {
        self.write(self.store.delete_user(id, now))
    }

    fn create_key(&self, key: KeyRecord, epoch: Option<u64>, max: usize) -> Answer<'_, Recorded> {
        self.write(self.store.create_key(key, epoch, max))
    }

    fn revoke_key(&self, id: KeyId, now: Timestamp) -> Answer<'_, Recorded> {
        self.write(self.store.revoke_key(id, now))
    }

    fn revoke_session(&self, session: RevokedSession) -> Answer<'_, Recorded> {
        self.write(self.store.revoke_session(session))
    }

    fn last_used<'a>(&'a self, keys: &'a [KeyId]) -> Answer<'a, Vec<Option<Timestamp>>> {
        self.read(self.store.last_used(keys))
    }

    fn note_used(&self, used: Vec<(KeyId, Timestamp)>) -> Answer<'_, ()> {
        self.read(self.store.note_used(used))
    }

    fn take<'a>(&'a self, limits: &'a [Limit], now: Timestamp) -> Answer<'a, Verdict> {
        self.read(self.store.take(limits, now))
    }

    fn knows_address(&self, user: UserId, address: Digest, now: Timestamp) -> Answer<'_, bool> {
        self.read(self.store.knows_address(user, address, now))
    }

    fn remember_address(&self, user: UserId, address: Digest, now: Timestamp) -> Answer<'_, ()> {
        self.read(self.store.remember_address(user, address, now))
    }

    fn sweep(&self, now: Timestamp) -> Answer<'_, u64> {
        self.read(self.store.sweep(now))
    }
}
