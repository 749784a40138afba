//! The one credential of a request: found, and taken out.

#[cfg(test)]
mod tests;

use std::fmt;

use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::header::{X_API_KEY, elements};
use super::octet::is_token;
use super::{ApiError, Code};
use crate::domain::ApiKey;

/// What a request carries to say who it speaks for. Nothing about it is checked yet but its form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// What may be a session token.
    Session(&'a str),
    /// What begins as an API key does.
    ApiKey(&'a str),
}

/// A credential, and where it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// The credential.
    pub credential: Credential<'a>,
    /// Where it stood.
    pub place: Place,
}

/// Where a credential can stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `Authorization: Bearer …`
    Authorization,
    /// `X-API-Key: dk_…`
    XApiKey,
    /// `Sec-WebSocket-Protocol: dariet.bearer.…`
    WebSocketProtocol,
}

/// Why a request has no single credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// More than one place speaks; nobody may choose.
    #[error("the request carries more than one credential")]
    Two,
    /// `Bearer` without a token, or with something after it (RFC 6750 §2.1).
    #[error("the credential cannot be read")]
    Malformed,
}

/// What was left of the protocols a client offered for a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferedProtocols {
    /// None of them was a credential of ours; nothing was touched.
    Untouched,
    /// Only a credential of ours: the gateway answers [`WEBSOCKET_PROTOCOL`] itself.
    OnlyOurs,
    /// Ours is gone, others remain: the upstream answers with one of them.
    OthersRemain,
}

/// The protocol the gateway answers where a client offered none but its credential.
pub const WEBSOCKET_PROTOCOL: HeaderValue = HeaderValue::from_static("dariet.bearer");

const WEBSOCKET_PREFIX: &[u8] = b"dariet.bearer.";

impl<'a> Credential<'a> {
    /// The credential itself. Every use is a place where it could leak.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Session(text) | Self::ApiKey(text) => text.as_bytes(),
        }
    }

    fn of(text: &'a str) -> Self {
        if text.starts_with(ApiKey::PREFIX) {
            Self::ApiKey(text)
        } else {
            Self::Session(text)
        }
    }
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Session(_) => "Session(..)",
            Self::ApiKey(_) => "ApiKey(..)",
        })
    }
}

impl From<CredentialError> for ApiError {
    fn from(error: CredentialError) -> Self {
        Self::new(match error {
            CredentialError::Two => Code::TwoCredentials,
            CredentialError::Malformed => Code::CredentialMalformed,
        })
    }
}

/// Finds the credential of a request.
///
/// An `Authorization` of another scheme and an `X-API-Key` that is none of ours are the upstream's, and
/// count as nothing. But two `Authorization` headers are two credentials whatever their schemes, since
/// the upstream might read the other one. Of the protocols only those of a WebSocket upgrade are read.
///
/// # Errors
///
/// [`CredentialError::Two`], also when one of them is malformed; [`CredentialError::Malformed`].
pub fn read_credential(
    headers: &HeaderMap,
    is_websocket_upgrade: bool,
) -> Result<Option<Found<'_>>, CredentialError> {
    let mut only = in_authorization(headers)?;
    if let Some(found) = in_api_key(headers)? {
        set_only(&mut only, found)?;
    }
    if is_websocket_upgrade {
        for token in elements(headers, SEC_WEBSOCKET_PROTOCOL).filter_map(offered_token) {
            set_only(&mut only, readable(token, Place::WebSocketProtocol))?;
        }
    }
    only.transpose()
}

/// Whether a list of credentials or challenges under `name` is of a scheme that services let hold for a
/// whole connection (RFC 4559 §6): whoever came next over it would be taken for somebody else.
#[must_use]
pub fn claims_connection(headers: &HeaderMap, name: HeaderName) -> bool {
    elements(headers, name).any(|element| {
        let scheme = element.split(|byte| *byte == b' ').next();
        scheme.is_some_and(|scheme| {
            scheme.eq_ignore_ascii_case(b"negotiate") || scheme.eq_ignore_ascii_case(b"ntlm")
        })
    })
}

/// Whether `Authorization` carries a credential of ours; other schemes are the upstream's.
pub(super) fn is_bearer(authorization: &HeaderValue) -> bool {
    bearer(authorization.as_bytes()).is_some()
}

/// Whether `X-API-Key` carries a credential of ours.
pub(super) fn is_api_key(value: &HeaderValue) -> bool {
    value.as_bytes().starts_with(ApiKey::PREFIX.as_bytes())
}

/// What is left of the protocols a client offers for a WebSocket without a credential of ours.
#[must_use]
pub fn offered_protocols(headers: &HeaderMap) -> OfferedProtocols {
    if !elements(headers, SEC_WEBSOCKET_PROTOCOL).any(|element| offered_token(element).is_some()) {
        OfferedProtocols::Untouched
    } else if other_protocols(headers).next().is_some() {
        OfferedProtocols::OthersRemain
    } else {
        OfferedProtocols::OnlyOurs
    }
}

/// The protocols a client offers that are no credential of ours.
pub(super) fn other_protocols(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    elements(headers, SEC_WEBSOCKET_PROTOCOL).filter(|element| offered_token(element).is_none())
}

type Reading<'a> = Result<Found<'a>, CredentialError>;

fn set_only<'a>(only: &mut Option<Reading<'a>>, found: Reading<'a>) -> Result<(), CredentialError> {
    match only.replace(found) {
        Some(_) => Err(CredentialError::Two),
        None => Ok(()),
    }
}

fn in_authorization(headers: &HeaderMap) -> Result<Option<Reading<'_>>, CredentialError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(CredentialError::Two);
    }
    Ok(bearer(value.as_bytes()).map(|token| readable(token, Place::Authorization)))
}

fn in_api_key(headers: &HeaderMap) -> Result<Option<Reading<'_>>, CredentialError> {
    let mut values = headers.get_all(X_API_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let is_ours = is_api_key(value);
    let mut others = values.peekable();
    if others.peek().is_some() && (is_ours || others.any(is_api_key)) {
        return Err(CredentialError::Two);
    }
    Ok(is_ours.then(|| {
        let text = value.to_str().map_err(|_| CredentialError::Malformed)?;
        Ok(Found {
            credential: Credential::of(text),
            place: Place::XApiKey,
        })
    }))
}

/// What follows `Bearer`, without the spaces before it; nothing when the scheme is another one.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(b"Bearer".len())?;
    if !scheme.eq_ignore_ascii_case(b"Bearer") || rest.first().is_some_and(|byte| is_token(*byte)) {
        return None;
    }
    let token = rest
        .iter()
        .position(|byte| *byte != b' ')
        .unwrap_or(rest.len());
    rest.get(token..)
}

/// The token in a protocol a client offers.
fn offered_token(element: &[u8]) -> Option<&[u8]> {
    element.strip_prefix(WEBSOCKET_PREFIX)
}

fn readable(token: &[u8], place: Place) -> Reading<'_> {
    if token.is_empty() || !is_token68(token) {
        return Err(CredentialError::Malformed);
    }
    let text = std::str::from_utf8(token).map_err(|_| CredentialError::Malformed)?;
    Ok(Found {
        credential: Credential::of(text),
        place,
    })
}

/// RFC 9110 §11.2. It looks at every byte without leaving early, so that the compiler takes sixteen
/// at a time.
fn is_token68(token: &[u8]) -> bool {
    token.iter().fold(true, |is_token68, &byte| {
        let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let is_digit = byte.wrapping_sub(b'0') < 10;
        let is_other = (byte == b'-')
            | (byte == b'.')
            | (byte == b'_')
            | (byte == b'~')
            | (byte == b'+')
            | (byte == b'/')
            | (byte == b'=');
        is_token68 & (is_letter | is_digit | is_other)
    })
}
