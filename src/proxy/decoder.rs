#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Frame;

use super::AnswerError;
use super::answer_error::MAX_FIELDS;
use crate::http::framing::read_trailers;
use crate::http::{Dechunked, Dechunker};

/// How far the body of an answer reaches (RFC 9112 §6.3), and how far it has come.
#[derive(Debug)]
pub(super) enum Decoder {
    /// Bytes that are still to come; 0 at the end of a body, and where there is none.
    Length(u64),
    /// In chunks, perhaps with trailers.
    Chunked(Dechunker),
    /// To the end of the connection.
    ToTheEnd,
    /// In frames of HTTP/2.
    Frames {
        /// Bytes that are still to come, where the head told.
        left: Option<u64>,
        /// Whether everything has come.
        is_done: bool,
    },
}

impl Decoder {
    pub(super) const NONE: Self = Self::Length(0);

    /// The next frame of the body, taken from the front of `input`; nothing when more bytes must come
    /// first, or the body is at its end.
    pub(super) fn next(
        &mut self,
        input: &mut BytesMut,
    ) -> Result<Option<Frame<Bytes>>, AnswerError> {
        match self {
            Self::Chunked(dechunker) => match dechunker.next(input)? {
                None => Ok(None),
                Some(Dechunked::Data(data)) => Ok(Some(Frame::data(data))),
                Some(Dechunked::Trailers(lines)) => Ok(Some(Frame::trailers(trailers(&lines)?))),
            },
            Self::Length(0) | Self::Frames { .. } => Ok(None),
            _ if input.is_empty() => Ok(None),
            Self::Length(left) => {
                let length =
                    usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left -= length as u64;
                Ok(Some(Frame::data(input.split_to(length).freeze())))
            }
            Self::ToTheEnd => Ok(Some(Frame::data(input.split().freeze()))),
        }
    }

    /// A frame of HTTP/2 has come, the last one where `is_over`.
    pub(super) fn passed(&mut self, frame: Option<&Frame<Bytes>>, is_over: bool) {
        if let Self::Frames { left, is_done } = self {
            let length = frame.and_then(Frame::data_ref).map_or(0, Bytes::len);
            *left = left.map(|left| left.saturating_sub(length as u64));
            *is_done |= is_over;
        }
    }

    /// The connection has ended, and everything that came was taken.
    pub(super) fn end(&mut self) -> Result<(), AnswerError> {
        if matches!(self, Self::ToTheEnd) {
            *self = Self::NONE;
        }
        if self.is_done() {
            Ok(())
        } else {
            Err(AnswerError::Closed)
        }
    }

    /// Whether everything of the body was taken.
    pub(super) const fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(dechunker) => dechunker.is_done(),
            Self::ToTheEnd => false,
            Self::Frames { is_done, .. } => *is_done,
        }
    }

    /// How many bytes are still to come, where that is known.
    pub(super) const fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Frames { left, .. } => *left,
            Self::Chunked(_) | Self::ToTheEnd => None,
        }
    }
}

fn trailers(lines: &Bytes) -> Result<HeaderMap, AnswerError> {
    let trailers = read_trailers(lines)?;
    if trailers.len() > MAX_FIELDS {
        return Err(AnswerError::TooManyHeaders);
    }
    Ok(trailers)
}
