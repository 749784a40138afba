//! The lines of a head or of trailers.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::memchr;

use super::FramingError;
use super::line::split_field;
use crate::http::octet::trim;

/// Reads a header's line, which has no CRLF: its name, and where in the line its value stands without the
/// space around it.
///
/// Of the value nothing is checked, since whoever makes a header's value of it does that.
///
/// # Errors
///
/// [`FramingError`], when there is no name before a colon.
pub fn read_field(line: &[u8]) -> Result<(HeaderName, Range<usize>), FramingError> {
    let colon = memchr(b':', line).ok_or_else(|| field_error(line))?;
    let (name, value) = line.split_at_checked(colon).unwrap_or_default();
    let name = HeaderName::from_bytes(name).map_err(|_| field_error(line))?;
    let value = value.get(1..).unwrap_or_default();
    let from_end = value.len() - trimmed_start(value);
    let start = line.len() - from_end;
    Ok((name, start..start + trim(value).len()))
}

/// The value of a header.
///
/// # Errors
///
/// [`FramingError`], when it holds a control character.
pub fn field_value(text: Bytes) -> Result<HeaderValue, FramingError> {
    HeaderValue::from_maybe_shared(text).map_err(|_| FramingError::HeaderValue)
}

/// The fields of trailers, as [`Dechunked::Trailers`] has their lines.
///
/// [`Dechunked::Trailers`]: super::Dechunked::Trailers
///
/// # Errors
///
/// [`FramingError`], when one is no header.
pub fn read_trailers(lines: &Bytes) -> Result<HeaderMap, FramingError> {
    let mut fields = HeaderMap::new();
    let mut start = 0;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\r\n").unwrap_or(line);
        if !text.is_empty() {
            let (name, value) = read_field(text)?;
            let value = lines.slice(start + value.start..start + value.end);
            fields.append(name, field_value(value)?);
        }
        start += line.len();
    }
    Ok(fields)
}

/// What is wrong with a header's line.
fn field_error(line: &[u8]) -> FramingError {
    split_field(line).err().unwrap_or(FramingError::HeaderName)
}

/// How many spaces and tabs `value` begins with.
fn trimmed_start(value: &[u8]) -> usize {
    let text = value.iter().position(|byte| !matches!(byte, b' ' | b'\t'));
    text.unwrap_or(value.len())
}
