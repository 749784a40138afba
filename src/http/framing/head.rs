//! The head of a request.

use http::Uri;

use super::FramingError;
use super::line::{Lines, no_text, split_field};
use crate::http::octet::{is_host, is_token, trim};
use crate::http::values::MAX_FIELDS;

/// A head that is being read.
#[derive(Debug, Default)]
pub(super) struct Head {
    lines: Lines,
    version: Option<Version>,
    is_connect: bool,
    has_host: bool,
    length: Option<u64>,
    is_chunked: bool,
    fields: usize,
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    None,
    /// So many bytes; never 0.
    Length(u64),
    Chunked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

impl Head {
    /// Reads on. A whole head has a length of its own, and says what follows it.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        max: usize,
    ) -> Result<Option<(usize, Body)>, FramingError> {
        let within = bytes.get(..max).unwrap_or(bytes);
        while let Some(line) = self.lines.next(within)? {
            if let Some(body) = self.take(line)? {
                return Ok(Some((self.lines.length(), body)));
            }
        }
        if bytes.len() >= max {
            return Err(FramingError::HeadTooLarge);
        }
        Ok(None)
    }

    /// Whether anything but an empty line has come, when the caller holds `held` bytes.
    pub(super) const fn has_begun(&self, held: usize) -> bool {
        let empty = if self.version.is_none() {
            self.lines.length()
        } else {
            0
        };
        held > empty
    }

    /// Takes one line; the empty one ends the head.
    fn take(&mut self, line: &[u8]) -> Result<Option<Body>, FramingError> {
        match (self.version, line) {
            (Some(version), []) => self.end(version).map(Some),
            (Some(_), field) => self.take_field(field).map(|()| None),
            // Old clients add one to the body before (RFC 9112 §2.2).
            (None, []) if self.lines.length() == EMPTY_LINE => Ok(None),
            (None, []) => Err(FramingError::EmptyLines),
            (None, line) => self.take_request_line(line).map(|()| None),
        }
    }

    fn take_request_line(&mut self, line: &[u8]) -> Result<(), FramingError> {
        let mut parts = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(no_text(line, FramingError::RequestLine));
        };
        if method.is_empty() || target.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
            return Err(no_text(line, FramingError::RequestLine));
        }
        if target.len() > MAX_TARGET {
            return Err(FramingError::HeadTooLarge);
        }
        if !is_target(target) || !(target.starts_with(b"/") || Uri::try_from(target).is_ok()) {
            return Err(no_text(target, FramingError::Target));
        }
        self.version = Some(match version {
            b"HTTP/1.1" => Version::Http11,
            b"HTTP/1.0" => Version::Http10,
            _ => return Err(no_text(version, FramingError::Version)),
        });
        self.is_connect = method == b"CONNECT";
        Ok(())
    }

    fn take_field(&mut self, line: &[u8]) -> Result<(), FramingError> {
        let (name, value) = split_field(line)?;
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(FramingError::TooManyFields);
        }
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.take_host(value),
            14 if frames(name, b"content-length")? => self.take_length(value),
            17 if frames(name, b"transfer-encoding")? => self.take_coding(value),
            _ => Ok(()),
        }
    }

    fn take_host(&mut self, value: &[u8]) -> Result<(), FramingError> {
        if std::mem::replace(&mut self.has_host, true) {
            return Err(FramingError::HostTwice);
        }
        if !is_host(trim(value)) {
            return Err(FramingError::HostInvalid);
        }
        Ok(())
    }

    fn take_length(&mut self, value: &[u8]) -> Result<(), FramingError> {
        let digits = trim(value);
        // 19 digits always fit.
        if !matches!(digits.len(), 1..=19) || !digits.iter().all(u8::is_ascii_digit) {
            return Err(FramingError::LengthInvalid);
        }
        let length = digits
            .iter()
            .fold(0, |length, digit| length * 10 + u64::from(digit - b'0'));
        match self.length.replace(length) {
            Some(_) => Err(FramingError::LengthTwice),
            None => Ok(()),
        }
    }

    fn take_coding(&mut self, value: &[u8]) -> Result<(), FramingError> {
        if std::mem::replace(&mut self.is_chunked, true) {
            return Err(FramingError::CodingTwice);
        }
        if !trim(value).eq_ignore_ascii_case(b"chunked") {
            return Err(FramingError::CodingUnknown);
        }
        Ok(())
    }

    /// What must hold of the head as a whole.
    const fn end(&self, version: Version) -> Result<Body, FramingError> {
        let is_old = matches!(version, Version::Http10);
        if !self.has_host && !is_old {
            return Err(FramingError::HostMissing);
        }
        if self.is_chunked && is_old {
            return Err(FramingError::CodingInOldVersion);
        }
        if self.is_connect && (self.is_chunked || self.length.is_some()) {
            return Err(FramingError::ConnectBody);
        }
        match (self.length, self.is_chunked) {
            (Some(_), true) => Err(FramingError::LengthAndCoding),
            (None, true) => Ok(Body::Chunked),
            (None | Some(0), false) => Ok(Body::None),
            (Some(length), false) => Ok(Body::Length(length)),
        }
    }
}

const EMPTY_LINE: usize = b"\r\n".len();

/// The most bytes of a target that hyper can hold; it would refuse a longer one in words of its own, as
/// it would a host or a URL that cannot be read.
const MAX_TARGET: usize = 65_534;

/// Visible ASCII without a fragment, and no query alone, to which readers add a path of their own. It
/// looks at every byte without leaving early, so that the compiler takes sixteen at a time.
fn is_target(target: &[u8]) -> bool {
    let is_query = target.starts_with(b"?");
    target.iter().fold(!is_query, |is_target, &byte| {
        is_target & (byte > b' ') & (byte < 0x7f) & (byte != b'#')
    })
}

/// Whether a header frames the body.
fn frames(name: &[u8], canonical: &[u8]) -> Result<bool, FramingError> {
    if name.eq_ignore_ascii_case(canonical) {
        return Ok(true);
    }
    let is_disguised = name.iter().zip(canonical).all(|(byte, wanted)| {
        byte.eq_ignore_ascii_case(wanted) || (*wanted == b'-' && matches!(byte, b'_' | b'.'))
    });
    if is_disguised {
        return Err(FramingError::Disguised);
    }
    Ok(false)
}
