
mod key_file;
mod keyring;
mod random;
mod signing_key;
mod token;

pub use keyring::KeyRing;
pub use random::{RandomError, new_api_key, new_reset_token, random, reset_digest};
pub use signing_key::{Jwk, SigningKey, SigningKeyError};
pub use token::{Claim, Claims, IssueError, Issued, TokenError, Tokens};
