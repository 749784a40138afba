use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize};

use super::{KeyRing, SigningKey};
use crate::domain::{SessionId, SessionToken, Timestamp, UserId};
use crate::http::{ApiError, Code};

/// Makes session tokens and tells ours from all others.
///
/// A token is a JWT (RFC 7519) in compact form. Only this gateway makes them, so the header must be
/// byte for byte one that our keys write: algorithm, type and key are thereby checked without reading
/// anything that a stranger wrote, and what is signed was written by us.
#[derive(Debug, Clone)]
pub struct Tokens {
    ring: Arc<KeyRing>,
    issuer: String,
    audience: String,
    lifetime: Duration,
}

/// A token that was made.
#[derive(Debug)]
pub struct Issued {
    /// The token.
    pub token: SessionToken,
    /// Its session.
    pub session: SessionId,
    /// From when on it does not work.
    pub expires_at: Timestamp,
    /// How long that is.
    pub expires_in: Duration,
}

/// What a token of ours says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// Which session.
    pub session: SessionId,
    /// Whose.
    pub user: UserId,
    /// Which sessions of the user it is one of: it works while their record has the same number.
    pub epoch: u64,
    /// When it was made.
    pub issued_at: Timestamp,
    /// From when on it does not work.
    pub expires_at: Timestamp,
}

impl Tokens {
    /// Tokens of the keys of `ring`, with these `iss` and `aud`, that work for `lifetime`.
    #[must_use]
    pub fn new(
        ring: impl Into<Arc<KeyRing>>,
        issuer: impl Into<String>,
        audience: impl Into<String>,
        lifetime: Duration,
    ) -> Self {
        Self {
            ring: ring.into(),
            issuer: issuer.into(),
            audience: audience.into(),
            lifetime,
        }
    }

    /// The keys.
    #[must_use]
    pub fn keyring(&self) -> &KeyRing {
        &self.ring
    }

    /// A token for a new session of `user`, one of those that `epoch` counts.
    ///
    /// # Errors
    ///
    /// [`IssueError`]; no token was made.
    pub fn issue(&self, user: UserId, epoch: u64, now: Timestamp) -> Result<Issued, IssueError> {
        let session = SessionId::new();
        // A token counts whole seconds: rounded up, so that it works at least as long as promised.
        let expires_at = Timestamp::from_secs(
            now.after(self.lifetime)
                .after(Duration::from_millis(999))
                .as_secs(),
        );
        let payload = Payload {
            iss: (&self.issuer).into(),
            aud: (&self.audience).into(),
            sub: user.to_string().into(),
            jti: session.to_string().into(),
            iat: now.as_secs(),
            nbf: None,
            exp: expires_at.as_secs(),
            sep: epoch,
        };
        let payload = serde_json::to_vec(&payload).map_err(|_| IssueError::Sign)?;
        let signer = self.ring.signer(now).ok_or(IssueError::NoKey)?;
        Ok(Issued {
            token: signed(signer, &payload).ok_or(IssueError::Sign)?,
            session,
            expires_at,
            expires_in: self.lifetime,
        })
    }

    /// What `token` says, when it is ours and works at `now`. Whether its session was revoked, the
    /// store knows.
    ///
    /// # Errors
    ///
    /// [`TokenError`]; nothing that it says may be believed.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        if payload.contains('.') {
            return Err(TokenError::Malformed);
        }
        let signature = decoded(signature)?;
        let signature = signature.try_into().map_err(|_| TokenError::Malformed)?;
        let key = self.ring.of_header(header);
        let key = key.ok_or_else(|| unknown(header))?;
        if !key.verifies(message.as_bytes(), &signature) {
            return Err(TokenError::Signature);
        }
        self.claims(&decoded(payload)?, now)
    }

    fn claims(&self, payload: &[u8], now: Timestamp) -> Result<Claims, TokenError> {
        let payload = Payload::read(payload).ok_or(TokenError::Claims(Claim::Shape))?;
        if payload.iss != self.issuer {
            return Err(TokenError::Claims(Claim::Issuer));
        }
        if payload.aud != self.audience {
            return Err(TokenError::Claims(Claim::Audience));
        }
        let user = payload.sub.parse();
        let session = payload.jti.parse();
        let claims = Claims {
            user: user.map_err(|_| TokenError::Claims(Claim::Subject))?,
            session: session.map_err(|_| TokenError::Claims(Claim::Session))?,
            epoch: payload.sep,
            issued_at: Timestamp::from_secs(payload.iat),
            expires_at: Timestamp::from_secs(payload.exp),
        };
        let starts_at = payload.nbf.unwrap_or(payload.iat).max(payload.iat);
        if Timestamp::from_secs(starts_at) > now.after(LEEWAY) {
            return Err(TokenError::NotYet);
        }
        if claims.expires_at <= now {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }
}

/// The members of a token. A member twice, or of another type, is refused; others are ignored, so
/// that a newer node may add some.
#[derive(Serialize, Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    aud: Cow<'a, str>,
    #[serde(borrow)]
    sub: Cow<'a, str>,
    #[serde(borrow)]
    jti: Cow<'a, str>,
    iat: i64,
    #[serde(
        default,
        deserialize_with = "not_null",
        skip_serializing_if = "Option::is_none"
    )]
    nbf: Option<i64>,
    exp: i64,
    /// The session epoch.
    sep: u64,
}

impl<'a> Payload<'a> {
    fn read(json: &'a [u8]) -> Option<Self> {
        // Serde would read an array as well.
        if json.first() != Some(&b'{') {
            return None;
        }
        serde_json::from_slice(json).ok()
    }
}

fn not_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    i64::deserialize(deserializer).map(Some)
}

fn signed(key: &SigningKey, payload: &[u8]) -> Option<SessionToken> {
    let payload = BASE64_URL_SAFE_NO_PAD.encode(payload);
    let mut token = format!("{}.{payload}", key.header());
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    (token.len() <= MAX_TOKEN_BYTES).then(|| SessionToken::new(token))
}

/// Strict base64url: no padding, no bits that say nothing (RFC 7515 §2).
fn decoded(segment: &str) -> Result<Vec<u8>, TokenError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(segment);
    bytes.map_err(|_| TokenError::Malformed)
}

/// Somebody else's token, or no token at all.
fn unknown(header: &str) -> TokenError {
    match decoded(header) {
        Ok(json) if json.starts_with(b"{") => TokenError::UnknownKey,
        _ => TokenError::Malformed,
    }
}

/// A text is no token of ours, or none that works now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three segments of strict base64url, or too long.
    #[error("not a session token")]
    Malformed,
    /// The header is none that a key of ours writes: another key, algorithm or type.
    #[error("the token was not made with a key of this gateway")]
    UnknownKey,
    /// The signature is another's, or the token was changed.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim is missing, there twice, of a wrong type, or not meant for us.
    #[error("the token's claims are wrong ({0})")]
    Claims(Claim),
    /// It has had its time.
    #[error("the token has expired")]
    Expired,
    /// It is from the future; the clocks of two nodes differ too much.
    #[error("the token is not valid yet")]
    NotYet,
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        Self::new(match error {
            TokenError::Malformed => Code::CredentialMalformed,
            TokenError::Expired => Code::SessionExpired,
            TokenError::UnknownKey
            | TokenError::Signature
            | TokenError::Claims(_)
            | TokenError::NotYet => Code::TokenInvalid,
        })
    }
}

/// What of a token's claims was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Claim {
    /// Not one object with each claim once and of its type.
    #[error("shape")]
    Shape,
    /// `iss`
    #[error("iss")]
    Issuer,
    /// `aud`
    #[error("aud")]
    Audience,
    /// `sub`
    #[error("sub")]
    Subject,
    /// `jti`
    #[error("jti")]
    Session,
}

/// No token could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The clock went back to before every `sign_from`.
    #[error("no signing key may sign yet; look at the machine's clock")]
    NoKey,
    /// The library failed, or issuer and audience are too long for a token.
    #[error("the session token could not be signed")]
    Sign,
}

impl From<IssueError> for ApiError {
    fn from(error: IssueError) -> Self {
        tracing::error!(%error, "session token not made");
        Self::new(Code::Internal)
    }
}

/// How far a token may come from the future, since the clocks of nodes differ.
const LEEWAY: Duration = Duration::from_secs(30);

/// Ours have about 500; a bound before anything is read.
const MAX_TOKEN_BYTES: usize = 4096;

#[cfg(test)]
mod tests;
