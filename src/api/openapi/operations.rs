//! What each endpoint takes and says.

use crate::http::Code;

/// One endpoint, as the document tells it.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) caller: Caller,
    pub(super) query: &'static [&'static str],
    /// The schema of the body, for those that take one.
    pub(super) body: Option<&'static str>,
    /// The status, and the schema of what is said.
    pub(super) success: (u16, Option<&'static str>),
    pub(super) headers: &'static [&'static str],
    /// Beside those that every such endpoint has.
    own: &'static [Code],
}

/// Who may call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Anyone,
    Credential,
}

impl Operation {
    /// Every code that a refusal of this endpoint may have.
    pub(super) fn refusals(&self) -> Vec<Code> {
        let mut codes = EVERYWHERE.to_vec();
        if self.caller == Caller::Credential {
            codes.extend(WITH_CREDENTIAL);
        }
        if self.body.is_some() {
            codes.extend(WITH_BODY);
        }
        if !self.query.is_empty() {
            codes.push(Code::Invalid);
        }
        if self.path.contains("{id}") {
            codes.push(Code::NotFound);
        }
        for code in self.own {
            if !codes.contains(code) {
                codes.push(*code);
            }
        }
        codes
    }
}

/// Of what is no HTTP, and of a gateway that is not well.
const EVERYWHERE: &[Code] = &[
    Code::MalformedRequest,
    Code::PathRefused,
    Code::RequestTimeout,
    Code::HeadTooLarge,
    Code::Internal,
];

const WITH_CREDENTIAL: &[Code] = &[
    Code::TwoCredentials,
    Code::CredentialMissing,
    Code::CredentialMalformed,
    Code::TokenInvalid,
    Code::SessionExpired,
    Code::SessionRevoked,
    Code::KeyUnknown,
    Code::KeyExpired,
    Code::KeyRevoked,
    Code::UserInactive,
    Code::StoreUnavailable,
    Code::StoreReplaced,
    Code::Overloaded,
];

const WITH_BODY: &[Code] = &[
    Code::MalformedJson,
    Code::BodyTooLarge,
    Code::UnsupportedMediaType,
    Code::Invalid,
    Code::StoreUnavailable,
    Code::StoreReplaced,
    Code::Overloaded,
];

const DURABLE: &[&str] = &["Dariet-Durability"];

/// Every endpoint.
#[rustfmt::skip]
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "post", path: "/api/auth/login", id: "logIn", summary: "Opens a session",
        caller: Caller::Anyone, query: &[], body: Some("LogIn"),
        success: (200, Some("Session")), headers: &[],
        own: &[Code::LoginFailed, Code::TooManyAttempts],
    },
    Operation {
        method: "post", path: "/api/auth/logout", id: "logOut", summary: "Revokes the session of this call",
        caller: Caller::Credential, query: &[], body: None,
        success: (204, None), headers: DURABLE,
        own: &[Code::SessionRequired, Code::OutcomeUnknown],
    },
    Operation {
        method: "post", path: "/api/auth/change-password", id: "changePassword",
        summary: "Sets another password, revokes every session of the user and opens a new one",
        caller: Caller::Credential, query: &[], body: Some("PasswordChange"),
        success: (200, Some("Session")), headers: DURABLE,
        own: &[Code::SessionRequired, Code::PasswordWrong, Code::TooManyAttempts, Code::ConcurrentChange, Code::OutcomeUnknown],
    },
    Operation {
        method: "post", path: "/api/auth/forgot-password", id: "forgotPassword",
        summary: "Asks for a mail with a link to set a new password",
        caller: Caller::Anyone, query: &[], body: Some("Forgotten"),
        success: (200, Some("Message")), headers: &[],
        own: &[Code::TooManyAttempts, Code::MailQueueFull],
    },
    Operation {
        method: "get", path: "/api/auth/reset-password", id: "resetPage",
        summary: "The page that the mailed link opens",
        caller: Caller::Anyone, query: &[], body: None,
        success: (200, Some("html")), headers: &[],
        own: &[],
    },
    Operation {
        method: "post", path: "/api/auth/reset-password", id: "resetPassword",
        summary: "Spends a mailed token: sets the password and revokes every session of the user",
        caller: Caller::Anyone, query: &[], body: Some("Reset"),
        success: (200, Some("Message")), headers: DURABLE,
        own: &[Code::ResetTokenInvalid, Code::ConcurrentChange, Code::OutcomeUnknown],
    },
    Operation {
        method: "get", path: "/api/auth/me", id: "me", summary: "The user of a session, or the owner of a key",
        caller: Caller::Credential, query: &[], body: None,
        success: (200, Some("User")), headers: &[],
        own: &[],
    },
    Operation {
        method: "get", path: "/api/auth/users", id: "users",
        summary: "All users, oldest first; with `limit` a page, the next one in `Link`",
        caller: Caller::Credential, query: &["limit", "after"], body: None,
        success: (200, Some("Users")), headers: &["Link"],
        own: &[Code::NotAllowed, Code::SessionRequired],
    },
    Operation {
        method: "post", path: "/api/auth/users", id: "createUser", summary: "Adds a user",
        caller: Caller::Credential, query: &[], body: Some("NewUser"),
        success: (201, Some("User")), headers: &["Location", "Dariet-Durability"],
        own: &[Code::NotAllowed, Code::SessionRequired, Code::EmailTaken, Code::OutcomeUnknown],
    },
    Operation {
        method: "patch", path: "/api/auth/users/{id}", id: "updateUser",
        summary: "Changes a user; what is left out stays",
        caller: Caller::Credential, query: &[], body: Some("UserPatch"),
        success: (200, Some("User")), headers: DURABLE,
        own: &[Code::NotAllowed, Code::SessionRequired, Code::EmailTaken, Code::LastAdmin, Code::ConcurrentChange, Code::OutcomeUnknown],
    },
    Operation {
        method: "delete", path: "/api/auth/users/{id}", id: "deleteUser",
        summary: "Deletes a user, their sessions and their keys",
        caller: Caller::Credential, query: &[], body: None,
        success: (204, None), headers: DURABLE,
        own: &[Code::OwnAccount, Code::NotAllowed, Code::SessionRequired, Code::LastAdmin, Code::ConcurrentChange, Code::OutcomeUnknown],
    },
    Operation {
        method: "get", path: "/api/api-keys", id: "keys",
        summary: "Your API keys that work, oldest first; an administrator may ask for somebody else's",
        caller: Caller::Credential, query: &["user_id"], body: None,
        success: (200, Some("Keys")), headers: &[],
        own: &[Code::NotAllowed, Code::SessionRequired],
    },
    Operation {
        method: "post", path: "/api/api-keys", id: "createKey",
        summary: "Makes an API key, which is shown this once",
        caller: Caller::Credential, query: &["user_id"], body: Some("NewKey"),
        success: (201, Some("MintedKey")), headers: &["Location", "Dariet-Durability"],
        own: &[Code::NotAllowed, Code::SessionRequired, Code::TooManyKeys, Code::OutcomeUnknown],
    },
    Operation {
        method: "delete", path: "/api/api-keys/{id}", id: "revokeKey",
        summary: "Revokes an API key; asked again within a day it says the same",
        caller: Caller::Credential, query: &[], body: None,
        success: (204, None), headers: DURABLE,
        own: &[Code::NotAllowed, Code::SessionRequired, Code::ConcurrentChange, Code::OutcomeUnknown],
    },
    Operation {
        method: "get", path: "/api/auth/openapi.json", id: "openapi", summary: "This document",
        caller: Caller::Anyone, query: &[], body: None,
        success: (200, Some("OpenApi")), headers: &[],
        own: &[],
    },
    Operation {
        method: "get", path: "/.well-known/jwks.json", id: "jwks",
        summary: "The public keys that verify session tokens",
        caller: Caller::Anyone, query: &[], body: None,
        success: (200, Some("JwkSet")), headers: &[],
        own: &[],
    },
];
