use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http::{Request, Version, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::line::{Line, Refusal};
use crate::http::{FollowState, Follower};

/// An HTTP/1 connection on which every head is checked before hyper reads it.
///
/// hyper mends what must be refused: a length together with chunks, two lengths, bare line feeds. So a
/// head is held back here until it is whole and plain. In place of one that is not, hyper gets
/// [`STAND_IN`], which whoever serves answers with the refusal.
#[derive(Debug)]
pub(super) struct Checked<Io> {
    io: Io,
    line: Rc<Line>,
    follower: Follower,
    patience: Patience,
    /// What was read and not handed on yet.
    held: BytesMut,
    /// How much of `held` may be handed on.
    passed: usize,
    is_refused: bool,
    has_served: bool,
    is_passing: bool,
}

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For a head, and for the first byte of the first one.
    pub(super) head: Duration,
    /// Between requests.
    pub(super) idle: Duration,
    /// For the next bytes of a body.
    pub(super) body: Duration,
}

/// Stands in for a head that was refused. It has no `Host`, and a client's head without one is
/// refused, so no request that came before it is taken for it; see [`is_stand_in`].
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
const READ_BYTES: usize = 4096;

impl<Io: AsyncRead + Unpin> Checked<Io> {
    pub(super) fn new(io: Io, line: Rc<Line>, max_head: usize, patience: Patience) -> Self {
        Self {
            io,
            line,
            follower: Follower::new(max_head),
            patience,
            held: BytesMut::new(),
            passed: 0,
            is_refused: false,
            has_served: false,
            is_passing: false,
        }
    }

    /// The connection itself, when no more requests are read from it.
    pub(super) const fn unchecked(&mut self) -> &mut Io {
        &mut self.io
    }

    fn refuse(&mut self, refusal: Refusal) -> io::Result<()> {
        if self.follower.state() == FollowState::InBody {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the request body breaks the rules of HTTP",
            ));
        }
        self.line.refusal.set(Some(refusal));
        self.is_refused = true;
        self.held.clear();
        self.held.extend_from_slice(STAND_IN);
        self.passed = STAND_IN.len();
        Ok(())
    }

    /// Hands on what may be.
    fn hand_on(&mut self, buf: &mut ReadBuf<'_>) {
        let length = self.passed.min(buf.remaining());
        buf.put_slice(self.held.get(..length).unwrap_or_default());
        self.held.advance(length);
        self.passed -= length;
    }

    /// Reads straight into hyper's buffer: nothing is held, and mostly nothing needs to be.
    fn poll_read_through(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Read>> {
        let start = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if polled.is_pending() {
            return self.poll_late(cx);
        }
        ready!(polled)?;
        let read = buf.filled().get(start..).unwrap_or_default();
        if read.is_empty() {
            return Poll::Ready(Ok(Read::End));
        }
        self.line.read_moved();
        match self.follower.follow(read) {
            Ok(passed) => {
                self.held
                    .extend_from_slice(read.get(passed..).unwrap_or_default());
                buf.set_filled(start + passed);
                self.has_served |= passed > 0;
                Poll::Ready(Ok(if passed > 0 {
                    Read::Some
                } else {
                    Read::Nothing
                }))
            }
            Err(error) => {
                buf.set_filled(start);
                self.refuse(Refusal::Framing(error))?;
                Poll::Ready(Ok(Read::Nothing))
            }
        }
    }

    /// Reads more of a head that is held.
    fn poll_read_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Read>> {
        let mut space = [0; READ_BYTES];
        let mut read = ReadBuf::new(&mut space);
        let polled = Pin::new(&mut self.io).poll_read(cx, &mut read);
        if polled.is_pending() {
            return self.poll_late(cx);
        }
        ready!(polled)?;
        if read.filled().is_empty() {
            return Poll::Ready(Ok(Read::End));
        }
        self.held.extend_from_slice(read.filled());
        match self.follower.follow(&self.held) {
            Ok(passed) => {
                self.passed = passed;
                if passed > 0 {
                    self.has_served = true;
                    self.line.read_moved();
                }
            }
            Err(error) => self.refuse(Refusal::Framing(error))?,
        }
        Poll::Ready(Ok(Read::Nothing))
    }

    /// Nothing came: is it late?
    fn poll_late(&mut self, cx: &Context<'_>) -> Poll<io::Result<Read>> {
        let state = self.follower.state();
        let patience = match state {
            FollowState::InHead => self.patience.head,
            FollowState::InBody => self.patience.body,
            FollowState::BetweenMessages if self.line.is_busy.get() => {
                self.line.read_idle(cx);
                return Poll::Pending;
            }
            FollowState::BetweenMessages if self.has_served => self.patience.idle,
            FollowState::BetweenMessages => self.patience.head,
        };
        ready!(self.line.poll_read_late(cx, patience));
        if state == FollowState::InHead {
            self.refuse(Refusal::TooSlow)?;
            return Poll::Ready(Ok(Read::Nothing));
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// The connection is a WebSocket's now; its client must have waited for that.
    fn switch(&mut self) -> io::Result<()> {
        if self.is_passing {
            return Ok(());
        }
        if !self.held.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "bytes before the protocol was switched",
            ));
        }
        self.follower.passthrough();
        self.is_passing = true;
        Ok(())
    }
}

/// Whether a request is no client's, but stands in for a head that was refused.
pub(super) fn is_stand_in<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_11 && !request.headers().contains_key(header::HOST)
}

/// What a read came to.
enum Read {
    /// There is something for hyper.
    Some,
    /// The connection ended.
    End,
    /// Look again.
    Nothing,
}

impl<Io: AsyncRead + Unpin> AsyncRead for Checked<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.line.is_switched.get() {
            this.switch()?;
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        loop {
            if this.passed > 0 {
                this.hand_on(buf);
                return Poll::Ready(Ok(()));
            }
            if this.is_refused {
                // The end would make hyper break off its answer to the refused head. It closes the
                // connection after that, and the answer's own deadline bounds the wait.
                this.line.read_idle(cx);
                return Poll::Pending;
            }
            if let Some(error) = this.follower.failure() {
                this.refuse(Refusal::Framing(error))?;
                continue;
            }
            let read = if this.held.is_empty() {
                ready!(this.poll_read_through(cx, buf))?
            } else {
                ready!(this.poll_read_held(cx))?
            };
            match read {
                Read::Some | Read::End => return Poll::Ready(Ok(())),
                Read::Nothing => {}
            }
        }
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Checked<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
