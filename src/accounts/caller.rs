use std::sync::Arc;

use super::AccountError;
use crate::domain::{CredentialId, KeyId, Role, SessionId, UserId};
use crate::revocation::Admission;
use crate::telemetry::audit::Actor;

/// On whose behalf something is asked.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A principal, by a session or an API key.
    Principal(Arc<Admission>),
    /// Whoever may use the machine's admin socket or its store: what an administrator may, they may.
    /// They are nobody's own account and have no session.
    Operator,
}

impl Caller {
    /// The user that asks, unless it is the operator.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        self.admission().map(|admission| admission.principal().user)
    }

    /// The admission that lets them ask, unless it is the operator.
    #[must_use]
    pub const fn admission(&self) -> Option<&Arc<Admission>> {
        match self {
            Self::Principal(admission) => Some(admission),
            Self::Operator => None,
        }
    }

    /// How the audit line names them.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self {
            Self::Principal(admission) => admission.principal().into(),
            Self::Operator => Actor::Operator,
        }
    }

    /// Whether they ask by this API key.
    #[must_use]
    pub fn is_key(&self, key: KeyId) -> bool {
        self.admission()
            .is_some_and(|admission| admission.principal().credential == CredentialId::Key(key))
    }

    /// Whether everything may be asked of them: an administrator or the operator.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        match self {
            Self::Principal(admission) => admission.principal().role == Role::Admin,
            Self::Operator => true,
        }
    }

    /// The session that asks.
    ///
    /// # Errors
    ///
    /// [`AccountError::SessionRequired`] for whoever has none.
    pub fn session(&self) -> Result<(SessionId, &Admission), AccountError> {
        let admission = self.admission().ok_or(AccountError::SessionRequired)?;
        match admission.principal().credential {
            CredentialId::Session(id) => Ok((id, admission)),
            CredentialId::Key(_) => Err(AccountError::SessionRequired),
        }
    }

    /// Refuses an API key, unless keys `may_manage`.
    ///
    /// # Errors
    ///
    /// [`AccountError::SessionRequired`].
    pub fn manages(&self, may_manage: bool) -> Result<(), AccountError> {
        match self {
            Self::Principal(_) if !may_manage => self.session().map(drop),
            Self::Principal(_) | Self::Operator => Ok(()),
        }
    }

    /// Refuses a caller whose credential was revoked since it was admitted.
    ///
    /// # Errors
    ///
    /// [`AccountError::Ended`].
    pub fn is_still_admitted(&self) -> Result<(), AccountError> {
        let ended = self.admission().and_then(|admission| admission.ended());
        ended.map_or(Ok(()), |ended| Err(AccountError::Ended(ended)))
    }
}
