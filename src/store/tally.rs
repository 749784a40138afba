use std::fmt;
use std::time::Duration;

use super::{Answer, Limit};

/// What the nodes of a shared store let pass of their limits, counted together (GCRA).
///
/// A node lets some pass on its own word, and tells of it here. So nothing is refused here: what passed
/// is counted, even where it was too much.
pub trait Tally: Send + Sync + fmt::Debug {
    /// Counts what this node let pass, and answers for each limit, in their order, how long it takes until
    /// its whole burst may come again. Nothing for one of which that is not known; it may have been counted.
    fn settle<'a>(&'a self, spent: &'a [Spent]) -> Answer<'a, Vec<Option<Duration>>>;
}

/// What one node let pass of a limit since it last told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// The limit.
    pub limit: Limit,
    /// How many.
    pub count: u32,
    /// How long ago they began, had they come without a pause and no faster than the limit brings them:
    /// from then on they are counted.
    pub age: Duration,
}
