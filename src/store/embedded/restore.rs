use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{ReadableTable as _, StorageBackend as _};

use super::fault::Fault;
use super::open::{Check, OpenError, open_file};
use super::place::{Draft, Existing};
use super::tables::{Tables, parsed};
use crate::domain::Timestamp;
use crate::store::{Revival, RevivalReport};

/// Why a backup was not restored. Where there was a store, it is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// There is a store at the place to restore to.
    #[error("{} exists already: add --replace to put the backup in its place", path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// The backup is the file that a gateway is writing to.
    #[error(
        "{} is the file of a running gateway, not a backup: make one with `store backup`",
        path.display()
    )]
    Live {
        /// Which file.
        path: PathBuf,
    },
    /// The backup cannot be read.
    #[error("the backup cannot be restored")]
    Backup(#[source] OpenError),
    /// The store cannot be written.
    #[error("the store cannot be put in its place")]
    Store(#[source] OpenError),
}

/// Makes the backup `from` the store at `to`, which no process may have open.
///
/// It is another store than the one it was saved from: it has a new id, every session of before has
/// ended, whenever it began, and so has every mailed reset link. Revoked sessions and tombstones of
/// keys are as they were when the backup was made.
///
/// # Errors
///
/// [`RestoreError`]; nothing was changed then.
pub fn restore(
    from: &Path,
    to: &Path,
    existing: Existing,
    now: Timestamp,
) -> Result<RevivalReport, RestoreError> {
    let backup = |error| RestoreError::Backup(OpenError::io(from, error));
    let store = |error| RestoreError::Store(OpenError::io(to, error));

    // Both locks are held until the store is in its place. Where a file system has no locks, redb does
    // without them too.
    let replaced = lock_replaced(to, existing)?;
    let source = File::open(from).map_err(backup)?;
    let lock = FileBackend::new(source.try_clone().map_err(backup)?);
    let lock = lock.map_err(|error| backup(io::Error::other(error)))?;
    if let Ok(false) = lock.try_lock_shared_range(Bound::Unbounded, Bound::Unbounded) {
        let path = from.to_owned();
        return Err(RestoreError::Live { path });
    }

    let (draft, mut file) = Draft::beside(to).map_err(store)?;
    io::copy(&mut &source, &mut file).map_err(store)?;
    let opened = open_file(file, from, Check::Whole).map_err(RestoreError::Backup)?;
    let fill = || -> Result<RevivalReport, Fault> {
        let transaction = opened.database.begin_write()?;
        let report = revive(&mut Tables::open(&transaction)?, now)?;
        transaction.commit()?;
        opened.database.close()?;
        Ok(report)
    };
    let report = fill().map_err(|fault| RestoreError::Store(OpenError::from_fault(to, fault)))?;

    draft
        .publish(existing)
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => RestoreError::Exists {
                path: to.to_owned(),
            },
            _ => store(error),
        })?;
    drop(replaced);
    Ok(report)
}

/// Locks the store that is to be replaced, so that no gateway starts on it meanwhile.
fn lock_replaced(to: &Path, existing: Existing) -> Result<Option<FileBackend>, RestoreError> {
    let error = |error| RestoreError::Store(OpenError::io(to, error));
    if to.symlink_metadata().is_err() {
        return Ok(None);
    }
    if existing == Existing::Keep {
        let path = to.to_owned();
        return Err(RestoreError::Exists { path });
    }
    let file = OpenOptions::new().read(true).write(true).open(to);
    let lock = FileBackend::new(file.map_err(error)?);
    let lock = lock.map_err(|it| error(io::Error::other(it)))?;
    if let Ok(false) = lock.try_lock_range(Bound::Unbounded, Bound::Unbounded) {
        let path = to.to_owned();
        return Err(RestoreError::Store(OpenError::InUse { path }));
    }
    Ok(Some(lock))
}

fn revive(tables: &mut Tables<'_>, now: Timestamp) -> Result<RevivalReport, Fault> {
    tables.found()?;
    let mut revival = Revival::new(now);
    let mut users = Vec::new();
    for entry in tables.users.iter()? {
        users.push(revival.user(parsed(entry?.1.value())?));
    }
    for entry in tables.keys.iter()? {
        revival.key(&parsed(entry?.1.value())?);
    }

    tables.resets.retain(|_, _| false)?;
    for user in &users {
        tables.put_user(user)?;
    }
    Ok(revival.report())
}
