//! HTTP without policy: what a request says, and how an answer says no.

mod error;
pub mod problem;

pub use error::{ApiError, Code, FieldError};
pub use problem::problem;
