//! The data of a chunked body, without what frames it.

use bytes::{Buf, Bytes, BytesMut};

use super::FramingError;
use super::chunked::Chunked;

/// Takes a chunked body (RFC 9112 §7.1) out of bytes that come in pieces, strictly.
///
/// ```
/// # use bytes::BytesMut;
/// # use dariet_gateway::http::{Dechunked, Dechunker};
/// let mut dechunker = Dechunker::default();
/// let mut input = BytesMut::from("5\r\nhello\r\n0\r\n\r\n");
/// assert_eq!(dechunker.next(&mut input), Ok(Some(Dechunked::Data("hello".into()))));
/// assert!(dechunker.is_done());
/// ```
#[derive(Debug, Default)]
pub struct Dechunker(Chunked);

/// A piece of a chunked body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dechunked {
    /// Data, as much of a chunk as has come.
    Data(Bytes),
    /// The lines behind the last chunk, with the empty line that ends them.
    Trailers(Bytes),
}

impl Dechunker {
    /// The next piece, taken from the front of `input`; nothing when more bytes must come first, or the
    /// body is at its end.
    ///
    /// What frames the piece that follows is taken along, as far as it has come, so that the end of a
    /// body shows with its last data. What is wrong there is told by the next call.
    ///
    /// # Errors
    ///
    /// [`FramingError`] when this is no chunked body; nobody knows where it ends then.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Dechunked>, FramingError> {
        self.take_framing(input)?;
        match &self.0 {
            Chunked::Data(_) => {
                let step = self.0.step(input)?;
                if step == 0 {
                    return Ok(None);
                }
                let data = input.split_to(step).freeze();
                let _ = self.take_framing(input);
                Ok(Some(Dechunked::Data(data)))
            }
            Chunked::Trailers(_) => match self.0.step(input)? {
                0 => Ok(None),
                step => Ok(Some(Dechunked::Trailers(input.split_to(step).freeze()))),
            },
            _ => Ok(None),
        }
    }

    /// Whether everything of the body was taken.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.0.is_done()
    }

    /// Takes what is neither data nor trailers. After an error it stands before the wrong byte.
    fn take_framing(&mut self, input: &mut BytesMut) -> Result<(), FramingError> {
        let mut taken = 0;
        let end = loop {
            let rest = input.get(taken..).unwrap_or_default();
            match &self.0 {
                Chunked::Data(_) | Chunked::Done => break Ok(()),
                // Most bodies have none.
                Chunked::Trailers(_) if !rest.starts_with(b"\r\n") => break Ok(()),
                _ => {}
            }
            match self.0.step(rest) {
                Ok(0) => break Ok(()),
                Ok(step) => taken += step,
                Err(error) => break Err(error),
            }
        };
        input.advance(taken);
        end
    }
}
