use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::passwords::Attempt;
use super::{AccountError, Accounts};
use crate::auth::Lane;
use crate::domain::{Email, Password, SessionToken};
use crate::store::UserRecord;

/// A session that was just opened.
#[derive(Debug)]
pub struct LoggedIn {
    /// Its token.
    pub token: SessionToken,
    /// How long the token works from now on.
    pub lifetime: Duration,
    /// Whose it is.
    pub user: UserRecord,
}

impl Accounts {
    /// Opens a session for whoever knows the password.
    ///
    /// An unknown address, a wrong password and an inactive user are one answer after one and the same
    /// work: a hash is verified for all of them.
    ///
    /// # Errors
    ///
    /// [`AccountError::LoginFailed`], [`AccountError::Brake`], [`AccountError::Hash`] and
    /// [`AccountError::Store`].
    pub async fn login(
        &self,
        typed: &str,
        password: Password,
        client: IpAddr,
    ) -> Result<LoggedIn, AccountError> {
        // What cannot be an address is nobody's, and takes as long.
        let email = Email::parse(typed).or_else(|_| Email::parse(NOBODY));
        let email = email.map_err(|_| AccountError::LoginFailed { user: None })?;
        let user = self.store.user_by_email(&email).await?;
        let id = user.as_ref().map(|user| user.id);
        let attempt = Attempt {
            account: &email,
            user: user.as_ref(),
            client,
            lane: Lane::Login,
        };
        let verified = self.is_right(attempt, password.clone()).await?;
        let user = user.filter(|user| verified && user.is_active);
        let user = user.ok_or(AccountError::LoginFailed { user: id })?;
        let now = self.clock.now();
        self.login_brake.succeeded(user.id, client, now).await;
        if self.hasher.needs_rehash(&user.password) {
            self.rehash(user.clone(), password);
        }
        // The epoch was read with the hash that fits: had the password changed meanwhile, this session
        // would be dead already.
        self.open_session(user)
    }

    /// A new session of this user, as of the epoch in the record.
    pub(super) fn open_session(&self, user: UserRecord) -> Result<LoggedIn, AccountError> {
        let issued = self.tokens.issue(user.id, user.epoch, self.clock.now())?;
        Ok(LoggedIn {
            token: issued.token,
            lifetime: issued.expires_in,
            user,
        })
    }

    /// Hashes a password that was just verified at the cost of today, behind the answer. Whatever
    /// comes between is more important: then the next log-in does it.
    fn rehash(&self, mut user: UserRecord, password: Password) {
        let (hasher, changes) = (Arc::clone(&self.hasher), self.changes.clone());
        self.runtime.spawn(async move {
            let Ok(hash) = hasher.hash(Lane::Login, password).await else {
                return;
            };
            user.password = hash;
            // Neither the epoch nor anything else that an admission rests on is another one.
            if let Err(error) = changes.update_user(user).await {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "password not hashed again");
            }
        });
    }
}

/// Whose password is tried where what was typed is no address: a domain that nobody can have (RFC 2606).
const NOBODY: &str = "nobody@example.invalid";
