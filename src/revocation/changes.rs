use std::sync::Arc;

use tokio::runtime::Handle;

use super::{Bells, Ledger};
use crate::domain::{KeyId, Timestamp, UserId};
use crate::store::{
    Answer, Durability, KeyRecord, Recorded, RevokedSession, Store, StoreError, UserRecord,
};

/// The one way to change users, keys and sessions: it records the change, ends the admissions that
/// rested on the old state and has every worker cut their exchanges, and only then answers.
///
/// A change runs to its end even when its caller goes away.
#[derive(Debug, Clone)]
pub struct Changes {
    store: Arc<dyn Store>,
    ledger: Arc<Ledger>,
    bells: Arc<Bells>,
    runtime: Handle,
}

impl Changes {
    /// Changes to `store`, run on `runtime`.
    #[must_use]
    pub const fn new(
        store: Arc<dyn Store>,
        ledger: Arc<Ledger>,
        bells: Arc<Bells>,
        runtime: Handle,
    ) -> Self {
        Self {
            store,
            ledger,
            bells,
            runtime,
        }
    }

    /// Adds a user. Errors as [`Store::create_user`].
    pub async fn create_user(&self, user: UserRecord) -> Result<Durability, StoreError> {
        self.record(move |store| store.create_user(user)).await
    }

    /// Writes a user. Errors as [`Store::update_user`].
    pub async fn update_user(&self, user: UserRecord) -> Result<Durability, StoreError> {
        self.record(move |store| store.update_user(user)).await
    }

    /// Deletes a user and all their keys. Errors as [`Store::delete_user`].
    pub async fn delete_user(&self, id: UserId, now: Timestamp) -> Result<Durability, StoreError> {
        self.record(move |store| store.delete_user(id, now)).await
    }

    /// Adds an API key. Errors as [`Store::create_key`].
    pub async fn create_key(
        &self,
        key: KeyRecord,
        epoch: Option<u64>,
        max: usize,
    ) -> Result<Durability, StoreError> {
        self.record(move |store| store.create_key(key, epoch, max))
            .await
    }

    /// Revokes an API key. Errors as [`Store::revoke_key`].
    pub async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<Durability, StoreError> {
        self.record(move |store| store.revoke_key(id, now)).await
    }

    /// Revokes one session. Errors as [`Store::revoke_session`].
    pub async fn revoke_session(&self, session: RevokedSession) -> Result<Durability, StoreError> {
        self.record(move |store| store.revoke_session(session))
            .await
    }

    async fn record<F>(&self, change: F) -> Result<Durability, StoreError>
    where
        F: FnOnce(&dyn Store) -> Answer<'_, Recorded> + Send + 'static,
    {
        let this = self.clone();
        let task = self.runtime.spawn(async move {
            let recorded = change(this.store.as_ref()).await?;
            if this.ledger.apply(recorded.change) > 0 {
                this.bells.ring().await;
            }
            Ok(recorded.durability)
        });
        // The task is neither aborted nor does it panic, but for a runtime that is going away.
        task.await.unwrap_or(Err(StoreError::OutcomeUnknown))
    }
}
