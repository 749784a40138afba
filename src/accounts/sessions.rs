use std::net::IpAddr;
use std::time::Duration;

use super::passwords::Attempt;
use super::{AccountError, Accounts, Caller, LoggedIn, ROUNDS, contended};
use crate::auth::{AuthError, Lane};
use crate::domain::Password;
use crate::revocation::Admission;
use crate::store::{Durability, RevokedSession, StoreError, UserRecord};

/// A revoked session is remembered this much longer than its token works, for clocks that differ.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(60 * 60);

impl Accounts {
    /// The user that a caller speaks for.
    ///
    /// # Errors
    ///
    /// [`AccountError`], which says why not.
    pub async fn me(&self, caller: &Caller) -> Result<UserRecord, AccountError> {
        let id = caller.user().ok_or(AccountError::SessionRequired)?;
        let user = self.store.user(id).await?;
        let user = user.filter(|user| user.is_active);
        Ok(user.ok_or(AuthError::UserInactive)?)
    }

    /// Ends the caller's session.
    ///
    /// # Errors
    ///
    /// [`AccountError`], which says why not.
    pub async fn logout(&self, caller: &Caller) -> Result<Durability, AccountError> {
        let (id, admission) = caller.session()?;
        caller.is_still_admitted()?;
        // Every session token expires; one that did not would have to be remembered for ever.
        let expires_at = admission
            .expires_at()
            .ok_or(AccountError::SessionRequired)?;
        let session = RevokedSession {
            id,
            user: admission.principal().user,
            forget_at: expires_at.after(CLOCK_DIFFERENCE),
        };
        Ok(self.changes.revoke_session(session).await?)
    }

    /// Gives the caller another password: every session of theirs ends, and this call opens a new one.
    ///
    /// # Errors
    ///
    /// [`AccountError::PasswordWrong`] first, braked like a log-in; then [`AccountError::Invalid`] for the
    /// new one.
    pub async fn change_password(
        &self,
        caller: &Caller,
        current: Password,
        new: Password,
        client: IpAddr,
    ) -> Result<(LoggedIn, Durability), AccountError> {
        let (_, admission) = caller.session()?;
        let user = self.verified(admission, current, client).await?;
        self.check_password("new_password", &new, &user.email, &user.name)?;
        let hash = self.hasher.hash(Lane::Change, new).await?;
        let mut verified = Some(user);
        for _ in 0..ROUNDS {
            let mut user = match verified.take() {
                Some(user) => user,
                None => self.own_record(admission).await?,
            };
            user.password.clone_from(&hash);
            user.epoch = user.epoch.saturating_add(1);
            user.reset = None;
            self.confirm(caller).await?;
            match self.changes.update_user(user.clone()).await {
                Err(StoreError::Conflict) => {}
                written => return Ok((self.open_session(user)?, written?)),
            }
        }
        Err(contended())
    }

    /// The caller's record, once they have shown that they know its password.
    async fn verified(
        &self,
        admission: &Admission,
        password: Password,
        client: IpAddr,
    ) -> Result<UserRecord, AccountError> {
        let user = self.own_record(admission).await?;
        let attempt = Attempt {
            account: &user.email,
            user: Some(&user),
            client,
            lane: Lane::Change,
        };
        if !self.is_right(attempt, password).await? {
            return Err(AccountError::PasswordWrong);
        }
        let now = self.clock.now();
        self.login_brake.succeeded(user.id, client, now).await;
        Ok(user)
    }

    /// The record of the session's user, unless the session has ended: then another password may
    /// already be in it.
    async fn own_record(&self, admission: &Admission) -> Result<UserRecord, AccountError> {
        let user = self.store.user(admission.principal().user).await?;
        let user = user.filter(|user| user.is_active);
        let user = user.ok_or(AuthError::UserInactive)?;
        if user.epoch != admission.epoch() {
            return Err(AuthError::SessionRevoked.into());
        }
        Ok(user)
    }
}
