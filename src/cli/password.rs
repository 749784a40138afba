use std::io::{self, IsTerminal, Read};

use zeroize::{Zeroize, Zeroizing};

use super::CliError;
use super::arguments::PasswordFlags;
use super::terminal;
use crate::auth::random;
use crate::domain::Password;

/// Where a new password comes from. Never from the arguments, which every user of the machine can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PasswordSource {
    /// Asked for on the terminal, twice.
    Ask,
    /// All of standard input.
    Stdin,
    /// Made here, and printed once.
    Make,
}

/// A new password.
#[derive(Debug)]
pub(super) struct NewPassword {
    pub(super) password: Password,
    /// Made here: the operator does not know it yet.
    pub(super) is_made: bool,
}

impl PasswordFlags {
    /// What the flags say, if they say anything.
    pub(super) const fn source(&self) -> Option<PasswordSource> {
        if self.password_stdin {
            Some(PasswordSource::Stdin)
        } else if self.generate_password {
            Some(PasswordSource::Make)
        } else {
            None
        }
    }
}

impl PasswordSource {
    /// Where it comes from when nothing was said.
    pub(super) fn usual() -> Self {
        if io::stdin().is_terminal() {
            Self::Ask
        } else {
            Self::Make
        }
    }

    pub(super) fn read(self) -> Result<NewPassword, CliError> {
        let password = match self {
            Self::Ask => ask()?,
            Self::Stdin => from(io::stdin().lock()).map_err(CliError::Password)?,
            Self::Make => made()?,
        };
        let is_made = self == Self::Make;
        Ok(NewPassword { password, is_made })
    }
}

/// A password that nobody can guess and anybody can type: four groups of five, 100 random bits.
pub(super) fn made() -> Result<Password, CliError> {
    let random: Zeroizing<[u8; GROUPS * GROUP]> = Zeroizing::new(random()?);
    let mut text = String::with_capacity(GROUPS * (GROUP + 1));
    for group in random.chunks(GROUP) {
        if !text.is_empty() {
            text.push('-');
        }
        // 32 letters: the remainder favours none.
        let letters = group.iter().map(|byte| usize::from(*byte) % LETTERS.len());
        text.extend(
            letters
                .filter_map(|at| LETTERS.get(at).copied())
                .map(char::from),
        );
    }
    Ok(Password::new(text))
}

const GROUPS: usize = 4;
const GROUP: usize = 5;
/// Without those that are taken for one another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

fn ask() -> Result<Password, CliError> {
    if !io::stdin().is_terminal() {
        return Err(CliError::NoTerminal);
    }
    let first = terminal::ask_hidden("New password: ")?;
    let second = terminal::ask_hidden("The same again: ")?;
    if first == second {
        Ok(first)
    } else {
        Err(CliError::PasswordsDiffer)
    }
}

/// All that comes, exactly, but for the line end that `echo` and editors add.
fn from(input: impl Read) -> io::Result<Password> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1));
    input.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        return Err(io::Error::other("it is longer than any password may be"));
    }
    let text = String::from_utf8(std::mem::take(&mut *bytes)).map_err(|error| {
        error.into_bytes().zeroize();
        io::Error::other("it is not UTF-8")
    })?;
    let text = Zeroizing::new(text);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(io::Error::other("it is empty"));
    }
    Ok(Password::new(text.to_owned()))
}

/// Passwords have at most 1,024 characters, and a line end may follow.
const MAX_BYTES: usize = 4 * 1024 + 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Result<String, String> {
        from(input)
            .map(|password| password.expose().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_password_is_taken_exactly_but_for_one_line_end() {
        assert_eq!(read(b" a b \n"), Ok(" a b ".to_owned()));
        assert_eq!(read(b"ab\r\n"), Ok("ab".to_owned()));
        assert_eq!(read(b"ab\n\n"), Ok("ab\n".to_owned()));
        assert_eq!(read(b"ab"), Ok("ab".to_owned()));
    }

    #[test]
    fn what_can_be_no_password_is_refused() {
        assert_eq!(read(b"\n"), Err("it is empty".to_owned()));
        assert_eq!(read(b"\xff"), Err("it is not UTF-8".to_owned()));
        assert!(read(&[b'a'; 5000]).unwrap_err().contains("longer"));
    }

    #[test]
    fn made_passwords_differ_and_can_be_typed() {
        let [one, other] = [made().unwrap(), made().unwrap()];
        assert_ne!(one, other);
        let plain = |c: char| c == '-' || c.is_ascii_lowercase() || c.is_ascii_digit();
        assert!(one.expose().chars().all(plain));
        assert_eq!(one.expose().len(), 23);
    }
}
