//! The bytes of an HTTP/1 connection, read strictly into requests.
//!
//! Refused is what readers differ on: a length beside a transfer coding, two equal lengths, bare line
//! feeds, fragments. What one reader repairs, another on the way may have read differently, and the rest
//! of that difference would be somebody else's request.

#[cfg(test)]
mod agreement;
mod chunked;
mod dechunk;
mod field;
mod head;
mod line;
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use self::head::{Body, Head};
use super::{ApiError, Code};

pub use self::dechunk::{Dechunked, Dechunker};
pub use self::field::{field_value, read_field, read_trailers};
pub use self::head::RequestHead;

/// Reads the requests that one HTTP/1 client sends, out of bytes that come in pieces.
///
/// It does no input or output: the caller gathers the bytes.
///
/// ```
/// # use bytes::BytesMut;
/// # use dariet_gateway::http::{Piece, Requests};
/// let mut requests = Requests::new(65536);
/// let mut held = BytesMut::from("GET / HTTP/1.1\r\nHost: exam");
/// assert!(requests.next(&mut held).unwrap().is_none());
/// held.extend_from_slice(b"ple.com\r\n\r\n");
/// assert!(matches!(requests.next(&mut held), Ok(Some(Piece::Head(_)))));
/// ```
#[derive(Debug)]
pub struct Requests {
    state: State,
    max_head: usize,
    failure: Option<FramingError>,
}

/// What comes next of a request.
#[derive(Debug)]
pub enum Piece {
    /// Its head.
    Head(RequestHead),
    /// Bytes of its body.
    Data(Bytes),
    /// What stands behind a body in chunks.
    Trailers(HeaderMap),
}

/// Where in the sequence of requests a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// Nothing of the next request has come.
    Between,
    /// A head has begun and is not whole.
    InHead,
    /// A body is on its way.
    InBody,
}

/// The rule of HTTP/1 that a connection broke. Answer once and close: nobody knows where the next
/// request would begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// The head has more bytes than the bound.
    #[error("the head is larger than the bound")]
    HeadTooLarge,
    /// The head has more headers than the bound.
    #[error("the head has more headers than the bound")]
    TooManyFields,
    /// The trailers have more bytes than the bound.
    #[error("the trailers are larger than the bound")]
    TrailersTooLarge,
    /// A line does not end in CRLF (RFC 9112 §2.2).
    #[error("a line ends without a carriage return")]
    BareLineFeed,
    /// A carriage return within a line (RFC 9112 §2.2).
    #[error("a carriage return stands within a line")]
    BareCarriageReturn,
    /// More than one empty line before a request line (RFC 9112 §2.2).
    #[error("more than one empty line stands before the request line")]
    EmptyLines,
    /// Not `method SP target SP HTTP/1.x` (RFC 9112 §3).
    #[error("the request line is not a method, a target and a version with one space between")]
    RequestLine,
    /// A control character, a byte beyond ASCII or a fragment in the target, or nothing but a query
    /// (RFC 9112 §3.2).
    #[error(
        "the target has no path, or holds a fragment or a character that must be percent-encoded"
    )]
    Target,
    /// Neither HTTP/1.0 nor HTTP/1.1 (RFC 9112 §2.3).
    #[error("the version is neither HTTP/1.0 nor HTTP/1.1")]
    Version,
    /// A header goes on in the next line (RFC 9112 §5.2).
    #[error("a header is folded over two lines")]
    Folded,
    /// A space between a header's name and its colon (RFC 9112 §5.1).
    #[error("a space stands before the colon of a header")]
    SpaceBeforeColon,
    /// A header's name is missing, is no token, or has no colon (RFC 9112 §5).
    #[error("a header's name holds a character that no name has")]
    HeaderName,
    /// A control character in a header's value (RFC 9110 §5.5).
    #[error("a header's value holds a control character")]
    HeaderValue,
    /// `Host` is missing in HTTP/1.1 (RFC 9112 §3.2).
    #[error("the header Host is missing")]
    HostMissing,
    /// `Host` stands twice (RFC 9112 §3.2).
    #[error("the header Host stands twice")]
    HostTwice,
    /// `Host` is no host and port (RFC 9112 §3.2).
    #[error("the header Host is no host and port")]
    HostInvalid,
    /// `Content-Length` is not 1 to 19 digits (RFC 9112 §6.3).
    #[error("the header Content-Length is no number")]
    LengthInvalid,
    /// `Content-Length` stands twice, even with the same value (RFC 9112 §6.3).
    #[error("the header Content-Length stands twice")]
    LengthTwice,
    /// `Transfer-Encoding` is anything but `chunked` (RFC 9112 §6.1).
    #[error("the header Transfer-Encoding is not chunked")]
    CodingUnknown,
    /// `Transfer-Encoding` stands twice (RFC 9112 §6.1).
    #[error("the header Transfer-Encoding stands twice")]
    CodingTwice,
    /// `Transfer-Encoding` in HTTP/1.0 (RFC 9112 §6.1).
    #[error("HTTP/1.0 has no Transfer-Encoding")]
    CodingInOldVersion,
    /// `Transfer-Encoding` beside `Content-Length` (RFC 9112 §6.1).
    #[error("Content-Length and Transfer-Encoding stand side by side")]
    LengthAndCoding,
    /// `Content_Length` or the like, which some servers read as the header that frames the body.
    #[error("a header that frames the message is misspelt")]
    Disguised,
    /// CONNECT with a body, which servers read differently (RFC 9110 §9.3.6).
    #[error("CONNECT has no body")]
    ConnectBody,
    /// A chunk's size is not 1 to 16 hexadecimal digits (RFC 9112 §7.1).
    #[error("a chunk's size is no hexadecimal number")]
    ChunkSize,
    /// A chunk's extension is too long or holds a control character (RFC 9112 §7.1.1).
    #[error("a chunk's extension is too long or holds a control character")]
    ChunkExtension,
    /// A chunk, or the line of its size, does not end in CRLF (RFC 9112 §7.1).
    #[error("a chunk does not end where its size says")]
    ChunkEnd,
}

impl Requests {
    /// Reads a new connection, whose heads may have at most `max_head` bytes.
    #[must_use]
    pub fn new(max_head: usize) -> Self {
        Self {
            state: State::Head(Head::default()),
            max_head,
            failure: None,
        }
    }

    /// The next piece, taken from the front of `held`; none when more bytes must come first, and once where
    /// a body in chunks has ended ([`Self::is_in_body`] tells which). More bytes are added behind those that
    /// are there; what was looked at is not looked at again.
    ///
    /// # Errors
    ///
    /// [`FramingError`] when the request that comes next is broken. After an error every call fails
    /// alike.
    pub fn next(&mut self, held: &mut BytesMut) -> Result<Option<Piece>, FramingError> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        let step = self.step(held);
        self.failure = step.as_ref().err().copied();
        step
    }

    /// Where the connection is, when the caller holds `held` bytes.
    #[must_use]
    pub const fn stand(&self, held: usize) -> Stand {
        match &self.state {
            State::Head(head) if head.has_begun(held) => Stand::InHead,
            State::Head(_) => Stand::Between,
            State::Length(_) | State::Chunked(_) => Stand::InBody,
        }
    }

    /// Whether more of a body is to come.
    #[must_use]
    pub const fn is_in_body(&self) -> bool {
        !matches!(self.state, State::Head(_))
    }

    /// How many bytes the body has that is on its way, as far as its head told.
    #[must_use]
    pub const fn length(&self) -> Option<u64> {
        match self.state {
            State::Head(_) => Some(0),
            State::Length(left) => Some(left),
            State::Chunked(_) => None,
        }
    }

    fn step(&mut self, held: &mut BytesMut) -> Result<Option<Piece>, FramingError> {
        let (piece, is_done) = match &mut self.state {
            State::Head(head) => {
                let Some((length, body)) = head.read(held, self.max_head)? else {
                    return Ok(None);
                };
                let head = std::mem::take(head).parse(&take(held, length))?;
                self.state = State::of(body);
                return Ok(Some(Piece::Head(head)));
            }
            State::Length(_) if held.is_empty() => return Ok(None),
            State::Length(left) => {
                let step = at_most(held.len(), *left);
                *left -= step as u64;
                (Some(Piece::Data(take(held, step))), *left == 0)
            }
            State::Chunked(chunks) => {
                let piece = match chunks.next(held)? {
                    None => None,
                    Some(Dechunked::Data(data)) => Some(Piece::Data(data)),
                    Some(Dechunked::Trailers(lines)) => {
                        Some(Piece::Trailers(read_trailers(&lines)?))
                    }
                };
                (piece, chunks.is_done())
            }
        };
        if is_done {
            self.state = State::of(Body::None);
        }
        Ok(piece)
    }
}

impl From<FramingError> for ApiError {
    fn from(error: FramingError) -> Self {
        match error {
            FramingError::HeadTooLarge
            | FramingError::TooManyFields
            | FramingError::TrailersTooLarge => Self::new(Code::HeadTooLarge),
            _ => Self::new(Code::MalformedRequest).detail(error.to_string()),
        }
    }
}

#[derive(Debug)]
enum State {
    Head(Head),
    /// Bytes of the body that are still to come; never 0.
    Length(u64),
    Chunked(Dechunker),
}

impl State {
    fn of(body: Body) -> Self {
        match body {
            Body::None => Self::Head(Head::default()),
            Body::Length(length) => Self::Length(length),
            Body::Chunked => Self::Chunked(Dechunker::default()),
        }
    }
}

/// The first bytes, and the buffer with them where they are all of it: it is given back with the request.
fn take(held: &mut BytesMut, length: usize) -> Bytes {
    if length == held.len() {
        std::mem::take(held).freeze()
    } else {
        held.split_to(length).freeze()
    }
}

/// The smaller of the two.
fn at_most(bytes: usize, left: u64) -> usize {
    usize::try_from(left).map_or(bytes, |left| bytes.min(left))
}
