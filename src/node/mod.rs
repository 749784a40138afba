//! One running node: wires the layers together and owns every task.
//!
//! [`serve`] runs a whole node until it is told to stop. [`Local`] opens the same store for the
//! command line while no node runs.

mod core;
mod error;
mod examination;
mod housekeeping;
mod key_watch;
mod link;
mod local;
mod metrics;
mod opened;
mod readiness;
mod reload;
mod reload_told;
mod serve;
mod shared;
mod signals;

pub use error::NodeError;
pub use key_watch::KeyWatch;
pub use link::{Link, LinkState};
pub use local::Local;
pub use serve::{Started, serve};
pub use shared::Shared;
