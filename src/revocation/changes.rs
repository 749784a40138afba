use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::{Bells, Ledger, Recent};
use crate::domain::{KeyId, Timestamp, UserId};
use crate::store::{
    Answer, Change, Durability, KeyRecord, Recorded, RevokedSession, Store, StoreError, UserRecord,
};

/// The one way to change users, keys and sessions: it records the change, ends the admissions that
/// rested on the old state and has every worker cut their exchanges, and only then answers.
///
/// A change runs to its end even when its caller goes away. Where the store does not say whether a
/// revocation was written, what it revokes ends at once, and the revocation is repeated until that is
/// known: each is harmless to repeat.
#[derive(Debug, Clone)]
pub struct Changes {
    store: Arc<dyn Store>,
    ledger: Arc<Ledger>,
    bells: Arc<Bells>,
    runtime: Handle,
    /// Where several nodes share the store.
    recent: Option<Arc<Recent>>,
}

/// How long the first repetition of an unknown outcome waits, and the longest wait.
const REPEAT_AFTER: Duration = Duration::from_secs(1);
const REPEAT_WITHIN: Duration = Duration::from_secs(60);

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
            recent: None,
        }
    }

    /// Remembers in `recent` what it revokes, so that it can be sent again.
    #[must_use]
    pub fn remembered_in(mut self, recent: Arc<Recent>) -> Self {
        self.recent = Some(recent);
        self
    }

    /// Adds a user. Errors as [`Store::create_user`].
    pub async fn create_user(&self, user: UserRecord) -> Result<Durability, StoreError> {
        self.record(Change::Addition, move |store| {
            store.create_user(user.clone())
        })
        .await
    }

    /// Writes a user. Errors as [`Store::update_user`].
    pub async fn update_user(&self, user: UserRecord) -> Result<Durability, StoreError> {
        let id = user.id;
        let unknown = if user.is_active {
            Change::Sessions { user: id }
        } else {
            Change::User { user: id }
        };
        self.record(unknown, move |store| store.update_user(user.clone()))
            .await
    }

    /// Deletes a user and all their keys. Errors as [`Store::delete_user`].
    pub async fn delete_user(&self, id: UserId, now: Timestamp) -> Result<Durability, StoreError> {
        self.record(Change::User { user: id }, move |store| {
            store.delete_user(id, now)
        })
        .await
    }

    /// Adds an API key. Errors as [`Store::create_key`].
    pub async fn create_key(
        &self,
        key: KeyRecord,
        epoch: Option<u64>,
        max: usize,
    ) -> Result<Durability, StoreError> {
        self.record(Change::Addition, move |store| {
            store.create_key(key.clone(), epoch, max)
        })
        .await
    }

    /// Revokes the API key `key` of `user`. Errors as [`Store::revoke_key`].
    pub async fn revoke_key(
        &self,
        user: UserId,
        key: KeyId,
        now: Timestamp,
    ) -> Result<Durability, StoreError> {
        self.record(Change::Key { user, key }, move |store| {
            store.revoke_key(key, now)
        })
        .await
    }

    /// Revokes one session. Errors as [`Store::revoke_session`].
    pub async fn revoke_session(&self, revoked: RevokedSession) -> Result<Durability, StoreError> {
        let change = Change::Session {
            user: revoked.user,
            session: revoked.id,
        };
        self.record(change, move |store| store.revoke_session(revoked))
            .await
    }

    /// Records a change; `unknown` is what it ends when nobody knows whether it was written.
    async fn record<F>(&self, unknown: Change, change: F) -> Result<Durability, StoreError>
    where
        F: Fn(&dyn Store) -> Answer<'_, Recorded> + Send + Sync + 'static,
    {
        let this = self.clone();
        let task = self.runtime.spawn(async move {
            match this.write(&change).await {
                Ok(recorded) => {
                    this.bite(recorded.change).await;
                    Ok(recorded.durability)
                }
                Err(StoreError::OutcomeUnknown) if unknown != Change::Addition => {
                    this.ledger.hold(unknown);
                    this.bite(unknown).await;
                    let repeating = this.clone();
                    this.runtime.spawn(repeating.repeat(unknown, change));
                    Err(StoreError::OutcomeUnknown)
                }
                Err(error) => Err(error),
            }
        });
        // The task is neither aborted nor does it panic, but for a runtime that is going away.
        task.await.unwrap_or(Err(StoreError::OutcomeUnknown))
    }

    /// Writes a change. When the store's server has changed since it began, what it revokes may be lost
    /// though it was recorded.
    async fn write<F>(&self, change: &F) -> Result<Recorded, StoreError>
    where
        F: Fn(&dyn Store) -> Answer<'_, Recorded>,
    {
        let era = self.recent.as_ref().map(|recent| recent.era());
        let recorded = change(self.store.as_ref()).await?;
        if let (Some(recent), Some(era), Some(entry)) = (&self.recent, era, recorded.entry) {
            let noted = recent.note(era, entry);
            noted.map_err(|_| StoreError::OutcomeUnknown)?;
        }
        Ok(recorded)
    }

    /// Ends what rested on the old state, on every worker.
    async fn bite(&self, change: Change) {
        if self.ledger.apply(change) > 0 {
            self.bells.ring().await;
        }
    }

    async fn repeat<F>(self, unknown: Change, change: F)
    where
        F: Fn(&dyn Store) -> Answer<'_, Recorded> + Send + Sync + 'static,
    {
        let mut wait = REPEAT_AFTER;
        loop {
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(REPEAT_WITHIN);
            match self.write(&change).await {
                Ok(recorded) => {
                    self.bite(recorded.change).await;
                    tracing::info!("a revocation whose outcome was unknown is written");
                    return self.ledger.settle(unknown);
                }
                Err(
                    StoreError::OutcomeUnknown
                    | StoreError::Unavailable { .. }
                    | StoreError::Stale
                    | StoreError::Replaced,
                ) => {}
                Err(error) => {
                    // The record is another one by now: the first attempt was written, or somebody
                    // else has decided since.
                    let error = &error as &dyn std::error::Error;
                    tracing::info!(error, "a revocation whose outcome was unknown is settled");
                    return self.ledger.settle(unknown);
                }
            }
        }
    }
}
