use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::outgoing::Outgoing;
use crate::http::{ApiError, ClientBodyError, Code, Piece, RequestHead, Requests, Stand};
use crate::server::line::Line;
use crate::server::worker::Worker;

/// One HTTP/1 connection: what was read of it and not taken yet, and what is to be written.
///
/// While it waits for a request it holds no buffer.
#[derive(Debug)]
pub(super) struct Connection<Io> {
    io: Io,
    line: Rc<Line>,
    worker: Rc<Worker>,
    requests: Requests,
    /// What was read and not taken yet.
    held: BytesMut,
    out: Outgoing,
    has_served: bool,
    /// The client sends the request's body once it is told to.
    awaits_continue: bool,
    is_answering: bool,
    /// Nobody can say what the next bytes are, or none will come.
    is_broken: bool,
}

/// What comes next on a connection.
pub(super) enum Next {
    /// A request.
    Request(RequestHead),
    /// Something that must be refused, and nothing behind it can be trusted.
    Refused(ApiError),
    /// Nothing, in good order.
    End,
    /// Nothing; it is gone.
    Broken,
}

/// How much of a request's body is read at once.
const BODY_BYTES: usize = 16 * 1024;
/// How much of a body that nobody wants is read to keep the connection.
const DRAIN_BYTES: usize = 64 * 1024;
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl<Io: AsyncRead + AsyncWrite + Unpin> Connection<Io> {
    pub(super) fn new(io: Io, line: Rc<Line>, worker: Rc<Worker>) -> Self {
        Self {
            io,
            line,
            requests: Requests::new(worker.settings().max_head),
            worker,
            held: BytesMut::new(),
            out: Outgoing::default(),
            has_served: false,
            awaits_continue: false,
            is_answering: false,
            is_broken: false,
        }
    }

    pub(super) const fn line(&self) -> &Rc<Line> {
        &self.line
    }

    /// Whether it waits for a request of which nothing has come.
    pub(super) fn is_idle(&self) -> bool {
        self.requests.stand(self.held.len()) == Stand::Between
    }

    /// Whether a request has come yet.
    pub(super) const fn has_served(&self) -> bool {
        self.has_served
    }

    /// Whether the request that is being answered was broken off.
    pub(super) const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether more of the request's body is to come, and how much, where its head told.
    pub(super) const fn body(&self) -> Option<Option<u64>> {
        if self.requests.is_in_body() {
            Some(self.requests.length())
        } else {
            None
        }
    }

    /// The connection itself, and whether something has come on it that nobody has taken.
    pub(super) fn into_parts(self) -> (Io, bool) {
        (self.io, !self.held.is_empty())
    }

    /// Waits for the next request.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        loop {
            match self.requests.next(&mut self.held) {
                Ok(Some(Piece::Head(head))) => return Poll::Ready(self.begin_request(head)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Next::Refused(error.into())),
            }
            let is_first = self.is_idle();
            match self.poll_read(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Next::End),
                Poll::Ready(Ok(_)) if is_first => self.line.read_moved(),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Next::Broken),
                Poll::Pending => return self.poll_late(cx),
            }
        }
    }

    /// More of the request's body.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientBodyError>>> {
        if std::mem::take(&mut self.awaits_continue) {
            self.out.bytes().extend_from_slice(CONTINUE);
        }
        if !self.is_answering
            && !self.out.is_empty()
            && let Poll::Ready(Err(error)) = self.poll_out(cx)
        {
            return Poll::Ready(Some(Err(self.broken(error))));
        }
        self.poll_piece(cx)
    }

    /// Ready when the client has gone away while its request is being answered.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // What it sends ahead is read once, and left to the next request.
        if self.requests.is_in_body() || !self.held.is_empty() {
            return Poll::Pending;
        }
        match ready!(self.poll_read(cx)) {
            Ok(0) | Err(_) => Poll::Ready(()),
            Ok(_) => Poll::Pending,
        }
    }

    /// From now on what is written belongs to the answer.
    pub(super) fn begin_answer(&mut self) -> &mut Outgoing {
        self.is_answering = true;
        self.awaits_continue = false;
        &mut self.out
    }

    pub(super) const fn out(&mut self) -> &mut Outgoing {
        &mut self.out
    }

    /// Ready when everything was written.
    pub(super) fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let polled = Pin::new(&mut self.io).poll_write_vectored(cx, &self.out.slices());
            match ready!(polled)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.out.advance(written),
            }
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Reads what is left of the request's body, as far as that takes no waiting; answers whether that
    /// is all of it.
    pub(super) fn drain_body(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let mut left = DRAIN_BYTES;
        while self.requests.is_in_body() && !self.is_broken {
            match self.poll_piece(&mut cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let length = frame.data_ref().map_or(0, Bytes::len);
                    let Some(rest) = left.checked_sub(length) else {
                        return false;
                    };
                    left = rest;
                }
                Poll::Ready(_) => {}
                Poll::Pending => return false,
            }
        }
        !self.is_broken
    }

    fn begin_request(&mut self, head: RequestHead) -> Next {
        self.line.read_moved();
        self.has_served = true;
        self.is_answering = false;
        self.awaits_continue = head.expects_continue && self.requests.is_in_body();
        Next::Request(head)
    }

    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientBodyError>>> {
        while self.requests.is_in_body() {
            let read = match self.requests.next(&mut self.held) {
                Ok(Some(Piece::Data(data))) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Some(Piece::Trailers(trailers))) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Ok(_) if self.requests.is_in_body() => ready!(self.poll_read_body(cx)),
                Ok(_) => break,
                Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            };
            if let Err(error) = read {
                return Poll::Ready(Some(Err(self.broken(error))));
            }
        }
        Poll::Ready(None)
    }

    fn broken(&mut self, error: io::Error) -> ClientBodyError {
        self.is_broken = true;
        error.into()
    }

    /// Nothing came: is it late?
    fn poll_late(&mut self, cx: &Context<'_>) -> Poll<Next> {
        let settings = self.worker.settings();
        if !self.is_idle() {
            ready!(self.line.poll_read_late(cx, settings.head_timeout));
            return Poll::Ready(Next::Refused(ApiError::new(Code::RequestTimeout)));
        }
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
        self.out.release();
        let patience = if self.has_served {
            settings.idle_timeout
        } else {
            settings.head_timeout
        };
        self.line.poll_read_late(cx, patience).map(|()| Next::End)
    }

    /// Reads through a buffer of the worker's, so that a connection that waits needs none.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut scratch = self.worker.scratch();
        let mut read = ReadBuf::new(&mut scratch);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
        self.held.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Reads right into the buffer that the body is passed on from.
    fn poll_read_body(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Not each time: a client that sends byte by byte would have a buffer for each.
        if self.held.capacity() - self.held.len() < BODY_BYTES / 2 {
            self.held.reserve(BODY_BYTES);
        }
        let polled = pin!(self.io.read_buf(&mut self.held)).poll(cx);
        match polled {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Poll::Ready(read) => {
                self.line.read_moved();
                Poll::Ready(read.map(drop))
            }
            // Before the answer the exchange's own deadline holds, and tells the client.
            Poll::Pending if self.is_answering => {
                let patience = self.worker.settings().body_timeout;
                ready!(self.line.poll_read_late(cx, patience));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
