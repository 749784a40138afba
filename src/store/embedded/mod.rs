//! The store of a single node: one file on this machine's disk.
//!
//! Reads run where they are asked for; one thread makes all changes, many in one transaction, and
//! answers each when the disk has it.

mod backup;
mod disk;
mod door;
mod export;
mod fault;
mod import;
mod keys;
mod open;
mod place;
mod port;
mod restore;
mod sweep;
mod tables;
mod traces;
mod users;
mod writer;

use std::io;
use std::path::Path;
use std::sync::Arc;

use redb::ReadTransaction;
use uuid::Uuid;

pub use backup::BackupError;
pub use import::import;
pub use open::OpenError;
pub use place::Existing;
pub use restore::{RestoreError, restore};

use self::door::Door;
use self::fault::Fault;
use self::tables::Tables;
use self::writer::Writer;
use super::{Answer, Change, Durability, ExportError, Item, MemoryLimits, Recorded};

/// How many rate limits are kept in memory at a time: about 20 MB when all are in use.
const MAX_LIMITS: usize = 100_000;

/// The store of a single node: one file on this machine's disk.
///
/// Rate limits are kept in memory and begin anew with the process.
#[derive(Debug)]
pub struct Embedded {
    // Dropped first, which ends what is still to be written.
    writer: Writer,
    door: Arc<Door>,
    limits: MemoryLimits,
}

impl Embedded {
    /// Opens the store at `path`; where there is no file, makes an empty store (0600) and its folder
    /// (0700).
    ///
    /// It reads every page of the file to be sure that it is whole.
    ///
    /// # Errors
    ///
    /// [`OpenError`], whose message tells the operator what to do.
    pub fn open(path: &Path) -> Result<Arc<Self>, OpenError> {
        let opened = open::open_or_create(path)?;
        let door = Arc::new(Door::new(path, opened));
        let writer =
            Writer::start(Arc::clone(&door)).map_err(|error| OpenError::io(path, error))?;
        Ok(Arc::new(Self {
            writer,
            door,
            limits: MemoryLimits::new(MAX_LIMITS),
        }))
    }

    /// Which store this is. A restored one has another id than the one it was saved from.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.door.id()
    }

    /// How long the file is, in bytes; `None` when the system does not say.
    #[must_use]
    pub fn file_bytes(&self) -> Option<u64> {
        let file = std::fs::metadata(self.door.path());
        file.ok().map(|file| file.len())
    }

    /// Writes everything the store holds at this moment into a new file `to` (0600) while the store
    /// goes on. It blocks the thread until the file is safe on the disk.
    ///
    /// # Errors
    ///
    /// [`BackupError`]; no file is left behind then.
    pub fn backup(&self, to: &Path) -> Result<(), BackupError> {
        backup::write(&self.door, to)
    }

    /// Shows everything the store holds at this moment, users before their keys, while it goes on.
    /// It blocks the thread.
    ///
    /// # Errors
    ///
    /// [`ExportError`]; the first error of `see` ends it.
    pub fn export(&self, see: impl FnMut(Item) -> io::Result<()>) -> Result<(), ExportError> {
        export::show(&self.door, see)
    }

    fn read<'a, T, F>(&'a self, look: F) -> Answer<'a, T>
    where
        T: Send + 'a,
        F: FnOnce(&ReadTransaction) -> Result<T, Fault> + Send + 'a,
    {
        Box::pin(async move {
            let found = self.door.view().and_then(|view| look(&view));
            found.map_err(|fault| {
                if let Fault::File(_) = fault {
                    // A failed read leaves the file shut until the writer has opened it again.
                    self.writer.nudge();
                }
                fault.into()
            })
        })
    }

    fn write<T, F>(&self, change: F) -> Answer<'_, T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tables<'_>) -> Result<T, Fault> + Send + 'static,
    {
        Box::pin(self.writer.write(change))
    }

    fn record<F>(&self, change: F) -> Answer<'_, Recorded>
    where
        F: FnOnce(&mut Tables<'_>) -> Result<Change, Fault> + Send + 'static,
    {
        self.write(move |tables| {
            Ok(Recorded {
                change: change(tables)?,
                durability: Durability::Local,
                entry: None,
            })
        })
    }
}
