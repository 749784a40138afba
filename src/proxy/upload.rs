use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use memchr::memmem;
use tokio::io::AsyncWrite;

use super::RequestBody;
use super::batch::Batch;
use super::upstreams::Again;
use crate::http::header::write_field;

/// A request on its way to an upstream: its head, and its body as the client sends it.
#[derive(Debug)]
pub(super) struct Upload {
    /// First the head, with what of the body is there already.
    batch: Batch,
    body: RequestBody,
    framing: BodyFraming,
    /// Whether nothing comes behind the batch.
    is_last: bool,
    has_begun: bool,
    /// Whether sending it twice does no harm, and it can be (RFC 9110 §9.2.2).
    is_repeatable: bool,
    has_sent: bool,
}

/// A piece of a body that is sent in frames.
#[derive(Debug)]
pub(super) enum Piece {
    /// Bytes, the last ones where that is known already.
    Data(Bytes, bool),
    /// What stands behind the body; nothing follows.
    Trailers(HeaderMap),
    /// Nothing follows.
    End,
}

/// How the body of a request is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyFraming {
    /// There is none.
    None,
    /// By its length; so many bytes are still to come.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// Why a request was not sent whole.
#[derive(Debug)]
pub(super) enum UploadError {
    /// The client broke it off, or it is not as long as it said.
    Client,
    /// The server takes no more.
    Server,
}

impl Upload {
    /// A request with this head, which says `framing` of the body.
    pub(super) fn new(
        head: Vec<u8>,
        body: RequestBody,
        framing: BodyFraming,
        is_harmless: bool,
    ) -> Self {
        let is_bodyless = matches!(framing, BodyFraming::None);
        Self {
            batch: Batch::of(head),
            body,
            framing,
            is_last: is_bodyless,
            has_begun: is_bodyless,
            is_repeatable: is_harmless && is_bodyless,
            has_sent: false,
        }
    }

    /// Sends as much as the server takes and the client has sent; ready when that is all.
    pub(super) fn poll<To>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut To,
    ) -> Poll<Result<(), UploadError>>
    where
        To: AsyncWrite + Unpin,
    {
        if !self.has_begun {
            // What of the body is there already goes with the head.
            self.has_begun = true;
            if let Poll::Ready(Err(error)) = self.poll_body(cx) {
                return Poll::Ready(Err(error));
            }
        }
        loop {
            let written = self.batch.poll_write(cx, to);
            self.has_sent |= !self.batch.is_untouched();
            ready!(written).map_err(|_| UploadError::Server)?;
            if self.is_last {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_body(cx))?;
        }
    }

    /// Whether all of it was sent.
    pub(super) const fn is_sent(&self) -> bool {
        self.is_last && self.batch.is_written()
    }

    /// The server wants the body; whether it was held back until then.
    pub(super) fn go_on(&mut self) -> bool {
        self.body.open_gate()
    }

    /// Whether it may be sent once more: the server cannot have acted on it, or acting twice does no
    /// harm.
    pub(super) const fn may_repeat(&self) -> bool {
        !self.has_sent || self.is_repeatable
    }

    /// Makes it as it was before it was sent, for another connection, if it may be sent once more.
    pub(super) fn again(mut self) -> Option<(Again, Self)> {
        if !self.may_repeat() {
            return None;
        }
        let why = if self.has_sent {
            Again::Broken
        } else {
            Again::Unsent
        };
        self.has_sent = false;
        self.batch.rewind();
        Some((why, self))
    }

    /// Whether it has no body.
    pub(super) const fn is_bodyless(&self) -> bool {
        matches!(self.framing, BodyFraming::None)
    }

    /// The head alone, for a connection that sends bodies in frames: what was put behind it over another
    /// one becomes the beginning of the body again.
    ///
    /// # Errors
    ///
    /// When that cannot be, which takes trailers without a body.
    pub(super) fn head_alone(&mut self) -> Result<&[u8], UploadError> {
        let data = std::mem::take(&mut self.batch.data);
        let end = memmem::find(&self.batch.front, b"\r\n\r\n");
        let end = end.map_or(self.batch.front.len(), |at| at + 4);
        let behind = self.batch.front.get(end..).unwrap_or_default();
        // Of an empty body nothing needs to come back: whoever asks for it again is told that it has ended.
        if self.is_last && data.is_empty() && !matches!(behind, b"" | b"0\r\n\r\n") {
            return Err(UploadError::Client);
        }
        self.batch.tail = b"";
        self.batch.front.truncate(end);
        self.put_back(data);
        Ok(&self.batch.front)
    }

    /// Its head was sent.
    pub(super) const fn set_sent(&mut self) {
        self.has_sent = true;
    }

    /// The next piece of the body.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, UploadError>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let frame = frame.transpose().map_err(|_| UploadError::Client)?;
        let Some(frame) = frame else {
            return Poll::Ready(self.count(0, true).map(|()| Piece::End));
        };
        Poll::Ready(match frame.into_data() {
            Ok(data) => {
                let is_last = self.body.is_end_stream();
                let counted = self.count(data.len() as u64, is_last);
                counted.map(|()| Piece::Data(data, is_last))
            }
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                self.count(0, true).map(|()| Piece::Trailers(trailers))
            }
        })
    }

    /// Makes it as it was before it was sent, for another connection: the server has not acted on it.
    /// `taken` is what was taken of its body.
    pub(super) fn unprocessed(mut self, taken: Bytes) -> Self {
        self.has_sent = false;
        self.batch.rewind();
        self.put_back(taken);
        self
    }

    /// The buffer of the head, to be used again.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.batch.front
    }

    /// Takes the next frame of the body behind what is not written yet.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UploadError>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let frame = frame.transpose().map_err(|_| UploadError::Client)?;
        if self.has_sent {
            // Everything before it was written.
            self.batch.clear();
        }
        let Some(frame) = frame else {
            return Poll::Ready(self.end(None));
        };
        Poll::Ready(match frame.into_data() {
            Ok(data) => self.take(data),
            Err(frame) => self.end(frame.trailers_ref()),
        })
    }

    fn put_back(&mut self, taken: Bytes) {
        if let BodyFraming::Length(left) = &mut self.framing {
            *left = left.saturating_add(taken.len() as u64);
        }
        self.is_last = self.is_bodyless();
        self.has_begun = self.is_last;
        self.body.put_back(taken);
    }

    /// Holds what came against the length that the head told.
    fn count(&mut self, length: u64, is_last: bool) -> Result<(), UploadError> {
        if let BodyFraming::Length(left) = &mut self.framing {
            *left = left.checked_sub(length).ok_or(UploadError::Client)?;
            if is_last && *left > 0 {
                return Err(UploadError::Client);
            }
        }
        Ok(())
    }

    fn take(&mut self, data: Bytes) -> Result<(), UploadError> {
        // An empty chunk would end the body.
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.framing {
            BodyFraming::None => return Err(UploadError::Client),
            BodyFraming::Length(left) => {
                let length = data.len() as u64;
                *left = left.checked_sub(length).ok_or(UploadError::Client)?;
                self.is_last = *left == 0;
            }
            BodyFraming::Chunked => {
                // Writing to a Vec cannot fail.
                let _ = write!(self.batch.front, "{:x}\r\n", data.len());
                self.is_last = self.body.is_end_stream();
                self.batch.tail = if self.is_last {
                    b"\r\n0\r\n\r\n"
                } else {
                    b"\r\n"
                };
            }
        }
        self.batch.data = data;
        Ok(())
    }

    fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), UploadError> {
        self.is_last = true;
        match self.framing {
            BodyFraming::None | BodyFraming::Length(0) => {}
            // The server waits for what will not come.
            BodyFraming::Length(_) => return Err(UploadError::Client),
            BodyFraming::Chunked => {
                self.batch.front.extend_from_slice(b"0\r\n");
                for (name, value) in trailers.into_iter().flatten() {
                    write_field(&mut self.batch.front, name, value);
                }
                self.batch.front.extend_from_slice(b"\r\n");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::Duration;

    use http_body::Frame;

    use super::*;
    use crate::http::{ClientBody, ClientBodyError};
    use crate::proxy::Exchange;
    use crate::revocation::Watch;

    /// Nothing but trailers.
    struct Trailers(Option<HeaderMap>);

    impl Body for Trailers {
        type Data = Bytes;
        type Error = ClientBodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, ClientBodyError>>> {
            Poll::Ready(self.0.take().map(|trailers| Ok(Frame::trailers(trailers))))
        }
    }

    const HEAD: &[u8] = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// A request whose body, in chunks and without data, was taken for an HTTP/1.1 connection already.
    fn taken(trailers: Option<HeaderMap>) -> Upload {
        let exchange = Exchange::new(&Watch::new(), None);
        let body = ClientBody::http1(Trailers(trailers));
        let body = RequestBody::new(body, exchange, Duration::MAX);
        let mut upload = Upload::new(HEAD.to_vec(), body, BodyFraming::Chunked, false);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(upload.poll_body(&mut cx), Poll::Ready(Ok(()))));
        assert!(upload.is_last && upload.batch.front.len() > HEAD.len());
        upload
    }

    #[test]
    fn an_empty_body_in_chunks_may_go_over_http2_after_all() {
        let mut upload = taken(None);
        assert_eq!(upload.head_alone().unwrap(), HEAD);
        let mut cx = Context::from_waker(Waker::noop());
        let piece = upload.poll_piece(&mut cx);
        assert!(matches!(piece, Poll::Ready(Ok(Piece::End))), "{piece:?}");

        // And back again.
        let mut upload = upload.unprocessed(Bytes::new());
        assert!(upload.poll_body(&mut cx).is_ready());
        assert_eq!(upload.batch.front, [HEAD, b"0\r\n\r\n"].concat());
    }

    #[test]
    fn trailers_that_were_written_in_lines_cannot_go_over_http2() {
        let name = http::HeaderName::from_static("checksum");
        let trailers = HeaderMap::from_iter([(name, http::HeaderValue::from_static("abc"))]);
        assert!(taken(Some(trailers)).head_alone().is_err());
    }
}
