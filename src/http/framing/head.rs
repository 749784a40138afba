//! The head of a request.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, request};

use super::FramingError;
use super::line::{Lines, no_text, split_field};
use crate::http::octet::{is_host, is_token, trim};
use crate::http::spare;
use crate::http::values::MAX_FIELDS;

/// The head of a request, with what it says of its connection.
#[derive(Debug)]
pub struct RequestHead {
    /// Method, target, version and headers.
    pub parts: request::Parts,
    /// Whether the client wants to send another request behind this one.
    pub wants_more: bool,
    /// Whether the client waits for a 100 before it sends the body.
    pub expects_continue: bool,
    /// Whether the client takes trailers.
    pub takes_trailers: bool,
}

/// A head that is being read.
#[derive(Debug, Default)]
pub(super) struct Head {
    lines: Lines,
    method: Range<usize>,
    target: Range<usize>,
    fields: Vec<Field>,
    is_close: bool,
    is_keep_alive: bool,
    expects_continue: bool,
    takes_trailers: bool,
    version: Option<Version>,
    is_connect: bool,
    has_host: bool,
    length: Option<u64>,
    is_chunked: bool,
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

/// Where a header stands in the head.
#[derive(Debug)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

/// Most requests have no more; the room for them is taken at once.
const USUAL_FIELDS: usize = 16;

impl Head {
    /// Reads on. A whole head has a length of its own, and says what follows it.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        max: usize,
    ) -> Result<Option<(usize, Body)>, FramingError> {
        let within = bytes.get(..max).unwrap_or(bytes);
        while let Some((start, line)) = self.lines.next(within)? {
            if let Some(body) = self.take(start, line)? {
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

    /// The head as a request's, once `bytes` are all of it.
    pub(super) fn parse(self, bytes: &Bytes) -> Result<RequestHead, FramingError> {
        let is_old = self.version == Some(Version::Http10);
        let (mut parts, ()) = Request::new(()).into_parts();
        let method = bytes.get(self.method).unwrap_or_default();
        parts.method = Method::from_bytes(method).map_err(|_| FramingError::RequestLine)?;
        let target = bytes.slice(self.target);
        parts.uri = Uri::from_maybe_shared(target).map_err(|_| FramingError::Target)?;
        if is_old {
            parts.version = http::Version::HTTP_10;
        }
        parts.headers = spare::take();
        parts.headers.reserve(self.fields.len());
        for field in self.fields {
            let name = bytes.get(field.name).unwrap_or_default();
            let name = HeaderName::from_bytes(name).map_err(|_| FramingError::HeaderName)?;
            let value = HeaderValue::from_maybe_shared(bytes.slice(field.value));
            let value = value.map_err(|_| FramingError::HeaderValue)?;
            parts.headers.append(name, value);
        }
        Ok(RequestHead {
            parts,
            wants_more: !self.is_close && (!is_old || self.is_keep_alive),
            expects_continue: self.expects_continue && !is_old,
            takes_trailers: self.takes_trailers,
        })
    }

    /// Takes one line, which begins at `start`; the empty one ends the head.
    fn take(&mut self, start: usize, line: &[u8]) -> Result<Option<Body>, FramingError> {
        match (self.version, line) {
            (Some(version), []) => self.end(version).map(Some),
            (Some(_), field) => self.take_field(start, field).map(|()| None),
            // Old clients add one to the body before (RFC 9112 §2.2).
            (None, []) if self.lines.length() == EMPTY_LINE => Ok(None),
            (None, []) => Err(FramingError::EmptyLines),
            (None, line) => self.take_request_line(start, line).map(|()| None),
        }
    }

    fn take_request_line(&mut self, start: usize, line: &[u8]) -> Result<(), FramingError> {
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
        if !is_target(target) {
            return Err(no_text(target, FramingError::Target));
        }
        self.version = Some(match version {
            b"HTTP/1.1" => Version::Http11,
            b"HTTP/1.0" => Version::Http10,
            _ => return Err(no_text(version, FramingError::Version)),
        });
        self.is_connect = method == b"CONNECT";
        self.method = start..start + method.len();
        self.target = self.method.end + 1..self.method.end + 1 + target.len();
        self.fields.reserve(USUAL_FIELDS);
        Ok(())
    }

    fn take_field(&mut self, start: usize, line: &[u8]) -> Result<(), FramingError> {
        let (name, value) = split_field(line)?;
        if self.fields.len() >= MAX_FIELDS {
            return Err(FramingError::TooManyFields);
        }
        let value_end = start + line.len() - (value.len() - value.trim_ascii_end().len());
        let value = value.trim_ascii();
        self.fields.push(Field {
            name: start..start + name.len(),
            value: value_end - value.len()..value_end,
        });
        match name.len() {
            2 if name.eq_ignore_ascii_case(b"te") => {
                self.takes_trailers |= is_listed(value, b"trailers");
                Ok(())
            }
            6 if name.eq_ignore_ascii_case(b"expect") => {
                self.expects_continue = value.eq_ignore_ascii_case(b"100-continue");
                Ok(())
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.is_close |= is_listed(value, b"close");
                self.is_keep_alive |= is_listed(value, b"keep-alive");
                Ok(())
            }
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

/// The most bytes of a target that [`Uri`] can hold.
const MAX_TARGET: usize = 65_534;

/// Visible ASCII without a fragment, and no query alone, to which readers add a path of their own. It
/// looks at every byte without leaving early, so that the compiler takes sixteen at a time.
fn is_target(target: &[u8]) -> bool {
    let is_query = target.starts_with(b"?");
    target.iter().fold(!is_query, |is_target, &byte| {
        is_target & (byte > b' ') & (byte < 0x7f) & (byte != b'#')
    })
}

/// Whether a list has this element.
fn is_listed(list: &[u8], element: &[u8]) -> bool {
    let mut elements = list.split(|byte| *byte == b',');
    elements.any(|one| trim(one).eq_ignore_ascii_case(element))
}

/// Whether a header frames the body.
fn frames(name: &[u8], canonical: &[u8]) -> Result<bool, FramingError> {
    if name.eq_ignore_ascii_case(canonical) {
        return Ok(true);
    }
    let is_disguised = name.iter().zip(canonical).all(|(byte, wanted)| {
        byte.eq_ignore_ascii_case(wanted) || (*wanted == b'-' && !byte.is_ascii_alphanumeric())
    });
    if is_disguised {
        return Err(FramingError::Disguised);
    }
    Ok(false)
}
