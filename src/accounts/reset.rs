use std::net::IpAddr;

use super::{AccountError, Accounts, ROUNDS, contended};
use crate::auth::{Lane, reset_digest};
use crate::domain::{Digest, Password, ResetToken, Timestamp};
use crate::store::{Durability, StoreError, UserRecord};

impl Accounts {
    /// Asks for a reset mail to whatever address was typed. What comes of it is told to nobody but the
    /// owner of the mailbox.
    ///
    /// # Errors
    ///
    /// [`AccountError::Brake`] for too many from this address, [`AccountError::Mail`] when the queue is
    /// full, [`AccountError::Store`] while nothing could be looked up: alike for every address that was
    /// typed.
    pub async fn forgot(
        &self,
        typed: &str,
        client: IpAddr,
        request_id: &str,
    ) -> Result<(), AccountError> {
        self.forgot_brake
            .admit_request(client, self.clock.now())
            .await?;
        let fresh = self.authenticator.freshness().check();
        fresh.map_err(StoreError::from)?;
        match &self.reset_desk {
            Some(desk) => Ok(desk.ask(typed, client, request_id)?),
            None => Ok(()),
        }
    }

    /// Spends a mailed token: the password is another, and every session of the user has ended.
    ///
    /// # Errors
    ///
    /// [`AccountError::ResetTokenInvalid`] first; then [`AccountError::Invalid`] for the password, and
    /// the token can be used again.
    pub async fn reset_password(
        &self,
        token: &ResetToken,
        password: Password,
    ) -> Result<(UserRecord, Durability), AccountError> {
        let digest = reset_digest(token);
        let mut hashed = None;
        for _ in 0..ROUNDS {
            let mut user = self.holder(digest).await?;
            self.check_password("new_password", &password, &user.email, &user.name)?;
            let hash = match hashed.take() {
                Some(hash) => hash,
                None => self.hasher.hash(Lane::Change, password.clone()).await?,
            };
            if !is_live(&user, digest, self.clock.now()) {
                return Err(AccountError::ResetTokenInvalid);
            }
            user.password.clone_from(&hash);
            user.epoch = user.epoch.saturating_add(1);
            user.reset = None;
            // The version binds all of it: the token, the address it was mailed to and the account.
            match self.changes.update_user(user.clone()).await {
                Err(StoreError::Conflict) => hashed = Some(hash),
                written => return Ok((user, written?)),
            }
        }
        Err(contended())
    }

    async fn holder(&self, digest: Digest) -> Result<UserRecord, AccountError> {
        let now = self.clock.now();
        let holder = self.store.user_by_reset(digest).await?;
        holder
            .filter(|user| is_live(user, digest, now))
            .ok_or(AccountError::ResetTokenInvalid)
    }
}

fn is_live(user: &UserRecord, digest: Digest, now: Timestamp) -> bool {
    user.is_active
        && user
            .reset
            .is_some_and(|reset| reset.digest == digest && now < reset.expires_at)
}
