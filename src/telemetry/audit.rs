//! Who changed what, and who tried to log in: one line each, which names no secret and no address that
//! somebody typed.

use std::net::IpAddr;

use crate::domain::{CredentialId, KeyId, Method, Principal, UserId};

/// One thing that an operator may be asked about later.
#[derive(Debug, Clone, Copy)]
#[must_use = "an entry counts once it is written"]
pub struct Entry<'a> {
    /// What happened.
    pub event: Event,
    /// Who did it.
    pub actor: Actor,
    /// To whom; `None` where the account is not known.
    pub subject: Option<UserId>,
    /// To which API key.
    pub key: Option<KeyId>,
    /// The address of the client; `None` for the command line.
    pub client: Option<IpAddr>,
    /// The request that did it.
    pub request_id: &'a str,
    /// Why it was refused, if it was: the `code` of the answer.
    pub code: Option<&'static str>,
    /// Which fields were changed, never to what.
    pub fields: &'a [&'static str],
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Somebody logged in.
    Login,
    /// A log-in was refused.
    LoginRefused,
    /// A session was ended by its user.
    Logout,
    /// A user changed their own password.
    PasswordChanged,
    /// A user could not change their own password.
    PasswordChangeRefused,
    /// A reset mail was asked for.
    ResetAsked,
    /// A reset token was made for an account, and its mail queued.
    ResetMailed,
    /// A reset token was spent: the password is another.
    ResetSpent,
    /// A reset was refused.
    ResetRefused,
    /// A user was added.
    UserCreated,
    /// A user was changed.
    UserChanged,
    /// A user was deleted.
    UserDeleted,
    /// An API key was made.
    KeyCreated,
    /// An API key was revoked.
    KeyRevoked,
    /// A changed configuration was applied.
    ConfigReloaded,
    /// A changed configuration was refused.
    ConfigReloadRefused,
}

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A user, by one of their credentials.
    User(UserId, CredentialId),
    /// Whoever may use the machine's admin socket.
    Operator,
    /// Somebody without a credential.
    Anyone,
}

impl Entry<'_> {
    /// Writes the line.
    pub fn write(&self) {
        let (id, method, key) = match self.actor {
            Actor::User(id, CredentialId::Session(_)) => (Some(id), Some(Method::Session), None),
            Actor::User(id, CredentialId::Key(key)) => (Some(id), Some(Method::ApiKey), Some(key)),
            Actor::Operator | Actor::Anyone => (None, None, None),
        };
        tracing::info!(
            target: "audit",
            event = self.event.as_str(),
            actor = self.actor.as_str(),
            actor.id = id.map(display),
            actor.method = method.map(Method::as_str),
            actor.key_id = key.map(display),
            subject.id = self.subject.map(display),
            subject.key_id = self.key.map(display),
            client.ip = self.client.map(display),
            request_id = self.request_id,
            code = self.code,
            fields = (!self.fields.is_empty()).then(|| display(self.fields.join(","))),
            "audit"
        );
    }
}

impl Event {
    /// The stable word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::LoginRefused => "login_refused",
            Self::Logout => "logout",
            Self::PasswordChanged => "password_changed",
            Self::PasswordChangeRefused => "password_change_refused",
            Self::ResetAsked => "reset_asked",
            Self::ResetMailed => "reset_mailed",
            Self::ResetSpent => "reset_spent",
            Self::ResetRefused => "reset_refused",
            Self::UserCreated => "user_created",
            Self::UserChanged => "user_changed",
            Self::UserDeleted => "user_deleted",
            Self::KeyCreated => "key_created",
            Self::KeyRevoked => "key_revoked",
            Self::ConfigReloaded => "config_reloaded",
            Self::ConfigReloadRefused => "config_reload_refused",
        }
    }
}

impl Actor {
    /// The word for the kind of actor.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User(..) => "user",
            Self::Operator => "operator",
            Self::Anyone => "anyone",
        }
    }
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Self {
        Self::User(principal.user, principal.credential)
    }
}
