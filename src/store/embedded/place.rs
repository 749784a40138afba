//! Files that are the owner's alone and appear whole or not at all.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use uuid::Uuid;

/// What to do when there is a file already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it and fail.
    Keep,
    /// Put the new one in its place.
    Replace,
}

/// A file that is being written beside its place, and is removed again unless it gets there.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    place: PathBuf,
}

impl Draft {
    /// Makes an empty file beside `place`, and the folder where there is none.
    pub(super) fn beside(place: &Path) -> io::Result<(Self, File)> {
        let folder = folder(place);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let name = place
            .file_name()
            .ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
        let mut draft = name.to_owned();
        draft.push(format!(".{}.draft", Uuid::now_v7().simple()));
        let path = place.with_file_name(draft);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let place = place.to_owned();
        Ok((Self { path, place }, file))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the file in its place, so that it survives a power cut from now on.
    pub(super) fn publish(self, existing: Existing) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        match existing {
            Existing::Replace => std::fs::rename(&self.path, &self.place)?,
            Existing::Keep => self.rename_where_nothing_is()?,
        }
        File::open(folder(&self.place))?.sync_all()
    }

    fn rename_where_nothing_is(&self) -> io::Result<()> {
        let (from, to) = (&self.path, &self.place);
        match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Not every file system knows this flag; a link is never made over a file either.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => std::fs::hard_link(from, to),
            done => Ok(done?),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Where it was published by renaming there is nothing left to remove.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn folder(place: &Path) -> &Path {
    match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
