//! The lines of a head or of trailers.

use memchr::memchr;

use super::FramingError;
use crate::http::octet::{is_field_text, is_token};

/// Walks over lines that come in pieces, and looks at each byte once.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Where the next line begins.
    start: usize,
    /// Up to where no line feed was found after `start`.
    seen: usize,
}

impl Lines {
    /// The next line that is whole, without its CRLF, and where it begins. `bytes` begins where it began
    /// before.
    pub(super) fn next<'a>(
        &mut self,
        bytes: &'a [u8],
    ) -> Result<Option<(usize, &'a [u8])>, FramingError> {
        let unseen = bytes.get(self.seen..).unwrap_or_default();
        let Some(at) = memchr(b'\n', unseen) else {
            self.seen = self.seen.max(bytes.len());
            return Ok(None);
        };
        let end = self.seen + at;
        let start = self.start;
        let line = bytes.get(start..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").ok_or(FramingError::BareLineFeed)?;
        self.start = end + 1;
        self.seen = self.start;
        Ok(Some((start, line)))
    }

    /// How many bytes the lines have that were given out.
    pub(super) const fn length(&self) -> usize {
        self.start
    }
}

/// Splits a header's line at its colon, after checking every byte of it.
pub(super) fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), FramingError> {
    let end = line.iter().position(|byte| !is_token(*byte));
    let (name, rest) = line
        .split_at_checked(end.unwrap_or(line.len()))
        .unwrap_or((line, &[]));
    match rest {
        [b':', value @ ..] if !name.is_empty() => {
            if is_field_text(value) {
                Ok((name, value))
            } else {
                Err(no_text(value, FramingError::HeaderValue))
            }
        }
        [b' ' | b'\t', ..] if name.is_empty() => Err(FramingError::Folded),
        [b' ' | b'\t', ..] => Err(FramingError::SpaceBeforeColon),
        _ => Err(no_text(rest, FramingError::HeaderName)),
    }
}

/// What is wrong with a text: a carriage return, or `otherwise`.
pub(super) fn no_text(text: &[u8], otherwise: FramingError) -> FramingError {
    if memchr(b'\r', text).is_some() {
        FramingError::BareCarriageReturn
    } else {
        otherwise
    }
}
