use std::io::ErrorKind;

use crate::store::StoreError;

/// Why a read or a change did not come about.
#[derive(Debug)]
pub(super) enum Fault {
    /// The store looked and refuses this one; nothing is wrong with the file.
    Refused(StoreError),
    /// The file could not be read or written.
    File(redb::Error),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

macro_rules! file_faults {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                Self::File(error.into())
            }
        })*
    };
}

file_faults!(
    StorageError,
    TableError,
    TransactionError,
    CommitError,
    DatabaseError
);

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => error,
            Fault::File(error) => Self::unavailable(advice(&error), error),
        }
    }
}

/// What is wrong with the file, and what the operator can do about it.
pub(super) fn advice(error: &redb::Error) -> &'static str {
    match error {
        redb::Error::Io(error) if is_full(error.kind()) => {
            "the disk of the store is full; make room"
        }
        redb::Error::Corrupted(_) => {
            "the store's file is damaged; restore a backup with `store restore`"
        }
        _ => "the store's file cannot be read or written; look at its disk",
    }
}

pub(super) fn is_full(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}
