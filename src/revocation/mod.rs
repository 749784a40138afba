//! What must stop working, told to everything that rests on it.
//!
//! An [`Admission`] is what a valid credential gets. The [`Ledger`] knows the live ones and ends those
//! that a change concerns. [`Changes`] is the only way to write to the store: it records a change,
//! ends what rests on the old state, and has every worker cut its exchanges before it answers. The
//! [`Watch`] of a worker is where exchanges learn that they were cut, or took too long.
//!
//! Where several nodes share a store, [`Freshness`] says whether this one knows what the others did, the
//! [`Follower`] decides that, [`Recent`] is what may have to be sent again, and a [`FreshStore`] answers
//! nothing while it is not known. `docs/architecture.md` tells the protocol under "Many nodes".

mod admission;
mod applier;
mod bells;
mod changes;
mod follower;
mod fresh_store;
mod freshness;
mod ledger;
mod recent;
mod usage;
mod watch;

pub use admission::{Admission, Ended};
pub use applier::Applier;
pub use bells::{Bell, Bells};
pub use changes::Changes;
pub use follower::{Doubt, Follower, Heard, Pace, Step};
pub use fresh_store::FreshStore;
pub use freshness::{Freshness, Knowledge, NotFresh};
pub use ledger::{AskAgain, DROPS, Ledger, Mark};
pub use recent::{Era, MayBeLost, Recent};
pub use usage::KeyUsage;
pub use watch::{Alarm, Watch, Watched};
