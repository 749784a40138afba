//! The words everything else is written in: who someone is, what they carry, when it happened.
//!
//! Nothing here does input or output; nothing here knows of HTTP, of a store or of a configuration.

mod address;
mod api_key;
mod clock;
mod digest;
mod email;
mod id;
mod name;
mod principal;
mod role;
mod secret;
mod shared_clock;
mod timestamp;
mod uptime;

pub use address::AddressText;
pub use api_key::{ApiKey, ApiKeyError};
pub use clock::{Clock, ManualClock, SystemClock};
pub use digest::Digest;
pub use email::{Email, EmailError};
pub use id::{IdError, KeyId, SessionId, UserId};
pub use name::{KeyName, NameError, UserName};
pub use principal::{CredentialId, Method, Principal};
pub use role::{Role, RoleError};
pub use secret::{Password, ResetToken, SessionToken};
pub use shared_clock::SharedClock;
pub use timestamp::{Timestamp, TimestampError};
pub use uptime::{BootUptime, ManualUptime, Uptime};
