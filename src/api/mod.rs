//! The gateway's own endpoints.

mod reset_page;

pub use reset_page::reset_page;
