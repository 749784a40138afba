use std::io;

use super::FORMAT;
use crate::store::{OpenError, StoreError};

/// Why no export was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Store(#[from] StoreError),
    /// There is no store.
    #[error("there is no store at {place} yet")]
    Missing {
        /// Where.
        place: String,
    },
    /// Nodes went on changing the store.
    #[error("the store was changed meanwhile: stop the nodes, or try again when it is quiet")]
    Changed,
    /// The export cannot be written.
    #[error("the export cannot be written")]
    Write(#[from] io::Error),
}

/// Why an export was not imported. Nothing of it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It begins with something else.
    #[error("it is no export: `store export` makes one")]
    Foreign,
    /// A newer version of the gateway wrote it.
    #[error(
        "it was written by a newer version of the gateway (format {found}, this one reads {FORMAT}): \
         import it with that version"
    )]
    Newer {
        /// Its format.
        found: u64,
    },
    /// A line of it is no item.
    #[error("line {line} of it cannot be read: mend or remove it, and count the last line anew")]
    Line {
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Lines are missing, or there are too many.
    #[error(
        "it is not whole: it has {found} records, and says {said}; make it again, or mend its last line"
    )]
    Count {
        /// How many there are.
        found: u64,
        /// How many it says there are.
        said: u64,
    },
    /// It ends without saying so.
    #[error("it was cut short after line {line}: make it again")]
    CutShort {
        /// The last line.
        line: u64,
    },
    /// Something stands after its end.
    #[error("line {line} of it stands after its end")]
    AfterEnd {
        /// Which line, from 1.
        line: u64,
    },
    /// Two records of it stand for one and the same.
    #[error("two of its records have the same {what}: remove one of them")]
    Twice {
        /// What they share.
        what: String,
    },
    /// There is a store at the place to import to.
    #[error("{place} holds records already: import into an empty store")]
    Exists {
        /// Which store.
        place: String,
    },
    /// The new store's file cannot be written.
    #[error("the store cannot be put in its place")]
    File(#[from] OpenError),
    /// The store to import to cannot be asked.
    #[error("the store to import to failed")]
    Store(#[from] StoreError),
    /// The export cannot be read.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
}
