use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{AdmissionCache, AuthError, CacheKey, Claims, TokenError, Tokens};
use crate::domain::{ApiKey, Clock, CredentialId, Principal, SessionId, Timestamp, UserId};
use crate::http::Credential;
use crate::revocation::{Admission, Freshness, Ledger};
use crate::store::{OwnedKey, SessionView, Store, UserRecord};

/// Turns a credential into an admission: from the cache, else by checksum or signature, the store and
/// the ledger.
#[derive(Debug)]
pub struct Authenticator {
    store: Arc<dyn Store>,
    ledger: Arc<Ledger>,
    tokens: Arc<Tokens>,
    clock: Arc<dyn Clock>,
    cache: AdmissionCache,
    freshness: Arc<Freshness>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Each round means that the principal changed within one read of the store.
const ROUNDS: usize = 16;
const CACHE_ENTRIES: u64 = 200_000;
const CACHE_LIFETIME: Duration = Duration::from_secs(300);

impl Authenticator {
    /// An authenticator with an empty cache, over a store that no other node writes to.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        ledger: Arc<Ledger>,
        tokens: Arc<Tokens>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            store,
            ledger,
            tokens,
            clock,
            cache: AdmissionCache::new(CACHE_ENTRIES, CACHE_LIFETIME),
            freshness: Freshness::always(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Admits nothing while this node's knowledge is not fresh.
    #[must_use]
    pub fn bounded_by(mut self, freshness: Arc<Freshness>) -> Self {
        self.freshness = freshness;
        self
    }

    /// Whether this node knows enough to admit anything. Whoever uses an admission that they kept asks
    /// this first.
    #[must_use]
    pub const fn freshness(&self) -> &Arc<Freshness> {
        &self.freshness
    }

    /// How many admissions are cached, about.
    #[must_use]
    pub fn cached(&self) -> u64 {
        self.cache.len()
    }

    /// How many credentials were found in the cache.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// How many credentials had to be checked with the store.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// Admits a credential, if it works now.
    ///
    /// # Errors
    ///
    /// [`AuthError`]; only [`AuthError::Store`] and [`AuthError::Unsteady`] may be another answer on
    /// the next call.
    pub async fn admit(&self, credential: Credential<'_>) -> Result<Arc<Admission>, AuthError> {
        let now = self.clock.now();
        let key = CacheKey::of(credential);
        if let Some(admission) = self.cache.find(key) {
            // Asked first: what a link that was late applies while it is asked has ended the admission.
            let is_fresh = self.freshness.check();
            if admission.admits(now) {
                is_fresh?;
                self.hits.fetch_add(1, Ordering::Relaxed);
                admission.note_used(now);
                return Ok(admission);
            }
            self.cache.forget(key);
        }
        let admission = match credential {
            Credential::Session(token) => {
                let claims = self.tokens.verify(token, now)?;
                self.admit_session(&claims.into(), now).await?
            }
            Credential::ApiKey(text) => self.admit_key(&ApiKey::parse(text)?, now).await?,
        };
        admission.note_used(now);
        self.cache.keep(key, Arc::clone(&admission));
        Ok(admission)
    }

    /// Admits the credential of `admission` once more, after its principal has changed.
    ///
    /// # Errors
    ///
    /// As [`Self::admit`].
    pub async fn admit_again(&self, admission: &Admission) -> Result<Arc<Admission>, AuthError> {
        let now = self.clock.now();
        self.enter(|| self.ask_again(self.store.as_ref(), admission, now))
            .await
    }

    /// What `store` says of the credential of `admission` now. It does not look at how fresh this
    /// node's knowledge is, and what it gives admits nobody.
    pub(super) async fn ask_again(
        &self,
        store: &dyn Store,
        admission: &Admission,
        now: Timestamp,
    ) -> Result<Admission, AuthError> {
        let user = admission.principal().user;
        match admission.principal().credential {
            CredentialId::Session(session) => {
                let session = Session {
                    session,
                    user,
                    epoch: admission.epoch(),
                    expires_at: admission.expires_at(),
                };
                session.check_expiry(now)?;
                let view = store.session(session.session, session.user).await?;
                self.session_admission(&session, view)
            }
            CredentialId::Key(id) => {
                let key = store.key(id).await?.ok_or(AuthError::KeyUnknown)?;
                let owner = store.user(key.user).await?;
                self.key_admission(OwnedKey { key, owner }, now)
            }
        }
    }

    async fn admit_session(
        &self,
        session: &Session,
        now: Timestamp,
    ) -> Result<Arc<Admission>, AuthError> {
        session.check_expiry(now)?;
        self.enter(|| async move {
            let view = self.store.session(session.session, session.user).await?;
            self.session_admission(session, view)
        })
        .await
    }

    async fn admit_key(&self, key: &ApiKey, now: Timestamp) -> Result<Arc<Admission>, AuthError> {
        let digest = key.digest();
        self.enter(|| async move {
            let owned = self.store.owned_key(digest).await?;
            self.key_admission(owned.ok_or(AuthError::KeyUnknown)?, now)
        })
        .await
    }

    /// Asks until no change came between the answer and the ledger.
    ///
    /// What the log cannot revoke must not be made, so knowledge must be fresh still when the
    /// admission is entered; and nothing is refused for lack of it, so also when the store says no.
    async fn enter<F, Asked>(&self, ask: F) -> Result<Arc<Admission>, AuthError>
    where
        F: Fn() -> Asked,
        Asked: Future<Output = Result<Admission, AuthError>>,
    {
        for _ in 0..ROUNDS {
            self.freshness.check()?;
            self.misses.fetch_add(1, Ordering::Relaxed);
            let mark = self.ledger.mark();
            let asked = ask().await;
            self.freshness.check()?;
            let admission = Arc::new(asked?);
            if self.ledger.enter(mark, &admission).is_ok() {
                self.freshness.check()?;
                return Ok(admission);
            }
        }
        Err(AuthError::Unsteady)
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    pub(super) const fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    pub(super) const fn cache(&self) -> &AdmissionCache {
        &self.cache
    }

    fn session_admission(
        &self,
        session: &Session,
        view: SessionView,
    ) -> Result<Admission, AuthError> {
        let user = view.user.filter(|user| user.is_active);
        let user = user.ok_or(AuthError::UserInactive)?;
        if view.is_revoked || user.epoch != session.epoch {
            return Err(AuthError::SessionRevoked);
        }
        let principal = principal(user, CredentialId::Session(session.session));
        let usage = Arc::clone(self.ledger.usage());
        Ok(Admission::new(
            principal,
            session.epoch,
            session.expires_at,
            usage,
        ))
    }

    fn key_admission(&self, owned: OwnedKey, now: Timestamp) -> Result<Admission, AuthError> {
        let OwnedKey { key, owner } = owned;
        if key.revoked_at.is_some() {
            return Err(AuthError::KeyRevoked);
        }
        if key.is_expired(now) {
            return Err(AuthError::KeyExpired);
        }
        let owner = owner.filter(|owner| owner.is_active);
        let owner = owner.ok_or(AuthError::UserInactive)?;
        let usage = Arc::clone(self.ledger.usage());
        let principal = principal(owner, CredentialId::Key(key.id));
        Ok(Admission::new(principal, 0, key.expires_at, usage))
    }
}

/// A session as its token or an earlier admission tells it.
struct Session {
    session: SessionId,
    user: UserId,
    epoch: u64,
    expires_at: Option<Timestamp>,
}

impl Session {
    fn check_expiry(&self, now: Timestamp) -> Result<(), TokenError> {
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(TokenError::Expired);
        }
        Ok(())
    }
}

impl From<Claims> for Session {
    fn from(claims: Claims) -> Self {
        Self {
            session: claims.session,
            user: claims.user,
            epoch: claims.epoch,
            expires_at: Some(claims.expires_at),
        }
    }
}

fn principal(user: UserRecord, credential: CredentialId) -> Principal {
    Principal {
        user: user.id,
        email: user.email,
        name: user.name,
        role: user.role,
        credential,
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::auth::{KeyRing, SigningKey};
    use crate::config::{Algorithm, OnStale};
    use crate::domain::{Email, KeyId, KeyName, ManualClock, Role, Uptime, UserName};
    use crate::store::{Change, Embedded, KeyRecord};

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const BOUND: Duration = Duration::from_secs(2);

    /// Stands for a process that is paused while it asks how fresh it is: the link is quicker.
    #[derive(Debug)]
    struct Paused {
        ledger: Arc<Ledger>,
        meanwhile: Mutex<Option<Change>>,
    }

    impl Uptime for Paused {
        fn elapsed(&self) -> Duration {
            if let Some(change) = self.meanwhile.lock().take() {
                self.ledger.apply(change);
            }
            BOUND
        }
    }

    async fn key_in(store: &Embedded) -> (ApiKey, KeyId) {
        let email = Email::parse("ada@example.com").unwrap();
        let name = UserName::parse("Ada").unwrap();
        let user = UserRecord::new(email, name, Role::Admin, NOW);
        let key = ApiKey::from_random(&[1; 20]);
        let name = KeyName::parse("ci").unwrap();
        let record = KeyRecord::new(&key, user.id, name, NOW);
        let id = record.id;
        let _ = store.create_user(user).await.unwrap();
        let _ = store.create_key(record, None, 9).await.unwrap();
        (key, id)
    }

    #[tokio::test]
    async fn what_ends_while_freshness_is_asked_for_is_not_admitted_from_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::open(&folder.path().join("gateway.db")).unwrap();
        let (key, id) = key_in(&store).await;
        let ledger = Arc::new(Ledger::default());
        let paused = Arc::new(Paused {
            ledger: Arc::clone(&ledger),
            meanwhile: Mutex::default(),
        });
        let freshness = Freshness::bounded(BOUND, OnStale::Keep, paused.clone());
        freshness.confirm(BOUND);
        let ring = KeyRing::single(SigningKey::generate(Algorithm::EdDsa).unwrap()).unwrap();
        let tokens = Arc::new(Tokens::new(ring, "a", "a", BOUND));
        let clock = Arc::new(ManualClock::at(NOW));
        let authenticator = Authenticator::new(store.clone(), ledger, tokens, clock);
        let authenticator = authenticator.bounded_by(freshness);
        let credential = Credential::ApiKey(key.expose());
        authenticator.admit(credential).await.unwrap();

        let revoked = store.revoke_key(id, NOW).await.unwrap().change;
        *paused.meanwhile.lock() = Some(revoked);

        let refused = authenticator.admit(credential).await.unwrap_err();
        assert!(matches!(refused, AuthError::KeyRevoked), "{refused:?}");
    }
}
