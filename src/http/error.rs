use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

/// An answer that says no: the one shape in which every refusal and failure reaches a client.
///
/// The errors of the layers turn into it beside their own definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Which refusal it is.
    pub code: Code,
    /// What the person should do, where there is more to say than the code's own sentence.
    pub detail: Option<Cow<'static, str>>,
    /// Every field that was wrong.
    pub fields: Vec<FieldError>,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// Which methods the resource has.
    pub allow: Option<Cow<'static, str>>,
}

/// One field of a body that was wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// Its name in the body.
    pub field: &'static str,
    /// What it must be, so that the person can mend it.
    pub message: String,
}

impl ApiError {
    /// The refusal `code`, with nothing to add.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            fields: Vec::new(),
            retry_after: None,
            allow: None,
        }
    }

    /// The fields `fields` are wrong.
    #[must_use]
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let mut error = Self::new(Code::Invalid);
        error.fields = fields;
        error
    }

    /// Says what to do in other words than the code's own.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The method is not one of `allow`, a list as the header `Allow` has it.
    #[must_use]
    pub fn method_not_allowed(allow: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::new(Code::MethodNotAllowed);
        error.allow = Some(allow.into());
        error
    }
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            self.detail
                .as_deref()
                .unwrap_or_else(|| self.code.sentence()),
        )
    }
}

impl std::error::Error for ApiError {}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $word:literal, $title:literal, $sentence:literal;)*) => {
        /// A stable word for each refusal: the same in the answer, the access line and the metric.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* #[doc = $sentence] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its place in [`Self::ALL`].
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }

            /// The status of the answer.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),* }
            }

            /// The stable word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// What it is, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }

            /// What the person should do.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence),* }
            }
        }
    };
}

codes! {
    MalformedRequest = BAD_REQUEST, "malformed_request", "Malformed request", "the request breaks the rules of HTTP; it was not read further";
    PathRefused = BAD_REQUEST, "path_refused", "Path refused", "the path can be read in two ways; write it plainly, without encoded slashes, backslashes, semicolons or dots that leave the root";
    MalformedJson = BAD_REQUEST, "malformed_json", "Malformed JSON", "the body is no JSON; send one JSON object in UTF-8";
    TwoCredentials = BAD_REQUEST, "two_credentials", "Two credentials", "the request carries more than one credential; send exactly one";
    ResetTokenInvalid = BAD_REQUEST, "reset_token_invalid", "Reset link not valid", "the reset link was used, replaced or has expired; ask for a new one";
    OwnAccount = BAD_REQUEST, "own_account", "Your own account", "you cannot delete your own account; ask another administrator";
    CredentialMissing = UNAUTHORIZED, "credential_missing", "Credential missing", "log in, or send an API key, in the Authorization header";
    CredentialMalformed = UNAUTHORIZED, "credential_malformed", "Credential malformed", "the credential is neither a session token nor an API key of this gateway; check that it was copied whole";
    TokenInvalid = UNAUTHORIZED, "token_invalid", "Session token not valid", "the session token was not made by this gateway; log in again";
    SessionExpired = UNAUTHORIZED, "session_expired", "Session expired", "the session has expired; log in again";
    SessionRevoked = UNAUTHORIZED, "session_revoked", "Session revoked", "the session was ended; log in again";
    KeyUnknown = UNAUTHORIZED, "key_unknown", "API key unknown", "there is no such API key; make a new one";
    KeyExpired = UNAUTHORIZED, "key_expired", "API key expired", "the API key has expired; make a new one";
    KeyRevoked = UNAUTHORIZED, "key_revoked", "API key revoked", "the API key was revoked; make a new one";
    UserInactive = UNAUTHORIZED, "user_inactive", "User not active", "the account is not active any more; ask an administrator";
    LoginFailed = UNAUTHORIZED, "login_failed", "Log-in failed", "email or password is wrong";
    PasswordWrong = UNAUTHORIZED, "password_wrong", "Password wrong", "the current password is wrong";
    NotAllowed = FORBIDDEN, "not_allowed", "Not allowed", "your role may not do this; ask an administrator";
    SessionRequired = FORBIDDEN, "session_required", "Session required", "an API key may not do this; log in and use the session token";
    OriginNotAllowed = FORBIDDEN, "origin_not_allowed", "Origin not allowed", "web pages of this origin may not call; ask the operator to list it";
    NotFound = NOT_FOUND, "not_found", "Not found", "there is nothing here; check the address";
    NoRoute = NOT_FOUND, "no_route", "No route", "no service answers at this address";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed", "the resource is there, but not for this method; the header Allow lists those it has";
    RequestTimeout = REQUEST_TIMEOUT, "request_timeout", "Request too slow", "the request did not arrive in time; send it again";
    ConcurrentChange = CONFLICT, "concurrent_change", "Changed meanwhile", "somebody else changed this at the same time; look at it and try again";
    EmailTaken = CONFLICT, "email_taken", "Email taken", "another user has this email address";
    LastAdmin = CONFLICT, "last_admin", "Last administrator", "no active administrator would be left; make another one first";
    TooManyKeys = CONFLICT, "too_many_keys", "Too many API keys", "you have as many active keys as you may have; revoke one you no longer use";
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body_too_large", "Body too large", "the body is larger than this resource takes";
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Not JSON", "send the body with Content-Type: application/json";
    Invalid = UNPROCESSABLE_ENTITY, "invalid", "Not valid", "some fields are not valid; each is named";
    TooManyAttempts = TOO_MANY_REQUESTS, "too_many_attempts", "Too many attempts", "too many attempts; wait as long as Retry-After says";
    RateLimited = TOO_MANY_REQUESTS, "rate_limited", "Too many requests", "too many requests; wait as long as Retry-After says";
    HeadTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", "Headers too large", "the request's headers are larger than this gateway takes";
    Internal = INTERNAL_SERVER_ERROR, "internal", "Internal error", "the gateway made a mistake; tell its operator the request id";
    NotImplemented = NOT_IMPLEMENTED, "not_implemented", "Not implemented", "the gateway does not do this";
    UpstreamRefused = BAD_GATEWAY, "upstream_refused", "Service cannot be reached", "the service did not take the connection; try again later";
    UpstreamBroken = BAD_GATEWAY, "upstream_broken", "Service broke off", "the service broke off or answered what is no HTTP; try again later";
    StoreUnavailable = SERVICE_UNAVAILABLE, "store_unavailable", "Store not available", "the gateway cannot check this right now, and changed nothing; try again soon";
    OutcomeUnknown = SERVICE_UNAVAILABLE, "outcome_unknown", "Outcome unknown", "the change may or may not have been written; look again before you repeat it";
    StoreReplaced = SERVICE_UNAVAILABLE, "store_replaced", "Store replaced", "the gateway's store is another one than before; its operator must look at it";
    MailQueueFull = SERVICE_UNAVAILABLE, "mail_queue_full", "Mail queue full", "too many mails are waiting; try again soon";
    Overloaded = SERVICE_UNAVAILABLE, "overloaded", "Overloaded", "too much is being asked at once; try again soon";
    UpstreamUnavailable = SERVICE_UNAVAILABLE, "upstream_unavailable", "Service not available", "no server of the service takes requests right now; try again soon";
    UpstreamTimeout = GATEWAY_TIMEOUT, "upstream_timeout", "Service too slow", "the service did not answer in time; try again later";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_refusal_has_a_word_of_its_own() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
    }

    #[test]
    fn a_refusal_says_what_to_do_in_lower_case() {
        for code in Code::ALL {
            let sentence = code.sentence();
            assert!(!sentence.ends_with('.'), "{sentence}");
            assert!(sentence.starts_with(char::is_lowercase), "{sentence}");
        }
    }
}
