//! The bytes of an HTTP/1 connection, followed from message to message before the parser sees them.
//!
//! hyper repairs what must be refused: a length beside a transfer coding, two equal lengths, bare line
//! feeds, fragments. What it repairs, another server on the way may have read differently, and the
//! rest of that difference would be somebody else's request. So each head is held until it is whole
//! and plain, and the body's framing is followed as hyper follows it.

#[cfg(test)]
mod agreement;
mod chunked;
mod dechunk;
mod field;
mod head;
mod line;
#[cfg(test)]
mod tests;

use self::chunked::Chunked;
use self::head::{Body, Head};
use super::{ApiError, Code};

pub use self::dechunk::{Dechunked, Dechunker};
pub use self::field::read_field;

/// Follows the bytes that one HTTP/1 client sends.
///
/// It does no input or output: the caller holds what may not be handed on yet.
///
/// ```
/// # use dariet_gateway::http::Follower;
/// let mut follower = Follower::new(65536);
/// let head = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
/// assert_eq!(follower.follow(&head[..20]), Ok(0));
/// assert_eq!(follower.follow(head), Ok(head.len()));
/// ```
#[derive(Debug)]
pub struct Follower {
    state: State,
    max_head: usize,
    /// Bytes of a head that the caller holds.
    held: usize,
    failure: Option<FramingError>,
}

/// Where in the stream of messages a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowState {
    /// Nothing of the next request has come.
    BetweenMessages,
    /// A head has begun and is not whole.
    InHead,
    /// A body is on its way, or the connection is no HTTP any more.
    InBody,
}

/// The rule of HTTP/1 that a connection broke. Answer once and close: nobody knows where the next
/// request would begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// The head has more bytes than the bound.
    #[error("the head is larger than the bound")]
    HeadTooLarge,
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
    /// A control character, a byte beyond ASCII or a fragment in the target (RFC 9112 §3.2).
    #[error("the target holds a character that must be percent-encoded, or a fragment")]
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

impl Follower {
    /// Follows a new connection, whose heads may have at most `max_head` bytes.
    #[must_use]
    pub fn new(max_head: usize) -> Self {
        Self {
            state: State::Head(Head::default()),
            max_head,
            held: 0,
            failure: None,
        }
    }

    /// Looks at the next bytes of the connection, and says how many of them may be handed on.
    ///
    /// The rest is the beginning of a head or of trailers. Hold it, and give it again with more bytes
    /// behind it; what was looked at is not looked at again.
    ///
    /// # Errors
    ///
    /// [`FramingError`] when the next byte to hand on belongs to a broken message. What stands before
    /// that message is handed on first, so an error behind it is told by the next call, and at once by
    /// [`Follower::failure`]. After an error every call fails alike.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<usize, FramingError> {
        let mut done = 0;
        while self.failure.is_none() {
            let rest = bytes.get(done..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            match self.step(rest) {
                Ok(0) => break,
                Ok(step) => done += step,
                Err(error) => self.failure = Some(error),
            }
        }
        self.held = bytes.len().saturating_sub(done);
        match self.failure {
            Some(error) if done == 0 => Err(error),
            _ => Ok(done),
        }
    }

    /// Hands on everything from here: the connection has become another protocol.
    pub fn passthrough(&mut self) {
        self.state = State::Passthrough;
    }

    /// Where the connection is.
    #[must_use]
    pub fn state(&self) -> FollowState {
        match &self.state {
            State::Head(head) if head.has_begun(self.held) => FollowState::InHead,
            State::Head(_) => FollowState::BetweenMessages,
            State::Length(_) | State::Chunked(_) | State::Passthrough => FollowState::InBody,
        }
    }

    /// The rule that was broken, also while good bytes before it are still to be handed on.
    #[must_use]
    pub const fn failure(&self) -> Option<FramingError> {
        self.failure
    }

    /// How many leading bytes of `rest`, which is not empty, belong to what comes next and are good.
    fn step(&mut self, rest: &[u8]) -> Result<usize, FramingError> {
        match &mut self.state {
            State::Head(head) => {
                let Some((length, body)) = head.read(rest, self.max_head)? else {
                    return Ok(0);
                };
                self.state = State::of(body);
                Ok(length)
            }
            State::Length(left) => {
                let step = at_most(rest.len(), *left);
                *left -= step as u64;
                if *left == 0 {
                    self.state = State::of(Body::None);
                }
                Ok(step)
            }
            State::Chunked(chunked) => {
                let step = chunked.step(rest)?;
                if chunked.is_done() {
                    self.state = State::of(Body::None);
                }
                Ok(step)
            }
            State::Passthrough => Ok(rest.len()),
        }
    }
}

impl From<FramingError> for ApiError {
    fn from(error: FramingError) -> Self {
        match error {
            FramingError::HeadTooLarge | FramingError::TrailersTooLarge => {
                Self::new(Code::HeadTooLarge)
            }
            _ => Self::new(Code::MalformedRequest).detail(error.to_string()),
        }
    }
}

#[derive(Debug)]
enum State {
    Head(Head),
    /// Bytes of the body that are still to come; never 0.
    Length(u64),
    Chunked(Chunked),
    Passthrough,
}

impl State {
    fn of(body: Body) -> Self {
        match body {
            Body::None => Self::Head(Head::default()),
            Body::Length(length) => Self::Length(length),
            Body::Chunked => Self::Chunked(Chunked::default()),
        }
    }
}

/// The smaller of the two.
fn at_most(bytes: usize, left: u64) -> usize {
    usize::try_from(left).map_or(bytes, |left| bytes.min(left))
}
