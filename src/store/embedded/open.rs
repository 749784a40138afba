use std::fs::{File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, DatabaseError, StorageError};

use super::disk::{Disk, Health};
use super::fault::{Fault, is_full};
use super::place::{Draft, Existing};
use super::tables::{FORMAT, Meta, Tables};

/// redb's own default is 1 GiB, which a gateway has better uses for: what it asks for often it keeps itself, and the
/// system keeps the rest of the file.
const CACHE_BYTES: usize = 16 << 20;

/// Why a store's file cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or this one, has it open.
    #[error(
        "{} is in use: the gateway is running; the command line speaks to it over its admin socket, \
         so check that both read the same configuration, or stop the gateway first",
        path.display()
    )]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error(
        "{} is damaged ({damage}): move it away and restore a backup with `store restore`",
        path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        damage: String,
    },
    /// The file is something else.
    #[error(
        "{} is no store of the gateway: check the path, or move the file away to begin with an empty store",
        path.display()
    )]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// A newer version of the gateway wrote it.
    #[error(
        "{} was written by a newer version of the gateway (format {found}, this one reads {FORMAT}): \
         start that version again, or restore a backup from before",
        path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// The disk is full.
    #[error("the disk that holds {} is full: make room there", path.display())]
    DiskFull {
        /// Which file.
        path: PathBuf,
    },
    /// The process may not read and write it.
    #[error(
        "{} may not be read and written by this user: give the file and its folder to the user the \
         gateway runs as",
        path.display()
    )]
    Permission {
        /// Which file.
        path: PathBuf,
    },
    /// Anything else that the system answered.
    #[error("{} cannot be opened: look at its folder and disk", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        source: redb::Error,
    },
}

impl OpenError {
    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        Self::from_redb(path, redb::Error::Io(error))
    }

    pub(super) fn from_redb(path: &Path, error: redb::Error) -> Self {
        let path = path.to_owned();
        match error {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
                Self::InUse { path }
            }
            redb::Error::Corrupted(damage) => Self::Damaged { path, damage },
            redb::Error::UpgradeRequired(_) => Self::Foreign { path },
            redb::Error::Io(error) if is_full(error.kind()) => Self::DiskFull { path },
            redb::Error::Io(error) => match error.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Self::Permission { path }
                }
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    let damage = error.to_string();
                    Self::Damaged { path, damage }
                }
                _ => Self::Io {
                    path,
                    source: error.into(),
                },
            },
            source => Self::Io { path, source },
        }
    }

    pub(super) fn from_fault(path: &Path, fault: Fault) -> Self {
        match fault {
            Fault::File(error) => Self::from_redb(path, error),
            Fault::Refused(error) => Self::Damaged {
                path: path.to_owned(),
                damage: error.to_string(),
            },
        }
    }
}

/// An open file, and what it says of itself.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) health: Arc<Health>,
    pub(super) meta: Meta,
}

/// How far to trust a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Every page: somebody else may have changed the file, or the disk.
    Whole,
    /// Only what redb needs to go on after a failure of this process.
    Quick,
}

/// Opens the store at `path`, or makes an empty one.
pub(super) fn open_or_create(path: &Path) -> Result<Opened, OpenError> {
    match open(path, Check::Whole) {
        Err(OpenError::Io {
            source: redb::Error::Io(error),
            ..
        }) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    create(path)?;
    open(path, Check::Whole)
}

/// Opens the store at `path`.
pub(super) fn open(path: &Path, check: Check) -> Result<Opened, OpenError> {
    let file = OpenOptions::new().read(true).write(true).open(path);
    open_file(
        file.map_err(|error| OpenError::io(path, error))?,
        path,
        check,
    )
}

/// Opens the store in `file`, which errors call `path`.
pub(super) fn open_file(file: File, path: &Path, check: Check) -> Result<Opened, OpenError> {
    let length = file
        .metadata()
        .map_err(|error| OpenError::io(path, error))?;
    if length.len() == 0 {
        // redb would make a new database of it: every user would be gone without a word.
        return Err(OpenError::Damaged {
            path: path.to_owned(),
            damage: "it is empty".to_owned(),
        });
    }
    let (database, health) =
        database(file, check).map_err(|error| OpenError::from_redb(path, error))?;
    let meta = Meta::read(&database).map_err(|fault| OpenError::from_fault(path, fault))?;
    let path = || path.to_owned();
    match meta {
        None => Err(OpenError::Foreign { path: path() }),
        Some(Meta { format: found, .. }) if found > FORMAT => Err(OpenError::Newer {
            path: path(),
            found,
        }),
        Some(meta) => Ok(Opened {
            database,
            health,
            meta,
        }),
    }
}

/// Makes an empty store at `path`. It appears there whole: a process killed meanwhile leaves nothing
/// that the next one would take for a damaged store.
fn create(path: &Path) -> Result<(), OpenError> {
    let io = |error| OpenError::io(path, error);
    let (draft, file) = Draft::beside(path).map_err(io)?;
    let fill = || -> Result<(), Fault> {
        let (database, _) = database(file, Check::Quick).map_err(Fault::File)?;
        let transaction = database.begin_write()?;
        Tables::open(&transaction)?.found()?;
        transaction.commit()?;
        Ok(database.close()?)
    };
    fill().map_err(|fault| OpenError::from_fault(path, fault))?;
    match draft.publish(Existing::Keep) {
        // Another process was faster; its store is as good.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done.map_err(io),
    }
}

/// Hands `file`, empty or a database, to redb.
pub(super) fn database(file: File, check: Check) -> Result<(Database, Arc<Health>), redb::Error> {
    let disk = Disk::new(file)?;
    let health = disk.health();
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder.set_check_integrity_on_open(check == Check::Whole);
    // redb may panic on a file that somebody else damaged: its documentation says so. Nothing of
    // the half-opened database outlives the panic, but the file, and that is closed.
    let opened = catch_unwind(AssertUnwindSafe(|| builder.create_with_backend(disk)));
    let opened = opened.unwrap_or_else(|_| {
        let damage = "its pages contradict each other".to_owned();
        Err(DatabaseError::Storage(StorageError::Corrupted(damage)))
    });
    Ok((opened?, health))
}
