use std::io;
use std::path::{Path, PathBuf};

use redb::{Key, ReadTransaction, ReadableTable as _, TableDefinition, Value, WriteTransaction};

use super::door::Door;
use super::fault::Fault;
use super::open::{Check, OpenError, database, open};
use super::place::{Draft, Existing};
use super::tables::{
    ADDRESSES, ADMINS, DUE, EMAILS, KEY_IDS, KEYS, LAST_USED, META, RESETS, REVOKED, USER_KEYS,
    USERS,
};
use crate::store::StoreError;

/// Why no backup was made. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// There is a file of that name.
    #[error("{} exists already: give the backup another name", path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// The store itself cannot be read.
    #[error("the store cannot be read")]
    Store(#[source] StoreError),
    /// The backup cannot be written, or could not be read again.
    #[error("the backup could not be written")]
    File(#[source] OpenError),
}

/// Writes what `door` shows at this moment into a new file `to`.
///
/// A file of redb may not be copied while it is written to, so the tables are: one view of all of
/// them is one moment.
pub(super) fn write(door: &Door, to: &Path) -> Result<(), BackupError> {
    let exists = || BackupError::Exists {
        path: to.to_owned(),
    };
    if to.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let view = door.view();
    let view = view.map_err(|fault| BackupError::Store(fault.into()))?;
    let io = |error| BackupError::File(OpenError::io(to, error));
    let (draft, file) = Draft::beside(to).map_err(io)?;

    let copy = || -> Result<(), Fault> {
        let (target, _) = database(file, Check::Quick).map_err(Fault::File)?;
        let transaction = target.begin_write()?;
        copy_all(&view, &transaction)?;
        transaction.commit()?;
        Ok(target.close()?)
    };
    copy().map_err(|fault| BackupError::File(OpenError::from_fault(to, fault)))?;
    // A backup that nobody could open is noticed now, not on the day it is needed.
    drop(open(draft.path(), Check::Whole).map_err(BackupError::File)?);

    draft
        .publish(Existing::Keep)
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(),
            _ => io(error),
        })
}

fn copy_all(from: &ReadTransaction, to: &WriteTransaction) -> Result<(), Fault> {
    copy(from, to, USERS)?;
    copy(from, to, EMAILS)?;
    copy(from, to, RESETS)?;
    copy(from, to, ADMINS)?;
    copy(from, to, KEYS)?;
    copy(from, to, KEY_IDS)?;
    copy(from, to, USER_KEYS)?;
    copy(from, to, LAST_USED)?;
    copy(from, to, REVOKED)?;
    copy(from, to, ADDRESSES)?;
    copy(from, to, DUE)?;
    copy(from, to, META)
}

fn copy<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<'_, K, V>,
) -> Result<(), Fault> {
    let mut target = to.open_table(table)?;
    for entry in from.open_table(table)?.iter()? {
        let (key, value) = entry?;
        target.insert(key.value(), value.value())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use redb::{ReadableDatabase as _, TableHandle as _};

    use super::*;
    use crate::store::Embedded;

    #[test]
    fn a_backup_has_every_table_of_the_store() {
        let home = tempfile::tempdir().unwrap();
        let store = Embedded::open(&home.path().join("store.db")).unwrap();
        let backup = home.path().join("backup.db");

        store.backup(&backup).unwrap();

        let names = |view: &ReadTransaction| -> Vec<String> {
            let tables = view.list_tables().unwrap();
            tables.map(|table| table.name().to_owned()).collect()
        };
        let copy = open(&backup, Check::Whole).unwrap();
        let view = copy.database.begin_read().unwrap();
        assert_eq!(names(&view), names(&store.door.view().unwrap()));
    }
}
