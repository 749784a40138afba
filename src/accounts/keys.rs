use std::time::Duration;

use super::{AccountError, Accounts, Caller};
use crate::auth::{AuthError, new_api_key};
use crate::domain::{ApiKey, CredentialId, KeyId, KeyName, Timestamp, UserId};
use crate::store::{Durability, KeyRecord, StoreError};

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What its owner calls it.
    pub name: KeyName,
    /// From when on it does not work, if ever.
    pub expires_at: Option<Timestamp>,
}

/// A key as its owner sees it.
#[derive(Debug, Clone)]
pub struct KeyView {
    /// The key's record.
    pub key: KeyRecord,
    /// When it was last used, to within a minute.
    pub last_used_at: Option<Timestamp>,
}

/// A key that was just made: the one time that it can be read.
#[derive(Debug)]
pub struct MintedKey {
    /// The key's record.
    pub record: KeyRecord,
    /// The key itself.
    pub key: ApiKey,
    /// How safe the change is.
    pub durability: Durability,
}

/// How long a repeated revocation is told that the key is revoked.
const REPEATABLE: Duration = Duration::from_secs(24 * 60 * 60);

impl Accounts {
    /// The keys of `owner` (by default the caller) that work, oldest first.
    ///
    /// # Errors
    ///
    /// [`AccountError`], which says why not.
    pub async fn keys(
        &self,
        caller: &Caller,
        owner: Option<UserId>,
    ) -> Result<Vec<KeyView>, AccountError> {
        let owner = self.key_owner(caller, owner)?;
        let now = self.clock.now();
        let mut keys = self.store.keys_of(owner).await?;
        keys.retain(|key| !key.is_expired(now));
        let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
        let mut written = self.store.last_used(&ids).await?.into_iter();
        let views = keys.into_iter().map(|key| KeyView {
            // What is not written yet is newer than what is.
            last_used_at: self.usage.of(key.id).max(written.next().flatten()),
            key,
        });
        Ok(views.collect())
    }

    /// Makes a key for `owner`, by default the caller. Only the operator makes keys for others.
    ///
    /// # Errors
    ///
    /// [`AccountError`], which says why not.
    pub async fn create_key(
        &self,
        caller: &Caller,
        owner: Option<UserId>,
        new: NewKey,
    ) -> Result<MintedKey, AccountError> {
        let owner = self.key_owner(caller, owner)?;
        if caller.user().is_some_and(|own| own != owner) {
            return Err(AccountError::NotAllowed);
        }
        let now = self.clock.now();
        if new.expires_at.is_some_and(|end| end <= now) {
            return Err(AccountError::field("expires_at", "must be in the future"));
        }
        let key = new_api_key()?;
        let record = KeyRecord {
            expires_at: new.expires_at,
            ..KeyRecord::new(&key, owner, new.name, now)
        };
        let caller = self.confirm(caller).await?;
        let max = self.api_keys.lock().max_per_user;
        let made = self.changes.create_key(record.clone(), epoch(&caller), max);
        let durability = made.await.map_err(|error| owner_gone(&caller, error))?;
        Ok(MintedKey {
            record,
            key,
            durability,
        })
    }

    /// Revokes a key. Doing it again within a day is no error.
    ///
    /// # Errors
    ///
    /// [`AccountError`], which says why not.
    pub async fn revoke_key(
        &self,
        caller: &Caller,
        id: KeyId,
    ) -> Result<(KeyRecord, Durability), AccountError> {
        caller.manages(self.api_keys.lock().may_manage)?;
        let now = self.clock.now();
        let key = self.store.key(id).await?.ok_or(AccountError::NotFound)?;
        let caller = self.confirm(caller).await?;
        let is_theirs = caller.is_admin() || caller.user() == Some(key.user);
        let is_past = |revoked_at: Timestamp| now.since(revoked_at) >= REPEATABLE;
        if !is_theirs || key.revoked_at.is_some_and(is_past) {
            return Err(AccountError::NotFound);
        }
        // A repeated one is written again too: it may be repeated because nobody knew the outcome.
        let durability = self.changes.revoke_key(key.user, id, now).await?;
        Ok((key, durability))
    }

    /// Whose keys the caller means.
    fn key_owner(&self, caller: &Caller, owner: Option<UserId>) -> Result<UserId, AccountError> {
        caller.manages(self.api_keys.lock().may_manage)?;
        match (caller.user(), owner) {
            (Some(own), None) => Ok(own),
            (own, Some(owner)) if own == Some(owner) || caller.is_admin() => Ok(owner),
            (_, Some(_)) => Err(AccountError::NotAllowed),
            (None, None) => Err(AccountError::field("user_id", "must be given")),
        }
    }
}

/// The session epoch that the owner must still have, so that a session which has ended makes no key.
fn epoch(caller: &Caller) -> Option<u64> {
    let admission = caller.admission()?;
    match admission.principal().credential {
        CredentialId::Session(_) => Some(admission.epoch()),
        CredentialId::Key(_) => None,
    }
}

/// The store knows no owner, so that whoever asks as the owner is admitted no more.
fn owner_gone(caller: &Caller, error: StoreError) -> AccountError {
    let credential = caller
        .admission()
        .map(|admission| admission.principal().credential);
    match (error, credential) {
        (StoreError::NotFound, Some(CredentialId::Session(_))) => AuthError::SessionRevoked.into(),
        (StoreError::NotFound, Some(CredentialId::Key(_))) => AuthError::UserInactive.into(),
        (error, _) => error.into(),
    }
}
