//! The use cases of the API, without HTTP: who may do what to users, sessions and keys.
//!
//! Every change reads, decides and writes against the version it read, and decides again when somebody
//! else was faster. A [`Caller`] is checked when they ask and once more right before the write, since
//! hashing a password takes long enough for them to be revoked.

mod caller;
mod desk;
mod error;
mod keys;
mod login;
mod pages;
mod passwords;
mod reset;
mod sessions;
mod users;

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;

pub use caller::Caller;
pub use desk::{Asked, ResetDesk, ResetDeskTask};
pub use error::AccountError;
pub use keys::{KeyView, MintedKey, NewKey};
pub use login::LoggedIn;
pub use pages::{Page, UserPages};
pub use users::{NewUser, Updated, UserPatch};

use crate::auth::{Authenticator, ForgotBrake, Hasher, LoginBrake, PasswordPolicy, Tokens};
use crate::config;
use crate::domain::Clock;
use crate::revocation::{Changes, KeyUsage};
use crate::store::{Store, StoreError};

/// The use cases, over everything they work with.
pub struct Accounts {
    /// What is read.
    pub store: Arc<dyn Store>,
    /// The one way to write.
    pub changes: Changes,
    /// When keys were used of late.
    pub usage: Arc<KeyUsage>,
    /// Admits a caller again whose user has changed while they asked.
    pub authenticator: Arc<Authenticator>,
    /// Hashes and verifies passwords.
    pub hasher: Arc<Hasher>,
    /// What a password must be.
    pub policy: PasswordPolicy,
    /// Makes session tokens.
    pub tokens: Arc<Tokens>,
    /// How often a password may be tried.
    pub login_brake: LoginBrake,
    /// How often a reset mail may be asked for.
    pub forgot_brake: ForgotBrake,
    /// Where asked-for reset mails go; without `[mail]` nowhere.
    pub reset_desk: Option<ResetDesk>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// `[api_keys]`
    pub api_keys: Mutex<config::ApiKeys>,
    /// Runs what is done behind an answer.
    pub runtime: Handle,
}

/// How often a change is decided again because somebody else was faster.
const ROUNDS: usize = 16;

impl Accounts {
    /// Refuses whoever is no administrator, and an API key unless keys may manage.
    ///
    /// # Errors
    ///
    /// [`AccountError::SessionRequired`], [`AccountError::NotAllowed`].
    pub fn require_admin(&self, caller: &Caller) -> Result<(), AccountError> {
        caller.manages(self.api_keys.lock().may_manage)?;
        if caller.is_admin() {
            return Ok(());
        }
        Err(AccountError::NotAllowed)
    }

    /// Goes by other settings from now on.
    pub fn adopt(&self, login: config::Login, api_keys: config::ApiKeys) {
        self.login_brake.adopt(login);
        self.forgot_brake.adopt(login);
        *self.api_keys.lock() = api_keys;
    }

    /// The caller as of now, right before something is written for them.
    async fn confirm(&self, caller: &Caller) -> Result<Caller, AccountError> {
        caller.is_still_admitted()?;
        match caller {
            Caller::Principal(admission) if admission.is_stale() => {
                let again = self.authenticator.admit_again(admission).await?;
                Ok(Caller::Principal(again))
            }
            Caller::Principal(_) | Caller::Operator => Ok(caller.clone()),
        }
    }

    async fn confirm_admin(&self, caller: &Caller) -> Result<(), AccountError> {
        self.require_admin(&self.confirm(caller).await?)
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

/// Others were faster each time.
fn contended() -> AccountError {
    StoreError::Conflict.into()
}
