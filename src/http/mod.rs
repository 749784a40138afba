//! HTTP without policy: what a request says, and how an answer says no.

mod error;

pub use error::{ApiError, Code, FieldError};

/// stub
#[derive(Debug)] pub struct IdentityValues;
impl IdentityValues { /// x
 pub fn of(_: &crate::domain::Principal) -> Self { Self } }
