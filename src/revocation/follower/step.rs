use std::collections::VecDeque;
use std::time::Duration;

use super::Doubt;
use crate::store::{Beat, Entry};

/// What a node does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Close the store, wait about so long, find the server and connect. Answered by
    /// [`Heard::Connected`].
    Connect {
        /// At the most; chance makes it shorter, so that nodes do not come all at once.
        pause: Duration,
    },
    /// Let this much time pass. Answered by [`Heard::Done`].
    Wait(Duration),
    /// Ask the server where it stands. Answered by [`Heard::Beat`].
    Beat,
    /// Read the log. Answered by [`Heard::Entries`].
    Read {
        /// The changes after this number.
        after: u64,
        /// How long to wait for the first of them.
        wait: Duration,
    },
    /// Doubt everything. Answered by [`Heard::ToSendAgain`].
    Doubt(Doubt),
    /// Write once more what may be lost, in whatever order. Answered by [`Heard::Done`].
    SendAgain(Vec<Entry>),
    /// Let reads and changes go to the store.
    Open,
    /// Check what is in flight. Answered by [`Heard::Done`].
    Recheck,
    /// Apply changes that came through the log.
    Apply(Vec<Entry>),
    /// Everything recorded before this moment is known.
    Confirm {
        /// When the beat that says so was sent.
        since: Duration,
    },
    /// Another store stands where this node's store stood.
    Replace,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Connected, and this is the server's first beat.
    Connected(Beat),
    /// A beat.
    Beat {
        /// What the server said.
        beat: Beat,
        /// When it was asked, not when it answered: of what happened between nobody knows.
        sent_at: Duration,
    },
    /// What the log has.
    Entries {
        /// The changes, in its order.
        entries: Vec<Entry>,
        /// When they came.
        at: Duration,
    },
    /// Everything was doubted, and this may be lost.
    ToSendAgain(VecDeque<Entry>),
    /// It is done.
    Done,
    /// The step failed, or did not end in time: the link is of no use any more.
    Lost,
}
