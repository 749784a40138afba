use std::fmt;

use super::Answer;
use crate::domain::Timestamp;

/// Which keys the nodes of a shared store sign session tokens with, so that a node which lacks one
/// learns of it before it refuses a good token.
pub trait KeyRoll: Send + Sync + fmt::Debug {
    /// Says that this node signs with the key `kid` at `now`. To be said again while it is true.
    fn announce<'a>(&'a self, kid: &'a str, now: Timestamp) -> Answer<'a, ()>;

    /// The keys that some node signed with since `since`.
    fn seen_since(&self, since: Timestamp) -> Answer<'_, Vec<String>>;
}
