use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::letter::Letter;

/// A folder that takes each mail as a file, for development.
///
/// It writes without leaving the thread: a mail is a few kilobytes, and nobody's production.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, made if it is missing.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let folder = Self(path.to_owned());
        folder.make()?;
        Ok(folder)
    }

    /// Writes the letter down. Its file has a name that sorts by time, and is whole or not there.
    pub(super) fn put(&self, letter: &Letter) -> io::Result<()> {
        self.make()?;
        let time = letter.written.to_string().replace(':', "-");
        let name = format!("{time}-{}.eml", letter.id);
        let unfinished = self.0.join(format!(".{name}.part"));
        let result = write(&unfinished, &letter.bytes)
            .and_then(|()| fs::rename(&unfinished, self.0.join(&name)));
        if result.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_file(&unfinished);
        }
        result
    }

    fn make(&self) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}
