use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use super::KeyUsage;
use crate::domain::{CredentialId, Principal, Timestamp};
use crate::http::{ApiError, Code, IdentityValues};
use crate::store::Change;

/// What a valid credential gets: who it speaks for, until it ends.
///
/// It is shared by the cache, by connections and by the exchanges it opened; ending it ends it for all
/// of them at once, and an ended one never lives again.
pub struct Admission {
    principal: Principal,
    /// The session epoch that a session's token carries.
    epoch: u64,
    expires_at: Option<Timestamp>,
    /// The principal as header values, made once.
    identity: IdentityValues,
    /// [`LIVE`], [`STALE`] or an [`Ended`].
    state: AtomicU8,
    /// When a request last came with it, in milliseconds; kept for keys alone.
    used_at: AtomicI64,
    usage: Arc<KeyUsage>,
}

/// Why an admission ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its session was revoked, alone or with all of the user's.
    Session,
    /// Its API key was revoked.
    Key,
    /// Its user is gone or inactive.
    User,
}

const LIVE: u8 = 0;
/// The principal has changed: exchanges go on, but it admits no further request.
const STALE: u8 = 1;
const SESSION: u8 = 2;
const KEY: u8 = 3;
const USER: u8 = 4;

impl Admission {
    /// An admission of `principal`. It counts only once the [`Ledger`](super::Ledger) has entered it.
    #[must_use]
    pub fn new(
        principal: Principal,
        epoch: u64,
        expires_at: Option<Timestamp>,
        usage: Arc<KeyUsage>,
    ) -> Self {
        Self {
            identity: IdentityValues::of(&principal),
            principal,
            epoch,
            expires_at,
            state: AtomicU8::new(LIVE),
            used_at: AtomicI64::new(i64::MIN),
            usage,
        }
    }

    /// Who it speaks for.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The session epoch its token carries; 0 for a key.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The principal as header values.
    #[must_use]
    pub const fn identity(&self) -> &IdentityValues {
        &self.identity
    }

    /// From when on its credential does not work, if ever.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Whether it may admit one more request at `now`.
    #[must_use]
    pub fn admits(&self, now: Timestamp) -> bool {
        self.state.load(Ordering::Acquire) == LIVE && !self.is_expired(now)
    }

    /// Whether its credential has expired at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Why it ended, if it did.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        match self.state.load(Ordering::Acquire) {
            SESSION => Some(Ended::Session),
            KEY => Some(Ended::Key),
            USER => Some(Ended::User),
            _ => None,
        }
    }

    /// Whether the principal has changed since it was made.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.state.load(Ordering::Acquire) == STALE
    }

    /// Notes that a request came with it.
    pub fn note_used(&self, now: Timestamp) {
        if let CredentialId::Key(_) = self.principal.credential {
            self.used_at.store(now.as_millis(), Ordering::Relaxed);
        }
    }

    /// Something that concerns it may have been missed: it admits no further request.
    pub(super) fn doubt(&self) {
        self.turn(STALE);
    }

    /// Its credential was found not to work any more. Its workers hear of it when their bells ring.
    pub fn end(&self, ended: Ended) {
        let state = match ended {
            Ended::Session => SESSION,
            Ended::Key => KEY,
            Ended::User => USER,
        };
        self.turn(state);
    }

    /// When a request last came with it, if that was not yet taken.
    pub(super) fn take_used(&self) -> Option<Timestamp> {
        let millis = self.used_at.swap(i64::MIN, Ordering::Relaxed);
        (millis != i64::MIN).then(|| Timestamp::from_millis(millis))
    }

    /// Whether it rests on what `change` changed.
    pub(super) fn concerns(&self, change: Change) -> bool {
        self.outcome(change).is_some()
    }

    /// Applies a change; answers whether this admission rested on what it changed, ended or not.
    pub(super) fn apply(&self, change: Change) -> bool {
        let Some(state) = self.outcome(change) else {
            return false;
        };
        self.turn(state);
        true
    }

    /// An end is final and its first reason stands; being stale can still become an end.
    fn turn(&self, state: u8) {
        let turn = |now| (now == LIVE || (now == STALE && state != STALE)).then_some(state);
        let _ = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, turn);
    }

    fn outcome(&self, change: Change) -> Option<u8> {
        let mine = self.principal.user;
        match (change, self.principal.credential) {
            (Change::Session { user, session }, CredentialId::Session(own)) => {
                (user == mine && session == own).then_some(SESSION)
            }
            (Change::Key { user, key }, CredentialId::Key(own)) => {
                (user == mine && key == own).then_some(KEY)
            }
            (Change::Sessions { user }, CredentialId::Session(_)) => {
                (user == mine).then_some(SESSION)
            }
            // Keys work on, but the change may have been of more than the epoch.
            (Change::Sessions { user }, CredentialId::Key(_)) => (user == mine).then_some(STALE),
            (Change::User { user }, _) => (user == mine).then_some(USER),
            (Change::Reread { user }, _) => (user == mine).then_some(STALE),
            (Change::Session { .. } | Change::Key { .. } | Change::Addition, _) => None,
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let (Some(used_at), CredentialId::Key(key)) =
            (self.take_used(), self.principal.credential)
        {
            self.usage.note(key, used_at);
        }
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("user", &self.principal.user)
            .field("credential", &self.principal.credential)
            .field("ended", &self.ended())
            .finish_non_exhaustive()
    }
}

impl Ended {
    /// The refusal that a request in flight gets for it.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::Session => Code::SessionRevoked,
            Self::Key => Code::KeyRevoked,
            Self::User => Code::UserInactive,
        }
    }
}

impl From<Ended> for ApiError {
    fn from(ended: Ended) -> Self {
        Self::new(ended.code())
    }
}
