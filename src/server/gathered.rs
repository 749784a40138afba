use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::runtime::yield_turn;

/// A connection beneath h2, which writes and flushes each frame by itself: frames are gathered here, and
/// leave together as one TLS record and one system call when [`Gathered::poll_pass_on`] is called.
///
/// It takes nothing while TLS has something waiting, and gathers no more than one record, since what was
/// taken cannot be taken back from it. And it can still be closed in good order, which h2 never gives its
/// connection back for.
#[derive(Debug)]
pub(super) struct Gathered<Io>(Rc<RefCell<Inner<Io>>>);

#[derive(Debug)]
struct Inner<Io> {
    io: Io,
    bytes: Vec<u8>,
    /// How many of `bytes` TLS has taken.
    passed: usize,
    /// Whether TLS had something waiting when it was last asked.
    is_blocked: bool,
    /// How many bytes were read since there were none to read, or others had their turn.
    read: usize,
}

/// What is read before others have their turn: so many small frames (`PING`, empty `DATA`) take about
/// two milliseconds.
const TURN_BYTES: usize = 64 * 1024;
/// The bytes of one TLS record.
const RECORD: usize = 16 * 1024;

impl<Io> Gathered<Io> {
    pub(super) fn new(io: Io) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            io,
            bytes: Vec::new(),
            passed: 0,
            is_blocked: false,
            read: 0,
        })))
    }

    /// The same connection once more. Nobody polls both at the same time.
    pub(super) fn again(&self) -> Self {
        Self(Rc::clone(&self.0))
    }

    /// Gives back the room for what is gathered, when nothing is.
    pub(super) fn release(&self) {
        let mut inner = self.0.borrow_mut();
        if inner.bytes.is_empty() {
            inner.bytes = Vec::new();
        }
    }
}

impl<Io: AsyncWrite + Unpin> Gathered<Io> {
    /// Writes what was gathered; ready when nothing waits any more.
    pub(super) fn poll_pass_on(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_pass_on(cx)
    }
}

impl<Io: AsyncWrite + Unpin> Inner<Io> {
    fn poll_pass_on(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_blocked = true;
        while let Some(rest @ [_, ..]) = self.bytes.get(self.passed..) {
            match ready!(Pin::new(&mut self.io).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => self.passed += taken,
            }
        }
        self.bytes.clear();
        self.passed = 0;
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.is_blocked = false;
        Poll::Ready(Ok(()))
    }

    /// Ready when `more` bytes may be taken.
    fn poll_room(&mut self, cx: &mut Context<'_>, more: usize) -> Poll<io::Result<()>> {
        if self.is_blocked || self.bytes.len() + more > RECORD {
            return self.poll_pass_on(cx);
        }
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Gathered<Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.0.borrow_mut();
        if inner.read >= TURN_BYTES {
            inner.read = 0;
            yield_turn(cx);
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut inner.io).poll_read(cx, buf);
        inner.read = match polled {
            Poll::Ready(_) => inner.read + buf.filled().len() - before,
            Poll::Pending => 0,
        };
        polled
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Gathered<Io> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.0.borrow_mut();
        let length = bufs.iter().map(|buf| buf.len()).sum();
        ready!(inner.poll_room(cx, length))?;
        if length > RECORD {
            // Nothing stands before it now, so that it need not be copied.
            return Pin::new(&mut inner.io).poll_write_vectored(cx, bufs);
        }
        for buf in bufs {
            inner.bytes.extend_from_slice(buf);
        }
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What is gathered waits for [`Gathered::poll_pass_on`]; h2 asks for this after each frame.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.borrow_mut();
        ready!(inner.poll_pass_on(cx))?;
        Pin::new(&mut inner.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn whoever_sends_without_end_lets_others_have_their_turn() {
        let mut io = Gathered::new(tokio::io::join(tokio::io::repeat(0), tokio::io::sink()));
        let mut room = vec![0; RECORD];
        let mut is_read = || {
            let mut cx = Context::from_waker(Waker::noop());
            let polled = Pin::new(&mut io).poll_read(&mut cx, &mut ReadBuf::new(&mut room));
            polled.is_ready()
        };

        for _ in 0..3 {
            for _ in 0..TURN_BYTES / RECORD {
                assert!(is_read());
            }
            assert!(!is_read());
        }
    }
}
