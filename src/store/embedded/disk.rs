use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

/// The store's file as redb sees it.
///
/// It takes room on the disk when the file grows, not when pages are written: a full disk is then
/// noticed before a commit began to write, where redb alone would make a file with holes and fail in
/// the middle. And it remembers whether a sync failed, after which the kernel may show as written
/// what the disk never got, and no reading again tells the truth.
#[derive(Debug)]
pub(super) struct Disk {
    file: FileBackend,
    room: File,
    health: Arc<Health>,
}

/// What has happened to the file, for whoever must judge a failed commit.
#[derive(Debug, Default)]
pub(super) struct Health {
    sync_failed: AtomicBool,
    #[cfg(test)]
    pub(super) plan: tests::Plan,
}

impl Disk {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let room = file.try_clone()?;
        let file = FileBackend::new(file).map_err(io::Error::other)?;
        Ok(Self {
            file,
            room,
            health: Arc::default(),
        })
    }

    pub(super) fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    fn grow(&self, from: u64, to: u64) -> io::Result<()> {
        loop {
            match rustix::fs::fallocate(&self.room, FallocateFlags::empty(), from, to - from) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                // This file system cannot say beforehand; it will when it is written to.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => return self.file.set_len(to),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        #[cfg(test)]
        self.health.plan.sync()?;
        self.file.sync_data()
    }
}

impl Health {
    pub(super) fn sync_failed(&self) -> bool {
        self.sync_failed.load(Ordering::Acquire)
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        #[cfg(test)]
        self.health.plan.write()?;
        let now = self.file.len()?;
        if len > now {
            self.grow(now, len)
        } else {
            self.file.set_len(len)
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
            .inspect_err(|_| self.health.sync_failed.store(true, Ordering::Release))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        self.health.plan.write()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// Which write and which sync of the file fail, counted from now.
    #[derive(Debug)]
    pub(in crate::store::embedded) struct Plan {
        pub(in crate::store::embedded) writes: AtomicI64,
        pub(in crate::store::embedded) syncs: AtomicI64,
    }

    impl Plan {
        pub(super) fn write(&self) -> io::Result<()> {
            step(&self.writes, io::ErrorKind::StorageFull)
        }

        pub(super) fn sync(&self) -> io::Result<()> {
            step(&self.syncs, io::ErrorKind::Other)
        }
    }

    impl Default for Plan {
        fn default() -> Self {
            Self {
                writes: AtomicI64::new(i64::MAX),
                syncs: AtomicI64::new(i64::MAX),
            }
        }
    }

    fn step(left: &AtomicI64, kind: io::ErrorKind) -> io::Result<()> {
        match left.fetch_sub(1, Ordering::AcqRel) {
            1 => Err(kind.into()),
            _ => Ok(()),
        }
    }
}
