//! What must stop working, told to everything that rests on it.
//!
//! An [`Admission`] is what a valid credential gets. The [`Ledger`] knows the live ones and ends those
//! that a change concerns. [`Changes`] is the only way to write to the store: it records a change,
//! ends what rests on the old state, and has every worker cut its exchanges before it answers. The
//! [`Watch`] of a worker is where exchanges learn that they were cut, or took too long.

mod admission;
mod bells;
mod changes;
mod ledger;
mod usage;
mod watch;

pub use admission::{Admission, Ended};
pub use bells::{Bell, Bells};
pub use changes::Changes;
pub use ledger::{AskAgain, Ledger, Mark};
pub use usage::KeyUsage;
pub use watch::{Alarm, Watch, Watched};
