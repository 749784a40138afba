//! A chunked body (RFC 9112 §7.1), read as hyper reads it or refused.

use super::line::{Lines, split_field};
use super::{FramingError, at_most};
use crate::http::octet::hex_digit;

/// A chunked body that is being read.
///
/// Narrower than the grammar in one place: no space may stand between a chunk's size and its
/// extension. No sender may write one, and readers differ on it.
#[derive(Debug, Default)]
pub(super) enum Chunked {
    /// Before the first digit of a size.
    #[default]
    Start,
    Size {
        size: u64,
        digits: usize,
    },
    Extension {
        size: u64,
        length: usize,
    },
    SizeEnd(u64),
    /// Bytes of the chunk that are still to come; never 0.
    Data(u64),
    DataEnd,
    DataEndLineFeed,
    Trailers(Lines),
    Done,
}

impl Chunked {
    /// Takes the next bytes that belong together, and says how many they are; none when the trailers
    /// are not whole yet.
    pub(super) fn step(&mut self, bytes: &[u8]) -> Result<usize, FramingError> {
        match self {
            Self::Data(left) => {
                let step = at_most(bytes.len(), *left);
                *left -= step as u64;
                if *left == 0 {
                    *self = Self::DataEnd;
                }
                Ok(step)
            }
            Self::Trailers(lines) => {
                let step = read_trailers(lines, bytes)?;
                if step > 0 {
                    *self = Self::Done;
                }
                Ok(step)
            }
            Self::Done => Ok(0),
            _ => {
                let Some(byte) = bytes.first() else {
                    return Ok(0);
                };
                *self = self.after(*byte)?;
                Ok(1)
            }
        }
    }

    /// Whether the body is at its end.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// The state after one byte around a chunk.
    fn after(&self, byte: u8) -> Result<Self, FramingError> {
        match (self, byte) {
            (Self::Start, digit) => with_digit(0, 0, digit),
            (Self::Size { size, .. } | Self::Extension { size, .. }, b'\r') => {
                Ok(Self::SizeEnd(*size))
            }
            (Self::Size { size, .. }, b';') => Ok(Self::Extension {
                size: *size,
                length: 0,
            }),
            (Self::Size { size, digits }, digit) => with_digit(*size, *digits, digit),
            (Self::Extension { size, length }, b'\t' | 0x20..=0x7e | 0x80..)
                if *length < MAX_EXTENSION =>
            {
                Ok(Self::Extension {
                    size: *size,
                    length: length + 1,
                })
            }
            (Self::Extension { .. }, _) => Err(FramingError::ChunkExtension),
            (Self::SizeEnd(0), b'\n') => Ok(Self::Trailers(Lines::default())),
            (Self::SizeEnd(size), b'\n') => Ok(Self::Data(*size)),
            (Self::DataEnd, b'\r') => Ok(Self::DataEndLineFeed),
            (Self::DataEndLineFeed, b'\n') => Ok(Self::Start),
            _ => Err(FramingError::ChunkEnd),
        }
    }
}

/// Bytes of one extension. Nobody here reads them, and each costs as much as a byte of body.
const MAX_EXTENSION: usize = 256;

/// Digits of a size: 16 always fit into 64 bits.
const MAX_DIGITS: usize = 16;

/// Below the bound of hyper, which is 16 KiB.
const MAX_TRAILERS: usize = 8 * 1024;

fn with_digit(size: u64, digits: usize, digit: u8) -> Result<Chunked, FramingError> {
    let digit = hex_digit(digit).filter(|_| digits < MAX_DIGITS);
    let digit = digit.ok_or(FramingError::ChunkSize)?;
    Ok(Chunked::Size {
        size: size << 4 | u64::from(digit),
        digits: digits + 1,
    })
}

/// How many bytes the trailers have, to the empty line that ends them; 0 while they are not whole.
fn read_trailers(lines: &mut Lines, bytes: &[u8]) -> Result<usize, FramingError> {
    let within = bytes.get(..MAX_TRAILERS).unwrap_or(bytes);
    while let Some((_, line)) = lines.next(within)? {
        if line.is_empty() {
            return Ok(lines.length());
        }
        split_field(line)?;
    }
    if bytes.len() >= MAX_TRAILERS {
        return Err(FramingError::TrailersTooLarge);
    }
    Ok(0)
}
