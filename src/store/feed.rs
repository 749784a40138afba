use std::fmt;
use std::time::Duration;

use uuid::Uuid;

use super::{Answer, Change};
use crate::domain::Timestamp;

/// The log of changes of a store that several nodes share, as one node follows it.
///
/// Changes are numbered without gaps, from 1. One task calls these methods, one after the other: it
/// [connects](Feed::connect), reads [entries](Feed::entries), asks for a [beat](Feed::beat) between
/// two waits, and decides from them how fresh the node's knowledge is. The store answers nobody
/// before [`Feed::open`] and after [`Feed::close`], so that no read and no change goes to a server
/// that the log does not come from.
pub trait Feed: Send + Sync + fmt::Debug {
    /// Closes what was open, finds the server to speak to, and connects to it. Its first beat.
    fn connect(&self) -> Answer<'_, Beat>;

    /// Asks the server where it stands, within the link's own time-out.
    fn beat(&self) -> Answer<'_, Beat>;

    /// The changes after number `after`, at once when there are any; else those that come within
    /// `wait`, or none.
    fn entries(&self, after: u64, wait: Duration) -> Answer<'_, Vec<Entry>>;

    /// Writes what `entry` revoked once more, where the store does not show it: it was lost with a
    /// server. Harmless where it was not.
    fn send_again<'a>(&'a self, entry: &'a Entry) -> Answer<'a, ()>;

    /// Lets reads and changes go to the server that was connected to.
    fn open(&self);

    /// Lets no read or change go anywhere: each is [`StoreError::Unavailable`] at once.
    ///
    /// [`StoreError::Unavailable`]: super::StoreError::Unavailable
    fn close(&self);
}

/// What the server said of itself and the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Which store it holds; `None` when it holds none, as after a restart without its data.
    pub store: Option<StoreId>,
    /// Which run of which server it is, and of which history.
    pub server: ServerId,
    /// The number of the last change; 0 when there was none.
    pub last: u64,
    /// The number of the oldest change that the log still has, less one.
    pub trimmed_to: u64,
    /// What its clock shows.
    pub time: Timestamp,
    /// Whether it may be believed: it takes writes, and where there are replicas one of them has
    /// acknowledged this very beat.
    pub is_sure: bool,
}

/// Which store it is, from the day it was made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoreId(pub Uuid);

/// One run of one server, and the history of writes it goes on with. After a restart, a failover or
/// on another server it is another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerId(pub String);

/// One change in the log, with what it takes to make it once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub number: u64,
    /// What it means for admissions.
    pub change: Change,
    /// The session epoch of the user since then, where their sessions ended. Epochs only rise, so a
    /// store that shows a lower one has lost the change. Nothing with [`Change::User`]: they were
    /// deleted.
    pub epoch: Option<u64>,
    /// Until when a revoked session must be remembered.
    pub forget_at: Option<Timestamp>,
}
