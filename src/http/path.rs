//! The one form of a path that decides the route and is what the upstream gets.

mod reading;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use http::uri::PathAndQuery;
use memchr::memchr_iter;

use self::reading::Reading;
use super::octet::{hex_digit, letters_digits_and, push_encoded};
use super::{ApiError, Code};

/// A path that every reader reads alike.
///
/// It begins with a slash; it has no empty segment but after a slash at its end, and no dot segments;
/// what need not be percent-encoded is not, and what is has upper-case digits. A backend that decodes
/// once more, or drops `;parameters` first, arrives at the same segments.
///
/// ```
/// # use dariet_gateway::http::NormalPath;
/// let path = NormalPath::parse("//reports/./%61/../b%2fc")?;
/// assert_eq!(path.as_str(), "/reports/b%2Fc");
/// assert!(path.is_below("/reports"));
/// assert!(path.check(false, false).is_err());
/// # Ok::<(), dariet_gateway::http::PathError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormalPath<'a> {
    text: Cow<'a, str>,
    /// Whether it stands as it is read: without `%` and `;`.
    is_plain: bool,
    has_parameters: bool,
    has_encoded_slash: bool,
}

/// Why a path has no normal form, or none that the route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The target does not begin with a slash.
    #[error("the path must begin with a slash")]
    NotAbsolute,
    /// `..` beyond the first segment.
    #[error("the path's `..` leaves the root")]
    LeavesRoot,
    /// A control character, a space, `#`, `?` or a byte beyond ASCII, not percent-encoded.
    #[error("the path holds a character that must be percent-encoded")]
    Character,
    /// `\` or `%5c`, which some backends read as a slash.
    #[error("the path holds a backslash; write a slash")]
    Backslash,
    /// `%` without two hexadecimal digits.
    #[error("the path holds a `%` without two hexadecimal digits; write `%25` for a percent sign")]
    Encoding,
    /// `%00` or another encoded control character: some readers end or skip there.
    #[error("the path holds an encoded control character")]
    EncodedControl,
    /// `%25` before two hexadecimal digits: encoded twice.
    #[error("the path is percent-encoded twice")]
    EncodedTwice,
    /// An overlong form of UTF-8, such as `%c0%af`, which some decoders read as a slash or a dot.
    #[error("the path holds overlong UTF-8")]
    Overlong,
    /// A `%3f` or `%23` behind which another rule would end: a service that decodes before it cuts off the
    /// query reads another path.
    #[error("the path holds an encoded `?` or `#`, before which another rule holds")]
    HiddenEnd,
    /// A segment that is empty or dots once its `;parameters` are dropped or its `%2f` is decoded.
    #[error(
        "a segment of the path would be empty or dots once its `;` or `%2f` is read by the service"
    )]
    HiddenDots,
    /// A `;`, which the route does not keep.
    #[error("the path holds a `;`, which this route does not take")]
    Parameters,
    /// A `%2f`, which the route does not keep.
    #[error("the path holds an encoded slash, which this route does not take")]
    EncodedSlash,
}

impl<'a> NormalPath<'a> {
    /// Takes the path of a request target, as it was sent and without its query.
    ///
    /// A path that is normal already is borrowed.
    ///
    /// # Errors
    ///
    /// [`PathError`] when the path could be read in two ways; refuse the request.
    pub fn parse(raw: &'a str) -> Result<Self, PathError> {
        if is_plainly_normal(raw.as_bytes()) {
            return Ok(Self {
                text: Cow::Borrowed(raw),
                is_plain: true,
                has_parameters: false,
                has_encoded_slash: false,
            });
        }
        let text = normalise(raw)?;
        let has_parameters = text.contains(';') || text.contains("%3B");
        Ok(Self {
            is_plain: !has_parameters && !text.contains('%'),
            has_parameters,
            has_encoded_slash: text.contains("%2F"),
            text: if text == raw {
                Cow::Borrowed(raw)
            } else {
                Cow::Owned(text)
            },
        })
    }

    /// Refuses what the route does not keep: `;` (`%3b` too) and `%2f`.
    ///
    /// # Errors
    ///
    /// [`PathError::Parameters`] or [`PathError::EncodedSlash`].
    pub const fn check(
        &self,
        keep_parameters: bool,
        keep_encoded_slash: bool,
    ) -> Result<(), PathError> {
        if self.has_parameters && !keep_parameters {
            return Err(PathError::Parameters);
        }
        if self.has_encoded_slash && !keep_encoded_slash {
            return Err(PathError::EncodedSlash);
        }
        Ok(())
    }

    /// Whether it is `prefix` or below it, by whole segments.
    ///
    /// `prefix` is a normal path without a slash at its end; the empty one has everything below it.
    /// Both are read as the most generous backend would: without parameters, decoded, `%2f` as a
    /// slash. So `/reports;x`, `/reports%2Fx` and `/%40me` cannot slip past a stricter rule for
    /// `/reports` or `/@me` to a public `/`.
    #[must_use]
    pub fn is_below(&self, prefix: &str) -> bool {
        if self.is_plain && !prefix.bytes().any(|byte| matches!(byte, b'%' | b';')) {
            let rest = self.text.strip_prefix(prefix);
            return rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        }
        let mut path = Reading::of(&self.text);
        Reading::of(prefix).all(|byte| path.next() == Some(byte))
            && matches!(path.next(), None | Some(b'/'))
    }

    /// The path as the most generous backend reads it, segment by segment: what rules are looked up by.
    #[must_use]
    pub fn reading(&self) -> Cow<'_, [u8]> {
        if self.is_plain {
            return Cow::Borrowed(self.text.as_bytes());
        }
        Cow::Owned(Reading::of(&self.text).collect())
    }

    /// The path that a backend reads which decodes before it cuts off query and fragment; nothing where that
    /// is this one.
    #[must_use]
    pub fn before_hidden_end(&self) -> Option<NormalPath<'_>> {
        if self.is_plain {
            return None;
        }
        let text = self.text.get(..hidden_end(&self.text)?)?;
        Some(NormalPath {
            is_plain: false,
            has_parameters: self.has_parameters,
            has_encoded_slash: self.has_encoded_slash,
            text: Cow::Borrowed(text),
        })
    }

    /// What is left behind `prefix`, which is as in [`Self::is_below`]: nothing, or a path as the client
    /// wrote it. `;parameters` of the last segment that is stripped go with it.
    ///
    /// # Errors
    ///
    /// [`PathError::EncodedSlash`] when `prefix` ends before a `%2F`: what is left would be no path.
    pub fn behind(&self, prefix: &str) -> Result<&str, PathError> {
        let mut path = Reading::of(&self.text);
        if !Reading::of(prefix).all(|byte| path.next() == Some(byte)) {
            return Ok(&self.text);
        }
        match path.next() {
            None => Ok(""),
            Some(_) => {
                let slash = self.text.len().saturating_sub(path.left() + 1);
                let rest = self.text.get(slash..).filter(|rest| rest.starts_with('/'));
                rest.ok_or(PathError::EncodedSlash)
            }
        }
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same path, which borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> NormalPath<'static> {
        NormalPath {
            text: Cow::Owned(self.text.into_owned()),
            is_plain: self.is_plain,
            has_parameters: self.has_parameters,
            has_encoded_slash: self.has_encoded_slash,
        }
    }

    /// What the upstream is asked for: this path, and the query of `original`, from which it was
    /// parsed. Copies nothing when the path was normal.
    ///
    /// # Errors
    ///
    /// [`PathError::Character`]; it cannot happen with the target the path came from.
    pub fn target(&self, original: &PathAndQuery) -> Result<PathAndQuery, PathError> {
        // The root of `http://host?query` stands nowhere in it (RFC 9112 §3.2.1).
        if self.text == original.path() && original.as_str().starts_with('/') {
            return Ok(original.clone());
        }
        let query = original.query();
        let mut text =
            String::with_capacity(self.text.len() + query.map_or(0, |query| query.len() + 1));
        text.push_str(&self.text);
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
        PathAndQuery::from_maybe_shared(Bytes::from(text)).map_err(|_| PathError::Character)
    }
}

impl From<PathError> for ApiError {
    fn from(error: PathError) -> Self {
        Self::new(Code::PathRefused).detail(error.to_string())
    }
}

/// Whether nothing need be looked at twice: no `%`, no `;`, no empty and no dot segments.
fn is_plainly_normal(raw: &[u8]) -> bool {
    let [b'/', rest @ ..] = raw else {
        return false;
    };
    let (mut length, mut only_dots) = (0_usize, true);
    for &byte in rest {
        if byte == b'/' {
            if length == 0 || (only_dots && length <= 2) {
                return false;
            }
            (length, only_dots) = (0, true);
        } else if byte != b';' && is_plain(byte) {
            length += 1;
            only_dots &= byte == b'.';
        } else {
            return false;
        }
    }
    length == 0 || !only_dots || length > 2
}

fn normalise(raw: &str) -> Result<String, PathError> {
    let rest = raw.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
    let mut text = String::with_capacity(raw.len() + 16);
    let mut ends_in_slash = true;
    for segment in rest.split('/') {
        ends_in_slash = push_segment(&mut text, segment)?;
    }
    if ends_in_slash {
        text.push('/');
    }
    Ok(text)
}

/// Adds a segment, and says whether it only stands for a slash (RFC 3986 §5.2.4).
fn push_segment(text: &mut String, raw: &str) -> Result<bool, PathError> {
    let start = text.len();
    text.push('/');
    push_decoded(text, raw)?;
    match text.get(start + 1..).unwrap_or_default() {
        "" | "." => text.truncate(start),
        ".." => {
            text.truncate(start);
            text.truncate(text.rfind('/').ok_or(PathError::LeavesRoot)?);
        }
        segment => {
            check_segment(segment)?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// Adds `raw` with as little percent-encoding as a path can have.
fn push_decoded(text: &mut String, raw: &str) -> Result<(), PathError> {
    let mut bytes = raw.bytes();
    let mut last_encoded = 0;
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(hex_digit);
                let high = digit().ok_or(PathError::Encoding)?;
                let low = digit().ok_or(PathError::Encoding)?;
                let byte = high << 4 | low;
                check_encoded(byte, last_encoded)?;
                if is_unreserved(byte) {
                    text.push(char::from(byte));
                } else {
                    push_encoded(text, byte);
                }
                last_encoded = byte;
                continue;
            }
            b'\\' => return Err(PathError::Backslash),
            // RFC 3986 does not allow them, browsers send some of them raw.
            b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}' => push_encoded(text, byte),
            _ if is_plain(byte) => text.push(char::from(byte)),
            _ => return Err(PathError::Character),
        }
        last_encoded = 0;
    }
    Ok(())
}

/// Refuses encoded bytes that a backend may read as something else; `before` is the encoded byte that
/// stands directly before, else 0.
const fn check_encoded(byte: u8, before: u8) -> Result<(), PathError> {
    match (before, byte) {
        // `%00` ends a C string; a URL parser of the WHATWG kind skips `%09`, `%0a` and `%0d`.
        (_, 0..=0x1f | 0x7f) => Err(PathError::EncodedControl),
        (_, b'\\') => Err(PathError::Backslash),
        // RFC 3629 §10: the shortest form is the only one.
        (0xc0 | 0xc1, 0x80..=0xbf) | (0xe0, 0x80..=0x9f) | (0xf0, 0x80..=0x8f) => {
            Err(PathError::Overlong)
        }
        _ => Ok(()),
    }
}

/// Refuses a segment that turns into another path when a backend decodes it once more, or drops its
/// parameters first.
fn check_segment(segment: &str) -> Result<(), PathError> {
    let is_encoded_twice = |(at, _): (usize, &str)| {
        let digits = segment.as_bytes().get(at + 3..at + 5);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if segment.match_indices("%25").any(is_encoded_twice) {
        return Err(PathError::EncodedTwice);
    }
    for part in segment.split("%2F") {
        if let Some(".." | ".") = hidden_end(part).and_then(|end| part.get(..end)) {
            return Err(PathError::HiddenDots);
        }
        let part = part.split_once(';').map_or(part, |(name, _)| name);
        let part = part.split_once("%3B").map_or(part, |(name, _)| name);
        if matches!(part, "" | "." | "..") {
            return Err(PathError::HiddenDots);
        }
    }
    Ok(())
}

/// Where a path ends for a backend that decodes it first: at `?` or `#`.
fn hidden_end(text: &str) -> Option<usize> {
    let text = text.as_bytes();
    memchr_iter(b'%', text).find(|&at| matches!(text.get(at..at + 3), Some(b"%3F" | b"%23")))
}

/// What stands for itself in a segment (`pchar`, RFC 3986 §3.3).
fn is_plain(byte: u8) -> bool {
    PLAIN.get(usize::from(byte)).copied().unwrap_or(false)
}

/// What means the same percent-encoded and not (RFC 3986 §2.3).
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

static PLAIN: [bool; 256] = letters_digits_and(b"-._~!$&'()*+,;=:@");
