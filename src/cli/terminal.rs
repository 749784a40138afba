use std::io::{self, Write};

use rustix::io::{Errno, retry_on_intr};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use super::CliError;
use crate::domain::Password;

/// Asks for a password on the terminal, which does not show what is typed.
pub(super) fn ask_hidden(prompt: &str) -> Result<Password, CliError> {
    let failed = |error: Errno| CliError::Password(error.into());
    let hidden = Hidden::begin().map_err(failed)?;
    // A prompt that cannot be shown is no reason to take no answer.
    let _ = write!(io::stderr(), "{prompt}");
    let mut line = Zeroizing::new([0; MAX_LINE]);
    // A terminal gives one line at a time, and never the next.
    let read = retry_on_intr(|| rustix::io::read(io::stdin(), line.as_mut_slice()));
    drop(hidden);
    let _ = writeln!(io::stderr());
    let line = line.get(..read.map_err(failed)?).unwrap_or_default();
    let Some(typed) = line.strip_suffix(b"\n") else {
        // Ctrl-C, or the end of the input.
        return Err(CliError::Cancelled);
    };
    let typed = std::str::from_utf8(typed);
    let typed = typed.map_err(|_| CliError::Password(io::Error::other("it is not UTF-8")))?;
    Ok(Password::new(typed.to_owned()))
}

/// A terminal that shows nothing, until this is dropped.
///
/// A signal would end the program and leave the terminal mute. So Ctrl-C makes none meanwhile, but ends
/// the line.
struct Hidden {
    before: Termios,
}

/// What Ctrl-C types.
const CANCEL: u8 = 3;
/// The most that a terminal gives at once.
const MAX_LINE: usize = 4096;

impl Hidden {
    fn begin() -> Result<Self, Errno> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ISIG);
        hidden.local_modes.insert(LocalModes::ICANON);
        hidden.special_codes[SpecialCodeIndex::VEOL] = CANCEL;
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // It was possible a moment ago, and there is nothing else to try.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
