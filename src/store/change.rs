use super::{Entry, UserRecord};
use crate::domain::{KeyId, SessionId, UserId};

/// What a change means for admissions that were made before it.
///
/// This is what nodes tell each other; it names no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// One session was revoked.
    Session {
        /// Whose.
        user: UserId,
        /// Which.
        session: SessionId,
    },
    /// One API key was revoked.
    Key {
        /// Whose.
        user: UserId,
        /// Which.
        key: KeyId,
    },
    /// Every session of a user was revoked. Their keys work on, and are read again as with
    /// [`Change::Reread`]: role, address or name may be others too.
    Sessions {
        /// Whose.
        user: UserId,
    },
    /// A user is gone or inactive: nothing of theirs works.
    User {
        /// Who.
        user: UserId,
    },
    /// A user's role, address or name is another: admissions must be made again, exchanges go on.
    Reread {
        /// Who.
        user: UserId,
    },
    /// Something was added; no admission rests on it.
    Addition,
}

impl Change {
    /// What going from `old` to `new` means for admissions: the widest that fits. Who is inactive has
    /// none left; ended sessions include that keys are read again; a password or reset token alone is
    /// nothing that an admission rests on.
    pub(super) fn of_update(old: &UserRecord, new: &UserRecord) -> Self {
        let user = new.id;
        if !new.is_active {
            return Self::User { user };
        }
        if new.epoch != old.epoch {
            return Self::Sessions { user };
        }
        let is_same = new.role == old.role
            && new.email == old.email
            && new.name == old.name
            && new.is_active == old.is_active;
        if is_same {
            Self::Addition
        } else {
            Self::Reread { user }
        }
    }
}

/// How safe a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It survives the loss of any one server of the store.
    Replicated,
    /// It is on the store's primary server, and may be lost with it.
    Primary,
    /// It is on this machine's disk.
    Local,
}

impl Durability {
    /// The word for it in the header `Dariet-Durability`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replicated => "replicated",
            Self::Primary => "primary",
            Self::Local => "local",
        }
    }
}

/// A change that the store has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "admissions that rest on the old state must hear of the change"]
pub struct Recorded {
    /// What it means for admissions.
    pub change: Change,
    /// How safe it is.
    pub durability: Durability,
    /// Its place in the log, where several nodes share the store.
    pub entry: Option<Entry>,
}
