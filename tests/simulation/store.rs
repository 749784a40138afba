//! The store as a node of the simulation reads it: each read is a message that may come late or never.

use std::sync::Arc;

use dariet_gateway::domain::{Digest, Email, KeyId, SessionId, Timestamp, UserId};
use dariet_gateway::store::{
    Answer, KeyRecord, Limit, OwnedKey, Recorded, RevokedSession, SessionView, Store, StoreError,
    UserRecord, Verdict,
};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// A question on its way to a server.
pub(crate) enum Ask {
    Session(SessionId, UserId, oneshot::Sender<SessionView>),
    OwnedKey(Digest, oneshot::Sender<Option<OwnedKey>>),
    User(UserId, oneshot::Sender<Option<UserRecord>>),
    Key(KeyId, oneshot::Sender<Option<KeyRecord>>),
}

/// Reads that wait to be sent. A question that is dropped is one whose link was lost.
#[derive(Debug, Default)]
pub(crate) struct Linked(Mutex<Vec<Ask>>);

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ask")
    }
}

impl Linked {
    pub(crate) fn take(&self) -> Vec<Ask> {
        std::mem::take(&mut *self.0.lock())
    }

    fn ask<T: Send + 'static>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Answer<'_, T> {
        let (sender, receiver) = oneshot::channel();
        self.0.lock().push(ask(sender));
        Box::pin(async move { receiver.await.map_err(|_| unavailable()) })
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable {
        reason: "the link is lost".to_owned(),
        source: None,
    }
}

fn none<'a, T: Send + 'a>() -> Answer<'a, T> {
    Box::pin(async { Err(unavailable()) })
}

pub(crate) type Shared = Arc<Linked>;

impl Store for Linked {
    fn session(&self, session: SessionId, user: UserId) -> Answer<'_, SessionView> {
        self.ask(|sender| Ask::Session(session, user, sender))
    }

    fn owned_key(&self, digest: Digest) -> Answer<'_, Option<OwnedKey>> {
        self.ask(|sender| Ask::OwnedKey(digest, sender))
    }

    fn user(&self, id: UserId) -> Answer<'_, Option<UserRecord>> {
        self.ask(|sender| Ask::User(id, sender))
    }

    fn key(&self, id: KeyId) -> Answer<'_, Option<KeyRecord>> {
        self.ask(|sender| Ask::Key(id, sender))
    }

    fn user_by_email<'a>(&'a self, _: &'a Email) -> Answer<'a, Option<UserRecord>> {
        none()
    }

    fn user_by_reset(&self, _: Digest) -> Answer<'_, Option<UserRecord>> {
        none()
    }

    fn users(&self, _: Option<UserId>, _: usize) -> Answer<'_, Vec<UserRecord>> {
        none()
    }

    fn keys_of(&self, _: UserId) -> Answer<'_, Vec<KeyRecord>> {
        none()
    }

    fn create_user(&self, _: UserRecord) -> Answer<'_, Recorded> {
        none()
    }

    fn update_user(&self, _: UserRecord) -> Answer<'_, Recorded> {
        none()
    }

    fn delete_user(&self, _: UserId, _: Timestamp) -> Answer<'_, Recorded> {
        none()
    }

    fn create_key(&self, _: KeyRecord, _: Option<u64>, _: usize) -> Answer<'_, Recorded> {
        none()
    }

    fn revoke_key(&self, _: KeyId, _: Timestamp) -> Answer<'_, Recorded> {
        none()
    }

    fn revoke_session(&self, _: RevokedSession) -> Answer<'_, Recorded> {
        none()
    }

    fn last_used<'a>(&'a self, _: &'a [KeyId]) -> Answer<'a, Vec<Option<Timestamp>>> {
        none()
    }

    fn note_used(&self, _: Vec<(KeyId, Timestamp)>) -> Answer<'_, ()> {
        none()
    }

    fn take<'a>(&'a self, _: &'a [Limit], _: Timestamp) -> Answer<'a, Verdict> {
        none()
    }

    fn knows_address(&self, _: UserId, _: Digest, _: Timestamp) -> Answer<'_, bool> {
        none()
    }

    fn remember_address(&self, _: UserId, _: Digest, _: Timestamp) -> Answer<'_, ()> {
        none()
    }

    fn sweep(&self, _: Timestamp) -> Answer<'_, u64> {
        none()
    }
}
