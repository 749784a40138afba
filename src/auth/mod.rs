//! From a credential to an admission: tokens, keys, passwords, limits.

mod admitted;
mod argon;
mod authenticator;
mod cache;
mod credit;
mod error;
mod hash_queue;
mod hasher;
mod key_file;
mod keyring;
mod password;
mod password_pattern;
mod random;
mod recheck;
mod signing_key;
mod throttle;
mod token;

pub use admitted::{Admitted, Forbidden, HasMethod};
pub use authenticator::Authenticator;
pub use cache::{AdmissionCache, CacheKey};
pub use error::AuthError;
pub use hasher::{HashError, Hasher, Lane};
pub use keyring::KeyRing;
pub use password::{PasswordPolicy, PasswordRefused};
pub use random::{RandomError, new_api_key, new_reset_token, random, reset_digest};
pub use recheck::Rechecked;
pub use signing_key::{Jwk, SigningKey, SigningKeyError};
pub use throttle::{ForgotBrake, LoginBrake, Throttled};
pub use token::{Claim, Claims, IssueError, Issued, TokenError, Tokens};
