use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::{AuthError, Authenticator};
use crate::domain::{CredentialId, Timestamp};
use crate::revocation::{Admission, Ended};
use crate::store::{Store, StoreError};

/// What checking everything that is in flight came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rechecked {
    /// How many admissions were checked.
    pub checked: usize,
    /// How many of them ended: their exchanges are to be cut.
    pub ended: usize,
}

/// How many are asked for at a time: enough to fill the link, and little memory.
const AT_ONCE: usize = 64;

impl Authenticator {
    /// Checks with `store` every admission that connections and exchanges hold, and ends those whose
    /// credential does not work any more. To be called after the ledger has doubted everything: none of
    /// them admits any further request, so the cache is emptied first.
    ///
    /// An expired credential ends nothing: what it opened may finish, and what lasts is told anyway.
    ///
    /// # Errors
    ///
    /// When the store could not be asked; some admissions were not checked then.
    pub async fn recheck(&self, store: &dyn Store) -> Result<Rechecked, StoreError> {
        self.cache().clear();
        let held = self.ledger().held();
        let now = self.clock().now();
        let mut rechecked = Rechecked::default();
        let checks = held
            .into_iter()
            .map(|admission| self.still_works(store, admission, now));
        let mut checks = stream::iter(checks).buffer_unordered(AT_ONCE);
        while let Some(works) = checks.next().await {
            rechecked.checked += 1;
            if !works? {
                rechecked.ended += 1;
            }
        }
        Ok(rechecked)
    }

    async fn still_works(
        &self,
        store: &dyn Store,
        admission: Arc<Admission>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let ended = match self.ask_again(store, &admission, now).await {
            Ok(_) | Err(AuthError::KeyExpired | AuthError::Token(_) | AuthError::Unsteady) => {
                return Ok(true);
            }
            Err(AuthError::Store(error)) => return Err(error),
            Err(AuthError::UserInactive) => Ended::User,
            Err(AuthError::SessionRevoked) => Ended::Session,
            Err(AuthError::Key(_) | AuthError::KeyUnknown | AuthError::KeyRevoked) => {
                match admission.principal().credential {
                    CredentialId::Session(_) => Ended::Session,
                    CredentialId::Key(_) => Ended::Key,
                }
            }
        };
        admission.end(ended);
        Ok(false)
    }
}
