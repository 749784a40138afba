use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::CliError;

/// Refuses to make files at `place` as another user than the one that the folder (or the file that is
/// there already) belongs to.
///
/// The usual case is root beside a gateway that runs as a user of its own: it could not open them.
pub(super) fn keep_owner(place: &Path) -> Result<(), CliError> {
    let own = rustix::process::geteuid().as_raw();
    // Where there is neither, the folder is made too, and where it cannot be made, that is told then.
    let found = place
        .ancestors()
        .take(2)
        .find_map(|path| Some((path, fs::metadata(path).ok()?)));
    match found {
        Some((path, metadata)) if metadata.uid() != own => Err(CliError::Owner {
            path: path.to_owned(),
            uid: metadata.uid(),
        }),
        _ => Ok(()),
    }
}
