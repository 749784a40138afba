use std::cell::Cell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The body of a client's request, whatever it came over.
///
/// It is read no faster than it is taken: what is not taken stays in the client's hands (HTTP/2 flow
/// control, TCP).
#[derive(Debug)]
pub enum ClientBody {
    /// There is none.
    Empty,
    /// Over HTTP/1.
    Http1(Http1Body),
    /// Over HTTP/2.
    Http2(Http2Body),
}

/// A request body over HTTP/1, read from the connection by whoever polls it.
pub struct Http1Body(Pin<Box<dyn Body<Data = Bytes, Error = ClientBodyError>>>);

/// A request body over HTTP/2.
#[derive(Debug)]
pub struct Http2Body {
    stream: h2::RecvStream,
    /// What is left by the request's `Content-Length`, which h2 holds the client to.
    left: Option<u64>,
    is_data_done: bool,
    /// Set once it is asked for: the client may be waiting for a 100 until then.
    is_wanted: Rc<Cell<bool>>,
}

/// The client broke off its request.
#[derive(Debug, thiserror::Error)]
pub enum ClientBodyError {
    /// Over HTTP/1.
    #[error("the client broke off its request")]
    Http1(#[from] io::Error),
    /// Over HTTP/2.
    #[error("the client broke off its request")]
    Http2(#[from] h2::Error),
    /// It holds more bytes than it may.
    #[error("the body is larger than the route takes")]
    TooLarge,
    /// It comes too slowly.
    #[error("the client was too slow with its request")]
    TooSlow,
}

impl ClientBody {
    /// The body of a request over HTTP/1; one that has ended is not looked at again.
    #[must_use]
    pub fn http1(body: impl Body<Data = Bytes, Error = ClientBodyError> + 'static) -> Self {
        if body.is_end_stream() {
            Self::Empty
        } else {
            Self::Http1(Http1Body(Box::pin(body)))
        }
    }

    /// The body of a request over HTTP/2, of `length` bytes where the client said so. It sets
    /// `is_wanted` once it is asked for.
    #[must_use]
    pub fn http2(stream: h2::RecvStream, length: Option<u64>, is_wanted: Rc<Cell<bool>>) -> Self {
        if stream.is_end_stream() {
            return Self::Empty;
        }
        Self::Http2(Http2Body {
            stream,
            left: length,
            is_data_done: false,
            is_wanted,
        })
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = ClientBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientBodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Http1(body) => body.0.as_mut().poll_frame(cx),
            Self::Http2(body) => body.poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Http1(body) => body.0.is_end_stream(),
            Self::Http2(body) => body.stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Http1(body) => body.0.size_hint(),
            Self::Http2(body) => body.left.map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}

impl fmt::Debug for Http1Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1Body").finish_non_exhaustive()
    }
}

impl Http2Body {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        self.is_wanted.set(true);
        if !self.is_data_done {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => return Poll::Ready(Some(self.taken(data))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.is_data_done = true,
            }
        }
        let trailers = ready!(self.stream.poll_trailers(cx));
        Poll::Ready(trailers.transpose().map(|end| end.map(Frame::trailers)))
    }

    fn taken(&mut self, data: Bytes) -> Result<Frame<Bytes>, h2::Error> {
        let length = data.len();
        self.stream.flow_control().release_capacity(length)?;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
        }
        Ok(Frame::data(data))
    }
}
