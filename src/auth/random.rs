use aws_lc_rs::rand;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::domain::{ApiKey, Digest, ResetToken};
use crate::http::{ApiError, Code};

/// The system gave no random bytes. Nothing secret can be made until it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct RandomError;

impl From<RandomError> for ApiError {
    fn from(error: RandomError) -> Self {
        tracing::error!(%error, "random bytes missing");
        Self::new(Code::Internal)
    }
}

/// `N` random bytes that nobody can guess.
///
/// # Errors
///
/// [`RandomError`] when the generator fails, which it does only where the system is broken.
pub fn random<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| RandomError)?;
    Ok(bytes)
}

/// A new API key.
///
/// # Errors
///
/// [`RandomError`], as [`random`] has it.
pub fn new_api_key() -> Result<ApiKey, RandomError> {
    Ok(ApiKey::from_random(&Zeroizing::new(random()?)))
}

/// A new password reset token: 32 random bytes, written so that they can stand in a URL.
///
/// # Errors
///
/// [`RandomError`], as [`random`] has it.
pub fn new_reset_token() -> Result<ResetToken, RandomError> {
    let bytes = Zeroizing::new(random::<32>()?);
    Ok(ResetToken::new(BASE64_URL_SAFE_NO_PAD.encode(*bytes)))
}

/// What the store keeps of a reset token.
#[must_use]
pub fn reset_digest(token: &ResetToken) -> Digest {
    Digest::of(&[token.expose().as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_never_the_same_twice() {
        assert_ne!(random::<16>(), random::<16>());
        assert_ne!(new_reset_token().unwrap(), new_reset_token().unwrap());
        let keys = [new_api_key().unwrap(), new_api_key().unwrap()];
        assert_ne!(keys[0].expose(), keys[1].expose());
    }

    #[test]
    fn a_reset_token_fits_into_a_url() {
        let token = new_reset_token().unwrap();
        assert_eq!(token.expose().len(), 43);
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        assert!(token.expose().bytes().all(fits));
    }

    #[test]
    fn a_reset_token_is_found_by_its_digest_only() {
        let token = ResetToken::new("abc".to_owned());
        assert_eq!(reset_digest(&token), Digest::of(&[b"abc"]));
    }
}
