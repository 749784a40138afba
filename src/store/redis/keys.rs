use crate::domain::{Digest, Email, SessionId, UserId};
use crate::store::LimitKey;

/// What the keys of one store are called.
///
/// All records and indexes carry one hash tag, so that they are in one slot of a Cluster and a script
/// can change several. Limits have none, and are spread over it.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    fn tagged(&self, rest: &str) -> String {
        format!("{{{}}}:{rest}", self.prefix)
    }

    /// Which store this is.
    pub(super) fn id(&self) -> String {
        self.tagged("id")
    }

    /// The number of the last change.
    pub(super) fn counter(&self) -> String {
        self.tagged("ep")
    }

    /// The log of changes.
    pub(super) fn log(&self) -> String {
        self.tagged("log")
    }

    /// What a beat writes, so that a replica has something to acknowledge.
    pub(super) fn beat(&self) -> String {
        self.tagged("beat")
    }

    /// A user's record.
    pub(super) fn user(&self, id: UserId) -> String {
        self.tagged(&format!("r:u:{id}"))
    }

    /// An API key's record.
    pub(super) fn key(&self, digest: Digest) -> String {
        self.tagged(&format!("r:k:{digest}"))
    }

    /// A revoked session's record.
    pub(super) fn session(&self, id: SessionId) -> String {
        self.tagged(&format!("r:x:{id}"))
    }

    /// Address → user. What people typed stands in no key.
    pub(super) fn email(&self, email: &Email) -> String {
        let digest = Digest::of(&[email.normal().as_bytes()]);
        self.tagged(&format!("i:e:{digest}"))
    }

    /// Digest of the live reset token → user.
    pub(super) fn reset(&self, token: Digest) -> String {
        self.tagged(&format!("t:r:{token}"))
    }

    /// Every user, in order of their ids.
    pub(super) fn users(&self) -> String {
        self.tagged("i:users")
    }

    /// Active administrators.
    pub(super) fn admins(&self) -> String {
        self.tagged("i:adm")
    }

    /// API key → its digest; tombstones too.
    pub(super) fn key_ids(&self) -> String {
        self.tagged("i:keys")
    }

    /// The digests of a user's keys that were not revoked, by when they expire.
    pub(super) fn keys_of(&self, user: UserId) -> String {
        self.tagged(&format!("i:uk:{user}"))
    }

    /// API key → when it was last used.
    pub(super) fn last_used(&self) -> String {
        self.tagged("lu")
    }

    /// What is to be forgotten, and when: see [`super::due`].
    pub(super) fn due(&self) -> String {
        self.tagged("due")
    }

    /// Signing key → when a node last said that it signs with it.
    pub(super) fn signing_keys(&self) -> String {
        self.tagged("sk")
    }

    /// One rate limit.
    pub(super) fn limit(&self, key: LimitKey) -> String {
        format!("{}{}", self.limits(), key.0)
    }

    /// What every limit's key begins with.
    pub(super) fn limits(&self) -> String {
        format!("{}:rl:", self.prefix)
    }

    /// A limit that nobody has, where the records are: in a Cluster others are elsewhere.
    pub(super) fn probe_limit(&self) -> String {
        format!("{}{}", self.limits(), self.tagged("probe"))
    }

    /// What is written and removed to see whether we may.
    pub(super) fn probes(&self) -> [String; 5] {
        ["text", "hash", "set", "sorted", "stream"]
            .map(|kind| self.tagged(&format!("probe:{kind}")))
    }

    /// Keys without one of which no store with records is.
    pub(super) fn of_any_store(&self) -> [String; 7] {
        [
            self.counter(),
            self.log(),
            self.users(),
            self.admins(),
            self.key_ids(),
            self.last_used(),
            self.due(),
        ]
    }
}
