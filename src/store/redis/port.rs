use super::records::Stored;

use super::users::LastAdmin;
use super::{Redis, api_keys, due, traces, users};
use crate::domain::{Digest, Email, KeyId, SessionId, Timestamp, UserId};
use crate::store::{
    Answer, KeyRecord, Limit, OwnedKey, Recorded, RevokedSession, SessionView, Store, UserRecord,
    Verdict,
};

impl Store for Redis {
    fn session(&self, session: SessionId, user: UserId) -> Answer<'_, SessionView> {
        self.read(async move |at| traces::view(&at, session, user).await)
    }

    fn owned_key(&self, digest: Digest) -> Answer<'_, Option<OwnedKey>> {
        self.read(async move |at| api_keys::owned(&at, digest).await)
    }

    fn user(&self, id: UserId) -> Answer<'_, Option<UserRecord>> {
        self.read(async move |at| Ok(at.stored_user(id).await?.map(Stored::into_record)))
    }

    fn user_by_email<'a>(&'a self, email: &'a Email) -> Answer<'a, Option<UserRecord>> {
        self.read(async move |at| users::by_email(&at, email).await)
    }

    fn user_by_reset(&self, token: Digest) -> Answer<'_, Option<UserRecord>> {
        self.read(async move |at| users::by_reset(&at, token).await)
    }

    fn users(&self, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<UserRecord>> {
        self.read(async move |at| users::page(&at, after, limit).await)
    }

    fn key(&self, id: KeyId) -> Answer<'_, Option<KeyRecord>> {
        self.read(async move |at| Ok(api_keys::by_id(&at, id).await?.map(Stored::into_record)))
    }

    fn keys_of(&self, user: UserId) -> Answer<'_, Vec<KeyRecord>> {
        self.read(async move |at| api_keys::unrevoked(&at, user).await)
    }

    fn create_user(&self, user: UserRecord) -> Answer<'_, Recorded> {
        self.change(async move |at| users::create(&at, user).await)
    }

    fn update_user(&self, user: UserRecord) -> Answer<'_, Recorded> {
        self.change(async move |at| users::update(&at, user, LastAdmin::Stays).await)
    }

    fn delete_user(&self, id: UserId, now: Timestamp) -> Answer<'_, Recorded> {
        self.change(async move |at| users::delete(&at, id, now, LastAdmin::Stays).await)
    }

    fn create_key(&self, key: KeyRecord, epoch: Option<u64>, max: usize) -> Answer<'_, Recorded> {
        self.change(async move |at| api_keys::create(&at, key, epoch, max).await)
    }

    fn revoke_key(&self, id: KeyId, now: Timestamp) -> Answer<'_, Recorded> {
        self.change(async move |at| api_keys::revoke(&at, id, now).await)
    }

    fn revoke_session(&self, session: RevokedSession) -> Answer<'_, Recorded> {
        self.change(async move |at| traces::revoke_session(&at, session).await)
    }

    fn last_used<'a>(&'a self, keys: &'a [KeyId]) -> Answer<'a, Vec<Option<Timestamp>>> {
        self.read(async move |at| traces::last_used(&at, keys).await)
    }

    fn note_used(&self, used: Vec<(KeyId, Timestamp)>) -> Answer<'_, ()> {
        self.change(async move |at| traces::note_used(&at, used).await)
    }

    /// It never fails: when Redis does not decide, this node does, which has counted all the time.
    fn take<'a>(&'a self, limits: &'a [Limit], now: Timestamp) -> Answer<'a, Verdict> {
        Box::pin(async move {
            let Ok(session) = self.opened() else {
                return Ok(self.limits.take(limits, now));
            };
            match session.limits.take(&self.keys, limits, now).await {
                Ok(Verdict::Wait(wait)) => Ok(Verdict::Wait(wait)),
                Ok(Verdict::Pass) => {
                    let _counted = self.limits.take(limits, now);
                    Ok(Verdict::Pass)
                }
                Err(fault) => {
                    let reason = fault.of_read();
                    tracing::debug!(
                        reason = &reason as &dyn std::error::Error,
                        "limit kept by this node alone"
                    );
                    Ok(self.limits.take(limits, now))
                }
            }
        })
    }

    fn knows_address(&self, user: UserId, address: Digest, now: Timestamp) -> Answer<'_, bool> {
        self.read(async move |at| traces::knows_address(&at, user, address, now).await)
    }

    fn remember_address(&self, user: UserId, address: Digest, now: Timestamp) -> Answer<'_, ()> {
        self.change(async move |at| traces::remember_address(&at, user, address, now).await)
    }

    fn sweep(&self, now: Timestamp) -> Answer<'_, u64> {
        Box::pin(async move {
            let own = self.limits.sweep(now);
            let shared = self
                .change(async move |at| due::sweep(&at, now).await)
                .await?;
            Ok(own.saturating_add(shared))
        })
    }
}
